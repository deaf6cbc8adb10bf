#!/usr/bin/env bash
# The swarm against js-libp2p over real sockets (tests/interop/libp2p.mjs); our side is tests/interop/echo_node, built here, sanitized.
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
tests/interop/build.sh echo_node
exec node --no-warnings tests/interop/libp2p.mjs build/interop/echo_node
