#!/usr/bin/env python3
"""Times PyTorch's dropout operation on CPU; prints one JSON line a setting.

    VENV/bin/python dropout.py [--threads 2] [--seconds 1]

Each call is timed on its own, after a warm-up, for about --seconds a setting.
A call allocates its result, as PyTorch's users get it; in place it allocates no
result, only the noise that PyTorch draws first. In place the elements soon are
all 0, as they are in thinnet's run.
"""

import argparse
import json
import statistics
import time

import torch


def nanoseconds_per_call(x, keep, in_place, seconds):
    """The time of each call of dropout on `x`, in the order of the calls."""
    times = []
    warm = time.perf_counter() + seconds / 5
    while (before := time.perf_counter()) < warm + seconds or len(times) < 5:
        torch.nn.functional.dropout(x, p=1 - keep, training=True, inplace=in_place)
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
        for keep, in_place in ((0.5, False), (0.5, True), (0.8, False), (0.8, True)):
            x = torch.randn(elements)
            times = nanoseconds_per_call(x, keep, in_place, args.seconds)
            print(json.dumps({
                "engine": "pytorch",
                "version": torch.__version__,
                "op": "dropout",
                "in_place": in_place,
                "elements": elements,
                "keep": keep,
                "threads": torch.get_num_threads(),
                "ns_per_element_median": round(statistics.median(times) / elements, 4),
                "ns_per_element_min": round(min(times) / elements, 4),
            }), flush=True)


if __name__ == "__main__":
    main()
