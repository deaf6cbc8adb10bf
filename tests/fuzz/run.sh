#!/usr/bin/env bash
# `make fuzz`: tests/fuzz/run.sh SECONDS TARGET...: each target, guided by coverage, from its corpus and what earlier runs found (build/corpus); FUZZ_JOBS at a
# time. What makes it fail stays in build/crashes.
set -u
cd "$(dirname "$0")/../.."
export seconds=$1
shift
# At least 4096 bytes, or as long as what the corpus has.
longest() { { echo 4096 && find "$1" -type f -printf '%s\n' 2>/dev/null; } | sort -n | tail -n 1; }
run_one() {
    local log=build/crashes/${1//\//_}
    mkdir -p "build/corpus/$1"
    if ASAN_OPTIONS=detect_leaks=0 "build/fuzz/$1" -max_total_time="$seconds" -max_len="$(longest "fuzz/$1")" -timeout=20 -detect_leaks=0 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$log-" "build/corpus/$1" $(ls -d "fuzz/$1" 2>/dev/null) >"$log.log" 2>&1; then
        printf '%-36s %9s executions/s\n' "$1" "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log.log")"
    else
        printf '%-36s FAILED\n' "$1"
        grep -aE 'ERROR|runtime error|SUMMARY|^ +#[0-9]+ .* (core|node)/|Test unit written' "$log.log" | head -n 12
        return 1
    fi
}
export -f run_one longest
mkdir -p build/crashes
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-1}" -I{} bash -c 'run_one {}' || exit 1
echo "$# targets, no failure"
