"""Reuters R52 with PyTorch and JAX, beside examples/reuters.rs: test errors by the same settings, and the time
of a training step on dense rows.

    VENV/bin/python peers_reuters.py FOLDER THREADS

FOLDER has r52-train.svm.gz and r52-test.svm.gz. The numbers of the rows are log(1 + count).
"""

import gzip
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

WORDS, CLASSES, BATCH, EPOCHS, RATE = 2000, 52, 128, 12, 1e-3
STEPS, WARM_UP = 100, 10


def read(path):
    rows, classes = [], []
    with gzip.open(path, "rt") as file:
        for line in file:
            label, *entries = line.split()
            row = np.zeros(WORDS, np.float32)
            for entry in entries:
                index, count = entry.split(":")
                row[int(index) - 1] = np.log1p(np.float32(count))
            rows.append(row)
            classes.append(int(label))
    return torch.from_numpy(np.stack(rows)), torch.tensor(classes)


def network(hidden, dropout):
    layers, width, drop = [], WORDS, 0.2
    for units in hidden:
        layers += [nn.Dropout(drop)] * dropout + [nn.Linear(width, units), nn.ReLU()]
        width, drop = units, 0.5
    return nn.Sequential(*layers, *[nn.Dropout(drop)] * dropout, nn.Linear(width, CLASSES))


def test_error(train, test, dropout, seed):
    torch.manual_seed(seed)
    model = network([1024], dropout)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    loss_of = nn.CrossEntropyLoss()
    (x, y), (test_x, test_y) = train, test
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(y)).split(BATCH):
            optimiser.zero_grad()
            loss_of(model(x[rows]), y[rows]).backward()
            optimiser.step()
    model.eval()
    with torch.no_grad():
        return 100 * (model(test_x).argmax(1) != test_y).float().mean().item()


def batches(train):
    x, y = train
    rows = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    whole = len(y) // BATCH * BATCH
    return list(zip(x[rows[:whole]].split(BATCH), y[rows[:whole]].split(BATCH)))


def timed(step, batches):
    times = []
    for number in range(WARM_UP + STEPS):
        batch = batches[number % len(batches)]
        before = time.perf_counter()
        step(*batch)
        times.append(time.perf_counter() - before)
    return statistics.median(times[WARM_UP:])


def torch_step(train):
    model = network([1024, 1024], True)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    loss_of = nn.CrossEntropyLoss()

    def step(x, y):
        optimiser.zero_grad()
        loss_of(model(x), y).backward()
        optimiser.step()

    return timed(step, batches(train))


def jax_step(train):
    import jax
    import jax.numpy as jnp
    import optax

    from jax_worker import cross_entropy, drop, race

    key = jax.random.key(1, impl=race())
    sizes = [WORDS, 1024, 1024, CLASSES]
    parameters = [
        (jax.random.normal(jax.random.key(i), (a, b)) * (2 / a) ** 0.5, jnp.zeros(b))
        for i, (a, b) in enumerate(zip(sizes, sizes[1:]))
    ]
    optimiser = optax.adam(RATE)
    state = optimiser.init(parameters)

    def loss_of(parameters, key, x, y):
        for layer, (w, b) in enumerate(parameters):
            x = jax.nn.relu(x) if layer > 0 else x
            x = drop(jax.random.fold_in(key, layer), x, 0.5 if layer > 0 else 0.8) @ w + b
        return cross_entropy(x, y)

    def update(parameters, state, key, x, y):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, key, x, y)
        updates, state = optimiser.update(gradients, state, parameters)
        return loss, optax.apply_updates(parameters, updates), state

    update = jax.jit(update, donate_argnums=(0, 1))
    count = 0

    def step(x, y):
        nonlocal parameters, state, count
        count += 1
        loss, parameters, state = update(parameters, state, jax.random.fold_in(key, count), x, y)
        jax.block_until_ready(parameters)

    ready = [(jnp.array(x.numpy()), jnp.array(y.numpy().astype(np.int32))) for x, y in batches(train)]
    return timed(step, ready)


def main():
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    train, test = (read(folder / f"r52-{name}.svm.gz") for name in ("train", "test"))
    for name, dropout in [("none", False), ("dropout", True)]:
        for seed in range(5):
            print(f"pytorch {name} {test_error(train, test, dropout, seed):.4f}", flush=True)
    for round in range(5):
        print(f"pytorch step {torch_step(train):.6f}", flush=True)
        print(f"jax step {jax_step(train):.6f}", flush=True)


main()
