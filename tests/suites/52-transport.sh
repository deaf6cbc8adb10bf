#!/usr/bin/env bash
# The test program for libp2p's unified-testing (tests/interop/transport), sanitized, against itself and js-libp2p 2 and 3, with a Redis of its own.
set -u
cd "$(dirname "$0")/../.."
{ tools/setup.sh npm && tools/setup.sh p2pd && tools/setup.sh transport && make --no-print-directory -s build/interop/transport; } || { echo "0 passed, 1 failed"; exit 1; }
exec node --no-warnings tests/interop/transport/matrix.mjs build/interop/transport
