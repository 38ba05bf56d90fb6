#!/usr/bin/env bash
# What one reader that stalls costs the other 999 members of a group, under each overflow policy. With it and without it,
# in rounds of A-B-B-A: the p99 of a publisher's round trip, and what noise cannot hide, the server's CPU time per delivery.
# The server is half idle, so that the figures are of its work and not of its queue.
#
#   WSLOAD=path/to/wsload tests/load/stalled.sh [--rounds N] [--secs S] [POLICY]...
set -euo pipefail
export LC_ALL=C

fail() { echo "stalled.sh: $*" >&2; exit 1; }

rounds=5 secs=8 policies=()
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) rounds=${2:?} && shift 2 ;;
        --secs) secs=${2:?} && shift 2 ;;
        disconnect | drop_newest | drop_oldest | latest) policies+=("$1") && shift ;;
        *) fail "unknown argument \`$1\`, expected --rounds, --secs or a policy: disconnect, drop_newest, drop_oldest, latest" ;;
    esac
done
[ "${#policies[@]}" -gt 0 ] || policies=(disconnect drop_newest drop_oldest latest)
[ -x "${WSLOAD:-}" ] || fail "set WSLOAD to the load generator's program"
# A socket that takes nothing is not given up during a measurement.
export WS_WRITE_TIMEOUT=3600
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

# A member that shakes hands and reads nothing more.
stall() {
    exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
    printf 'GET /ws/stalled?room=bench HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' "$address" >&3
    printf 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n' >&3
}

# The sum of the series whose names match.
metric() {
    exec 4<>"/dev/tcp/${address%:*}/${address#*:}"
    printf 'GET /metrics HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$address" >&4
    tr -d '\r' <&4 | awk -v name="^agentcore_($1)[ {]" '$0 ~ name { sum += $2 } END { printf "%d", sum }'
    exec 4>&-
}

publish() {
    local policy=$1
    shift
    taskset -c 1 "$WSLOAD" fanout --addr "$address" --pid "$server_pid" --size 1400 --path "/ws/u{u}?policy=$policy" \
        --join '{"type":"join_room","data":{"room":"bench"}}' \
        --payload '{"type":"chat_message","data":{"room":"bench","text":"{ts}{pad}"}}' "$@" >"$work/raw" 2>&1 ||
        fail "$(cat "$work/raw")"
}

# Publishes until the stalled member's socket is full and its outbox is not empty; where messages are dropped, until the
# first one is.
fill() {
    local policy=$1
    for _ in $(seq 100); do
        if [ "$policy" = disconnect ]; then
            [ "$(metric outbox_bytes)" -lt 50000 ] || return 0
        else
            [ "$(metric 'messages_dropped_total|messages_replaced_total')" = 0 ] || return 0
        fi
        publish "$policy" --conns 1 --rate 2000 --secs 0.1 --warmup 0
    done
    fail "the stalled member's socket does not get full"
}

figure() { tr ' ' '\n' <"$work/raw" | awk -F= -v name="$1" '$1 == name { value = $2 } END { print value }'; }

measure() {
    local policy=$1 with=$2 name
    start_server agentcore
    if [ "$with" = stalled ]; then
        stall
        fill "$policy"
    fi
    publish "$policy" --conns 999 --rate 100 --secs "$secs"
    for name in p50_us p99_us server_ns_per_delivery; do figure "$name" >>"$work/$policy.$with.$name"; done
    echo "$policy $with: p99 $(figure p99_us) us, $(figure server_ns_per_delivery) ns of CPU per delivery, CPU $(figure server_cpu);" \
        "dropped $(metric messages_dropped_total), replaced $(metric messages_replaced_total)," \
        "disconnected $(metric slow_disconnects_total), in the outbox $(metric outbox_bytes)"
    if [ "$with" = stalled ]; then exec 3>&-; fi
    stop_server
}

median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

for policy in "${policies[@]}"; do
    for _ in $(seq "$rounds"); do
        for with in alone stalled stalled alone; do measure "$policy" "$with"; done
    done
done
echo
for policy in "${policies[@]}"; do
    for name in p50_us p99_us server_ns_per_delivery; do
        awk -v p="$policy" -v n="$name" -v a="$(median "$work/$policy.alone.$name")" \
            -v s="$(median "$work/$policy.stalled.$name")" 'BEGIN {
            wanted = n == "p99_us" ? " (wanted at most 1.20)" : ""
            printf "%-12s %-22s alone %6.0f, with a stalled reader %6.0f: %.2f%s\n", p, n, a, s, s / a, wanted }'
    done
done
