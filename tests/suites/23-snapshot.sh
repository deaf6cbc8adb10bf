#!/bin/sh
# A start from the snapshot is a start from all entries.
cd "$(dirname "$0")/../.." && exec node tests/e2e/snapshot.mjs "$@"
