"""The command line of run.sh."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GROUPS = ("step", "dropout", "gaussian", "predict", "integers", "mc", "curve", "small")
SHAPES = ("784-1024x2-10", "784-1024x3-10", "784-2048x3-10")
BATCHES = (32, 100, 128, 512)
# The columns, in the order of the tables.
ENGINES = (
    "thinnet",
    "pytorch",
    "pytorch-compiled",
    "jax",
    "candle",
    "onnxruntime",
    "tract",
    "rten",
)
# Those that take part in plain predictions only.
PREDICTING = ("onnxruntime", "tract", "rten")
# Those that multiply integers.
INTEGER = ("thinnet", "onnxruntime", "rten")


@dataclass(frozen=True)
class Shape:
    """Widths of a network, written as 784-1024x3-10, and its loss."""

    widths: tuple[int, ...]
    loss: str = "softmax_cross_entropy"

    @staticmethod
    def of(hidden, inputs=784, classes=10):
        return Shape((inputs, *hidden, classes))

    @property
    def weights(self):
        """Weights of all layers."""
        return sum(a * b for a, b in zip(self.widths, self.widths[1:]))

    def __str__(self):
        parts = []
        for width in self.widths:
            if parts and parts[-1][0] == width:
                parts[-1][1] += 1
            else:
                parts.append([width, 1])
        return "-".join(f"{w}x{n}" if n > 1 else f"{w}" for w, n in parts)


def shape(text):
    """`Shape` of a text such as 784-1024x3-10; MNIST's inputs and classes."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)?(-[1-9]\d*(x[1-9]\d*)?)*", text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a shape such as 784-1024x3-10")
    widths = []
    for part in text.split("-"):
        width, _, times = part.partition("x")
        widths += [int(width)] * int(times or 1)
    if len(widths) < 3 or widths[0] != 784 or widths[-1] != 10:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 784 inputs, hidden units, 10 classes")
    return Shape(tuple(widths))


def number(kind, least, most):
    """A reader of numbers from `least` to `most`."""

    def read(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: expected a number from {least} to {most}")
        return value

    return read


def name(known):
    """A reader of one of the `known` names."""

    def read(text):
        if text not in known:
            raise argparse.ArgumentTypeError(f"{text!r}: expected one of {', '.join(known)}")
        return text

    return read


def several(item):
    """A reader of a list with commas; each item once."""

    def read(text):
        return list(dict.fromkeys(item(part.strip()) for part in text.split(",")))

    return read


def folder_of_digits(text):
    """A folder with MNIST's rows for training and for testing."""
    folder = Path(text)
    for part in ("train", "t10k"):
        name = f"{part}-images-idx3-ubyte.gz"
        if not (folder / name).is_file():
            raise argparse.ArgumentTypeError(f"{text!r}: no {name} in there")
    return folder


def default_data():
    """The full MNIST beside the repository, or the digits inside it."""
    beside = ROOT.parent / "shared" / "data" / "mnist"
    return beside if beside.is_dir() else ROOT / "digits" / "data"


def parser():
    """The command line's parser."""
    parser = argparse.ArgumentParser(
        prog="benches/peers/run.sh",
        description="Runs thinnet, PyTorch, JAX, candle, ONNX Runtime, tract and rten in turn on "
        "the same work and writes peers.md and peers.json. benches/peers/README.md says what is "
        "measured and how.",
    )

    def add(flag, kind, default, text, shown=None):
        shown = default if shown is None else shown
        parser.add_argument(
            flag, type=kind, default=default, metavar="X", help=f"{text} (default: {shown})"
        )

    def join(items):
        return ",".join(map(str, items))

    add("--threads", number(int, 1, 1024), 2, "threads of every engine")
    add("--rounds", number(int, 1, 1000), 5, "turns of each engine, whose median counts")
    add(
        "--seconds",
        number(float, 0.01, 60),
        0.3,
        "least time of a turn; 5 calls if they take longer",
    )
    add("--only", several(name(GROUPS)), list(GROUPS), "groups to run", join(GROUPS))
    add("--engines", several(name(ENGINES)), list(ENGINES), "engines to run", join(ENGINES))
    add("--shapes", several(shape), [shape(s) for s in SHAPES], "networks of step", join(SHAPES))
    add(
        "--batch",
        several(number(int, 1, 4096)),
        list(BATCHES),
        "rows of step's batches",
        join(BATCHES),
    )
    add("--epochs", number(int, 0, 1000), 10, "epochs of the trained network")
    add(
        "--data",
        folder_of_digits,
        default_data(),
        "folder of MNIST's gzipped IDX files",
        "../shared/data/mnist, or else the digits in the repository",
    )
    add(
        "--out",
        Path,
        ROOT / "target" / "peers",
        "folder of peers.md and peers.json",
        "target/peers",
    )
    parser.add_argument(
        "--no-check", action="store_true", help="do not compare the engines' losses and answers"
    )
    # Said by run.sh.
    for flag in ("--thinnet-worker", "--candle-worker", "--tract-worker", "--rten-worker"):
        parser.add_argument(flag, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only-arguments", action="store_true", help=argparse.SUPPRESS)
    return parser
