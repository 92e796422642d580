"""The files that all engines read: rows, targets, parameters."""

import gzip
import math
from pathlib import Path

import numpy as np

ROWS_OF_NORMALS = 8192
CALIBRATION_ROWS = 2000


def read_idx(path, header):
    """The bytes after the header."""
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8)[header:]


def write_digits(source, folder):
    """Writes MNIST's training rows, in an order drawn once, pixels from 0 to 1;
    the files' names and the number of rows."""
    images, labels = read_digits(source, "train")
    order = np.random.default_rng(1).permutation(len(labels))
    return write_rows(folder, "digits", images[order], labels[order]), len(labels)


def write_test_digits(source, folder):
    """Writes MNIST's test rows; the files' names."""
    return write_rows(folder, "test-digits", *read_digits(source, "t10k"))


def read_digits(source, part):
    """Pixels from 0 to 1, and labels."""
    images = read_idx(source / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read_idx(source / f"{part}-labels-idx1-ubyte.gz", 8)
    return images.astype("<f4") / np.float32(255), labels


def write_rows(folder, name, inputs, labels):
    files = named(folder, name)
    inputs.astype("<f4").tofile(files["inputs"])
    labels.astype("<u4").tofile(files["targets"])
    return files


def write_calibration(files):
    """Writes the first of some rows with MNIST's 784 inputs, from which integers get their
    scales; the file's name."""
    path = Path(files["inputs"]).with_suffix(".calibration")
    np.fromfile(files["inputs"], "<f4", CALIBRATION_ROWS * 784).tofile(path)
    return str(path)


def write_normals(folder, name, seed):
    """Writes dense rows: independent standard normals, labels at random."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((ROWS_OF_NORMALS, 784), np.float32)
    return write_rows(folder, name, rows, rng.integers(0, 10, ROWS_OF_NORMALS))


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
