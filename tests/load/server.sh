# For the measurements beside it, to be sourced: builds the servers, starts one on core 0 and stops it.
#
# Sets `program`, `work` (a folder that goes with the script), and with each start `server_pid` and `address`. Who sources
# this has a function `fail`.

ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo build --profile dist --quiet -p load
program=${CARGO_TARGET_DIR:-target}/dist/load

work=$(mktemp -d)
server_pid=
stop_server() {
    [ -n "$server_pid" ] || return 0
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    server_pid=
}
trap 'stop_server; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Starts the server $1.
start_server() {
    # Not the line of the server before.
    rm -f "$work/stdout"
    taskset -c 0 "$program" serve "$1" --port 0 >"$work/stdout" 2>"$work/stderr" &
    server_pid=$!
    address=
    for _ in $(seq 100); do
        address=$(sed -n 's|^listening on http://||p' "$work/stdout" 2>/dev/null)
        [ -z "$address" ] || return 0
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/stderr" >&2
    fail "the $1 server did not start"
}
