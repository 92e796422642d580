"""Trains on MNIST with PyTorch and tells the test error after each epoch, with
the seconds that training took until then. Evaluation, and compiling where it is
asked for, are not on the clock.

    VENV/bin/python pytorch_time_to_error.py SETTINGS

SETTINGS is one JSON object; its fields are those of ../ours/src/time_to_error.rs
and `compile`.
"""

import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pytorch_worker import CompiledUpdate, Update, loss_of


def read_idx(path, header):
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8)[header:]


def load(folder, name):
    """Images as rows of floats from 0 to 1, and labels."""
    images = read_idx(Path(folder) / f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read_idx(Path(folder) / f"{name}-labels-idx1-ubyte.gz", 8)
    pixels = images.astype(np.float32) / np.float32(255)
    return torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64))


def keeps_of(settings):
    return [settings["keep_input"]] + [settings["keep_hidden"]] * len(settings["hidden"])


def make_network(settings):
    """He's initialisation, zero biases, dropout where the keep rate is below 1."""
    widths = [784, *settings["hidden"], 10]
    layers = []
    for keep, inputs, outputs in zip(keeps_of(settings), widths, widths[1:]):
        if layers:
            layers.append(nn.ReLU())
        if keep < 1:
            layers.append(nn.Dropout(1 - keep))
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers.append(linear)
    return nn.Sequential(*layers)


def make_update(network, settings):
    bound = settings["max_norm"]
    bounds = [bound * keep for keep in keeps_of(settings)] if bound else []
    kind = CompiledUpdate if settings["compile"] else Update
    return kind(network, settings["learning_rate"], settings["momentum"], bounds)


@torch.no_grad()
def error(network, images, labels):
    """The share of rows that the network gets wrong."""
    network.eval()
    wrong = sum(
        (network(x).argmax(1) != y).sum().item()
        for x, y in zip(images.split(250), labels.split(250))
    )
    network.train()
    return wrong / len(labels)


def warm_up(network, loss, update, images, labels):
    """A step that is taken back: what is compiled is compiled by then."""
    parameters = list(network.parameters())
    before = [p.detach().clone() for p in parameters]
    loss(images, labels).backward()
    update.step()
    update.forget()
    with torch.no_grad():
        for p, value in zip(parameters, before):
            p.copy_(value)


def main():
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    torch.set_num_interop_threads(1)
    torch.manual_seed(settings["seed"])
    images, labels = load(settings["data"], "train")
    test = load(settings["data"], "t10k")
    network = make_network(settings).train()
    train(network, settings, (images, labels), test)


def train(network, settings, rows, test):
    images, labels = rows
    batch, rate = settings["batch"], settings["learning_rate"]
    loss, update = loss_of(network, settings["compile"]), make_update(network, settings)
    warm_up(network, loss, update, images[:batch], labels[:batch])
    steps, step, taken = settings["epochs"] * (len(labels) // batch), 0, 0.0
    for epoch in range(settings["epochs"]):
        started = time.perf_counter()
        for chosen in torch.randperm(len(labels)).split(batch):
            if len(chosen) < batch:
                break
            update.set_rate(rate * (1 - step / steps))
            loss(images[chosen], labels[chosen]).backward()
            update.step()
            step += 1
        taken += time.perf_counter() - started
        line = {"epoch": epoch + 1, "seconds": taken, "error": error(network, *test)}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
