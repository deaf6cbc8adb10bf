#!/bin/sh
cd "$(dirname "$0")/../.." && exec node tests/e2e/introduce.mjs "$@"
