#!/bin/sh
# What strangers do to a node's ports.
cd "$(dirname "$0")/../.." && exec node tests/e2e/hostile.mjs "$@"
