#!/usr/bin/env bash
# A network in one process (holdfast sim): 200 fixed seeds with every kind of fault, every seed that once failed, churn, a node that dies with its
# browsers about it, the DHT, gossip and relays among many and among sybils, the same history from every build, and checks that can fail.
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

# ---- runs, two at a time: one line each, `holdfast sim` with these arguments ----
{
    for seed in 1 2 3 4 5; do echo "--seed $seed --peers $((12 + 3 * seed)) --minutes 1"; done
    for seed in $(seq 100 294); do echo "--seed $seed --peers $((5 + seed % 8)) --minutes 1 --degree $((1 + seed % 5)) --writes 40"; done
    grep -v -e '^#' -e '^$' tests/sim/regressions.txt
    echo "--seed 1 --peers 60 --minutes 1 --churn 50 --faults none"
    echo "--seed 2 --peers 25 --minutes 1 --churn 50"
    echo "--seed 1 --peers 151 --minutes 1 --writes 40 --wave --faults none"
    for scene in gossip relay "takeover --seed 2"; do echo "--scene $scene"; done
    echo "--scene kad --peers 60"
    echo "--scene censor --seed 3 --peers 105"
    echo "--scene eclipse --peers 260"
    echo "--scene lies --peers 60"
} >"$out/wanted"
one() {
    local run
    read -ra run <<<"$1"
    build/holdfast sim "${run[@]}" --json >"$2/$BASHPID.json" 2>/dev/null && echo "ok $1" || echo "FAILED: $1"
}
export -f one
xargs -d '\n' -P 2 -I{} bash -c 'one "$1" "$2"' _ {} "$out" <"$out/wanted" >"$out/done"
grep '^FAILED' "$out/done"
n_passed=$(grep -c '^ok' "$out/done")
n_failed=$(grep -c '^FAILED' "$out/done")
cat "$out"/*.json >"$out/runs"
check "all were run" test $((n_passed + n_failed)) = "$(wc -l <"$out/wanted")"
for fault in delay cut partition nat crash torn slow-disk full-disk evict sleep clock memory hostile twice; do
    check "$fault is dealt" grep -q "\"$fault\":[1-9]" "$out/runs"
done
for shape in split halves ring bridge one-way flap; do
    check "a partition in the shape of $shape is dealt" grep -q "\"$shape\":[1-9]" "$out/runs"
done
check "peers come and go" grep -q '"churned":[1-9]' "$out/runs"

short=(--seed 77 --peers 9 --minutes 1 --svg "$out/picture.svg")
first=$(history "${sim[@]}" "${short[@]}")
check "the same seed gives the same history" same "$first" "$(history "${sim[@]}" "${short[@]}")"
check "sanitized, too" same "$first" "$(history build/sim "${short[@]}")"
check "in WebAssembly, too" same "$first" "$(history node --no-warnings tests/kit/wasi.mjs build/sim.wasm --seed 77 --peers 9 --minutes 1)"
check "another seed gives another" test "$first" != "$(history "${sim[@]}" --seed 78 --peers 9 --minutes 1)"
check "a picture is drawn" grep -q '</svg>' "$out/picture.svg"
scene=(--seed 4 --scene relay --peers 24)
first=$(history "${sim[@]}" "${scene[@]}")
check "a scene is the same when sanitized" same "$first" "$(history build/sim "${scene[@]}")"
check "and in WebAssembly" same "$first" "$(history node --no-warnings tests/kit/wasi.mjs build/sim.wasm "${scene[@]}")"

"${sim[@]}" --seed 3 --minutes 1 --faults crash,lie >"$out/lie"
check "a disk that lies is found" test $? = 1
check "and what was lost is said" grep -q '^FAILED: .*acknowledged' "$out/lie"
check "with the command that repeats it" grep -q '^holdfast sim --seed 3 .*--faults crash,lie$' "$out/lie"
"${sim[@]}" --faults nonsense 2>"$out/usage"
check "wrong usage is refused" test $? = 2
"${sim[@]}" --scene nonsense 2>"$out/usage"
check "as of a scene" test $? = 2

echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
