"""The files that all engines read: rows, labels, parameters."""

import gzip
import math

import numpy as np

ROWS_OF_NORMALS = 8192


def read_idx(path, header):
    """The bytes after the header."""
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8)[header:]


def write_digits(source, folder):
    """Writes MNIST's training rows, in an order drawn once, pixels from 0 to 1;
    the files' names and the number of rows."""
    images = read_idx(source / "train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read_idx(source / "train-labels-idx1-ubyte.gz", 8)
    order = np.random.default_rng(1).permutation(len(labels))
    (images[order].astype("<f4") / np.float32(255)).tofile(folder / "digits.f32")
    labels[order].astype("<u4").tofile(folder / "digits.u32")
    return named(folder, "digits"), len(labels)


def write_normals(folder):
    """Writes dense rows: independent standard normals, labels at random."""
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((ROWS_OF_NORMALS, 784), np.float32)
    rows.astype("<f4").tofile(folder / "normals.f32")
    rng.integers(0, 10, ROWS_OF_NORMALS).astype("<u4").tofile(folder / "normals.u32")
    return named(folder, "normals")


def named(folder, name):
    return {"inputs": str(folder / f"{name}.f32"), "labels": str(folder / f"{name}.u32")}


def write_parameters(shape, folder):
    """Writes weights by He's rule and zero biases; the file's name."""
    path = folder / f"{shape}.parameters"
    if not path.exists():
        rng = np.random.default_rng(3)
        with open(path, "wb") as file:
            for inputs, outputs in zip(shape.widths, shape.widths[1:]):
                deviation = np.float32(math.sqrt(2 / inputs))
                weights = rng.standard_normal((outputs, inputs), np.float32) * deviation
                weights.astype("<f4").tofile(file)
                np.zeros(outputs, "<f4").tofile(file)
    return str(path)
