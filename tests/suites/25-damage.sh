#!/bin/sh
# Damaged files, jumping clocks, crowds, and no descriptor left.
cd "$(dirname "$0")/../.." && exec node tests/e2e/node_damage.mjs "$@"
