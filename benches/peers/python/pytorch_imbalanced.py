"""Trains on the table of examples/imbalanced with PyTorch, as the example does: the same sets, network,
class weights, warm-up and early stopping. Prints the same columns: seed, average precision on the test
rows, seconds, and the epoch whose parameters were kept.

    VENV/bin/python pytorch_imbalanced.py FOLDER THREADS
"""

import copy
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

BATCH = 128
EPOCHS = 60
PATIENCE = 15
WARM_UP = 300
RATE = 1e-3


def average_precision(labels, scores):
    """As scikit-learn's: the sum over distinct scores of precision times the recall gained."""
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    last = np.r_[np.nonzero(np.diff(scores))[0], len(scores) - 1]
    true = np.cumsum(labels)[last]
    return float(np.sum(np.diff(np.r_[0, true]) / labels.sum() * true / (last + 1)))


def load(folder, name, seed):
    read = lambda what: np.load(folder / f"{what}_{name}_{seed}.npy")
    return torch.from_numpy(read("x")), torch.from_numpy(read("y").astype(np.int64))


def measure(network, x, y):
    network.eval()
    with torch.no_grad():
        scores = torch.softmax(network(x), 1)[:, 1].numpy()
    network.train()
    return average_precision(y.numpy(), scores)


def fit(x, y, validation, seed):
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(x.shape[1], 256), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(256, 2),
    )
    counts = torch.bincount(y, minlength=2)
    loss_of = nn.CrossEntropyLoss(weight=len(y) / (2 * counts.float()))
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    steps = math.ceil(len(y) / BATCH) * EPOCHS

    def factor(step):
        if step < WARM_UP:
            return step / WARM_UP
        return (1 + math.cos(math.pi * min((step - WARM_UP) / steps, 1))) / 2

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
    best, kept, kept_epoch = -math.inf, None, 0
    for epoch in range(1, EPOCHS + 1):
        for rows in torch.randperm(len(y)).split(BATCH):
            loss = loss_of(network(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        precision = measure(network, *validation)
        if precision > best:
            best, kept_epoch = precision, epoch
            kept = copy.deepcopy(network.state_dict())
        elif epoch - kept_epoch >= PATIENCE:
            break
    network.load_state_dict(kept)
    return network, kept_epoch


def main():
    folder = Path(sys.argv[1])
    torch.set_num_threads(int(sys.argv[2]))
    for seed in range(10):
        x, y = load(folder, "train", seed)
        validation, test = load(folder, "validation", seed), load(folder, "test", seed)
        if seed == 0:
            # The first call of each operation takes longer.
            fit(x[:1000], y[:1000], validation, 0)
        started = time.perf_counter()
        network, epoch = fit(x, y, validation, seed)
        seconds = time.perf_counter() - started
        print(f"{seed}\t{measure(network, *test):.6f}\t{seconds:.3f}\t{epoch}", flush=True)


main()
