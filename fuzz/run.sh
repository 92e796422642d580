#!/usr/bin/env bash
# Builds the fuzz targets once and runs each for SECONDS, from the committed
# seeds; prints a Markdown table.
#
#     fuzz/run.sh SECONDS
#
# TARGETS="training dropout" selects some of them; JOBS=2 runs two at a time. SEED=N
# is libFuzzer's seed, by default the commit's: each commit tries other inputs, and two
# runs of a commit start alike. After a crash no further target is started, and the input
# is in fuzz/artifacts/TARGET/.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?usage: fuzz/run.sh SECONDS}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "SECONDS $seconds: expected a whole number above 0" >&2; exit 2; }
commit=$(git rev-parse HEAD 2>/dev/null || echo 1)
seed=${SEED:-$((16#${commit::7} + 1))}
export CARGO_TERM_COLOR=never

# The sanitizers need a nightly compiler, or a stable one with unstable options allowed.
cargo="cargo +nightly"
if ! cargo +nightly --version >/dev/null 2>&1; then
    cargo=cargo
    export RUSTC_BOOTSTRAP=1
fi
folder=${CARGO_TARGET_DIR:-target}
../.ci/cargo-fuzz

# Keeps the sanitizer's quarantine of freed memory small, since it counts towards the limit below.
export ASAN_OPTIONS=quarantine_size_mb=32${ASAN_OPTIONS:+:$ASAN_OPTIONS}
# Files written for each input, a thousand times per second, need not reach the disk.
if [[ -w /dev/shm ]]; then
    export TMPDIR=/dev/shm
fi
$cargo fuzz build --target-dir "$folder" >&2

# Runs a target and prints its row of the table.
fuzz() {
    local target=$1 log code=0 executions took
    mkdir -p "corpus/$target"
    log=$(mktemp)
    # Expanded now: the variable is gone when the shell exits.
    trap "rm -f '$log'" EXIT
    # The limit is 512 MiB: a small input must not make a target use more.
    $cargo fuzz run --target-dir "$folder" "$target" "corpus/$target" "seeds/$target" -- \
        -seed="$seed" -max_total_time="$seconds" -rss_limit_mb=512 -timeout=20 -print_final_stats=1 \
        >"$log" 2>&1 || code=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    took=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "$log")
    echo "| $target | ${executions:-?} | ${took:-?} | $((code != 0)) |"
    ((code == 0)) || tail -n 60 "$log" >&2
    # To xargs, 255 says that no other is to be started.
    return $((code == 0 ? 0 : 255))
}
export -f fuzz
export cargo seconds seed folder

echo "| target | executions | seconds | crashes |"
echo "|---|---|---|---|"
tr ' ' '\n' <<<"${TARGETS:-$($cargo fuzz list)}" | xargs -P "${JOBS:-1}" -I{} bash -c 'fuzz {}'
