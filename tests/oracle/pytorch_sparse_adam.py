#!/usr/bin/env python3
"""Steps of PyTorch's SparseAdam; writes pytorch_sparse_adam.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r benches/peers/requirements.txt
    VENV/bin/python tests/oracle/pytorch_sparse_adam.py

Softmax regression on sparse rows: an EmbeddingBag with sparse gradients, and biases whose gradient, of
which no element is 0, is passed on as a sparse one. Some columns have entries in few batches or none. All
computing is float64, and JSON numbers read back as float64 give it exactly. The values of the rows and
the initial parameters are multiples of 1/64, which float32 holds exactly.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

COLUMNS, CLASSES, ROWS, BATCHES, STEPS = 40, 3, 12, 4, 30
SETTINGS = [
    {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    {"learning_rate": 0.05, "beta1": 0.75, "beta2": 0.96875, "epsilon": 0.001},
]


def numbers(generator, *shape):
    return torch.randint(-64, 65, shape, generator=generator).to(torch.float64) / 64


def batch(generator, number):
    """Rows of 1 to 4 entries; each batch leaves a tenth of the columns alone."""
    allowed = [c for c in range(COLUMNS - 1) if c % 10 != number]
    rows = []
    for _ in range(ROWS):
        order = torch.randperm(len(allowed), generator=generator).tolist()
        count = int(torch.randint(1, 5, (1,), generator=generator))
        columns = sorted(allowed[i] for i in order[:count])
        values = numbers(generator, count)
        values[values == 0] = 0.5
        rows.append({"columns": columns, "values": values.tolist()})
    classes = torch.randint(CLASSES, (ROWS,), generator=generator).tolist()
    return {"rows": rows, "classes": classes}


def run(settings, batches, w, b):
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    betas = (settings["beta1"], settings["beta2"])
    optimiser = torch.optim.SparseAdam(
        [w, b], lr=settings["learning_rate"], betas=betas, eps=settings["epsilon"])
    for step in range(STEPS):
        batch = batches[step % BATCHES]
        flat = [c for row in batch["rows"] for c in row["columns"]]
        values = torch.tensor([v for row in batch["rows"] for v in row["values"]], dtype=torch.float64)
        lengths = torch.tensor([0] + [len(row["columns"]) for row in batch["rows"]])
        offsets = lengths.cumsum(0)[:-1]
        z = F.embedding_bag(torch.tensor(flat), w, offsets, mode="sum", sparse=True,
                            per_sample_weights=values) + b
        loss = F.cross_entropy(z, torch.tensor(batch["classes"]))
        optimiser.zero_grad()
        loss.backward()
        assert (b.grad != 0).all()
        b.grad = b.grad.to_sparse()
        optimiser.step()
    return {"settings": settings, "loss": loss.item(), "weights": w.detach().T.tolist(), "bias": b.detach().tolist()}


def main():
    generator = torch.Generator().manual_seed(1)
    batches = [batch(generator, number) for number in range(BATCHES)]
    w, b = numbers(generator, COLUMNS, CLASSES), numbers(generator, CLASSES)
    runs = [run(settings, batches, w, b) for settings in SETTINGS]
    oracle = {
        "torch": torch.__version__, "columns": COLUMNS, "steps": STEPS, "batches": batches,
        "weights": w.T.tolist(), "bias": b.tolist(), "runs": runs,
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(oracle, separators=(",", ":")) + "\n")


main()
