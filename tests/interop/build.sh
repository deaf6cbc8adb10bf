#!/usr/bin/env bash
# Builds tests/interop/NAME.c as build/interop/NAME, sanitized, on the shared shell and the core.
set -eu
cd "$(dirname "$0")/../.."
make --no-print-directory -s build/checked/core.a
mkdir -p build/interop
clang -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
    "tests/interop/$1.c" tests/interop/shell.c build/checked/core.a -o "build/interop/$1" -lsodium -lsecp256k1 -lcrypto
