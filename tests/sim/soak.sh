#!/usr/bin/env bash
# Random runs of the simulator for SOAK_SECONDS (an hour). The first that fails is made smaller, and its command is the last thing printed.
set -u
cd "$(dirname "$0")/../.."
until=$((SECONDS + ${SOAK_SECONDS:-3600}))
n=0
declare -A dealt
while [ $SECONDS -lt $until ]; do
    seed=$((RANDOM << 30 ^ RANDOM << 15 ^ RANDOM))
    run=(--seed $seed --peers $((4 + RANDOM % 60)) --minutes $((1 + RANDOM % 8)) --degree $((1 + RANDOM % 6)))
    if ! line=$(build/holdfast sim "${run[@]}" --json); then
        build/holdfast sim "${run[@]}" --shrink
        exit 1
    fi
    n=$((n + 1))
    while read -r fault count; do dealt[$fault]=$((${dealt[$fault]:-0} + count)); done < <(
        sed 's/.*"faults":{\([^}]*\)}.*/\1/' <<<"$line" | tr ',' '\n' | sed 's/"\(.*\)":/\1 /')
done
echo "$n runs, none failed; faults survived:$(for fault in "${!dealt[@]}"; do printf ' %s %d' "$fault" "${dealt[$fault]}"; done)"
