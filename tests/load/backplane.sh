#!/usr/bin/env bash
# How many messages a second travel from one node to another through Redis, against what redis-benchmark publishes in the
# same run: 200 bytes, 100 channels.
#
#   tests/load/backplane.sh [--rounds 5] [--count 1000000]
set -euo pipefail

rounds=5 count=1000000
fail() { echo "backplane.sh: $*" >&2; exit 1; }
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) rounds=$2 ;;
        --count) count=$2 ;;
        *) fail "unknown option $1; there are --rounds and --count" ;;
    esac
    shift 2
done
command -v redis-server >/dev/null || fail "redis-server is missing: apt-get install redis-server"
command -v redis-benchmark >/dev/null || fail "redis-benchmark is missing: apt-get install redis-tools"

cd "$(dirname "$0")/../.."
cargo build --profile dist --quiet -p load
program=${CARGO_TARGET_DIR:-target}/dist/backplane

work=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" >"$work/log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do redis-cli -p "$port" ping >/dev/null 2>&1 && break; sleep 0.05; done
redis-cli -p "$port" ping >/dev/null || fail "Redis did not start: $(tail -1 "$work/log")"

value() { sed -n "s/.*$1=\([0-9.]*\).*/\1/p"; }
calls() { redis-cli -p "$port" info commandstats | tr -d '\r' | sed -n 's/^cmdstat_publish:calls=\([0-9]*\),.*/\1/p'; }
text=$(printf 'x%.0s' $(seq 200))

printf '%-6s %14s %14s %7s %12s %8s\n' round benchmark agentcore ratio msg/PUBLISH resyncs
for round in $(seq "$rounds"); do
    plain=$(redis-benchmark -p "$port" -c 1 -P 64 -n 500000 --csv PUBLISH ch "$text" |
        tail -1 | cut -d, -f2 | tr -d '"')
    redis-cli -p "$port" config resetstat >/dev/null
    line=$("$program" "redis://127.0.0.1:$port" "$count" 200 100)
    rate=$(echo "$line" | value rate)
    published=$(calls)
    awk -v r="$round" -v p="$plain" -v a="$rate" -v n="$count" -v c="$published" -v s="$(echo "$line" | value resyncs)" \
        'BEGIN { printf "%-6s %14.0f %14.0f %7.2f %12.1f %8d\n", r, p, a, a / p, n / c, s }'
done
