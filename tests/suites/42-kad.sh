#!/usr/bin/env bash
# The DHT against js (@libp2p/kad-dht) in one network over real sockets (tests/interop/kad.mjs); our side is tests/interop/kad_node, built here, sanitized.
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
tests/interop/build.sh kad_node
exec node --no-warnings tests/interop/kad.mjs build/interop/kad_node
