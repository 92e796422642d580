#!/usr/bin/env python3
"""Known answers for networks with 8-bit weights, from plain Python; writes integer.json.

    python3 tests/oracle/integer.py

The definition is that of `thinnet::nn::IntegerMlp`:

    s[n] = max |w[n][k]| / 127 over k, or 1 if that is below the smallest normal f32
    q[n][k] = clamp(round(w[n][k] / s[n]), -127, 127)
    t = max |x[k]| / 127 over k, or 1 if that is below the smallest normal f32
    v[k] = clamp(round(x[k] / t), -127, 127)
    z[n] = f32(sum of v[k] q[n][k] over k) * (t * s[n]) + b[n]
    x of the next layer = f(z)

Each operation is rounded to f32; round is to nearest, halves to even. f is max(0, z), z, or z and the
slope times z below 0. Python's floats have 53 bits: for +, * and / of two f32 numbers, rounding their
result once more to 24 bits gives the f32 result.

Weights, biases and rows: draw n of a network is output n of splitmix64 started at its seed, n from 1
(as in masks.py), and stands for the number ((draw >> 40) - 2^23) / 2^23 in [-1, 1). Draws are used in
this order: for each layer, the weights [outputs][inputs], each number / 4, then the biases (0, and no
draws, if the network has none); then the rows, each number times 2^e with e of the row. Input k of a
row is 0 if its draw % 8 is below 2, or below 6 in every third row. All inputs of a row are 0 in every
hundredth row. In a network of positive numbers, each number is that above / 8 + 7/8, and none is 0.

integer.json has the SHA-256 of all logits of a network, row by row, as little-endian f32.
"""

import hashlib
import json
import struct
from operator import mul
from pathlib import Path

MASK64 = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
SMALLEST_NORMAL = 2.0**-126
# The exponents e of the rows, by turns. With -120, a row's scale is about the smallest normal number.
EXPONENTS = [0, 0, 0, 7, -7, 40, -120, -130]
LEAKY = {"leaky_relu(0.01)": 0.01, "leaky_relu(0.3)": 0.3}
NETWORKS = [
    {"widths": [45, 70, 51, 5], "units": ["relu", "relu"], "biases": True},
    {"widths": [45, 70, 51, 5], "units": ["leaky_relu(0.3)", "identity"], "biases": True},
    {"widths": [45, 70, 51, 5], "units": ["relu", "leaky_relu(0.01)"], "biases": False},
    # With sums that f32 rounds: above 2^24.
    {"widths": [4001, 3], "units": [], "biases": True, "positive": True, "rows": 50},
]


def splitmix64(start, n):
    """Output n of splitmix64, counted from 1."""
    z = (start + n * GOLDEN) & MASK64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK64
    return z ^ (z >> 31)


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


class Draws:
    def __init__(self, seed, positive):
        self.seed, self.positive, self.n = seed, positive, 0

    def next(self):
        self.n += 1
        return splitmix64(self.seed, self.n)

    def number(self, draw):
        x = ((draw >> 40) - 2**23) / 2**23
        return f32(x / 8 + 7 / 8) if self.positive else x

    def weight(self):
        return self.number(self.next()) / 4

    def input(self, row):
        draw = self.next()
        zeros = 0 if self.positive else 6 if row % 3 == 0 else 2
        if draw % 8 < zeros or row % 100 == 99:
            return 0.0
        return f32(self.number(draw) * 2.0 ** EXPONENTS[row % len(EXPONENTS)])


def scale(numbers):
    s = f32(max(map(abs, numbers)) / 127)
    return 1.0 if s < SMALLEST_NORMAL else s


def rounded(numbers, s):
    return [max(-127, min(127, round(f32(x / s)))) for x in numbers]


def layer(values, t, weights, scales, biases):
    """z of one row."""
    z = []
    for q, s, b in zip(weights, scales, biases):
        total = sum(map(mul, values, q))
        z.append(f32(f32(f32(total) * f32(t * s)) + b))
    return z


def unit(name, z):
    if name == "relu":
        return max(0.0, z)
    return z if name == "identity" or z >= 0 else f32(z * f32(LEAKY[name]))


def digest(seed, network):
    draws = Draws(seed, network["positive"])
    layers = []
    for inputs, outputs in zip(network["widths"], network["widths"][1:]):
        weights = [[draws.weight() for _ in range(inputs)] for _ in range(outputs)]
        biases = [draws.weight() if network["biases"] else 0.0 for _ in range(outputs)]
        scales = [scale(w) for w in weights]
        layers.append(([rounded(w, s) for w, s in zip(weights, scales)], scales, biases))
    hashed = hashlib.sha256()
    for row in range(network["rows"]):
        z = [draws.input(row) for _ in range(network["widths"][0])]
        for name, (weights, scales, biases) in zip(["identity", *network["units"]], layers):
            x = [unit(name, z) for z in z]
            t = scale(x)
            z = layer(rounded(x, t), t, weights, scales, biases)
        hashed.update(struct.pack(f"<{len(z)}f", *z))
    return hashed.hexdigest()


def main():
    cases = []
    for seed, network in enumerate(NETWORKS):
        network = {"rows": 10000, "positive": False, **network}
        cases.append({"seed": seed, **network, "sha256": digest(seed, network)})
    text = ",\n".join(json.dumps(case) for case in cases)
    Path(__file__).with_suffix(".json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
