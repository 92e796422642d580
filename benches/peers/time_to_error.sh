#!/usr/bin/env bash
# Seconds of training until MNIST's test error is down to 1.6, 1.4 and 1.2 %:
# thinnet and PyTorch, with dropout and without. See README.md beside this file.
#
#     benches/peers/time_to_error.sh [--help] [--data DIR] [--engine ours] ...
#
# PEERS_VENV and PYTHON are as for run.sh.
set -euo pipefail
peers=$(cd "$(dirname "$0")" && pwd)
source "$peers/prepare.sh"

# Wrong arguments are told before anything is built.
PYTHONPATH=$peers "$python" -m driver.time_to_error --only-arguments "$@"
for argument in "$@"; do
    [[ $argument == -h || $argument == --help ]] && exit
done

make_environment
build_thinnet
PYTHONPATH=$peers exec "$venv/bin/python" -m driver.time_to_error \
    --thinnet-worker "$thinnet_worker" "$@"
