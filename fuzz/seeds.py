#!/usr/bin/env python3
"""Writes the seed inputs, fuzz/seeds/TARGET/NAME; needs nothing but Python.

    python3 fuzz/seeds.py

Four targets read their bytes through the crate arbitrary: a number of a range
big-endian in as few bytes as the range needs, counted from the range's start; a
choice likewise; u64, u32 and u16 little-endian; before each element of a list
that has no length of its own a byte 1.

The seeds of integer_reader, model_reader, checkpoint_reader, onnx_external, onnx_reader and torch_reader
are files: `cargo run --example files` writes them.
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


def bomb(members, rest, sizes):
    head = bytes([members, rest, len(sizes) - 1])
    return b"BOMB" + head + b"".join(struct.pack(">I", size) for size in sizes)


def npy(descr, shape, elements, fortran=False, version=1, length=None):
    header = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}"
    return npy_of(header.encode(), elements, version, length)


def npy_of(header, elements, version=1, length=None):
    length = len(header) if length is None else length
    head = b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", length)
    return head + header + elements


SVMLIGHT = {
    "rows": b"# a header\n+1 1:0.5\t3:-2e-3 # x:y\r\n\n-1.5 qid:7 2:1\n0\n+2 4:.25",
    "from-0": b"1 0:1 6:2\n-1 3:1e-45\n",
    "no-newline": b"1 5:1",
    "no-entries": b"1\n2\n3\n",
    "nothing": b"",
    "only-comments": b"#\n # 1 2:3\n",
    "largest-index": b"1 4294967295:1",
    "longest-word": b"1 1:0." + b"1" * 252,
    "not-utf-8": b"1 qid:\xff 1:2 # \xfe",
    "bad-word-too-long": b"1 1:0." + b"1" * 253,
    "bad-index": b"1 4294967296:1",
    "bad-negative-index": b"1 -1:1",
    "bad-value": b"1 1:1e39",
    "bad-nan": b"1 1:nan",
    "bad-no-colon": b"1 1",
    "bad-two-colons": b"1 1:1:1",
    "bad-target": b"a 1:1",
    "bad-no-target": b"1:1 2:2\n",
    "bad-infinite-target": b"inf 1:1",
    "bad-order": b"1 2:1 1:1",
    "bad-twice": b"1 1:1 1:1",
    "bad-bytes": b"1 1:\xff\0",
}


# A stored preprocessor.
STORED = (
    b'{"columns":[{"name":"x","kind":"numeric","encoder":{"numbers":{"fill":2,"mean":2.25,'
    b'"deviation":1.5,"indicator":true,"range":[-6.75,11.25],"edges":[1,2,4.5]}}},'
    b'{"name":"c","kind":"categorical","encoder":{"names":{"categories":["a","b"],'
    b'"other":true,"missing":false}}},{"name":"d","kind":"ignored","encoder":{"none":{}}}]}'
)
TABLES = {
    "kinds": b"x,c,d,n\n1.5,a,2024-02-29,\n?,b,2024-03-01 10:00,NA\n-2e3,\"a, \"\"b\"\"\",,\n",
    "returns": b"\xef\xbb\xbfx,c\r\n1,\"\n\"\r\r2,\xc3\xa9\r\n\n",
    "one-column": b"x\n\"\"\n1\nNA",
    "rare": b"c\na\na\nb\nnull\n",
    "infinite": b"x\n1\ninf\n",
    "decimal-comma": b"x\n1\n\"1,5\"\n",
    "bad-ragged": b"a,b\n1,2\n3\n",
    "bad-too-many": b"a,b\n1,2,\n",
    "bad-quote-inside": b"a\nx\"y\n",
    "bad-after-quote": b"a\n\"x\"y\n",
    "bad-open-quote": b"a\n\"x\n1\n",
    "bad-duplicate-name": b"a,a\n1,2\n",
    "bad-empty-name": b"a,\n1,2\n",
    "bad-no-rows": b"a,b\n",
    "bad-nothing": b"",
    "bad-utf-16": "a\n1\n".encode("utf-16"),
    "bad-nul": b"a\n\0\n",
    "bad-latin-1": b"a\n\xe9\n",
    "bad-half-characters": b"a,b\n\xc3,\xa9\n",
    "stored": STORED,
    "bad-stored-order": STORED.replace(b'"a","b"', b'"b","a"'),
    "bad-stored-edges": STORED.replace(b"[1,2,", b"[2,2,"),
    "bad-stored-infinite": STORED.replace(b'"mean":2', b'"mean":1e999'),
    "bad-stored-names": STORED.replace(b'"name":"c"', b'"name":"x"'),
    "bad-stored-kind": STORED.replace(b"categorical", b"date"),
    "bad-stored-field": STORED.replace(b'"other"', b'"others"'),
}


def sparse_rows(columns, rows, sums=0, keep=0, sparse=0, hidden=20, optimiser=0, change=b"\7"):
    """The order and the ranges of Case::arbitrary in oracles/sparse_rows.rs."""
    data = bytes([columns, sums, keep, sparse, hidden - 1, optimiser]) + change + bytes([len(rows)])
    for row in rows:
        data += bytes([len(row)])
        for column, size, *kind in row:
            data += bytes([column, size & 255, kind[0] if kind else 31])
    return data + struct.pack("<Q", 7)


# The names in Activation::ALL and in Loss::ALL.
ACTIVATIONS = "relu leaky_relu logistic tanh identity silu gelu gelu_tanh elu softplus".split()
LOSSES = (
    "softmax_cross_entropy squared_error binary_cross_entropy huber poisson gaussian_nll quantile"
).split()
RELU, _, LOGISTIC, TANH, IDENTITY = range(5)
CLASSES, VALUES, BITS, HUBER = range(4)
QUANTILE = 6
ALL, HALF, FIRST, THREE_QUARTERS, RARE, NEARLY_ALL = ([kind] for kind in range(6))
# Gaussian noise, and the sigma's place in the list.
GAUSSIAN, STRONG = [6, 0], [6, 3]
PLAIN = bytes([0, 1]) + b"".join(bytes([n & 255, 15]) for n in (40, -70))
ZERO = bytes([7, 0, 0, 15])


def training(
    inputs,
    hidden,
    outputs,
    loss,
    input_noise=FIRST,
    sparse=0,
    factor=0,
    biases=PLAIN,
    rate=b"\7\0",
    momentum=b"\7\0",
    nesterov=0,
    decay=0,
    max_norm=b"\5",
    paper=0,
    steps=3,
    rows=9,
    first_row=0,
    x=PLAIN,
    t=PLAIN,
    bad=0,
    wide=False,
    optimiser=b"",
):
    """The order and the ranges of Case::arbitrary in oracles/training.rs."""
    width = (lambda n: 400 - n) if wide else (lambda n: n - 1)
    data = bytes([31 if wide else 0, width(inputs), *input_noise, sparse, len(hidden)])
    for units, activation, noise in hidden:
        data += bytes([width(units), activation, *noise])
    # Huber's delta or the levels of quantiles, the default.
    data += bytes([outputs - 1, loss]) + (b"\0" if loss in (HUBER, QUANTILE) else b"")
    data += bytes([0, factor]) + biases + rate + momentum
    data += bytes([nesterov, decay]) + max_norm + bytes([paper, steps - 1])
    data += b"" if wide else bytes([rows - 1])
    data += bytes([first_row]) + x + t + bytes([bad]) + struct.pack("<Q", 7)
    # Kind, betas, epsilon, accumulator, pieces, sparsity, average: SGD where the bytes end.
    return data + optimiser


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
    members = gzip.compress(images[:9], mtime=0) + gzip.compress(images[9:], mtime=0)
    write("idx_reader", "images-gzip-padded", members + bytes(512))
    write("idx_reader", "images-gzip-behind", members + b"\0x")
    write("idx_reader", "labels", idx([5], [5, 0, 4, 1, 9]))
    write("idx_reader", "truncated", idx([60000, 28, 28], [0] * 4))
    write("idx_reader", "too-large", idx([2**32 - 1] * 3, []))
    write("idx_reader", "no-rows", idx([0, 28, 28], []))
    write("idx_reader", "most-dimensions", idx([1] * 255, [7]))
    write("idx_reader", "bomb-says-little", bomb(64, 0, [2, 3]))
    write("idx_reader", "bomb-says-all", bomb(16, 7, [2**24 + 7]))
    write("idx_reader", "bomb-says-one-more", bomb(64, 0, [2**26 + 1]))
    write("idx_reader", "bomb-says-most", bomb(64, 255, [2**15, 2**15]))
    write("idx_reader", "bomb-says-too-much", bomb(1, 0, [2**32 - 1] * 4))

    six = struct.pack("<6f", 0.0, -0.0, 1.5, float("nan"), float("inf"), 1e-45)
    halves = struct.pack(">6H", 0, 1, 0x3C01, 0x7BFF, 0xFC00, 0x8200)
    write("npy_reader", "floats", npy("<f4", (2, 3), six))
    write("npy_reader", "halves-big", npy(">f2", (3, 2), halves, version=2))
    write("npy_reader", "doubles", npy("<f8", (1, 3), struct.pack("<3d", 1e39, 1 / 3, -1e-320)))
    write("npy_reader", "fortran", npy("<i2", (2, 3, 2), struct.pack("<12h", *range(12)), True))
    write("npy_reader", "images", npy("|u1", (2, 2, 2), bytes(range(8)), version=3))
    write("npy_reader", "bits", npy("|b1", (2, 2), bytes([0, 1, 2, 0])))
    write("npy_reader", "labels", npy("<i8", (3,), struct.pack("<3q", 5, 0, 4)))
    write("npy_reader", "labels-big", npy(">f8", (2,), struct.pack(">2d", 7.0, 2.0**32 - 1)))
    write("npy_reader", "no-rows", npy("<f4", (0, 3), b""))
    write("npy_reader", "many-dimensions", npy("|i1", (1,) * 64, b"\xff", True))
    write("npy_reader", "no-rows-wide", npy("<f4", (0, 2**30), b"", True))
    python_2 = b"{u'shape': (2L, 3L), u'fortran_order': True, u'descr': u'=f4'}"
    write("npy_reader", "python-2", npy_of(python_2, six))
    write("npy_reader", "bad-python-2", npy_of(python_2, six, version=3))
    write("npy_reader", "short-name", npy("?", (6,), bytes([0, 1, 1, 0, 255, 0])))
    write("npy_reader", "long-name", npy("float32", (2, 3), six))
    write("npy_reader", "bad-octal", npy_of(b"{'shape': (06,), 'fortran_order': False, 'descr': '<f4'}", six))
    write("npy_reader", "bad-wide", npy("<f4", (0, 2**40, 2**40), b""))
    write("npy_reader", "bad-no-columns", npy("<f4", (2**30, 0), b""))
    write("npy_reader", "bad-negative-label", npy("<i4", (1,), struct.pack("<i", -1)))
    write("npy_reader", "bad-one-number", npy("<i4", (), struct.pack("<i", 1)))
    write("npy_reader", "bad-overflow", npy("<f4", (2**40, 2**40, 0), b""))
    write("npy_reader", "bad-truncated", npy("<f4", (2, 3), six[:-1]))
    write("npy_reader", "bad-behind", npy("<f4", (2, 3), six + b"\0"))
    write("npy_reader", "bad-huge", npy("<f4", (60000, 784), six))
    write("npy_reader", "bad-header-length", npy("<f4", (2, 3), six, version=2, length=2**32 - 1))
    write("npy_reader", "bad-version", npy("<f4", (2, 3), six, version=4))
    write("npy_reader", "bad-objects", npy("|O", (1,), b"\x80\x04N."))
    write("npy_reader", "bad-fields", npy([("a", "<f4")], (1,), six[:4]))
    write("npy_reader", "bad-complex", npy("<c8", (3,), six))
    write("npy_reader", "bad-shape", npy("<f4", 6, six))
    write("npy_reader", "bad-magic", b"\x94" + npy("<f4", (2, 3), six)[1:])

    for name, text in SVMLIGHT.items():
        write("svmlight_reader", name, text)
    write("svmlight_reader", "gzipped", gzip.compress(SVMLIGHT["rows"], mtime=0))
    write("svmlight_reader", "bad-gzip", gzip.compress(SVMLIGHT["rows"], mtime=0)[:-9])

    for name, text in TABLES.items():
        write("table_reader", name, text)
    write("table_reader", "gzipped", gzip.compress(TABLES["kinds"], mtime=0))
    write("table_reader", "bad-gzip", gzip.compress(TABLES["kinds"], mtime=0)[:-9])

    rows = [[(5, 40), (2, -70), (5, 3)], [], [(column, column - 60) for column in range(0, 120, 7)]]
    write("sparse_rows", "sums", sparse_rows(130, rows, sums=1))
    write("sparse_rows", "refuses-duplicates", sparse_rows(130, rows))
    write("sparse_rows", "too-few-columns", sparse_rows(100, rows, sums=1))
    write("sparse_rows", "sparse-site", sparse_rows(130, rows, sums=1, keep=1, sparse=1))
    for optimiser in range(4):
        write("sparse_rows", f"optimiser-{optimiser}", sparse_rows(
            200, rows, sums=1, keep=2, sparse=1, hidden=70, optimiser=optimiser))
    write("sparse_rows", "no-columns", sparse_rows(0, [[], []]))
    write("sparse_rows", "no-rows", sparse_rows(9, []))
    full = [[(column, 3 * column - 90) for column in range(60)] for _ in range(9)]
    write("sparse_rows", "full", sparse_rows(60, full, keep=1))
    write("sparse_rows", "unsorted", sparse_rows(60, [row[::-1] for row in full]))
    for kind, name in enumerate(("huge", "denormal", "nan", "infinite", "zero")):
        write("sparse_rows", name, sparse_rows(65, [[(64, 90, kind), (1, -90)], [(2, 50)]]))
    write("sparse_rows", "sum-overflows", sparse_rows(9, [[(3, 127, 0)] * 2], sums=1))
    write("sparse_rows", "start-changed", sparse_rows(130, rows, sums=1, change=bytes([0, 1, 9])))
    write("sparse_rows", "order-changed", sparse_rows(130, rows, sums=1, change=bytes([1, 2, 90])))
    write("sparse_rows", "column-changed", sparse_rows(130, rows, sums=1, change=bytes([1, 1, 200])))
    write("sparse_rows", "value-lost", sparse_rows(130, rows, sums=1, change=b"\2"))

    relu = [(70, RELU, HALF), (20, RELU, HALF)]
    write("training", "relu", training(80, relu, 10, CLASSES))
    write("training", "mixed", training(
        65, [(33, TANH, HALF), (64, LOGISTIC, THREE_QUARTERS), (5, IDENTITY, ALL)], 3, BITS,
        nesterov=1, decay=1, max_norm=b"\1", paper=1))
    write("training", "sparse", training(
        80, relu[:1], 4, VALUES, sparse=1, x=bytes([6]) + PLAIN[1:], first_row=3))
    gaussian = [(33, TANH, GAUSSIAN), (64, RELU, STRONG), (5, LOGISTIC, HALF)]
    write("training", "gaussian", training(65, gaussian, 3, BITS, input_noise=GAUSSIAN, paper=1))
    write("training", "gaussian-few", training(
        2, [(2, RELU, GAUSSIAN), (2, 6, GAUSSIAN)], 1, VALUES, input_noise=GAUSSIAN, rows=3))
    write("training", "linear", training(7, [], 2, VALUES, input_noise=ALL, rows=1))
    # So few roundings that a wrong derivative in the sixth digit is seen. Their names say what
    # they have to contain.
    for activation, name in enumerate(ACTIVATIONS):
        write("training", f"sharp-{name}", training(
            2, [(2, activation, ALL)], 1, VALUES, input_noise=ALL, rows=3))
    for loss, name in enumerate(LOSSES):
        write("training", f"sharp-{name}", training(2, [], 2, loss, input_noise=ALL, rows=3))
    write("training", "no-data", training(5, relu[:1], 3, CLASSES, biases=ZERO, x=ZERO, t=ZERO))
    write("training", "rarely-kept", training(40, [(80, RELU, RARE)], 80, CLASSES))
    write("training", "nearly-all-kept", training(40, [(80, TANH, NEARLY_ALL)], 80, BITS))
    write("training", "denormal", training(
        9, relu[1:], 3, VALUES, x=bytes([0, 0, 90, 0]), biases=bytes([0, 0, 90, 0])))
    write("training", "huge-data", training(9, relu[1:], 3, VALUES, x=bytes([0, 0, 90, 3])))
    write("training", "nan", training(
        9, relu[1:], 3, CLASSES, x=bytes([0, 0, 0, 4]) + struct.pack("<f", float("nan"))))
    write("training", "huge-weights", training(9, relu, 3, CLASSES, factor=6))
    write("training", "large-weights-bounded", training(
        9, relu, 3, CLASSES, factor=2, max_norm=b"\0"))
    write("training", "huge-rate", training(9, relu, 3, CLASSES, rate=b"\7\6"))
    write("training", "huge-decay", training(9, relu, 3, CLASSES, decay=4))
    write("training", "schedules", training(
        9, relu, 3, CLASSES, rate=b"\0\0\2\3", momentum=b"\3\2\3\12", steps=4))
    write("training", "composed-schedules", training(
        9, relu, 3, CLASSES, rate=b"\5\0\1\2\5\177\1\2", momentum=b"\6\0\2\3", steps=4))
    write("training", "bad-target", training(9, relu, 3, CLASSES, bad=15))
    for kind, name in enumerate(("adam", "adamw", "adagrad"), 1):
        write("training", name, training(
            65, relu, 10, CLASSES, rate=b"\7\2", decay=1, optimiser=bytes([kind])))
        write("training", f"{name}-paper", training(
            65, relu, 10, CLASSES, rate=b"\7\2", decay=2, max_norm=b"\1", paper=1,
            optimiser=bytes([kind, 2, 1, 1])))
        write("training", f"{name}-huge", training(
            9, relu[1:], 3, VALUES, x=bytes([0, 0, 90, 2]), optimiser=bytes([kind, 0, 2, 2])))
    write("training", "adam-bad-beta", training(9, relu, 3, CLASSES, optimiser=b"\1\3\0\0"))
    write("training", "adamw-bad-epsilon", training(9, relu, 3, CLASSES, optimiser=b"\2\0\4\0"))
    write("training", "adagrad-bad-accumulator", training(
        9, relu, 3, CLASSES, optimiser=b"\3\0\0\3"))
    write("training", "maxout", training(65, relu, 10, CLASSES, optimiser=b"\0\0\0\0\1"))
    write("training", "maxout-adam-bounded", training(
        65, relu, 3, BITS, max_norm=b"\1", paper=1, rate=b"\7\2", optimiser=b"\1\0\0\0\2\0\1"))
    write("training", "sharp-maxout", training(
        2, [(2, RELU, ALL)], 1, VALUES, input_noise=ALL, rows=3, optimiser=b"\0\0\0\0\1"))
    logistic = [(33, LOGISTIC, HALF)]
    write("training", "sparsity", training(65, logistic, 3, BITS, optimiser=b"\0\0\0\0\0\1\1"))
    write("training", "sparsity-huge", training(65, logistic, 3, BITS, optimiser=b"\0\0\0\0\0\2"))
    write("training", "sparsity-refused", training(65, relu, 3, BITS, optimiser=b"\0\0\0\0\0\1"))
    write("training", "average-tail", training(
        65, relu, 3, CLASSES, steps=4, optimiser=b"\3\0\0\1\0\0\2"))
    write("training", "two-threads", training(
        400, [(390, RELU, HALF)], 10, CLASSES, max_norm=b"\1", steps=2, wide=True))


if __name__ == "__main__":
    main()
