#!/usr/bin/env bash
# A network in one process (holdfast sim): fixed seeds with every kind of fault, every seed that once failed, the same history from every build, and
# checks that can fail.
set -u
cd "$(dirname "$0")/../.."
sim=(build/holdfast sim)
n_passed=0 n_failed=0

# $1: what is tested; $2...: a command that must succeed
check() {
    local what=$1
    shift
    if "$@"; then n_passed=$((n_passed + 1)); else n_failed=$((n_failed + 1)) && echo "FAILED: $what"; fi
}
history() { "$@" | sed -n 's/^history //p'; }
same() { [ -n "$1" ] && [ "$1" = "$2" ]; }

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for seed in 1 2 3 4 5; do
    check "seed $seed" "${sim[@]}" --seed $seed --peers $((12 + 3 * seed)) --minutes 1 --json >>"$out/runs"
done
for fault in delay cut partition nat crash torn slow-disk full-disk evict sleep clock memory hostile twice; do
    check "$fault is dealt" grep -q "\"$fault\":[1-9]" "$out/runs"
done

while read -r line; do
    case $line in '' | '#'*) continue ;; esac
    # shellcheck disable=SC2086
    check "regression: $line" "${sim[@]}" $line >"$out/regression"
done <tests/sim/regressions.txt

short=(--seed 77 --peers 9 --minutes 1 --svg "$out/picture.svg")
first=$(history "${sim[@]}" "${short[@]}")
check "the same seed gives the same history" same "$first" "$(history "${sim[@]}" "${short[@]}")"
check "sanitized, too" same "$first" "$(history build/sim "${short[@]}")"
check "in WebAssembly, too" same "$first" "$(history node --no-warnings tests/kit/wasi.mjs build/sim.wasm --seed 77 --peers 9 --minutes 1)"
check "another seed gives another" test "$first" != "$(history "${sim[@]}" --seed 78 --peers 9 --minutes 1)"
check "a picture is drawn" grep -q '</svg>' "$out/picture.svg"

"${sim[@]}" --seed 3 --minutes 1 --faults crash,lie >"$out/lie"
check "a disk that lies is found" test $? = 1
check "and what was lost is said" grep -q '^FAILED: .*acknowledged' "$out/lie"
check "with the command that repeats it" grep -q '^holdfast sim --seed 3 .*--faults crash,lie$' "$out/lie"
"${sim[@]}" --faults nonsense 2>"$out/usage"
check "wrong usage is refused" test $? = 2

echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
