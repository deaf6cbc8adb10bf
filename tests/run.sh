#!/usr/bin/env bash
# Runs every suite and closes with one line, `N passed, N failed`, that sums them all: the unit tests, the same ones in
# WebAssembly, and each executable tests/suites/*.sh. `tests/run.sh NAME...` runs only the suites whose name contains a NAME.
#
# A suite prints `N passed, N failed` as its last line. One that crashes, hangs, or ends in another way than its line says
# counts as one failure. Logs stay in build/test-logs. Suites mostly wait, so two run at a time where there are two processors
# (TEST_LANES); each has its own folders, ports and network namespaces.
set -u
cd "$(dirname "$0")/.."
lanes=${TEST_LANES:-$(($(nproc) < 2 ? 1 : 2))}
suite_seconds_max=${SUITE_SECONDS_MAX:-1800}
logs=build/test-logs
n_passed=0
n_failed=0
wanted=("$@")
begun=()

is_wanted() {
    [ ${#wanted[@]} = 0 ] && return
    local w
    for w in "${wanted[@]}"; do [[ $1 == *"$w"* ]] && return; done
    return 1
}

# $1: name, $2...: command
run_suite() {
    local name=$1 log=$logs/$1.log status=0 line passed=0 failed=0 why=
    shift
    local from=$SECONDS
    timeout -k 10 "$suite_seconds_max" "$@" >"$log" 2>&1 </dev/null || status=$?
    line=$(grep -v '^[[:space:]]*$' "$log" | tail -n 1)
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
    elif [ $status = 124 ]; then
        why="still running after $suite_seconds_max s"
    else
        why="ended without a result, status $status"
    fi
    [ -z "$why" ] && [ $((passed + failed)) = 0 ] && why="ran nothing"
    [ -z "$why" ] && [ $status != 0 ] && [ "$failed" = 0 ] && why="said all passed, but ended with status $status"
    [ -n "$why" ] && failed=$((failed + 1))
    echo "$passed $failed" >"$log.result"
    {
        printf '%-24s %6d passed %4d failed %5d s%s\n' "$name" "$passed" "$failed" $((SECONDS - from)) "${why:+  ($why)}"
        if [ "$failed" != 0 ]; then
            tail -n 60 "$log" | sed 's/^/    /'
            printf '    (all of it in %s)\n' "$log"
        fi
    } >"$log.said"
    cat "$log.said"
}

# The same, beside what runs already, as soon as there is room.
begin_suite() {
    is_wanted "$1" || return 0
    [ "$(jobs -rp | wc -l)" -lt "$lanes" ] || wait -n
    begun+=("$1")
    run_suite "$@" &
}

stop_all() {
    local job
    jobs -rp | while read -r job; do pkill -P "$job"; done
    exit 130
}

trap stop_all INT TERM
mkdir -p $logs
rm -f $logs/*.result $logs/*.said
begin_suite unit build/unit
begin_suite unit-wasm node --no-warnings tests/kit/wasi.mjs build/unit.wasm
for suite in tests/suites/*.sh; do
    [ -x "$suite" ] && begin_suite "$(basename "$suite" .sh)" "$suite"
done
wait

for name in "${begun[@]}"; do
    read -r passed failed <"$logs/$name.log.result" || passed=0 failed=1
    n_passed=$((n_passed + passed)) n_failed=$((n_failed + failed))
done
printf '%d passed, %d failed\n' $n_passed $n_failed
[ $n_failed = 0 ] && [ $n_passed != 0 ]
