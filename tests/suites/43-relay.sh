#!/usr/bin/env bash
# Circuit relay, DCUtR and AutoNAT against js-libp2p over real sockets (tests/interop/relay.mjs); our side is tests/interop/relay_node, sanitized.
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
tests/interop/build.sh relay_node
exec node --no-warnings tests/interop/relay.mjs build/interop/relay_node
