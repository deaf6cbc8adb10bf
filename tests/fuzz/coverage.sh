#!/usr/bin/env bash
# `make coverage`: lines and branches by folder that the unit tests and the corpora of the fuzz targets reach, and the corpora alone; then the sources that read
# strangers' bytes and of which the corpora reach little. build/coverage/html has every line.
set -eu
cd "$(dirname "$0")/../.."
out=build/coverage
rm -f $out/*.profraw $out/*.profdata
say() { printf '%s\n' "$*" >&2; }

say "the unit tests"
LLVM_PROFILE_FILE=$out/unit.profraw $out/unit >$out/unit.log 2>&1 || { tail -n 20 $out/unit.log >&2; exit 1; }
say "the corpora"
find core sim node -name '*_fuzz.c' | sed 's/_fuzz\.c$//' | sort | while read -r target; do
    LLVM_PROFILE_FILE=$out/fuzz-${target//\//_}.profraw $out/fuzz "$target" -runs=0 -keep_seed=1 -max_len=65536 "fuzz/$target" >$out/fuzz.log 2>&1 ||
        { tail -n 20 $out/fuzz.log >&2; exit 1; }
done
llvm-profdata merge -sparse $out/fuzz-*.profraw -o $out/fuzz.profdata
llvm-profdata merge -sparse $out/unit.profraw $out/fuzz.profdata -o $out/all.profdata

strange='(_test\.[ch]|_fuzz\.[ch]|_bench\.c|^tests/|test_tools\.h|/usr/)'
# $1: all or fuzz. Per file: name, lines, of them reached, branches, of them reached.
files() {
    llvm-cov export -summary-only -instr-profile $out/"$1".profdata $out/unit -object $out/fuzz -ignore-filename-regex "$strange" 2>/dev/null |
        jq -r --arg here "$PWD/" '.data[0].files[] | [(.filename | ltrimstr($here)), .summary.lines.count, .summary.lines.covered, .summary.branches.count, .summary.branches.covered] | @tsv' |
        grep -P '^(core|node|sim)/[^\t]*\.c\t' >$out/"$1".tsv
}
files all
files fuzz

printf '\n%-18s %7s %22s %22s\n' folder lines 'unit tests and corpora' 'corpora alone'
printf '%-18s %7s %22s %22s\n' '' '' 'lines   branches' 'lines   branches'
awk -F'\t' '
    function folder(f) { sub(/\/[^\/]*$/, "", f); return f }
    function pct(a, b) { return b ? sprintf("%.1f %%", 100 * a / b) : "-" }
    function row(k) { return sprintf("%-18s %7d %11s %10s %11s %10s", k, n[k], pct(l[k], n[k]), pct(b[k], m[k]), pct(fl[k], n[k]), pct(fb[k], m[k])) }
    FNR == NR { k = folder($1); n[k] += $2; l[k] += $3; m[k] += $4; b[k] += $5; n["all"] += $2; l["all"] += $3; m["all"] += $4; b["all"] += $5; next }
    { k = folder($1); fl[k] += $3; fb[k] += $5; fl["all"] += $3; fb["all"] += $5 }
    END { for (k in n) if (k != "all") print row(k) | "sort"; close("sort"); print row("all") }' $out/all.tsv $out/fuzz.tsv

# Those of which a target is named, and the corpora alone reach less than half of the lines.
printf '\nread by a target, and its corpus reaches less than half of the lines:\n'
{
    sed -n 's/^\([a-z][^:]*\): \(core\|node\).*/\1.c/p' fuzz/reached_by.txt
    find core node -name '*_fuzz.c' | sed 's/_fuzz\.c$/.c/'
} | sort -u | while read -r file; do awk -F'\t' -v f="$file" '$1 == f && $3 * 2 < $2 { printf "    %s: %d of %d\n", $1, $3, $2 }' $out/fuzz.tsv; done
llvm-cov show -format=html -output-dir=$out/html -instr-profile $out/all.profdata $out/unit -object $out/fuzz -ignore-filename-regex "$strange" >/dev/null 2>&1 || true
