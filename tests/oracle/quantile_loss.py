#!/usr/bin/env python3
"""scikit-learn's values of the quantile loss, and their differences; writes quantile_loss.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r tests/fixtures/requirements.txt
    VENV/bin/python tests/oracle/quantile_loss.py

PyTorch has no quantile loss. Of T targets and the levels q, the outputs are T quantiles of the first
level, then T of the next. The loss is linear on both sides of a target, so that a central difference
is exact but for rounding where no target is within its step. Outputs and targets are multiples of
1/64, which float32 holds exactly, and the step is 1/128. Levels are float32.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import mean_pinball_loss

ROWS, TARGETS, STEP = 4, 3, 1 / 128
LEVELS = ["0.1,0.5,0.9", "0.5", "0.01,0.99", "0.001,0.05,0.25,0.333,0.75"]


def loss(z, t, levels):
    each = zip(levels, np.split(z, len(levels), axis=1))
    return float(np.mean([mean_pinball_loss(t, y, alpha=level) for level, y in each]))


def case(number, text):
    g = np.random.default_rng(number)
    levels = [float(np.float32(level)) for level in text.split(",")]
    t = g.integers(-128, 129, (ROWS, TARGETS)) / 64
    distances = g.integers(1, 129, (ROWS, TARGETS * len(levels))) / 64
    z = np.tile(t, len(levels)) + distances * g.choice([-1, 1], distances.shape)
    gradient = np.zeros_like(z)
    for place in np.ndindex(z.shape):
        around = [z.copy(), z.copy()]
        around[0][place] -= STEP
        around[1][place] += STEP
        low, high = (loss(moved, t, levels) for moved in around)
        gradient[place] = (high - low) / (2 * STEP)
    return {"loss": f"quantile({text})", "z": z.tolist(), "targets": t.tolist(),
            "value": loss(z, t, levels), "gradient": gradient.tolist()}


def main():
    losses = [json.dumps(case(*item), separators=(",", ":")) for item in enumerate(LEVELS)]
    head = json.dumps({"scikit-learn": sklearn.__version__})
    text = head[:-1] + ', "losses": [\n' + ",\n".join(losses) + "\n]}\n"
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
