#!/bin/sh
# The browser's modules that need no browser: the mode machine, the backoff, and the core in WebAssembly through core.js.
cd "$(dirname "$0")/../.." || exit 1
[ -f build/browser/core.wasm ] || make -s build/browser/core.wasm >&2 || { echo "0 passed, 1 failed"; exit 1; }
exec node --no-warnings tests/unit-js/run.mjs "$@"
