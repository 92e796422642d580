#!/usr/bin/env python3
"""Times PyTorch's dropout operation on CPU; prints one JSON line a setting.

    VENV/bin/python dropout.py [--threads 2] [--seconds 1]

Each call is timed on its own, after a warm-up, for about --seconds a setting.
A call allocates its result, as PyTorch's users get it.
"""

import argparse
import json
import statistics
import time

import torch


def nanoseconds_per_call(x, keep, seconds):
    """The time of each call of dropout on `x`, in the order of the calls."""
    times = []
    warm = time.perf_counter() + seconds / 5
    while (before := time.perf_counter()) < warm + seconds or len(times) < 5:
        torch.nn.functional.dropout(x, p=1 - keep, training=True)
        if before >= warm:
            times.append((time.perf_counter() - before) * 1e9)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    for elements in (2**18, 2**24):
        x = torch.randn(elements)
        for keep in (0.5, 0.8):
            times = nanoseconds_per_call(x, keep, args.seconds)
            print(json.dumps({
                "engine": "pytorch",
                "version": torch.__version__,
                "op": "dropout",
                "elements": elements,
                "keep": keep,
                "threads": torch.get_num_threads(),
                "ns_per_element_median": round(statistics.median(times) / elements, 4),
                "ns_per_element_min": round(min(times) / elements, 4),
            }), flush=True)


if __name__ == "__main__":
    main()
