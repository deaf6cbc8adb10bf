#!/usr/bin/env bash
# Gossip against js gossipsub and js floodsub over real sockets (tests/interop/gossip.mjs); our side is tests/interop/gossip_node, built here, sanitized.
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
tests/interop/build.sh gossip_node
exec node --no-warnings tests/interop/gossip.mjs build/interop/gossip_node "$@"
