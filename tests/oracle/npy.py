#!/usr/bin/env python3
"""NumPy's own files and what they hold; writes npy.json.

    python3 -m venv VENV
    VENV/bin/pip install numpy==2.4.6
    VENV/bin/python tests/oracle/npy.py

For each file its bytes in hexadecimal, its shape, and its elements in C order as
the numbers that float32 (`rows`) or Python's int (`labels`) gives of them. Every
element type in both byte orders, Fortran order, more than two dimensions, the
three versions of the format, and headers that NumPy does not write but reads: those
of Python 2, and other names of the elements.
"""

import io
import json
import struct
import warnings
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


def spelled(elements, shape="(2, 3)", order="False", version=1, header=None):
    """A file whose header is put together here, as np.load reads it on this little-endian machine."""
    header = header or f"{{'descr': {elements}, 'fortran_order': {order}, 'shape': {shape}, }}"
    numbers = np.arange(6 * 8, dtype=np.uint8) % 61
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    start = b"\x93NUMPY" + bytes([version, 0]) + length + header.encode()
    with warnings.catch_warnings():
        # It says that Python 2 wrote it.
        warnings.simplefilter("ignore")
        for size in (1, 2, 4, 8):
            # The one that has enough bytes and none behind.
            file = start + numbers[: 6 * size].tobytes()
            try:
                array = np.load(io.BytesIO(file))
            except ValueError:
                continue
            if array.nbytes == 6 * size:
                floats = [float(x) for x in array.astype(np.float32).ravel(order="C")]
                return {"bytes": file.hex(), "shape": list(array.shape), "rows": floats}
    raise ValueError(f"NumPy does not read {header}")


def spellings():
    for name in ["b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", *"?bBhHiIqQefd"]:
        for order in ["", "=", "|", "<", ">"]:
            yield f"spelled-{order}{name}", spelled(repr(order + name))
    for name in (
        "bool bool_ uint8 ubyte uint16 ushort uint32 uintc uint64 ulonglong int8 byte int16 short int32 intc "
        "int64 longlong float16 half float32 single float64 double float"
    ).split():
        yield f"spelled-{name}", spelled(repr(name))
    for version in (1, 2):
        yield f"python-2-{version}", spelled("'<f4'", "(2L, 3L)", version=version)
        keys = "{u'shape': (2L, 3L), u'fortran_order': True, u'descr': u'<f4'}"
        yield f"python-2-unicode-{version}", spelled("", version=version, header=keys)
    yield "python-2-one", spelled("'<i2'", "(6L, 1 L, )")
    quotes = '  {"shape":(2,\n3,),\t"fortran_order":False,\x0c"descr":"<i4",}\n\n'
    yield "spelled-quotes", spelled("", version=3, header=quotes)


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
    yield from spellings()


if __name__ == "__main__":
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases())
    Path(__file__).with_suffix(".json").write_text("{\n" + text + "\n}\n")
