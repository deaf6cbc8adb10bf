#!/usr/bin/env bash
# The demo: two nodes of the todo app, side by side. Says what to open and what to kill, and stays until Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${HOLDFAST_DEMO_DIR:-build/demo}
a_port=${HOLDFAST_DEMO_PORT_A:-3000} b_port=${HOLDFAST_DEMO_PORT_B:-3001}
pids=()
trap '[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true' EXIT
trap exit INT TERM

# $1 name, $2 http port, $3 the other's http port, then more flags. The line that says it is ready is left in $ready.
start() {
    local name=$1 port=$2 other=$3
    shift 3
    mkdir -p "$data/$name"
    rm -f "$data/$name.ready"
    mkfifo "$data/$name.ready"
    build/holdfast serve --name "$name" --dir "$data/$name" --http "127.0.0.1:$port" --p2p "127.0.0.1:$((port + 1000))" \
        --sibling "http://localhost:$other" --no-mdns "$@" >"$data/$name.ready" 2>>"$data/$name.log" &
    pids+=($!)
    read -r ready <"$data/$name.ready" && return
    echo "node $name did not start:" >&2
    tail -n 3 "$data/$name.log" >&2
    exit 1
}

start a "$a_port" "$b_port"
start b "$b_port" "$a_port" --join "${ready##* }"

cat <<TEXT

  Two nodes serve the same list and keep each other up to date:

    A   http://localhost:$a_port    process ${pids[0]}
    B   http://localhost:$b_port    process ${pids[1]}

  1. Open A in two browsers (or a window and a private window), add something, watch it appear in the other.
  2. Kill A while you look at it:    kill -9 ${pids[0]}
     The list goes on: add, tick, reload, open new tabs. What you write still reaches the other browser.
  3. Kill B too:                     kill -9 ${pids[1]}
     No server is left. The list goes on.
  4. Ctrl-C here, then 'make run' again: everything merges.

TEXT
# Until Ctrl-C, also when both nodes are gone.
while true; do wait "${pids[@]}" 2>/dev/null || true; read -r -t 3600 <> <(:) || true; done
