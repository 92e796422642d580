#!/usr/bin/env python3
"""NumPy's own files and what they hold; writes npy.json.

    python3 -m venv VENV
    VENV/bin/pip install numpy==2.4.6
    VENV/bin/python tests/oracle/npy.py

For each file its bytes in hexadecimal, its shape, and its elements in C order as
the numbers that float32 (`rows`) or Python's int (`labels`) gives of them. Every
element type in both byte orders, Fortran order, more than two dimensions, and the
three versions of the format.
"""

import io
import json
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

HALVES = [0.0, -0.0, 1.0, -2.5, 65504.0, 2**-14, 2**-24, -3 * 2**-24, 1 / 3, 1023 / 1024, 0.1, -40000 / 3]
FLOATS = [0.0, -0.0, 1.0, -2.5, 1 / 3, 1e-40, 3.4e38, 16777217.0, -1e-3, 0.1, 2**-149, -255.0]


def saved(array, version=None):
    file = io.BytesIO()
    if version is None:
        np.save(file, array)
    else:
        npy.write_array(file, array, version=version)
    return file.getvalue().hex()


def rows(array, version=None):
    floats = array.astype(np.float32)
    return {
        "bytes": saved(array, version),
        "shape": list(array.shape),
        # float(x) of a float32 is exact, and reads back as the same.
        "rows": [float(x) for x in floats.ravel(order="C")],
    }


def labels(array):
    return {
        "bytes": saved(array),
        "shape": list(array.shape),
        "labels": [int(x) for x in array],
    }


def cases():
    for order in "<>":
        for width in (2, 4, 8):
            values = HALVES if width == 2 else FLOATS
            name = f"{order}f{width}"
            yield name, rows(np.array(values, dtype=name).reshape(3, 4))
        for kind in "iu":
            for width in (1, 2, 4, 8):
                name = f"{order}{kind}{width}"
                low, high = np.iinfo(name).min, np.iinfo(name).max
                numbers = [low, high, 0, 1, 2, high // 3, high - 1, low + 1]
                yield name, rows(np.array(numbers, dtype=name).reshape(4, 2))
                yield f"{name}-labels", labels(np.array([3, 0, 7, 1], dtype=name))
        yield f"{order}f8-labels", labels(np.array([2.0, 0.0, 9.0], dtype=f"{order}f8"))
    yield "b1", rows(np.array([[True, False, True], [False, False, True]]))
    counted = np.arange(24, dtype="<f4")
    yield "fortran", rows(np.asfortranarray(counted.reshape(4, 6)))
    yield "fortran-3", rows(np.asfortranarray(counted.reshape(2, 3, 4)))
    yield "fortran-4-big", rows(np.asfortranarray(counted.astype(">i2").reshape(2, 3, 2, 2)))
    yield "images", rows(np.arange(2 * 5 * 5, dtype=np.uint8).reshape(2, 5, 5) * 5)
    yield "no-rows", rows(np.zeros((0, 3), dtype="<f4"))
    yield "one-row", rows(counted.reshape(1, 24))
    yield "version-2", rows(counted.reshape(8, 3), (2, 0))
    yield "version-3", rows(counted.reshape(3, 8), (3, 0))


if __name__ == "__main__":
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases())
    Path(__file__).with_suffix(".json").write_text("{\n" + text + "\n}\n")
