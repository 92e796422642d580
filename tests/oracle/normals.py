#!/usr/bin/env python3
"""Known answers for the normal numbers, from plain Python; writes normals.json.

    python3 tests/oracle/normals.py

The streams are those of masks.py. Each f32 operation is done in f64 and rounded once to
f32; for +, -, *, / and the square root this gives the f32 result (53 > 2 * 24 + 1 bits).

A draw is 64 bits: k = bits 41 to 63, j = bits 23 to 40, t = bits 0 to 22.
    u = k 2^-23 + (2 j + 1) 2^-42
    a = ((t | 1) 2^-23 - 1/2) pi; s = -1 if t is odd, else 1
    the normal numbers are sqrt(-2 ln u) s cos a and sqrt(-2 ln u) sin a
ln, sin and cos are the polynomials below, on f32. A block of 32 units takes 16 draws;
draw i gives units i and i + 16.
"""

import json
import math
import struct
from pathlib import Path

from masks import MASK64, row_hash, splitmix64, xoshiro256pp


class F32(float):
    """A number whose operations round to f32."""

    def __new__(cls, x):
        return super().__new__(cls, struct.unpack("<f", struct.pack("<f", x))[0])

    def __add__(self, other):
        return F32(float(self) + float(other))

    def __sub__(self, other):
        return F32(float(self) - float(other))

    def __mul__(self, other):
        return F32(float(self) * float(other))

    def __truediv__(self, other):
        return F32(float(self) / float(other))

    def __neg__(self):
        return F32(-float(self))

    def bits(self):
        return struct.unpack("<I", struct.pack("<f", self))[0]


def from_bits(bits):
    return F32(struct.unpack("<f", struct.pack("<I", bits))[0])


LN = [F32(c) for c in (0.6666666, 0.40000972, 0.28498787, 0.24279079)]
LN_2_HIGH, LN_2_LOW = F32(0.6931381), F32(9.058001e-6)
SIN = [F32(c) for c in (-0.16666657, 0.008333017, -1.9806613e-4, 2.600049e-6)]
COS = [F32(c) for c in (-0.5, 0.04166664, -0.0013888404, 2.4761885e-5, -2.607706e-7)]


def polynomial(z, coefficients):
    y = coefficients[-1]
    for c in coefficients[-2::-1]:
        y = z * y + c
    return y


def ln(x):
    """x = 2^e (1 + f), with 1 + f from sqrt(1/2) to sqrt(2)."""
    bits = x.bits() + 0x3F800000 - 0x3F3504F3
    e = F32((bits >> 23) - 127)
    f = from_bits((bits & 0x7FFFFF) + 0x3F3504F3) - F32(1)
    s = f / (F32(2) + f)
    z = s * s
    half = f * f * F32(0.5)
    tail = z * polynomial(z, LN)
    small = s * (half + tail) + e * LN_2_LOW
    return f - (half - small) + e * LN_2_HIGH


def normal_pair(draw):
    k, j, t = draw >> 41, draw >> 23 & 0x3FFFF, draw & 0x7FFFFF
    u = F32(k * 2.0**-23) + F32((2 * j + 1) * 2.0**-42)
    radius = F32(math.sqrt(F32(-2) * ln(u)))
    a = F32((t | 1) * 2.0**-23 - 0.5) * F32(math.pi)
    z = a * a
    sin = a + a * z * polynomial(z, SIN)
    cos = F32(1) + z * polynomial(z, COS)
    # That the polynomials mean what the text says.
    assert abs(radius * radius + 2 * math.log(k * 2.0**-23 + (2 * j + 1) * 2.0**-42)) < 4e-6
    assert abs(sin - math.sin(a)) < 2e-7 and abs(cos - math.cos(a)) < 2e-7
    return radius * (-cos if t & 1 else cos), radius * sin


def normals(h, width):
    draws = xoshiro256pp([splitmix64(h, n) for n in (1, 2, 3, 4)])
    row = []
    while len(row) < width:
        pairs = [normal_pair(next(draws)) for _ in range(16)]
        row += [x for x, _ in pairs] + [y for _, y in pairs]
    return row[:width]


def main():
    # Single draws: the ends of every field, and some in between.
    draws = [0, MASK64, 1 << 41, MASK64 << 41 & MASK64, 1, 1 << 22, 0x7FFFFF, 0x3FFFF << 23]
    draws += [splitmix64(1958, n) for n in range(200)]
    pairs = [
        {"draw": f"{d:016x}", "bits": [f"{x.bits():08x}" for x in normal_pair(d)]} for d in draws
    ]
    rows = []
    for seed, step, row in [(0, 0, 0), (42, 1, 7), (MASK64, 1000000, 2**40)]:
        for width in (1, 31, 33, 100):
            h = row_hash(seed, 1, 2, step, row)
            bits = [f"{x.bits():08x}" for x in normals(h, width)]
            name = {"seed": f"{seed:016x}", "step": f"{step:016x}", "row": f"{row:016x}"}
            rows.append({**name, "bits": bits})
    lines = [",\n".join(json.dumps(c) for c in cases) for cases in (pairs, rows)]
    text = f'{{"pairs": [\n{lines[0]}\n],\n"rows": [\n{lines[1]}\n]}}\n'
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
