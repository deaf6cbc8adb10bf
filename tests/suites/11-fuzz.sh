#!/usr/bin/env bash
# Every decoder has a fuzz target, and every target a corpus. A decoder is a file that defines a function which reads a stranger's bytes:
# *_message.c, or hf_..._read, _decode, _parse and _recv. What has no target of its own name must be named below, with the target that reaches it.
set -u
cd "$(dirname "$0")/.."
n_passed=0 n_failed=0
fail() { n_failed=$((n_failed + 1)) && echo "FAILED: $1"; }
pass() { n_passed=$((n_passed + 1)); }

# decoder: target (both without their ends)
reached_by() { sed -n "s|^$1: ||p" tests/fuzz_reached.txt; }

while read -r file; do
    base=${file%.c}
    target=$base
    [ -f "${target}_fuzz.c" ] || target=$(reached_by "$base")
    if [ -z "$target" ]; then fail "$file reads bytes of others and has no ${base}_fuzz.c, nor a line in tests/fuzz_reached.txt"
    elif [ ! -f "${target}_fuzz.c" ]; then fail "$file: ${target}_fuzz.c, which is to reach it, is not there"
    else pass; fi
done < <({
    git ls-files 'core/**/*_message.c' 'node/*_message.c'
    git grep -lE '^(HF_MUST_USE )?(hf_err|bool|size_t|void) hf_[a-z0-9_]+_(read|decode|parse|recv)\(' -- 'core/*.c' 'core/**/*.c' 'node/*.c'
} | grep -vE '_(test|fuzz|bench|wasm)\.c$' | sort -u)

while read -r file; do
    corpus=fuzz/${file%_fuzz.c}
    if [ -n "$(find "$corpus" -type f -size +0c 2>/dev/null | head -n 1)" ]; then pass
    else fail "$file has no corpus in $corpus"; fi
done < <(git ls-files '*_fuzz.c')

while IFS=: read -r base _; do
    case $base in '' | '#'*) continue ;; esac
    if [ -f "$base.c" ]; then pass; else fail "tests/fuzz_reached.txt names $base.c, which is not there"; fi
done <tests/fuzz_reached.txt

echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
