#!/usr/bin/env bash
# Measures the seconds of training until MNIST's test error reaches 1.6, 1.4 and 1.2 %,
# for thinnet and PyTorch, with and without dropout. See README.md in this folder.
#
#     benches/peers/time_to_error.sh [--help] [--data DIR] [--engine ours] ...
#
# PEERS_VENV and PYTHON are as for run.sh.
set -euo pipefail
peers=$(cd "$(dirname "$0")" && pwd)
source "$peers/prepare.sh"

# Arguments are checked before anything is built.
PYTHONPATH=$peers "$python" -m driver.time_to_error --only-arguments "$@"
for argument in "$@"; do
    [[ $argument == -h || $argument == --help ]] && exit
done

make_environment
build_thinnet
PYTHONPATH=$peers exec "$venv/bin/python" -m driver.time_to_error \
    --thinnet-worker "$thinnet_worker" "$@"
