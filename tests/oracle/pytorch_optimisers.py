#!/usr/bin/env python3
"""PyTorch's numbers for 60 steps of its optimisers; writes pytorch_optimisers.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r benches/peers/requirements.txt
    VENV/bin/python tests/oracle/pytorch_optimisers.py

A network 5-7-6-4 of tanh units with softmax and cross-entropy, a batch of 4 rows, and masks that
are given for every step. Every input and first parameter is a float32 value; all computing is
float64, and JSON numbers read back as float64 give it exactly.

Layout: weights[layer][output][input]; masks[step][site][row], a string of a bit per unit, 1 = kept,
sites in order input, first hidden, second hidden. A site multiplies by
mask / (keep_k[site] / 65536), hidden sites after the activation. Each optimiser starts from the same
parameters; its own are given after 1, 10 and 60 steps.

Some runs have options: clip_value (clip_grad_value_), clip_norm (clip_grad_norm_), l1 (this times the
sum of all |w| is added to the loss that is differentiated), and ema or tail, averages of the parameters by
torch.optim.swa_utils, with this decay or from the step after this one on. The average is given, too,
from its first step on.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

SIZES = [5, 7, 6, 4]
ROWS = 4
STEPS = 60
SHOWN = (1, 10, 60)
KEEP_K = [round(65536 * keep) for keep in (0.8, 0.5, 0.5)]
# PyTorch's own arguments; weight decay is on the weights only, not on the biases.
OPTIMISERS = [
    ("adam", {}),
    ("adam", {"lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.02}),
    ("adamw", {"lr": 0.01}),
    ("adamw", {"lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.3}),
    ("adagrad", {}),
    (
        "adagrad",
        {
            "lr": 0.05,
            "lr_decay": 0.02,
            "weight_decay": 0.02,
            "initial_accumulator_value": 0.1,
            "eps": 1e-6,
        },
    ),
]
WITH_OPTIONS = [
    ("adam", {"lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-6}, {"clip_value": 0.02, "ema": 0.9}),
    ("adagrad", {"lr": 0.05, "weight_decay": 0.02, "eps": 1e-6}, {"clip_value": 0.01, "tail": 5}),
    (
        "adamw",
        {"lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.3},
        {"clip_norm": 0.3, "ema": 0.9},
    ),
    ("adagrad", {"lr": 0.05, "weight_decay": 0.02, "eps": 1e-6}, {"clip_norm": 0.2, "l1": 0.01}),
]
CLASSES = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "adagrad": torch.optim.Adagrad}


def draw(*shape):
    """Float32 values from [-1, 1), as float64."""
    return (2 * torch.rand(shape, dtype=torch.float32) - 1).double()


def draw_masks():
    return [(torch.randint(65536, (ROWS, n)) < k).double() for n, k in zip(SIZES, KEEP_K)]


def loss_of(x, targets, masks, weights, biases):
    h = x
    for site, (w, b) in enumerate(zip(weights, biases)):
        h = F.linear(h * masks[site] / (KEEP_K[site] / 65536), w, b)
        if site < len(weights) - 1:
            h = torch.tanh(h)
    return F.cross_entropy(h, targets)


def lists(tensors):
    return [t.tolist() for t in tensors]


def train(run, x, targets, masks, weights, biases):
    name, arguments, *options = run
    options = options[0] if options else {}
    weights = [w.clone().requires_grad_() for w in weights]
    biases = [b.clone().requires_grad_() for b in biases]
    parameters = torch.nn.ParameterList(weights + biases)
    weights, biases = list(parameters[: len(weights)]), list(parameters[len(weights) :])
    ema = get_ema_avg_fn(options["ema"]) if "ema" in options else None
    average = AveragedModel(parameters, avg_fn=ema)
    optimiser = CLASSES[name](weights + biases, **arguments)
    # The same group, but without decay for the biases.
    decays = {**optimiser.param_groups[0], "params": weights}
    optimiser.param_groups[0].update(params=biases, weight_decay=0)
    optimiser.param_groups.append(decays)
    shown = []
    for step in range(STEPS):
        optimiser.zero_grad()
        loss = loss_of(x, targets, masks[step], weights, biases)
        l1 = options.get("l1", 0)
        (loss + l1 * sum(w.abs().sum() for w in weights) if l1 else loss).backward()
        if "clip_norm" in options:
            clip_grad_norm_(weights + biases, options["clip_norm"])
        if "clip_value" in options:
            clip_grad_value_(weights + biases, options["clip_value"])
        optimiser.step()
        averages = options.keys() & {"ema", "tail"} and step >= options.get("tail", 0)
        if averages:
            average.update_parameters(parameters)
        if step + 1 in SHOWN:
            after = {"steps": step + 1, "weights": lists(weights), "biases": lists(biases)}
            if averages:
                averaged = lists(average.module)
                after["average"] = {"weights": averaged[: len(weights)], "biases": averaged[len(weights) :]}
            shown.append({**after, "last_loss": loss.item()})
    said = {"options": options} if options else {}
    return {"name": name, "arguments": arguments, **said, "shown": shown}


def main():
    torch.manual_seed(60)
    torch.set_num_threads(1)
    x, targets = draw(ROWS, SIZES[0]), torch.randint(SIZES[-1], (ROWS,))
    weights = [draw(n, m) for m, n in zip(SIZES, SIZES[1:])]
    biases = [draw(n) for n in SIZES[1:]]
    masks = [draw_masks() for _ in range(STEPS)]
    bits = [
        [["".join(str(int(bit)) for bit in row) for row in site] for site in step] for step in masks
    ]
    head = {
        "torch": torch.__version__, "sizes": SIZES, "rows": ROWS, "keep_k": KEEP_K,
        "x": x.tolist(), "targets": targets.tolist(),
        "weights": lists(weights), "biases": lists(biases), "masks": bits,
    }
    runs = [train(run, x, targets, masks, weights, biases) for run in OPTIMISERS + WITH_OPTIONS]
    lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs)
    text = json.dumps(head, separators=(",", ":"))[:-1] + ',"runs":[\n' + lines + "\n]}\n"
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
