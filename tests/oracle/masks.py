#!/usr/bin/env python3
"""Known answers for the masks, from plain Python integers; writes masks.json.

    python3 tests/oracle/masks.py

The definition (all arithmetic modulo 2**64):

splitmix64 started at s: output n (n = 1, 2, ...) is mix(s + n * GOLDEN).
hash of a row: from 0, absorb seed, domain, layer, step, row in this order;
    absorb(h, v) = output 1 of splitmix64 started at h XOR v.
stream of a row: xoshiro256++ whose four state words are outputs 1 to 4 of
    splitmix64 started at the row's hash.
kind "stream", keep rate k/65536: a word holds 64 units, unit u in bit u % 64
    of word u // 64. A word starts at 0; for each bit of k from its lowest set
    one up to bit 15, it takes the next draw: OR where the bit is 1, else AND.
    k = 65536 is all ones, without draws. Bits beyond the width are 0.
kind "random_access": unit u is kept iff
    output u + 1 of splitmix64 started at the row's hash, >> 48, is below k.

The file is a list of cases; seed, step, row, hash and words are 64-bit
integers as 16 hexadecimal digits.
"""

import json
from pathlib import Path

MASK64 = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
KINDS = ["stream", "random_access"]
KS = [1, 3, 655, 16384, 32768, 49152, 52429, 58982, 65535, 65536]
WIDTHS = [1, 63, 64, 65, 130, 784]
CHOICES = {
    "seed": [0, 1, 42, 0x0123456789ABCDEF, MASK64],
    # training, prediction, shuffling, initialisation, noise
    "domain": [1, 2, 3, 4, 5],
    "layer": [0, 1, 2, 3],
    "step": [0, 1, 1000000],
    "row": [0, 1, 7, 8, 127, 2**40],
}


def splitmix64(start, n):
    """Output n of splitmix64, counted from 1."""
    z = (start + n * GOLDEN) & MASK64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK64
    return z ^ (z >> 31)


def row_hash(seed, domain, layer, step, row):
    h = 0
    for value in (seed, domain, layer, step, row):
        h = splitmix64(h ^ value, 1)
    return h


def rotate_left(x, n):
    return (x << n | x >> (64 - n)) & MASK64


def xoshiro256pp(state):
    """The endless outputs of xoshiro256++ (Blackman and Vigna)."""
    s0, s1, s2, s3 = state
    while True:
        yield (rotate_left((s0 + s3) & MASK64, 23) + s0) & MASK64
        t = s1 << 17 & MASK64
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = rotate_left(s3, 45)


def stream_word(draws, k):
    if k == 65536:
        return MASK64
    word = 0
    lowest = (k & -k).bit_length() - 1
    for bit in range(lowest, 16):
        draw = next(draws)
        word = word | draw if k >> bit & 1 else word & draw
    return word


def stream_mask(h, k, width):
    """The whole row as one integer: unit u in bit u."""
    draws = xoshiro256pp([splitmix64(h, n) for n in (1, 2, 3, 4)])
    mask = 0
    for first in range(0, width, 64):
        mask |= stream_word(draws, k) << first
    return mask & (1 << width) - 1


def random_access_mask(h, k, width):
    """The whole row as one integer: unit u in bit u."""
    return sum((splitmix64(h, u + 1) >> 48 < k) << u for u in range(width))


def hexadecimal(x):
    return f"{x:016x}"


def make_case(kind, k, width, name):
    h = row_hash(**name)
    mask = (stream_mask if kind == "stream" else random_access_mask)(h, k, width)
    words = [mask >> first & MASK64 for first in range(0, width, 64)]
    return {
        "kind": kind,
        **{key: hexadecimal(v) if key in ("seed", "step", "row") else v for key, v in name.items()},
        "k": k, "width": width, "hash": hexadecimal(h), "words": [hexadecimal(w) for w in words],
    }


def make_cases():
    """Every k with every width, under names picked by splitmix64 from 2014."""
    cases, drawn = [], 0
    for kind in KINDS:
        for k in KS:
            for width in WIDTHS:
                name = {}
                for key, values in CHOICES.items():
                    drawn += 1
                    name[key] = values[splitmix64(2014, drawn) % len(values)]
                cases.append(make_case(kind, k, width, name))
    return cases


def check():
    """The authors' vectors, and that the cases use every choice."""
    draws = xoshiro256pp([1, 2, 3, 4])
    for expected in (
        41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205,
        9973669472204895162, 14011001112246962877, 12406186145184390807,
        15849039046786891736, 10450023813501588000,
    ):
        assert next(draws) == expected
    assert splitmix64(0, 1) == 0xE220A8397B1DCDAF
    for kind in KINDS:
        cases = [c for c in make_cases() if c["kind"] == kind]
        for key, values in CHOICES.items():
            assert len({c[key] for c in cases}) == len(values), f"{kind}: not every {key}"


def main():
    check()
    lines = ",\n".join(json.dumps(c) for c in make_cases())
    Path(__file__).with_suffix(".json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
