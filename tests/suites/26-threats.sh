#!/bin/sh
# Attacks on a node that docs/explanation/threat-model.md lists, beyond broken bytes.
cd "$(dirname "$0")/../.." && exec node tests/e2e/threats.mjs "$@"
