#!/usr/bin/env python3
"""The learning rates of PyTorch's schedulers; writes pytorch_schedules.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r benches/peers/requirements.txt
    VENV/bin/python tests/oracle/pytorch_schedules.py

Each case names the schedule as a settings file has it, beside the scheduler that
PyTorch's users know it as, and the rates (or momenta) of the first steps. All
computing is float64, and JSON numbers read back as float64 give it exactly.
"""

import json
import math
from pathlib import Path

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    CosineAnnealingLR, ExponentialLR, LambdaLR, LinearLR, MultiStepLR, OneCycleLR, SequentialLR,
    StepLR,
)

ONE_CYCLE = {"kind": "one_cycle", "from": 0.1 / 25, "peak": 0.1, "to": 0.1 / 25 / 1e4, "rise": 0.3}


def optimiser(lr):
    return SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)


def warm_up_then(scheduler, steps, start_factor):
    """PyTorch's way to say a warm-up: a sequence that begins with `LinearLR`."""
    def build(o):
        warm_up = LinearLR(o, start_factor=start_factor, total_iters=steps)
        return SequentialLR(o, [warm_up, scheduler(o)], milestones=[steps])
    return build


# Settings, the optimiser's lr, the scheduler, how many steps, and what is recorded.
CASES = [
    ({"kind": "linear", "from": 0.03125, "to": 0.125, "steps": 7},
     0.125, lambda o: LinearLR(o, start_factor=0.25, total_iters=7), 12, "lr"),
    ({"kind": "cosine", "from": 0.1, "to": 0.001, "steps": 50},
     0.1, lambda o: CosineAnnealingLR(o, T_max=50, eta_min=0.001), 51, "lr"),
    ({"kind": "exponential", "from": 0.1, "factor": 0.97, "steps": 1},
     0.1, lambda o: ExponentialLR(o, gamma=0.97), 100, "lr"),
    ({"kind": "step_decay", "from": 0.1, "factor": 0.5, "every": 30},
     0.1, lambda o: StepLR(o, step_size=30, gamma=0.5), 100, "lr"),
    ({"kind": "piecewise_constant", "from": 0.5,
      "changes": [{"step": 30, "rate": 0.125}, {"step": 80, "rate": 0.03125}]},
     0.5, lambda o: MultiStepLR(o, milestones=[30, 80], gamma=0.25), 100, "lr"),
    ({"kind": "inverse_time", "from": 0.1, "time": 40.0},
     0.1, lambda o: LambdaLR(o, lambda t: 1 / (1 + t / 40)), 100, "lr"),
    ({"kind": "saturating", "from": 0.01, "to": 0.1, "time": 25.0},
     0.1, lambda o: LambdaLR(o, lambda t: 1 - 0.9 * math.exp(-t / 25)), 100, "lr"),
    (ONE_CYCLE | {"steps": 100},
     0.1, lambda o: OneCycleLR(o, max_lr=0.1, total_steps=100, cycle_momentum=False), 100, "lr"),
    # A peak that is not at a whole step.
    (ONE_CYCLE | {"steps": 17, "rise": 0.45},
     0.1, lambda o: OneCycleLR(o, max_lr=0.1, total_steps=17, pct_start=0.45), 17, "lr"),
    ({"kind": "one_cycle", "from": 0.95, "peak": 0.85, "to": 0.95, "steps": 100, "rise": 0.3},
     0.1, lambda o: OneCycleLR(o, max_lr=0.1, total_steps=100), 100, "momentum"),
    ({"kind": "warm_up", "from": 0.025, "steps": 20,
      "then": {"kind": "cosine", "from": 0.1, "to": 0.0, "steps": 60}},
     0.1, warm_up_then(lambda o: CosineAnnealingLR(o, T_max=60), 20, 0.25), 80, "lr"),
    ({"kind": "warm_up", "from": 0.01, "steps": 5,
      "then": {"kind": "step_decay", "from": 0.1, "factor": 0.1, "every": 10}},
     0.1, warm_up_then(lambda o: StepLR(o, step_size=10), 5, 0.1), 40, "lr"),
    ({"kind": "sequence", "phases": [
        {"steps": 10, "schedule": {"kind": "constant", "value": 0.02}},
        {"steps": 20, "schedule": {"kind": "exponential", "from": 0.1, "factor": 0.9, "steps": 1}}],
      "then": {"kind": "linear", "from": 0.1, "to": 0.05, "steps": 8}},
     0.1, lambda o: SequentialLR(
         o, [LambdaLR(o, lambda t: 0.2), ExponentialLR(o, gamma=0.9),
             LinearLR(o, start_factor=1.0, end_factor=0.5, total_iters=8)],
         milestones=[10, 30]), 45, "lr"),
]


def rates(lr, build, steps, what):
    o = optimiser(lr)
    scheduler = build(o)
    found = []
    for t in range(steps):
        found.append(o.param_groups[0][what])
        o.step()
        if t + 1 < steps:
            scheduler.step()
    return found


def main():
    cases = [json.dumps({"schedule": schedule, "rates": rates(lr, build, steps, what)},
                        separators=(",", ":"))
             for schedule, lr, build, steps, what in CASES]
    head = json.dumps({"torch": torch.__version__})
    text = head[:-1] + ', "cases": [\n' + ",\n".join(cases) + "\n]}\n"
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
