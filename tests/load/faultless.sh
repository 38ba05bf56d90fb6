#!/usr/bin/env bash
# Ten minutes without a fault, with clients that join and leave and a node that comes and goes: nobody may be told to load
# again, and nothing may be missing.
#
#   tests/load/faultless.sh [--secs S] [--clients N]
set -euo pipefail

fail() { echo "faultless.sh: $*" >&2; exit 1; }

secs=600 clients=1000
while [ $# -gt 0 ]; do
    case $1 in
        --secs) secs=${2:?} && shift 2 ;;
        --clients) clients=${2:?} && shift 2 ;;
        *) fail "unknown argument \`$1\`, expected --secs or --clients" ;;
    esac
done
command -v redis-server >/dev/null || fail "redis-server is not installed"

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
CLUSTER_SECONDS=$secs CLUSTER_CLIENTS=$clients \
    cargo test --release -p tests --test faults -- without_a_fault --nocapture
