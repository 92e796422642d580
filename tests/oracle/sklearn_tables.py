#!/usr/bin/env python3
"""Tables that scikit-learn and NumPy preprocess; writes sklearn_tables.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r tests/fixtures/requirements.txt
    VENV/bin/python tests/oracle/sklearn_tables.py

Standardised numbers are those of StandardScaler, filled in by SimpleImputer with its indicator; categories are those
of OneHotEncoder with infrequent ones. The piecewise-linear encoding is equation (1) of Gorishniy et al. 2022 with the
edges of numpy.quantile. All computing is float64.
"""

import csv
import io
import json
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

MISSING = "\uffff"  # sorts after all names


def bins_of(edges, x):
    """e_t of each x: [n, T]."""
    e = []
    last = len(edges) - 1
    for t in range(1, last + 1):
        low, high = edges[t - 1], edges[t]
        inside = (x - low) / (high - low)
        e.append(np.where((x < low) & (t > 1), 0, np.where((x >= high) & (t < last), 1, inside)))
    return np.stack(e, axis=1)


def numbers(train, given, fill, bins):
    column = lambda x: np.asarray(x, dtype=float).reshape(-1, 1)
    train, given = column(train), column(given)
    scaler = StandardScaler().fit(train)
    imputer = SimpleImputer(strategy=fill, add_indicator=True).fit(scaler.transform(train))
    z = imputer.transform(scaler.transform(given))
    out = [z[:, :1]]
    present = train[~np.isnan(train)]
    edges = np.unique(np.quantile(present, np.arange(bins + 1) / bins)) if bins else []
    if len(edges) > 2:
        filled = SimpleImputer(strategy=fill).fit(train).transform(given)[:, 0]
        out.append(bins_of(edges, filled))
    out.append(z[:, 1:])
    return np.hstack(out)


def names(train, given, least, most):
    column = lambda x: np.asarray([MISSING if cell == "" else cell for cell in x], dtype=object).reshape(-1, 1)
    train, given = column(train), column(given)
    # Its limit counts the output of the infrequent ones, and the missing ones here.
    encoder = OneHotEncoder(min_frequency=least, max_categories=most and most + 2,
                            handle_unknown="infrequent_if_exist", sparse_output=False).fit(train)
    out = encoder.transform(given)
    outputs = [name.removeprefix("x0_") for name in encoder.get_feature_names_out()]
    # Ours: the categories, the others, the missing ones.
    rank = {"infrequent_sklearn": 1, MISSING: 2}
    order = sorted(range(len(outputs)), key=lambda i: (rank.get(outputs[i], 0), outputs[i]))
    return out[:, order], [outputs[i] for i in order if outputs[i] not in rank]


def text(columns):
    to = io.StringIO()
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(columns)
    cell = lambda x: x if isinstance(x, str) else "" if np.isnan(x) else repr(float(x))
    for row in zip(*columns.values()):
        writer.writerow([cell(x) for x in row])
    return to.getvalue()


def table(g, rows, more_names):
    gaps = lambda x, rate: np.where(g.random(rows) < rate, np.nan, x)
    cities = ["Aa", "B, b", "c \"d\"", "\u00e9e", "Zz", "only one", "two"][: 5 if more_names else 7]
    weights = np.array([30, 20, 12, 8, 5, 1, 1][: len(cities)], dtype=float)
    city = list(g.choice(cities, rows, p=weights / weights.sum()))
    for i in np.flatnonzero(g.random(rows) < 0.15):
        city[i] = ""
    if more_names:
        city[0] = "unseen"
    return {
        "normal": gaps(g.normal(50, 7, rows), 0.1),
        "skewed": np.exp(g.normal(0, 3, rows)),
        # Quantiles coincide.
        "counts": gaps(g.poisson(1.2, rows).astype(float), 0.2),
        "constant": np.full(rows, 4.0),
        "city": city,
    }


def main():
    g = np.random.default_rng(24)
    cases = []
    for fill, bins, (least, most) in product(["mean", "median"], [0, 2, 5, 16], [(1, None), (4, None), (2, 3)]):
        # Which of two equally frequent names is kept is not scikit-learn's to say.
        train = table(g, 60, False)
        while len(set(Counter(train["city"]).values())) < len(set(train["city"])):
            train = table(g, 60, False)
        given = table(g, 12, True)
        expected, categories = [], None
        for name in train:
            if name == "city":
                of_names, categories = names(train[name], given[name], least, most)
                expected.append(of_names)
            else:
                expected.append(numbers(train[name], given[name], fill, bins))
        cases.append({"fill": fill, "bins": bins, "min_rows": least, "max_categories": most or 1000,
                      "train": text(train), "given": text(given), "categories": categories,
                      "expected": np.hstack(expected).tolist()})
    head = json.dumps({"scikit-learn": sklearn.__version__, "numpy": np.__version__})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(__file__).with_suffix(".json").write_text(head[:-1] + ', "cases": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
