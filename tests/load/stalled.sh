#!/usr/bin/env bash
# What one reader that stalls costs the other 999 members of a group, under each overflow policy: the p99 of a publisher's
# round trip with it against the one without it, alternating rounds, medians.
#
#   WSLOAD=path/to/wsload tests/load/stalled.sh [--rounds N] [--secs S]
set -euo pipefail

fail() { echo "stalled.sh: $*" >&2; exit 1; }

rounds=3 secs=12
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) rounds=${2:?} && shift 2 ;;
        --secs) secs=${2:?} && shift 2 ;;
        *) fail "unknown argument \`$1\`, expected --rounds or --secs" ;;
    esac
done
[ -x "${WSLOAD:-}" ] || fail "set WSLOAD to the load generator's program"
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

# A member that shakes hands and reads nothing more.
stall() {
    exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
    printf 'GET /ws/stalled?room=bench HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' "$address" >&3
    printf 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n' >&3
    sleep 0.3
}

metric() {
    local host=${address%:*} port=${address#*:}
    exec 4<>"/dev/tcp/$host/$port"
    printf 'GET /metrics HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$address" >&4
    tr -d '\r' <&4 | grep -E "$1" | tr '\n' ' '
    exec 4>&-
}

measure() {
    local policy=$1 with=$2 p99
    start_server agentcore
    if [ "$with" = stalled ]; then stall; fi
    taskset -c 1 "$WSLOAD" fanout --addr "$address" --pid "$server_pid" --secs "$secs" --conns 999 --rate 400 --size 1400 \
        --path "/ws/u{u}?policy=$policy" --join '{"type":"join_room","data":{"room":"bench"}}' \
        --payload '{"type":"chat_message","data":{"room":"bench","text":"{ts}{pad}"}}' >"$work/raw" 2>&1 || fail "$(cat "$work/raw")"
    p99=$(tr ' ' '\n' <"$work/raw" | sed -n 's/^p99_us=//p' | tail -1)
    echo "$p99" >>"$work/$policy.$with"
    echo "$policy $with: p99 $p99 us; $(metric '^agentcore_(messages_dropped|slow|outbox)[a-z_]*(\{[^}]*\})? [1-9]')"
    if [ "$with" = stalled ]; then exec 3>&-; fi
    stop_server
}

median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for policy in disconnect drop_newest drop_oldest latest; do
    for _ in $(seq "$rounds"); do
        measure "$policy" alone
        measure "$policy" stalled
    done
done
echo
for policy in disconnect drop_newest drop_oldest latest; do
    awk -v p="$policy" -v a="$(median "$work/$policy.alone")" -v s="$(median "$work/$policy.stalled")" \
        'BEGIN { printf "%-12s p99 alone %s us, with a stalled reader %s us: %.2f (wanted at most 1.20)\n", p, a, s, s / a }'
done
