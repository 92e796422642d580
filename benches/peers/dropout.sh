#!/usr/bin/env bash
# PyTorch's dropout operation beside thinnet's: runs both in turn, several
# rounds, and prints one Markdown table.
#
#     benches/peers/dropout.sh
#
# Set by the environment: THREADS (2), ROUNDS (5), SECONDS_A_SETTING (0.5), and
# PEERS_VENV, a virtual environment that has requirements.txt already. Without
# it one is made in target/peers, which downloads about 1.9 GB once.
set -euo pipefail
cd "$(dirname "$0")/../.."

threads=${THREADS:-2}
rounds=${ROUNDS:-5}
seconds=${SECONDS_A_SETTING:-0.5}
target=${CARGO_TARGET_DIR:-target}

venv=${PEERS_VENV:-target/peers}
if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
fi
if [[ -z ${PEERS_VENV:-} ]]; then
    "$venv/bin/pip" install --quiet --no-deps -r benches/peers/requirements.txt
fi
cargo build --release --quiet --no-default-features --example peer_dropout

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds" >&2
    "$venv/bin/python" benches/peers/dropout.py --threads "$threads" --seconds "$seconds" >> "$lines"
    "$target/release/examples/peer_dropout" --threads "$threads" --seconds "$seconds" >> "$lines"
done

python3 - "$lines" "$rounds" <<'PYTHON'
import json
import statistics
import sys

rounds = {}
for line in open(sys.argv[1]):
    run = json.loads(line)
    rounds.setdefault((run["elements"], run["keep"], run["in_place"]), {}).setdefault(
        run["engine"], []).append(run)

print("| elements | keep | form | PyTorch ns/element | thinnet ns/element "
      "| PyTorch / thinnet | of the fastest calls |")
print("|---|---|---|---|---|---|---|")
for (elements, keep, in_place), runs in sorted(rounds.items()):
    pytorch, thinnet = (
        statistics.median(run["ns_per_element_median"] for run in runs[engine])
        for engine in ("pytorch", "thinnet"))
    fastest = {
        engine: min(run["ns_per_element_min"] for run in runs[engine]) for engine in runs}
    form = "in place" if in_place else "out of place"
    print(f"| 2^{elements.bit_length() - 1} | {keep} | {form} "
          f"| {pytorch:.3f} | {thinnet:.3f} | {pytorch / thinnet:.1f} "
          f"| {fastest['pytorch'] / fastest['thinnet']:.1f} |")
theirs, ours = runs["pytorch"][0], runs["thinnet"][0]
print(f"""
PyTorch {theirs["version"]}, thinnet {ours["version"]} ({ours["isa"]}), {ours["threads"]} threads each;
median of {sys.argv[2]} rounds' medians, the engines in turn; where other programs ran on the same
cores, the last column (ratio of each engine's fastest call) tells more than the medians: PyTorch's
threads wait for each other and suffer most. Every call draws new bits. Out of place,
`torch.nn.functional.dropout` allocates its result in each call, as its users get it, while thinnet
writes into memory that the caller made before; in place (`inplace=True`) neither allocates a result,
PyTorch still its noise.""")
PYTHON
