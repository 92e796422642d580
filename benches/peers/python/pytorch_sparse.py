"""A training step on sparse rows with PyTorch: the network, the rows and the batch of benches/sparse.rs, with
the first layer as an EmbeddingBag whose gradient is sparse. Prints the median of the seconds of a step with
an optimiser that takes sparse gradients: Adagrad, SGD or SparseAdam. The layers above use the same one, or
Adam beside SparseAdam.

    VENV/bin/python pytorch_sparse.py COLUMNS THREADS OPTIMISER
"""

import statistics
import sys
import time

import torch
from torch import nn

BATCH = 128
BATCHES = 64
ENTRIES = 50
HIDDEN = 256
STEPS = 200
WARM_UP = 20


class Network(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.first = nn.EmbeddingBag(columns, HIDDEN, mode="sum", sparse=True)
        self.bias = nn.Parameter(torch.zeros(HIDDEN))
        self.rest = nn.Sequential(
            nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(HIDDEN, 1),
        )

    def forward(self, columns):
        # Rows of the same length: without offsets, and without weights, as all values are 1.
        return self.rest(self.first(columns) + self.bias)[:, 0]


def optimisers(network, name):
    dense = [network.bias, *network.rest.parameters()]
    sparse = list(network.first.parameters())
    if name == "Adagrad":
        return [torch.optim.Adagrad(sparse, lr=0.01), torch.optim.Adagrad(dense, lr=0.01, fused=True)]
    if name == "SGD":
        return [torch.optim.SGD(sparse, lr=0.001), torch.optim.SGD(dense, lr=0.001, fused=True)]
    return [torch.optim.SparseAdam(sparse, lr=0.001), torch.optim.Adam(dense, lr=0.001, fused=True)]


def main():
    columns, threads, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    # Distinct columns in each row, up to a few in a million rows.
    batches = [torch.randint(columns, (BATCH, ENTRIES)).sort(1).values for _ in range(BATCHES)]
    bits = torch.randint(2, (BATCH,)).float()
    loss_of = nn.BCEWithLogitsLoss()
    network = Network(columns)
    updates = optimisers(network, name)
    times = []
    for step in range(WARM_UP + STEPS):
        rows = batches[step % BATCHES]
        before = time.perf_counter()
        loss_of(network(rows), bits).backward()
        for update in updates:
            update.step()
            update.zero_grad()
        times.append(time.perf_counter() - before)
    print(f"{name} {statistics.median(times[WARM_UP:]):.6f}", flush=True)


main()
