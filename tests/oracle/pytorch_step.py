#!/usr/bin/env python3
"""PyTorch's numbers for one training step with dropout; writes pytorch_step.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r benches/peers/requirements.txt
    VENV/bin/python tests/oracle/pytorch_step.py

A network 5-7-6-4, a batch of 3 rows, masks given. Every input and parameter
is a float32 value; all computing is float64, and JSON numbers read back as
float64 give it exactly. Every activation meets every loss; relu with
cross_entropy also has the parameters after two SGD steps on the same batch
and masks. Drawing is exact on every machine, computing up to the last digits.

Layout: weights[layer][output][input]; masks[site][row][unit], 1 = kept, sites
in order input, first hidden, second hidden. A site multiplies by
mask / (keep_k[site] / 65536), hidden sites after the activation.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

SIZES = [5, 7, 6, 4]
ROWS = 3
STEPS = 2
KEEP_K = [round(65536 * keep) for keep in (0.8, 0.5, 0.5)]
ACTIVATIONS = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "identity": lambda z: z,
}
LOSSES = {  # each with PyTorch's default reduction, the mean
    "cross_entropy": F.cross_entropy,
    "mse": F.mse_loss,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
}
OPTIMISERS = [
    {"name": "momentum", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
    {"name": "nesterov", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0},
    # The decay is on the weights only, not on the biases.
    {"name": "decay", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.01},
]


def draw(*shape):
    """Float32 values from [-1, 1), as float64."""
    return (2 * torch.rand(shape, dtype=torch.float32) - 1).double()


def draw_mask(rows, units, k):
    """0/1 at keep rate k/65536; drawn again until both occur."""
    while True:
        mask = (torch.randint(65536, (rows, units)) < k).double()
        if 0 < mask.sum() < mask.numel():
            return mask


def draw_targets(loss):
    if loss == "cross_entropy":
        return torch.randint(SIZES[-1], (ROWS,))
    if loss == "mse":
        return draw(ROWS, SIZES[-1])
    return torch.randint(2, (ROWS, SIZES[-1])).double()


def forward(activation, x, masks, weights, biases):
    h = x
    for site, (w, b) in enumerate(zip(weights, biases)):
        h = F.linear(h * masks[site] / (KEEP_K[site] / 65536), w, b)
        if site < len(weights) - 1:
            h = ACTIVATIONS[activation](h)
    return h


def lists(tensors):
    return [t.tolist() for t in tensors]


def train(setting, case_loss, weights, biases):
    """The parameters after STEPS steps of torch.optim.SGD."""
    weights = [w.detach().clone().requires_grad_() for w in weights]
    biases = [b.detach().clone().requires_grad_() for b in biases]
    sgd = torch.optim.SGD(
        [{"params": weights, "weight_decay": setting["weight_decay"]},
         {"params": biases, "weight_decay": 0.0}],
        lr=setting["lr"], momentum=setting["momentum"], nesterov=setting["nesterov"])
    for _ in range(STEPS):
        sgd.zero_grad()
        case_loss(weights, biases)[1].backward()
        sgd.step()
    return {**setting, "steps": STEPS, "weights": lists(weights), "biases": lists(biases)}


def make_case(activation, loss):
    x = draw(ROWS, SIZES[0])
    masks = [draw_mask(ROWS, n, k) for n, k in zip(SIZES, KEEP_K)]
    weights = [draw(n, m).requires_grad_() for m, n in zip(SIZES, SIZES[1:])]
    biases = [draw(n).requires_grad_() for n in SIZES[1:]]
    targets = draw_targets(loss)

    def case_loss(weights, biases):
        logits = forward(activation, x, masks, weights, biases)
        return logits, LOSSES[loss](logits, targets)

    logits, value = case_loss(weights, biases)
    value.backward()
    case = {
        "activation": activation, "loss": loss,
        "x": x.tolist(), "masks": [m.int().tolist() for m in masks],
        "weights": lists(weights), "biases": lists(biases),
        "targets": targets.tolist(),
        "logits": logits.tolist(), "loss_value": value.item(),
        "weight_gradients": lists(w.grad for w in weights),
        "bias_gradients": lists(b.grad for b in biases),
    }
    if (activation, loss) == ("relu", "cross_entropy"):
        case["optimisers"] = [train(s, case_loss, weights, biases) for s in OPTIMISERS]
    return case


def main():
    torch.manual_seed(2184)  # no ReLU input is within 0.01 of 0
    torch.set_num_threads(1)
    cases = [make_case(a, l) for a in ACTIVATIONS for l in LOSSES]
    head = {"torch": torch.__version__, "sizes": SIZES, "rows": ROWS, "keep_k": KEEP_K}
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    text = json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}\n"
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
