#!/usr/bin/env bash
# Builds the fuzz targets once and runs each for SECONDS, from the committed
# seeds; prints a Markdown table.
#
#     fuzz/run.sh SECONDS
#
# TARGETS="training dropout" chooses some of them, JOBS=2 runs two at a time. After
# a crash no other target starts; its input is then in fuzz/artifacts/TARGET/.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?usage: fuzz/run.sh SECONDS}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "SECONDS $seconds: expected a whole number above 0" >&2; exit 2; }
export CARGO_TERM_COLOR=never

# The sanitizers need a nightly compiler, or a stable one that is told so.
cargo="cargo +nightly"
if ! cargo +nightly --version >/dev/null 2>&1; then
    cargo=cargo
    export RUSTC_BOOTSTRAP=1
fi
folder=${CARGO_TARGET_DIR:-target}
../.ci/cargo-fuzz

# Memory that is free again counts as free, or the limit below would mean little.
export ASAN_OPTIONS=quarantine_size_mb=32${ASAN_OPTIONS:+:$ASAN_OPTIONS}
# What is written for an input, a thousand times a second, need not reach a disk.
if [[ -w /dev/shm ]]; then
    export TMPDIR=/dev/shm
fi
$cargo fuzz build --target-dir "$folder" >&2

# Runs a target and prints its row.
fuzz() {
    local target=$1 log code=0 executions took
    mkdir -p "corpus/$target"
    log=$(mktemp)
    # Expanded now: the name is gone when the shell ends.
    trap "rm -f '$log'" EXIT
    # 512 MiB for everything: a file of some bytes must not make more of it.
    $cargo fuzz run --target-dir "$folder" "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=512 -timeout=20 -print_final_stats=1 \
        >"$log" 2>&1 || code=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    took=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "$log")
    echo "| $target | ${executions:-?} | ${took:-?} | $((code != 0)) |"
    ((code == 0)) || tail -n 60 "$log" >&2
    # To xargs, 255 says that no other is to be started.
    return $((code == 0 ? 0 : 255))
}
export -f fuzz
export cargo seconds folder

echo "| target | executions | seconds | crashes |"
echo "|---|---|---|---|"
tr ' ' '\n' <<<"${TARGETS:-$($cargo fuzz list)}" | xargs -P "${JOBS:-1}" -I{} bash -c 'fuzz {}'
