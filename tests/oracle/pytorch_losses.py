#!/usr/bin/env python3
"""PyTorch's values and gradients of every loss; writes pytorch_losses.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r benches/peers/requirements.txt
    VENV/bin/python tests/oracle/pytorch_losses.py

All computing is float64, and JSON numbers read back as float64 give it exactly. The outputs
and the targets are multiples of 1/64, which float32 holds exactly.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

ROWS, OUTPUTS = 4, 5


def gaussian_nll(z, t, beta):
    """Means, then logarithms of variances; with the factor of beta-NLL (Seitzer et al. 2022)."""
    mean, variance = z[:, :OUTPUTS], z[:, OUTPUTS:].exp()
    losses = F.gaussian_nll_loss(mean, t, variance, reduction="none")
    return (variance.detach() ** beta * losses).mean()


LOSSES = {
    "softmax_cross_entropy": F.cross_entropy,
    "squared_error": F.mse_loss,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    "huber": F.huber_loss,
    "huber(0.25)": lambda z, t: F.huber_loss(z, t, delta=0.25),
    "huber(3)": lambda z, t: F.huber_loss(z, t, delta=3.0),
    "poisson": F.poisson_nll_loss,
    "gaussian_nll": lambda z, t: gaussian_nll(z, t, 0.0),
    "gaussian_nll(0.5)": lambda z, t: gaussian_nll(z, t, 0.5),
    "gaussian_nll(1)": lambda z, t: gaussian_nll(z, t, 1.0),
}


def numbers(low, high, seed):
    generator = torch.Generator().manual_seed(seed)
    whole = torch.randint(64 * low, 64 * high + 1, (ROWS, OUTPUTS), generator=generator)
    return whole.to(torch.float64) / 64


def loss(name, f):
    z, t = numbers(-4, 4, 1), numbers(-2, 2, 2)
    # Exactly delta away, for each delta.
    for output, distance in enumerate([1.0, -1.0, 0.25, -3.0]):
        z[0, output] = t[0, output] + distance
    if name == "softmax_cross_entropy":
        t = torch.tensor([3, 0, 4, 1])
    elif name == "binary_cross_entropy":
        t = (t + 2) / 4
    elif name == "poisson":
        t = t + 2
    elif name.startswith("gaussian"):
        z = torch.cat([z, numbers(-4, 4, 3)], dim=1)
    z.requires_grad_()
    value = f(z, t)
    value.backward()
    return {"loss": name, "z": z.tolist(), "targets": t.tolist(), "value": value.item(),
            "gradient": z.grad.tolist()}


def main():
    torch.set_num_threads(1)
    losses = [json.dumps(loss(*item), separators=(",", ":")) for item in LOSSES.items()]
    head = json.dumps({"torch": torch.__version__})
    text = head[:-1] + ', "losses": [\n' + ",\n".join(losses) + "\n]}\n"
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
