#!/usr/bin/env bash
# The swarm against js-libp2p over real sockets (tests/interop/libp2p.mjs); our side is tests/interop/echo_node, built here, sanitized.
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
make --no-print-directory -s build/checked/core.a
mkdir -p build/interop
clang -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
    tests/interop/echo_node.c build/checked/core.a -o build/interop/echo_node -lsodium -lsecp256k1 -lcrypto
exec node --no-warnings tests/interop/libp2p.mjs build/interop/echo_node
