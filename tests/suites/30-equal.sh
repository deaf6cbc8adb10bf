#!/bin/sh
# The node's pages and the worker's are the same bytes: 1,000 random states, five requests each, natively and in WebAssembly.
cd "$(dirname "$0")/../.." || exit 1
states=${STATES:-1000}
files=$(find apps/todo -type f | sort)
make -s build/pages build/pages.wasm >&2 || { echo "0 passed, 1 failed"; exit 1; }
# shellcheck disable=SC2086 # a list of words
build/pages "$states" $files >build/pages.native || { echo "0 passed, 1 failed"; exit 1; }
# shellcheck disable=SC2086
node --no-warnings tests/kit/wasi.mjs build/pages.wasm "$states" $files >build/pages.worker || { echo "0 passed, 1 failed"; exit 1; }
failed=$(diff build/pages.native build/pages.worker | grep -c '^<')
total=$(wc -l <build/pages.native)
diff build/pages.native build/pages.worker | head -n 6
[ "$total" -eq $((states * 5)) ] || failed=$((failed + 1))
echo "$states states, $total answers"
echo "$((total - failed)) passed, $failed failed"
[ "$failed" = 0 ]
