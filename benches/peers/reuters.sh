#!/usr/bin/env bash
# Reuters R52 with thinnet (examples/reuters.rs, sparse rows) and with PyTorch and JAX (dense rows), two threads
# each: test errors of five seeds, and the time of a training step of 2000-1024-1024-52 with dropout.
#
#     benches/peers/reuters.sh FOLDER
#
# FOLDER has r52-train.svm.gz and r52-test.svm.gz. PEERS_VENV and PYTHON are as for run.sh.
set -euo pipefail
folder=${1:?a folder with r52-train.svm.gz and r52-test.svm.gz}
peers=$(cd "$(dirname "$0")" && pwd)
source "$peers/prepare.sh"
make_environment
cargo build --release --quiet --locked --manifest-path "$root/Cargo.toml" --example reuters
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
RAYON_NUM_THREADS=2 "$target/release/examples/reuters" "$folder" >"$work/lines"
PYTHONPATH=$peers/python "$venv/bin/python" "$peers/python/peers_reuters.py" "$folder" 2 >>"$work/lines"
"$venv/bin/python" - "$work/lines" <<'PYTHON'
import sys
from math import sqrt
from statistics import mean, median, stdev

found = {}
with open(sys.argv[1]) as file:
    for line in file:
        engine, what, number = line.split()
        found.setdefault((engine, what), []).append(float(number))
print("| | thinnet: test error, % (standard error) | PyTorch | difference (standard error) |")
print("|---|---|---|---|")
for what in ("none", "dropout"):
    ours, theirs = found["thinnet", what], found["pytorch", what]
    errors = [stdev(runs) / sqrt(len(runs)) for runs in (ours, theirs)]
    print(f"| {what} | {mean(ours):.2f} ({errors[0]:.2f}) | {mean(theirs):.2f} ({errors[1]:.2f}) "
          f"| {mean(ours) - mean(theirs):+.2f} ({sqrt(errors[0] ** 2 + errors[1] ** 2):.2f}) |")
print("\n| a step with dropout | ms | over thinnet's |")
print("|---|---|---|")
ours = median(found["thinnet", "step"])
for engine in ("thinnet", "pytorch", "jax"):
    seconds = median(found[engine, "step"])
    print(f"| {engine} | {1e3 * seconds:.2f} | {seconds / ours:.1f} |")
PYTHON
