#!/usr/bin/env python3
"""PyTorch's values and gradients of weighted losses; writes pytorch_weights.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r benches/peers/requirements.txt
    VENV/bin/python tests/oracle/pytorch_weights.py

A network of one layer, with weights of rows, classes and positive bits, and label smoothing. PyTorch
has no weights of rows: the losses of the rows are multiplied by them, and the sum is divided by that
of the weights, times those of the classes. All computing is float64, and JSON numbers read back as
float64 give it exactly. The inputs and parameters are multiples of 1/64, which float32 holds exactly.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

ROWS, INPUTS, OUTPUTS = 6, 4, 5
CLASS_WEIGHTS = [1.0, 2.5, 0.125, 0.0, 40.0]
POSITIVE_WEIGHTS = [1.0, 3.0, 0.25, 0.0, 60.0]
ROW_WEIGHTS = [1.0, 0.5, 0.0, 3.0, 2.0, 0.25]
CASES = [
    (loss, smoothing, rows, weights)
    for loss in ["softmax_cross_entropy", "binary_cross_entropy"]
    for smoothing in ([0.0, 0.1, 0.75] if loss == "softmax_cross_entropy" else [0.0])
    for rows in [None, ROW_WEIGHTS]
    for weights in [None, CLASS_WEIGHTS if loss == "softmax_cross_entropy" else POSITIVE_WEIGHTS]
]


def numbers(low, high, seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    whole = torch.randint(64 * low, 64 * high + 1, shape, generator=generator)
    return whole.to(torch.float64) / 64


def case(loss, smoothing, rows, weights):
    x = numbers(-2, 2, 1, ROWS, INPUTS)
    w, b = numbers(-1, 1, 2, OUTPUTS, INPUTS), numbers(-1, 1, 3, OUTPUTS)
    w.requires_grad_()
    b.requires_grad_()
    z = x @ w.T + b
    of = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    row_weights = torch.ones(ROWS, dtype=torch.float64)
    if rows is not None:
        row_weights = torch.tensor(rows, dtype=torch.float64)
    if loss == "softmax_cross_entropy":
        t = torch.tensor([3, 0, 4, 1, 1, 2])
        arguments = {"weight": of, "label_smoothing": smoothing}
        each = F.cross_entropy(z, t, reduction="none", **arguments)
        total = row_weights if of is None else row_weights * of[t]
        whole = F.cross_entropy(z, t, **arguments)
    else:
        t = (numbers(-2, 2, 4, ROWS, OUTPUTS) + 2) / 4
        t[:3] = (t[:3] > 0.5).to(torch.float64)
        each = F.binary_cross_entropy_with_logits(z, t, pos_weight=of, reduction="none").mean(1)
        total = row_weights
        whole = F.binary_cross_entropy_with_logits(z, t, pos_weight=of)
    value = (row_weights * each).sum() / total.sum()
    if rows is None:
        assert abs(value - whole) < 1e-14
        value = whole
    value.backward()
    return {
        "loss": loss, "label_smoothing": smoothing, "row_weights": rows, "weights": weights,
        "x": x.tolist(), "w": w.tolist(), "b": b.tolist(), "targets": t.tolist(),
        "value": value.item(), "w_gradient": w.grad.tolist(), "b_gradient": b.grad.tolist(),
    }


def main():
    torch.set_num_threads(1)
    cases = [json.dumps(case(*of), separators=(",", ":")) for of in CASES]
    head = json.dumps({"torch": torch.__version__})
    text = head[:-1] + ', "cases": [\n' + ",\n".join(cases) + "\n]}\n"
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
