#!/usr/bin/env bash
# Files, archives and bitswap against helia over real sockets (tests/interop/files.mjs). Our side is tests/interop/files_node: sanitized, and
# for the 100 MB as the node is built.
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
tests/interop/build.sh files_node
tests/interop/build.sh files_node --fast
exec node --no-warnings tests/interop/files.mjs build/interop/files_node build/interop/files_node-fast build/holdfast
