#!/usr/bin/env python3
"""scikit-learn's hashed features; writes sklearn_hashing.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r tests/fixtures/requirements.txt
    VENV/bin/python tests/oracle/sklearn_hashing.py

A name is a text, or a list of its bytes. Values are multiples of 1/64, so that float32 adds them
up exactly in any order.
"""

import json
import random
from pathlib import Path

import numpy as np
import sklearn
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils.murmurhash import murmurhash3_32


def with_hash(h):
    """The four bytes with hash h: each step of the hash is undone."""
    def undo(x, factor):
        return x * pow(factor, -1, 1 << 32) & 0xFFFFFFFF

    def turned(x, bits):
        return (x << bits | x >> 32 - bits) & 0xFFFFFFFF

    h ^= h >> 16
    h = undo(h, 0xC2B2AE35)
    h ^= h >> 13 ^ h >> 26
    h = undo(h, 0x85EBCA6B)
    h ^= h >> 16
    h = undo((h ^ 4) - 0xE6546B64, 5)
    k = turned(undo(turned(h, 19), 0x1B873593), 17)
    return undo(k, 0xCC9E2D51).to_bytes(4, "little")


def main():
    g = random.Random(31)
    edges = [with_hash(h) for h in [0x80000000, 0x7FFFFFFF, 0xFFFFFFFF, 0, 1, 0x80000001]]
    assert murmurhash3_32(edges[0], 0) == -2**31 and murmurhash3_32(edges[1], 0) == 2**31 - 1
    letters = "abcdefgh äßçλж漢字🦀 \0"
    texts = ["".join(g.choices(letters, k=g.randrange(24))) for _ in range(40)]
    rows = [
        [],
        [("", 1.0)],
        [(name, 1.0) for name in edges],
        [(edges[0], 2.0), (edges[0], 0.5), (texts[1], 0.0), (texts[2], -0.25)],
    ]
    for _ in range(12):
        names = g.choices(texts + edges, k=g.randrange(1, 60))
        rows.append([(name, g.randrange(-192, 193) / 64) for name in names])

    def plain(name):
        return list(name) if isinstance(name, bytes) else name

    cases = []
    for columns in [1, 2, 7, 64, 1000, 2**20, 2**31 - 1]:
        for signed in [True, False]:
            hasher = FeatureHasher(columns, input_type="pair", dtype=np.float32,
                                   alternate_sign=signed)
            hashed = hasher.transform(rows)
            hashed.sort_indices()
            cases.append({"columns": columns, "signed": signed, "starts": hashed.indptr.tolist(),
                          "indices": hashed.indices.tolist(), "values": hashed.data.tolist()})

    text = "The quick brown fox jumps over the lazy dog, and the dog is not amused."
    bag = HashingVectorizer(n_features=2**18, norm=None, dtype=np.float32).transform([text])
    bag.sort_indices()
    found = {"scikit-learn": sklearn.__version__,
             "rows": [[[plain(name), value] for name, value in row] for row in rows],
             "bag": {"text": text, "indices": bag.indices.tolist(), "values": bag.data.tolist()}}
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    head = json.dumps(found, separators=(",", ":"), ensure_ascii=True)
    Path(__file__).with_suffix(".json").write_text(head[:-1] + ',"cases":[\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
