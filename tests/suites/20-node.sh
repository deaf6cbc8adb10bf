#!/bin/sh
# A node by plain HTTP, from the command line and over TLS.
cd "$(dirname "$0")/../.." && exec node tests/e2e/node.mjs "$@"
