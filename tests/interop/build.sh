#!/usr/bin/env bash
# Builds tests/interop/NAME.c as build/interop/NAME, sanitized, on the shared shell and the core. With --fast, as build/interop/NAME-fast, as
# the node is built: for measuring.
set -eu
cd "$(dirname "$0")/../.."
kind=checked name=$1 flags="-O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
[ "${2:-}" != --fast ] || kind=native name=$1-fast flags="-O2 -flto=thin -fuse-ld=lld"
make --no-print-directory -s "build/$kind/core.a"
mkdir -p build/interop
# shellcheck disable=SC2086 # words
clang -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -g $flags \
    "tests/interop/$1.c" tests/interop/shell.c "build/$kind/core.a" -o "build/interop/$name.$$" -lsodium -lsecp256k1 -lcrypto
mv "build/interop/$name.$$" "build/interop/$name" # another suite may be running it
