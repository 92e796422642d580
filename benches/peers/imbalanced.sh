#!/usr/bin/env bash
# Trains on an imbalanced table with thinnet (examples/imbalanced) and PyTorch, ten seeds each, and
# compares the average precision on test rows and the time. See README.md in this folder.
#
#     benches/peers/imbalanced.sh
#
# PEERS_VENV and PYTHON are as for run.sh.
set -euo pipefail
peers=$(cd "$(dirname "$0")" && pwd)
source "$peers/prepare.sh"
make_environment
cargo build --release --quiet --locked --manifest-path "$root/Cargo.toml" --example imbalanced
example=$target/release/examples/imbalanced
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$example" "$work"
"$example" >"$work/thinnet"
"$venv/bin/python" "$peers/python/pytorch_imbalanced.py" "$work" "$(nproc)" >"$work/pytorch"
"$venv/bin/python" - "$work/thinnet" "$work/pytorch" <<'PYTHON'
import sys

import numpy as np

ours, theirs = (np.loadtxt(path, ndmin=2) for path in sys.argv[1:])
print("| seed | thinnet: average precision | seconds | epoch | PyTorch: average precision | seconds | epoch |")
print("|---|---|---|---|---|---|---|")
for a, b in zip(ours, theirs, strict=True):
    print(f"| {a[0]:.0f} | {a[1]:.4f} | {a[2]:.2f} | {a[3]:.0f} | {b[1]:.4f} | {b[2]:.2f} | {b[3]:.0f} |")
difference = ours[:, 1] - theirs[:, 1]
error = difference.std(ddof=1) / np.sqrt(len(difference))
print(f"\nthinnet {ours[:, 1].mean():.4f}, PyTorch {theirs[:, 1].mean():.4f}; difference "
      f"{difference.mean():+.4f}, standard error {error:.4f}")
print(f"PyTorch takes {theirs[:, 2].sum() / ours[:, 2].sum():.1f} times as long")
PYTHON
