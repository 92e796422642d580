#!/usr/bin/env python3
"""scikit-learn's TF-IDF; writes sklearn_tfidf.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r tests/fixtures/requirements.txt
    VENV/bin/python tests/oracle/sklearn_tfidf.py

All computing is float64. Counts are multiples of 1/64, which float32 holds exactly.
"""

import json
from itertools import product
from pathlib import Path

import numpy as np
import sklearn
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfTransformer


def parts(rows):
    rows.sort_indices()
    return {"starts": rows.indptr.tolist(), "indices": rows.indices.tolist(),
            "values": rows.data.tolist()}


def counts(g, rows, columns, kind):
    """Rare and frequent terms; whole counts, other positive numbers, or numbers with signs."""
    present = g.random((rows, columns)) < np.linspace(0.02, 1, columns)
    values = g.geometric(0.4, (rows, columns)).astype(float)
    if kind != "whole":
        values = np.maximum(1, np.round(64 * g.exponential(3, (rows, columns)))) / 64
    if kind == "signed":
        values *= g.choice([-1, 1], (rows, columns))
    return np.where(present, values, 0)


def main():
    g = np.random.default_rng(17)
    cases = []
    for kind, smooth, sublinear, norm in product(["whole", "positive", "signed"], [True, False],
                                                 [True, False], ["l2", "l1", None]):
        if kind == "signed" and sublinear:
            continue
        train, other = counts(g, 20, 15, kind), counts(g, 9, 15, kind)
        train[4], other[7] = 0, 0
        if smooth:
            # A term that the training rows do not have. Without smoothing, its weight is infinite.
            train[:, 3] = 0
            other[5, 3] = 2
        else:
            train[0] = np.where(train[0] == 0, 1, train[0])
        fitted = TfidfTransformer(norm=norm, smooth_idf=smooth, sublinear_tf=sublinear)
        fitted.fit(csr_array(train))
        given = csr_array(other)
        cases.append({"kind": kind, "smooth": smooth, "sublinear": sublinear,
                      "norm": norm or "none", "train": parts(csr_array(train)),
                      "idf": fitted.idf_.tolist(), "given": parts(given),
                      "expected": fitted.transform(given).toarray()[other != 0].tolist()})
    head = json.dumps({"scikit-learn": sklearn.__version__})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(__file__).with_suffix(".json").write_text(head[:-1] + ', "cases": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
