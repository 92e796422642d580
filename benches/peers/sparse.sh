#!/usr/bin/env bash
# A training step on sparse rows: thinnet (benches/sparse.rs) and PyTorch in turn, two threads each, with
# each optimiser that takes PyTorch's sparse gradients.
#
#     benches/peers/sparse.sh [COLUMNS [ROUNDS]]
#
# PEERS_VENV and PYTHON are as for run.sh.
set -euo pipefail
columns=${1:-1000000} rounds=${2:-5}
peers=$(cd "$(dirname "$0")" && pwd)
source "$peers/prepare.sh"
make_environment
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# thinnet's name of the optimiser, and PyTorch's.
optimisers=(adagrad Adagrad sgd SGD sparse_adam SparseAdam)
ours() {
    cargo bench --quiet --locked --manifest-path "$root/Cargo.toml" --bench sparse -- "$columns" "$1" |
        awk -v name="$2" -v n="$columns" '$1 == n && $2 + 0 > 0 { print name, $2 / 1e6 }'
}
theirs() {
    "$venv/bin/python" -W ignore "$peers/python/pytorch_sparse.py" "$columns" 2 "$1"
}
for ((round = 0; round < rounds; round++)); do
    for ((i = 0; i < ${#optimisers[@]}; i += 2)); do
        ours "${optimisers[i]}" "${optimisers[i + 1]}" >>"$work/thinnet"
        theirs "${optimisers[i + 1]}" >>"$work/pytorch"
    done
done
"$venv/bin/python" - "$work/thinnet" "$work/pytorch" <<'PYTHON'
import statistics
import sys


def read(path):
    found = {}
    with open(path) as file:
        for line in file:
            name, seconds = line.split()
            found.setdefault(name, []).append(float(seconds))
    return found


ours, theirs = map(read, sys.argv[1:])
print("| optimiser | thinnet, ms | PyTorch, ms | ratio (smallest and largest of the rounds) |")
print("|---|---|---|---|")
for name, seconds in ours.items():
    ratios = [b / a for a, b in zip(seconds, theirs[name], strict=True)]
    medians = [1e3 * statistics.median(times) for times in (seconds, theirs[name])]
    print(f"| {name} | {medians[0]:.2f} | {medians[1]:.2f} "
          f"| {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) |")
PYTHON
