#!/usr/bin/env python3
"""PyTorch's values and derivatives of every activation; writes pytorch_units.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r benches/peers/requirements.txt
    VENV/bin/python tests/oracle/pytorch_units.py

All computing is float64, and JSON numbers read back as float64 give it exactly.
The derivatives are PyTorch's own backward functions.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

UNITS = {
    "relu": torch.relu,
    # As a float32, as the library holds it.
    "leaky_relu": lambda z: F.leaky_relu(z, torch.tensor(0.01).item()),
    "leaky_relu(0.25)": lambda z: F.leaky_relu(z, 0.25),
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "identity": lambda z: z,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "elu": F.elu,
    "elu(0.25)": lambda z: F.elu(z, 0.25),
    "elu(2)": lambda z: F.elu(z, 2.0),
    "softplus": F.softplus,
}
Z = [-30.0, -12.5, -6.0, -3.75, -2.0, -1.0, -0.75, -0.375, -0.0625, -1e-3, -1e-9,
     0.0, 1e-9, 1e-3, 0.0625, 0.375, 0.75, 1.0, 2.0, 3.75, 6.0, 12.5, 19.5, 20.5, 30.0]


def unit(name, f):
    z = torch.tensor(Z, dtype=torch.float64, requires_grad=True)
    y = f(z)
    y.sum().backward()
    return {"activation": name, "values": y.tolist(), "derivatives": z.grad.tolist()}


def main():
    torch.set_num_threads(1)
    units = [json.dumps(unit(*item), separators=(",", ":")) for item in UNITS.items()]
    head = json.dumps({"torch": torch.__version__, "z": Z})
    text = head[:-1] + ', "units": [\n' + ",\n".join(units) + "\n]}\n"
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
