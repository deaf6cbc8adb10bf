#!/usr/bin/env bash
# Every decoder and every protocol that hears strangers has a fuzz target, every target a corpus; and each target runs over its corpus, and for a second
# beyond it, on the objects of the unit tests (so without coverage to guide it; `make fuzz` has that). See docs/reference/fuzzing.md.
set -u
cd "$(dirname "$0")/../.."
reached=fuzz/reached_by.txt
n_passed=0 n_failed=0
fail() { n_failed=$((n_failed + 1)) && echo "FAILED: $1"; }
pass() { n_passed=$((n_passed + 1)); }

# ---- a decoder without a target, a target without a corpus, a line without a decoder ----

# Sources with a function that takes bytes and has a name of one that reads what others wrote, and those that hear events of streams.
decoders() {
    local verbs='read|decode|parse|recv|unframe|restore|verify|open|unseal|take|input|data|feed|import|heard|message|records|load|join|offer'
    grep -lE "^[a-z][a-z0-9_ ]* \*?hf_[a-z0-9_]+_($verbs)(_[a-z0-9]+)?\(.*(hf_bytes|const uint8_t \*|hf_pb_reader)" $sources
    grep -lE '^(void|bool) hf_[a-z0-9_]+_event\(.*const hf_swarm_out' $sources
}
sources=$(find core node -name '*.c' ! -name '*_test.c' ! -name '*_fuzz.c' ! -name '*_bench.c' ! -name '*_wasm.c' | sort)
for file in $(decoders | sort -u); do
    base=${file%.c}
    target=$base
    [ -f "${base}_fuzz.c" ] || target=$(sed -n "s|^$base: ||p" $reached)
    if [ -z "$target" ]; then fail "$file reads bytes of others, and there is no ${base}_fuzz.c, nor a line for it in $reached"
    elif [ ! -f "${target}_fuzz.c" ] && [ ! -f "$target" ]; then fail "$reached: $file: there is no $target"
    else pass; fi
done

while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    base=${line%%:*}
    if [ ! -f "$base.c" ]; then fail "$reached names $base.c, which is not there"
    elif [ -f "${base}_fuzz.c" ]; then fail "$reached names $base.c, which has a target of its own"
    else pass; fi
done <$reached

targets=$(find core sim node -name '*_fuzz.c' | sed 's/_fuzz\.c$//' | sort)
for target in $targets; do
    n=$(find "fuzz/$target" -type f -size +0c 2>/dev/null | wc -l)
    if [ "$n" = 0 ]; then fail "${target}_fuzz.c has no corpus in fuzz/$target"
    elif [ "$n" -gt 40 ] || [ "$(cat "fuzz/$target"/* | wc -c)" -gt 65536 ]; then fail "fuzz/$target holds more than 40 files or 64 KiB"
    else pass; fi
done
while read -r dir; do
    if [ -f "${dir#fuzz/}_fuzz.c" ]; then pass; else fail "$dir is the corpus of no target"; fi
done < <(find fuzz -type f -path 'fuzz/*/*' -exec dirname {} + | sort -u)

# ---- each over its corpus, and a little beyond ----
work=build/fuzz-suite
rm -rf $work && mkdir -p $work
# At least 4096 bytes, or as long as what the corpus has.
longest() { { echo 4096 && find "$1" -type f -printf '%s\n' 2>/dev/null; } | sort -n | tail -n 1; }
# $1: target. -keep_seed: the corpus is what is changed, though only the target itself tells what is new.
run_one() {
    local log=build/fuzz-suite/${1//\//_}
    mkdir -p "$log-new" # the first folder is where what it finds goes
    ASAN_OPTIONS=detect_leaks=0 timeout -k 5 60 build/replay/all "$1" -keep_seed=1 -max_total_time="${FUZZ_SECONDS:-1}" -max_len="$(longest "fuzz/$1")" -timeout=20 -detect_leaks=0 \
        -artifact_prefix="$log-" -print_final_stats=1 "$log-new" "fuzz/$1" >"$log.log" 2>&1 && touch "$log.ok"
}
export -f run_one longest
[ -x build/replay/all ] || fail "build/replay/all is not there: make build/replay/all"
printf '%s\n' "$targets" | xargs -P 2 -I{} bash -c 'run_one {}'
runs=0
for target in $targets; do
    log=$work/${target//\//_}
    n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log.log" 2>/dev/null)
    runs=$((runs + ${n:-0}))
    if [ -f "$log.ok" ] && [ "${n:-0}" -ge "$(find "fuzz/$target" -type f | wc -l)" ]; then pass
    else fail "$target: $(grep -aE 'ERROR|runtime error|SUMMARY' "$log.log" | head -n 2 | tr '\n' ' ') (build/fuzz-suite has the input and all that it said)"; fi
done
echo "$(printf '%s\n' "$targets" | wc -l) targets, $runs inputs"

echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
