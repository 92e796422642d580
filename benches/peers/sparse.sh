#!/usr/bin/env bash
# A training step on sparse rows: thinnet (benches/sparse.rs) and PyTorch in turn, two threads each.
#
#     benches/peers/sparse.sh [COLUMNS [ROUNDS]]
#
# PEERS_VENV and PYTHON are as for run.sh.
set -euo pipefail
columns=${1:-1000000} rounds=${2:-5}
peers=$(cd "$(dirname "$0")" && pwd)
source "$peers/prepare.sh"
make_environment
ours() { cargo bench --quiet --locked --manifest-path "$root/Cargo.toml" --bench sparse -- "$columns"; }
theirs() { "$venv/bin/python" "$peers/python/pytorch_sparse.py" "$columns" 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for ((round = 0; round < rounds; round++)); do
    ours | awk -v n="$columns" '$1 == n && $2 + 0 > 0 { print $2 / 1e6 }' >>"$work/thinnet"
    theirs >>"$work/pytorch"
done
"$venv/bin/python" - "$work/thinnet" "$work/pytorch" <<'PYTHON'
import statistics
import sys

with open(sys.argv[1]) as file:
    ours = [float(line) for line in file]
theirs = {}
with open(sys.argv[2]) as file:
    for line in file:
        name, seconds = line.split()
        theirs.setdefault(name, []).append(float(seconds))
print("| | a step, ms | over thinnet's (smallest and largest of the rounds) |")
print("|---|---|---|")
print(f"| thinnet, Adagrad | {1e3 * statistics.median(ours):.2f} | |")
for name, seconds in theirs.items():
    ratios = [b / a for a, b in zip(ours, seconds, strict=True)]
    print(f"| PyTorch, {name} | {1e3 * statistics.median(seconds):.2f} "
          f"| {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) |")
PYTHON
