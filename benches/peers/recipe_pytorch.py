#!/usr/bin/env python3
"""Trains 784-1024-1024-1024-10 on MNIST with PyTorch on CPU; prints one JSON line.

    VENV/bin/python recipe_pytorch.py --data FOLDER [--no-dropout] [--epochs 10]

FOLDER holds the four gzipped IDX files. ReLU, inverted dropout (keep 0.8 on
the input, 0.5 on the hidden layers) or none, cross-entropy, batch 128, He
initialisation with zero biases, SGD with momentum 0.9 and learning rate 0.05,
no max-norm. Each epoch is shuffled anew and its last, partial batch left out.

A step's time covers picking the batch's rows, forward, backward and update.
test_error is a fraction of the test images, taken once, after the last step.
"""

import argparse
import gzip
import json
import statistics
import time
from pathlib import Path

import torch
from torch import nn

SIZES = [784, 1024, 1024, 1024, 10]
BATCH = 128
LEARNING_RATE = 0.05
MOMENTUM = 0.9
KEEP_INPUT, KEEP_HIDDEN = 0.8, 0.5


def read_idx(path, header):
    """The bytes after the header, as a flat tensor."""
    with gzip.open(path) as file:
        return torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)[header:]


def load(folder, name):
    """Images as rows of floats from 0 to 1, and labels."""
    images = read_idx(folder / f"{name}-images-idx3-ubyte.gz", 16)
    labels = read_idx(folder / f"{name}-labels-idx1-ubyte.gz", 8)
    return images.reshape(-1, SIZES[0]).float() / 255, labels.long()


def make_network(dropout):
    layers = []
    for i, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
        if i > 0:
            layers.append(nn.ReLU())
        if dropout:
            layers.append(nn.Dropout(1 - (KEEP_HIDDEN if i > 0 else KEEP_INPUT)))
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers.append(linear)
    return nn.Sequential(*layers)


def train(network, images, labels, epochs, max_steps):
    """Returns each step's time in ms."""
    sgd = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    times = []
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(BATCH):
            if len(rows) < BATCH or len(times) == max_steps:
                break
            start = time.perf_counter()
            loss = nn.functional.cross_entropy(network(images[rows]), labels[rows])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            times.append((time.perf_counter() - start) * 1e3)
    return times


@torch.no_grad()
def error(network, images, labels):
    network.eval()
    return (network(images).argmax(1) != labels).double().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the IDX .gz files")
    parser.add_argument("--no-dropout", action="store_true")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--max-steps", type=int, help="stop after so many steps in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    network = make_network(not args.no_dropout)
    times = train(network, *load(args.data, "train"), args.epochs, args.max_steps)
    print(json.dumps({
        "engine": "pytorch",
        "version": torch.__version__,
        "recipe": "-".join(map(str, SIZES)),
        "dropout": not args.no_dropout,
        "epochs": args.epochs,
        "steps": len(times),
        "seed": args.seed,
        "threads": torch.get_num_threads(),
        "test_error": round(error(network, *load(args.data, "t10k")), 6),
        "step_ms_median": round(statistics.median(times), 3),
        "step_ms_min": round(min(times), 3),
        "train_seconds": round(sum(times) / 1e3, 1),
    }))


if __name__ == "__main__":
    main()
