#!/usr/bin/env bash
# Files out of a running node: by HTTP as @helia/verified-fetch asks for them, and by bitswap (tests/interop/verified_fetch.mjs).
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
exec node --no-warnings tests/interop/verified_fetch.mjs build/holdfast
