#!/usr/bin/env bash
# Holdfast's figures, each a line `name: ours, peer, ratio (goal)`, one benchmark after another.
#   bench/run.sh            all of them
#   bench/run.sh pages      one; names: pages forms log replicate browser node libp2p orbitdb coldsync hostile
# `make bench` builds what they need. BENCH_ROUNDS and BENCH_SECONDS make it shorter; the load of the machine is told where it spoils times.
set -uo pipefail
cd "$(dirname "$0")/.."

names=${*:-pages forms log replicate browser node libp2p orbitdb coldsync hostile}
failed=0
for name in $names; do
    case $name in
    pages | forms | log | replicate | browser | node | libp2p | orbitdb | coldsync | hostile) ;;
    *) echo "no such benchmark: $name" >&2; exit 2 ;;
    esac
    node bench/"$name".mjs || failed=1
done
exit $failed
