#!/bin/sh
# Memory, disk and power that fail under a real node.
cd "$(dirname "$0")/../.." && exec node tests/e2e/node_faults.mjs "$@"
