#!/usr/bin/env bash
# Databases shared with OrbitDB's own program (@orbitdb/core over js-libp2p) through real sockets: tests/interop/orbitdb.mjs; our side is
# tests/interop/db_node, a whole peer, built here, sanitized.
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
tests/interop/build.sh db_node
exec node --no-warnings tests/interop/orbitdb.mjs build/interop/db_node "$@"
