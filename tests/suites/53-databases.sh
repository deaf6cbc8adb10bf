#!/usr/bin/env bash
# Databases in other hands: collections read and written by OrbitDB's own program (tests/interop/collection.mjs).
set -u
cd "$(dirname "$0")/../.."
{ tools/setup.sh npm && make --no-print-directory -s build/checked/core.a && mkdir -p build/interop &&
    clang -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all tests/interop/collection_fold.c \
        build/checked/core.a -o build/interop/collection_fold -lsodium -lsecp256k1 -lcrypto; } || { echo "0 passed, 1 failed"; exit 1; }
exec node --no-warnings tests/interop/collection.mjs build/interop/collection_fold build/holdfast
