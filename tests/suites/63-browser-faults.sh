#!/usr/bin/env bash
# What the browser's half survives (docs/reference/browser.md).
# `63-browser-faults.sh FILE [PART]` runs one of them, or its tests whose name contains PART.
set -u
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] && exec node tests/e2e/browser_faults.mjs "$@"
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
files="storage clock xss worker tabs poison"
for file in $files; do node tests/e2e/browser_faults.mjs "$file" >"$logs/$file" 2>&1; done

n_passed=0
n_failed=0
for file in $files; do
    line=$(tail -n 1 "$logs/$file")
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        sed '$d' "$logs/$file"
        n_passed=$((n_passed + BASH_REMATCH[1])) n_failed=$((n_failed + BASH_REMATCH[2]))
    else
        cat "$logs/$file"
        n_failed=$((n_failed + 1))
    fi
done
echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
