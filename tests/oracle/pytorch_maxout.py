#!/usr/bin/env python3
"""PyTorch's numbers for a network of maxout units; writes pytorch_maxout.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r benches/peers/requirements.txt
    VENV/bin/python tests/oracle/pytorch_maxout.py

The network is the `nn.Sequential` below, as thinnet prints it. Weights and inputs are float32
values, all computing is float64. The last row is zero and the first biases are, so in that row all
pieces of the first layer are equal: `nn.MaxPool2d` then takes the first, as thinnet does.
"""

import json
from pathlib import Path

import torch
from torch import nn

MODULE = (
    "nn.Sequential(nn.Linear(5, 21), nn.Unflatten(1, (3, 7)), nn.MaxPool2d((3, 1)), nn.Flatten(), "
    "nn.Linear(7, 12), nn.Unflatten(1, (2, 6)), nn.MaxPool2d((2, 1)), nn.Flatten(), nn.Linear(6, 4))"
)
ROWS = 4
STEPS = 3
RATE = 0.1


def draw(*shape):
    """Float32 values from [-1, 1), as float64."""
    return (2 * torch.rand(shape, dtype=torch.float32) - 1).double()


def main():
    torch.manual_seed(1302)
    torch.set_num_threads(1)
    model = eval(MODULE).double()
    layers = [module for module in model if isinstance(module, nn.Linear)]
    with torch.no_grad():
        for index, layer in enumerate(layers):
            layer.weight.copy_(draw(*layer.weight.shape))
            layer.bias.copy_(draw(*layer.bias.shape) * (index > 0))
    x = draw(ROWS, 5)
    x[-1] = 0
    targets = torch.tensor([2, 0, 3, 1])
    found = {
        "torch": torch.__version__,
        "module": MODULE,
        "x": x.tolist(),
        "targets": targets.tolist(),
        "weights": [layer.weight.tolist() for layer in layers],
        "biases": [layer.bias.tolist() for layer in layers],
        "logits": model(x).tolist(),
        "rate": RATE,
        "steps": STEPS,
    }
    sgd = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    for step in range(STEPS):
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(model(x), targets)
        loss.backward()
        if step == 0:
            found["loss"] = loss.item()
            found["weight_gradients"] = [layer.weight.grad.tolist() for layer in layers]
            found["bias_gradients"] = [layer.bias.grad.tolist() for layer in layers]
        sgd.step()
    found["weights_after"] = [layer.weight.tolist() for layer in layers]
    found["biases_after"] = [layer.bias.tolist() for layer in layers]
    text = json.dumps(found, separators=(",", ":")).replace(',"', ',\n"')
    Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
