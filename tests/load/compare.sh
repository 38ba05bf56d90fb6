#!/usr/bin/env bash
# Compares this framework with a plain axum + mpsc server, side by side on this machine.
# README.md beside this file says what is measured and what the figures mean.
set -euo pipefail
export LC_ALL=C

usage() {
    cat <<'TEXT'
usage: WSLOAD=/path/to/wsload tests/load/compare.sh [fanout|rooms|idle|echo]...

Without arguments every scenario runs. Environment:
  WSLOAD   the wsload load generator (without it nothing is measured)
  SECS     seconds of each measurement (default 4)
  ROUNDS   rounds per scenario, the servers alternating (default 5)
  SERVERS  "agentcore axum-mpsc" (default), or one of the two
TEXT
}

fail() {
    echo "compare.sh: $*" >&2
    exit 1
}

skip() {
    echo "SKIPPED: $*"
    exit 0
}

secs=${SECS:-4}
rounds=${ROUNDS:-5}
read -r -a servers <<<"${SERVERS:-agentcore axum-mpsc}"
scenarios=("$@")
[ "$#" -gt 0 ] || scenarios=(fanout rooms idle echo)

for scenario in "${scenarios[@]}"; do
    case $scenario in
        fanout | rooms | idle | echo) ;;
        -h | --help) usage && exit 0 ;;
        *) fail "unknown scenario '$scenario', expected any of: fanout, rooms, idle, echo" ;;
    esac
done
for server in "${servers[@]}"; do
    case $server in
        agentcore | axum-mpsc) ;;
        *) fail "unknown server '$server' in SERVERS, expected: agentcore, axum-mpsc" ;;
    esac
done
[[ $secs =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "SECS is '$secs', expected a number of seconds"
[[ $rounds =~ ^[1-9][0-9]*$ ]] || fail "ROUNDS is '$rounds', expected a whole number from 1"

[ -n "${WSLOAD:-}" ] || skip "WSLOAD is not set; it must be the path of the wsload load generator"
if [ ! -f "$WSLOAD" ] || [ ! -x "$WSLOAD" ]; then
    skip "WSLOAD is '$WSLOAD', which is not a program; it must be the path of the wsload load generator"
fi
WSLOAD=$(cd "$(dirname "$WSLOAD")" && pwd)/$(basename "$WSLOAD")
command -v taskset >/dev/null || skip "taskset is missing (package util-linux); it pins the server and the generator to a core each"
if ! taskset -c 0 true 2>/dev/null || ! taskset -c 1 true 2>/dev/null; then
    skip "cores 0 and 1 are not both available; the server needs one and the generator the other"
fi
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

# Sets `arguments` to what the generator does in scenario $1 with server $2.
arguments_of() {
    local join='{"type":"join_room","data":{"room":"{room}"}}'
    local chat='{"type":"chat_message","data":{"room":"{room}","text":"{ts}{pad}"}}'
    case $1 in
        fanout) arguments=(fanout --conns 1000 --window 32 --size 128) ;;
        rooms) arguments=(fanout --conns 1000 --window 1 --size 128 --rooms 200 --publishers 1000) ;;
        idle) arguments=(idle --conns 10000 --rooms 200) ;;
        echo) arguments=(echo --conns 100 --window 1 --size 128) ;;
    esac
    case $2:$1 in
        agentcore:fanout | agentcore:rooms) arguments+=(--path '/ws/u{u}' --join "$join" --payload "$chat") ;;
        agentcore:idle) arguments+=(--path '/ws/u{u}' --join "$join") ;;
        agentcore:echo) arguments+=(--path '/ws/u{u}' --payload '{"type":"echo","data":{"text":"{ts}{pad}"}}') ;;
        axum-mpsc:fanout) arguments+=(--path /fan/a) ;;
        axum-mpsc:rooms | axum-mpsc:idle) arguments+=(--path '/fan/{i}') ;;
        axum-mpsc:echo) arguments+=(--path /echo) ;;
    esac
}

# The figures of each scenario, as wsload names them, in the order of the table.
figures_of() {
    case $1 in
        idle) echo rss_per_conn_bytes ;;
        *) echo deliveries/s p50_us p99_us server_ns_per_delivery ;;
    esac
}

# One round: raw output to the terminal, each figure to a file of its own.
measure() {
    local scenario=$1 server=$2 round=$3 figure value closed
    arguments_of "$scenario" "$server"
    start_server "$server"
    taskset -c 1 "$WSLOAD" "${arguments[@]}" --addr "$address" --pid "$server_pid" --secs "$secs" >"$work/raw" 2>&1 || {
        cat "$work/raw" "$work/stderr" >&2
        fail "the generator failed against $server in $scenario"
    }
    kill -0 "$server_pid" 2>/dev/null || fail "the $server server ended during $scenario: $(cat "$work/stderr")"
    stop_server
    sed "s/^/$scenario $round $server: /" "$work/raw"
    for figure in $(figures_of "$scenario"); do
        value=$(tr ' ' '\n' <"$work/raw" | awk -F= -v name="$figure" '$1 == name { value = $2 } END { print value }')
        [[ $value =~ ^[0-9] ]] && [ "$value" != 0 ] || fail "$server gave no $figure in $scenario"
        echo "$value" >>"$work/$scenario.$server.${figure//\//_}"
    done
    closed=$(tr ' ' '\n' <"$work/raw" | awk -F= '$1 == "closed" { print $2 }')
    [ "$closed" = 0 ] || fail "$server closed $closed connections in $scenario"
}

# The median of figure $3 of server $2 in scenario $1; nothing when it was not measured.
median() {
    local file=$work/$1.$2.${3//\//_}
    [ -f "$file" ] || return 0
    sort -g "$file" | awk '{ v[NR] = $1 } END { m = int((NR + 1) / 2); print NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2 }' OFMT=%.0f CONVFMT=%.0f
}

# $1 / $2 with two decimals; nothing when one is missing.
ratio() {
    [ -n "$1" ] && [ -n "$2" ] || return 0
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

row() {
    printf '%-8s %-24s %14s %14s %8s\n' "$@"
}

# Says whether figure $2 keeps to the bound: `>=` or `<=` in $3, the number in $4.
verdict() {
    [ -n "$2" ] || return 0
    awk -v what="$1" -v a="$2" -v op="$3" -v b="$4" 'BEGIN {
        met = op == ">=" ? a + 0 >= b + 0 : a + 0 <= b + 0
        printf "  %-46s wanted %s %s, got %s: %s\n", what, op, b, a, met ? "met" : "MISSED"
    }'
}

for scenario in "${scenarios[@]}"; do
    if [ "$scenario" = idle ] && [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt 10200 ]; then
        echo "SKIPPED: idle needs 10200 open files a process, the limit is $(ulimit -n)"
        continue
    fi
    for round in $(seq "$rounds"); do
        for server in "${servers[@]}"; do
            # The peer's idle memory is context only, so it is taken once.
            [ "$scenario:$server" = idle:axum-mpsc ] && [ "$round" -gt 1 ] && continue
            measure "$scenario" "$server" "$round"
        done
    done
done

echo
echo "Medians; the ratio is agentcore / axum-mpsc."
row scenario figure agentcore axum-mpsc ratio
for scenario in "${scenarios[@]}"; do
    for figure in $(figures_of "$scenario"); do
        ours=$(median "$scenario" agentcore "$figure")
        peer=$(median "$scenario" axum-mpsc "$figure")
        row "$scenario" "$figure" "${ours:--}" "${peer:--}" "$(ratio "$ours" "$peer")"
    done
done

echo
for scenario in "${scenarios[@]}"; do
    case $scenario in
        fanout | rooms) gain=$(ratio "$(median "$scenario" agentcore deliveries/s)" "$(median "$scenario" axum-mpsc deliveries/s)") ;;
    esac
    case $scenario in
        fanout) verdict "fanout: deliveries/s against the peer" "$gain" '>=' 6 ;;
        rooms)
            verdict "rooms: deliveries/s against the peer" "$gain" '>=' 1
            verdict "rooms: our p99 against our p50" "$(ratio "$(median rooms agentcore p99_us)" "$(median rooms agentcore p50_us)")" '<=' 3
            ;;
        idle) verdict "idle: our resident bytes per connection" "$(median idle agentcore rss_per_conn_bytes)" '<=' 3072 ;;
    esac
done
