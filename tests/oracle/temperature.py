#!/usr/bin/env python3
"""Temperatures with the lowest log loss, by PyTorch and SciPy; writes temperature.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r tests/fixtures/requirements.txt
    VENV/bin/python tests/oracle/temperature.py

SciPy finds the root of the derivative of PyTorch's loss of z / T with respect to T, which PyTorch
differentiates itself. All computing is float64. Logits are multiples of 1/64 and targets of 1/4, which
float32 holds exactly.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import brentq


def loss_of(z, t, w, T):
    if z.ndim == 2 and t.ndim == 1:
        losses = F.cross_entropy(z / T, t, reduction="none")
    else:
        losses = F.binary_cross_entropy_with_logits(z / T, t, reduction="none").mean(1)
    return (losses * w).sum() / w.sum()


def fitted(z, t, w):
    z, t, w = torch.tensor(z), torch.tensor(t), torch.tensor(w)

    def slope(log_t):
        T = torch.tensor(np.exp(log_t), requires_grad=True)
        loss_of(z, t, w, T).backward()
        return float(T.grad)

    T = float(np.exp(brentq(slope, np.log(1e-3), np.log(1e3), xtol=1e-13)))
    one, best = (float(loss_of(z, t, w, torch.tensor(x, dtype=torch.float64))) for x in (1.0, T))
    return T, one, best


def case(generator, name, rows, outputs, scale, weighted):
    z = np.round(64 * scale * generator.normal(size=(rows, outputs))) / 64
    if name == "classes":
        # Labels that the logits know something about.
        noise = generator.gumbel(size=z.shape)
        t = np.argmax(z / (0.7 * scale) + noise, axis=1)
    else:
        p = 1 / (1 + np.exp(-z / (0.7 * scale)))
        t = (generator.random(z.shape) < p).astype(float)
        t[0, 0] = 0.25
    w = generator.integers(0, 4, rows).astype(float) if weighted else np.ones(rows)
    T, before, after = fitted(z, t, w)
    return {"kind": name, "logits": z.tolist(), "targets": t.tolist(),
            "weights": w.tolist() if weighted else None,
            "temperature": T, "loss_at_1": before, "loss": after}


generator = np.random.default_rng(5)
cases = [case(generator, kind, rows, outputs, scale, weighted)
         for kind, rows, outputs, scale, weighted in [
             ("classes", 40, 2, 0.3, False), ("classes", 60, 3, 1.0, True),
             ("classes", 80, 10, 5.0, False), ("classes", 50, 4, 60.0, False),
             ("bits", 40, 1, 0.3, False), ("bits", 30, 3, 4.0, True), ("bits", 60, 1, 30.0, False)]]
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"torch": torch.__version__, "cases": cases}) + "\n")
