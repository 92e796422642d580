#!/usr/bin/env python3
"""Writes the seed inputs, fuzz/seeds/TARGET/NAME; needs nothing but Python.

    python3 fuzz/seeds.py

The first two targets read their bytes through the crate arbitrary: a number of
a range big-endian in as few bytes as the range needs, counted from the range's
start; u64 and u32 little-endian; before each element of a list a byte 1.
"""

import gzip
import struct
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"


def write(target, name, data):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def mask_words(k, rows, width, domain, first_row, seed, layer, step):
    head = struct.pack(">HBHB", k - 1, rows, width, domain)
    return head + struct.pack("<QQQQ", first_row, seed, layer, step)


def dropout(k, seed, step, len_choice, len_bytes, pattern):
    data = struct.pack(">H", k - 1) + struct.pack("<QQ", seed, step)
    data += bytes([len_choice]) + len_bytes
    return data + b"".join(b"\1" + word for word in pattern)


def idx(sizes, elements, kind=8):
    head = bytes([0, 0, kind, len(sizes)])
    return head + b"".join(struct.pack(">I", size) for size in sizes) + bytes(elements)


def main():
    write("mask_words", "half", mask_words(32768, 17, 100, 0, 0, 1, 2, 3))
    write("mask_words", "most-draws", mask_words(52429, 40, 300, 1, 5, 7, 0, 9))
    write("mask_words", "rows-wrap", mask_words(1, 9, 65, 3, 2**64 - 3, 0, 1, 2**40))
    write("mask_words", "all-kept", mask_words(65536, 8, 64, 2, 0, 0, 0, 0))

    floats = [struct.pack("<f", x) for x in (float("nan"), float("inf"), -0.0, 1.5, 1e-45, 3e38)]
    write("dropout", "short", dropout(32768, 1, 2, 31, bytes([67]), floats))
    write("dropout", "two-rows", dropout(52429, 3, 4, 1, struct.pack(">H", 4097), floats))
    write("dropout", "groups", dropout(655, 5, 6, 0, struct.pack(">I", 65543)[1:], floats[3:]))
    write("dropout", "all-kept", dropout(65536, 7, 8, 31, bytes([16]), floats))

    images = idx([2, 2, 3], range(12))
    write("idx_reader", "images", images)
    write("idx_reader", "images-gzip", gzip.compress(images, mtime=0))
    write("idx_reader", "labels", idx([5], [5, 0, 4, 1, 9]))
    write("idx_reader", "truncated", idx([60000, 28, 28], [0] * 4))
    write("idx_reader", "too-large", idx([2**32 - 1] * 3, []))
    write("idx_reader", "no-rows", idx([0, 28, 28], []))
    write("idx_reader", "most-dimensions", idx([1] * 255, [7]))


if __name__ == "__main__":
    main()
