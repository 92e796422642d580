#!/usr/bin/env bash
# Runs thinnet, PyTorch, JAX, candle, ONNX Runtime, tract and rten in turn on the same
# work, and writes one table: target/peers/peers.md and peers.json. See README.md in this
# folder.
#
#     benches/peers/run.sh [--help] [--threads 2] [--rounds 5] [--only step] ...
#
# PEERS_VENV may name a Python environment that has requirements.txt; without it
# one is made in target/peers/venv, which downloads about 2 GB once. PYTHON may
# name the interpreter that makes it (python3; requirements.txt says for which).
set -euo pipefail
peers=$(cd "$(dirname "$0")" && pwd)
source "$peers/prepare.sh"

# Arguments are checked before anything is built.
PYTHONPATH=$peers "$python" -m driver --only-arguments "$@"
for argument in "$@"; do
    [[ $argument == -h || $argument == --help ]] && exit
done

make_environment
build_thinnet
build_candle
build_tract
build_rten
PYTHONPATH=$peers exec "$venv/bin/python" -m driver \
    --thinnet-worker "$thinnet_worker" --candle-worker "$candle_worker" \
    --tract-worker "$tract_worker" --rten-worker "$rten_worker" "$@"
