"""The files that all engines read: rows, targets, parameters."""

import gzip
import math
from pathlib import Path

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
    (images[order].astype("<f4") / np.float32(255)).tofile(folder / "digits.inputs")
    labels[order].astype("<u4").tofile(folder / "digits.targets")
    return named(folder, "digits"), len(labels)


def write_normals(folder):
    """Writes dense rows: independent standard normals, labels at random."""
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((ROWS_OF_NORMALS, 784), np.float32)
    rows.astype("<f4").tofile(folder / "normals.inputs")
    rng.integers(0, 10, ROWS_OF_NORMALS).astype("<u4").tofile(folder / "normals.targets")
    return named(folder, "normals")


def write_table(shape, folder):
    """Writes dense rows with targets that a network of this shape can learn; the files' names."""
    files = named(folder, f"{shape}.table")
    if not Path(files["inputs"]).exists():
        rng = np.random.default_rng(4)
        inputs, outputs = shape.widths[0], shape.widths[-1]
        rows = rng.standard_normal((ROWS_OF_NORMALS, inputs), np.float32)
        rows.astype("<f4").tofile(files["inputs"])
        slopes = rng.standard_normal((inputs, outputs)) / math.sqrt(inputs)
        noise = 0.1 * rng.standard_normal((ROWS_OF_NORMALS, outputs))
        targets_of(shape.loss, rows @ slopes + noise).tofile(files["targets"])
    return files


def targets_of(loss, scores):
    """Targets of the kind that the loss takes."""
    match loss:
        case "softmax_cross_entropy":
            return scores.argmax(1).astype("<u4")
        case "binary_cross_entropy":
            return (scores > 0).astype("<f4")
        case "squared_error":
            return scores.astype("<f4")
        case _:
            raise ValueError(f"{loss}: no targets are known for it")


def named(folder, name):
    return {"inputs": str(folder / f"{name}.inputs"), "targets": str(folder / f"{name}.targets")}


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
