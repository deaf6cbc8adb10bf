#!/bin/sh
# The command line against running nodes, and against a folder without one.
cd "$(dirname "$0")/../.." && exec node tests/e2e/verbs.mjs "$@"
