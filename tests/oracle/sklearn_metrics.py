#!/usr/bin/env python3
"""scikit-learn's metrics, and those of constant predictions; writes sklearn_metrics.json.

    python3 -m venv VENV
    VENV/bin/pip install --no-deps -r tests/fixtures/requirements.txt
    VENV/bin/python tests/oracle/sklearn_metrics.py

A metric that scikit-learn warns about or refuses is null: it is undefined. Rows of weight 0 are
left out before scikit-learn sees them, since it counts their labels. Where a figure is of the most
probable class or of its probability, scikit-learn gets what it needs of them from NumPy.

All computing is float64, and JSON numbers read back as float64 give it exactly. Targets are
multiples of 1/64, which float32 holds exactly.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score, average_precision_score, brier_score_loss, confusion_matrix, f1_score,
    hamming_loss, log_loss, mean_absolute_error, mean_pinball_loss, mean_poisson_deviance,
    precision_score, r2_score, recall_score, roc_auc_score, root_mean_squared_error, top_k_accuracy_score, zero_one_loss)
from sklearn.preprocessing import label_binarize

AVERAGES = ["macro", "weighted", "micro"]
AGREEMENTS = {"precision": precision_score, "recall": recall_score, "f1": f1_score}


def defined(figure):
    """The figure, or None if scikit-learn has anything to say against it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            value = float(figure())
        except (Warning, ValueError):
            return None
    return value if np.isfinite(value) else None


def calibration_error(right, confidence, w, bins):
    """Whole weights are copies of a row, since calibration_curve takes none."""
    copies = np.ones(len(right), int) if w is None else w.astype(int)
    right, confidence = np.repeat(right, copies), np.repeat(confidence, copies)
    accuracies, confidences = calibration_curve(right, confidence, n_bins=bins)
    edges = np.linspace(0, 1, bins + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], confidence), minlength=bins)
    return np.sum(counts[counts > 0] * np.abs(accuracies - confidences)) / len(right)


def is_whole(w):
    return w is None or np.all(w == np.floor(w))


def of_classes(y, p, w, scores):
    n = p.shape[1]
    all_classes, guess = np.arange(n), p.argmax(axis=1)
    figures = {
        "error_rate": lambda: zero_one_loss(y, guess, sample_weight=w),
        "accuracy": lambda: accuracy_score(y, guess, sample_weight=w),
        "log_loss": lambda: log_loss(y, p, labels=all_classes, sample_weight=w),
        "brier": lambda: brier_score_loss(y, p, labels=all_classes, sample_weight=w),
    }
    if is_whole(w):
        for bins in [10, 8, 1]:
            figures[f"calibration_error({bins})"] = lambda bins=bins: calibration_error(
                guess == y, p.max(axis=1), w, bins)
    # Of equal probabilities, scikit-learn prefers the last class.
    for k in range(1, n if n > 2 else 0):
        figures[f"top_k_accuracy({k})"] = lambda k=k: top_k_accuracy_score(
            n - 1 - y, p[:, ::-1], k=k, labels=all_classes, sample_weight=w)
    for name, score in AGREEMENTS.items():
        for average in AVERAGES:
            # Classes and bits without rows have no weight.
            labels = np.unique(y) if average == "weighted" else None
            figures[f"{name}({average})"] = lambda score=score, average=average, labels=labels: (
                score(y, guess, average=average, labels=labels, sample_weight=w))
        for c in range(n):
            figures[f"{name}({c})"] = lambda score=score, c=c: (
                score(y == c, guess == c, sample_weight=w))
        figures[name] = figures[f"{name}(1)" if n == 2 else f"{name}(macro)"]
    if n == 2:
        figures["roc_auc"] = lambda: roc_auc_score(y, scores[:, 1], sample_weight=w)
        figures["average_precision"] = lambda: average_precision_score(
            y, scores[:, 1], sample_weight=w)
    else:
        bits = label_binarize(y, classes=all_classes)
        figures["roc_auc"] = lambda: roc_auc_score(bits, scores, average="macro", sample_weight=w)
        figures["average_precision"] = lambda: average_precision_score(
            bits, scores, average="macro", sample_weight=w)
    return figures


def of_bits(t, p, w, scores):
    n = p.shape[1]
    guess, columns = (p > 0.5).astype(int), range(n)
    confidence, right = np.maximum(p, 1 - p).ravel(), (guess == t).ravel()
    w_of_bits = None if w is None else np.repeat(w, n)
    mean = lambda score: np.mean([score(t[:, c], p[:, c]) for c in columns])
    figures = {
        "error_rate": lambda: hamming_loss(t, guess, sample_weight=w),
        "accuracy": lambda: 1 - hamming_loss(t, guess, sample_weight=w),
        "log_loss": lambda: mean(lambda t, p: log_loss(t, p, labels=[0, 1], sample_weight=w)),
        "brier": lambda: mean(
            lambda t, p: brier_score_loss(t, p, labels=[0, 1], pos_label=1, sample_weight=w)),
    }
    if is_whole(w):
        figures["calibration_error(10)"] = lambda: calibration_error(
            right, confidence, w_of_bits, 10)
    for name, score in AGREEMENTS.items():
        if n > 1:
            for average in AVERAGES:
                labels = np.flatnonzero(t.sum(axis=0)) if average == "weighted" else None
                figures[f"{name}({average})"] = lambda score=score, average=average, labels=labels: (
                    score(t, guess, average=average, labels=labels, sample_weight=w))
        for c in columns:
            figures[f"{name}({c})"] = lambda score=score, c=c: (
                score(t[:, c], guess[:, c], sample_weight=w))
        figures[name] = figures[f"{name}(0)" if n == 1 else f"{name}(macro)"]
    for name, score in {"roc_auc": roc_auc_score,
                        "average_precision": average_precision_score}.items():
        figures[name] = lambda score=score: np.mean(
            [score(t[:, c], scores[:, c], sample_weight=w) for c in columns])
    return figures


def of_values(t, y, w, _):
    return {
        "rmse": lambda: root_mean_squared_error(t, y, sample_weight=w),
        "mae": lambda: mean_absolute_error(t, y, sample_weight=w),
        "r2": lambda: r2_score(t, y, sample_weight=w, force_finite=False),
    }


def of_counts(t, y, w, _):
    columns = range(t.shape[1])
    return of_values(t, y, w, _) | {
        "poisson_deviance": lambda: np.mean(
            [mean_poisson_deviance(t[:, c], y[:, c], sample_weight=w) for c in columns]),
    }


def of_normals(t, y, w, _):
    """Predictions are means, then variances."""
    means, variances = np.hsplit(y, 2)
    densities = lambda: norm.logpdf(t, means, np.sqrt(variances)).mean(axis=1)
    return of_values(t, means, w, _) | {
        "gaussian_nll": lambda: -np.average(densities(), weights=w),
    }


def levels_of(kind):
    """The levels of `quantile(...)`, in float32."""
    return [float(np.float32(level)) for level in kind[len("quantile("):-1].split(",")]


def of_quantiles(kind):
    """Predictions are the quantiles of the first level, then of the next."""
    levels = levels_of(kind)

    def of(t, y, w, _):
        quantiles = np.split(y, len(levels), axis=1)
        covered = (quantiles[0] <= t) & (t <= quantiles[-1])
        figures = {
            "pinball_loss": lambda: np.mean(
                [mean_pinball_loss(t, of_level, alpha=level, sample_weight=w)
                 for level, of_level in zip(levels, quantiles)]),
        }
        if len(levels) > 1:
            figures["quantile_coverage"] = lambda: np.average(covered.mean(axis=1), weights=w)
        if 0.5 in levels:
            figures |= of_values(t, quantiles[levels.index(0.5)], w, None)
        return figures

    return of


def baselines(kind, t, outputs, w):
    """Constant predictions: of the majority, of the prior probabilities or the means, and none."""
    rows = len(t)
    constant = lambda row: np.tile(row, (rows, 1))
    if kind == "classes":
        share = np.average(t[:, None] == np.arange(outputs), axis=0, weights=w)
        majority = np.eye(outputs)[share.argmax()]
    else:
        share = np.average(t, axis=0, weights=w)
        majority = (share > 0.5).astype(float)
    if kind == "normals":
        share = np.concatenate([share, np.average((t - share) ** 2, axis=0, weights=w)])
        majority = share
    if kind.startswith("quantile"):
        share = np.quantile(t, levels_of(kind), axis=0, weights=w, method="inverted_cdf").ravel()
        majority = share
    return constant(majority), constant(share), constant(np.zeros(outputs))


def thresholds(y, scores, w):
    """The best F1 and the lowest cost of all thresholds, each beside that of a constant answer."""
    answers = [scores >= t for t in [*np.unique(scores), np.inf]]
    always, never = answers[0], answers[-1]

    def cost(answer, false_positive, false_negative):
        (_, alarms), (misses, _) = confusion_matrix(y, answer, labels=[0, 1], sample_weight=w)
        return (false_positive * alarms + false_negative * misses) / (
            len(y) if w is None else w.sum())

    f1 = lambda answer: f1_score(y, answer, sample_weight=w, zero_division=0)
    found = {"f1": [max(map(f1, answers)), max(f1(always), f1(never))] if np.any(y) else None}
    for costs in [(1, 1), (1, 20), (3, 0.5)]:
        of = lambda answer: cost(answer, *costs)
        found[f"{costs[0]},{costs[1]}"] = [min(map(of, answers)), min(of(always), of(never))]
    return found


def case(name, kind, targets, predictions, weights=None):
    targets, predictions = np.array(targets), np.array(predictions, float)
    w = None if weights is None else np.array(weights, float)
    used = np.full(len(targets), True) if w is None else w > 0
    t, p, w = targets[used], predictions[used], None if w is None else w[used]
    of = {"classes": of_classes, "binary": of_bits, "values": of_values, "counts": of_counts,
          "normals": of_normals}.get(kind)
    of = of or of_quantiles(kind)
    figures = {metric: [defined(figure), None] for metric, figure in of(t, p, w, p).items()}
    majority, share, none = baselines(kind, t, p.shape[1], w)
    by_prior = {"log_loss", "brier", "rmse", "mae", "r2", "poisson_deviance", "gaussian_nll"}
    of_majority, of_share = of(t, majority, w, none), of(t, share, w, none)
    for metric in figures:
        prior = metric in by_prior or metric.startswith(("top_k", "calibration"))
        if not (metric.startswith("calibration") and kind == "binary"):
            figures[metric][1] = defined((of_share if prior else of_majority)[metric])
        else:
            figures[metric][1] = 0.0
    if kind.startswith("quantile") and "mae" in figures:
        mean = np.tile(np.average(t, axis=0, weights=w), (len(t), 1))
        for metric, figure in of_values(t, mean, w, None).items():
            figures[metric][1] = defined(figure)
    recorded = {"name": name, "kind": kind, "outputs": p.shape[1], "targets": targets.tolist(),
                "predictions": predictions.tolist(), "weights": weights, "figures": figures}
    if kind == "classes":
        recorded["confusion"] = confusion_matrix(
            t, p.argmax(axis=1), labels=np.arange(p.shape[1]), sample_weight=w).tolist()
        if p.shape[1] == 2:
            recorded["thresholds"] = thresholds(t, p[:, 1], w)
    return recorded


def probabilities(generator, rows, classes, parts=None):
    """Rows that add up to 1, in multiples of 1/parts, so that there are ties."""
    p = generator.dirichlet(np.full(classes, 0.7), rows)
    if parts:
        p = np.maximum(np.floor(p * parts), 1)
        p[np.arange(rows), p.argmax(axis=1)] += parts - p.sum(axis=1)
        p /= parts
    return p


def labels(generator, p):
    return [int(generator.choice(p.shape[1], p=row / row.sum())) for row in p]


def all_cases():
    g = np.random.default_rng(22)
    whole = lambda rows: g.integers(0, 4, rows).astype(float).tolist()
    wide = lambda rows: (2.0 ** g.integers(-20, 20, rows) * g.random(rows)).tolist()
    cases = []
    for classes in [2, 3, 5]:
        for parts in [None, 16]:
            p = probabilities(g, 40, classes, parts)
            y = labels(g, p)
            kind = "tied" if parts else "random"
            for weighting, w in {"": None, ", whole weights": whole(40),
                                 ", wide weights": wide(40)}.items():
                cases.append(case(f"{kind}, {classes} classes{weighting}", "classes", y, p, w))
    even = [[0.5, 0.5]] * 6
    no = [[0.98, 0.02]] * 60
    p3 = probabilities(g, 12, 3, 16)
    cases += [
        case("always no", "classes", [1] + [0] * 59, no),
        case("all equal", "classes", [0, 1, 0, 1, 1, 1], even),
        case("only class 0", "classes", [0] * 6, [[0.5 + i / 16, 0.5 - i / 16] for i in range(6)]),
        case("only class 1", "classes", [1] * 6, even),
        case("class 1 has weight 0", "classes", [0, 1, 0], [[0.25, 0.75], [0.5, 0.5], [0.75, 0.25]],
             [1.0, 0.0, 2.0]),
        case("one row", "classes", [1], [[0.25, 0.75]]),
        case("perfect", "classes", [0, 1, 1, 0], [[1, 0], [0, 1], [0, 1], [1, 0]]),
        case("upside down", "classes", [0, 1, 1, 0],
             [[0.25, 0.75], [0.75, 0.25], [0.875, 0.125], [0.125, 0.875]]),
        case("neighbouring floats", "classes", [0, 1, 0, 1],
             [[0.5, 0.5], [0.5, np.nextafter(0.5, 1)], [0.5, np.nextafter(0.5, 0)], [0.5, 0.5]]),
        case("class 2 is absent", "classes", [0, 1] * 6, p3),
        case("class 1 is never predicted", "classes", [0, 1, 2] * 4,
             np.stack([p3.max(axis=1), p3.min(axis=1), np.median(p3, axis=1)], axis=1)),
        case("confidences at the edges of bins", "classes", [0, 1, 1, 0, 1, 0],
             [[1 - i / 8, i / 8] for i in range(1, 7)]),
    ]
    for bits in [1, 3]:
        for parts in [None, 8]:
            p = g.random((40, bits))
            p = p if parts is None else (1 + np.floor(p * (parts - 1))) / parts
            t = (g.random((40, bits)) < p).astype(int)
            kind = "tied" if parts else "random"
            cases.append(case(f"{kind}, {bits} bits", "binary", t.tolist(), p))
            cases.append(case(f"{kind}, {bits} bits, whole weights", "binary", t.tolist(), p, whole(40)))
    cases += [
        case("a bit that is never 1", "binary", [[0, 1], [0, 0], [0, 1]],
             [[0.25, 0.75], [0.125, 0.5], [0.5, 0.25]]),
        case("always no, one bit", "binary", [[1]] + [[0]] * 59, [[0.0625]] * 60),
        case("all bits are 1", "binary", [[1], [1]], [[0.75], [0.25]]),
    ]
    for outputs in [1, 3]:
        for offset in [0, 1000]:
            t = offset + np.round(64 * g.normal(0, 1, (30, outputs))) / 64
            y = t + g.normal(0, 0.5, t.shape)
            for weighting, w in {"": None, ", wide weights": wide(30)}.items():
                cases.append(case(f"values, {outputs} outputs, offset {offset}{weighting}",
                                  "values", t.tolist(), y, w))
    cases += [
        case("equal targets", "values", [[0.125]] * 3, [[0.125], [0.25], [0.5]]),
        case("one output has equal targets", "values", [[1.0, 0.5], [1.0, 1.5]],
             [[1.0, 0.25], [1.5, 1.75]]),
        case("one value", "values", [[2.0]], [[1.5]]),
        case("exact", "values", [[2.0], [3.0]], [[2.0], [3.0]]),
        case("worse than the mean", "values", [[2.0], [3.0]], [[9.0], [-7.0]]),
    ]
    for outputs in [1, 3]:
        for size in [0.5, 3000]:
            rates = size * g.gamma(2, 0.5, (30, outputs))
            t = g.poisson(rates).astype(float)
            y = rates * np.exp(g.normal(0, 0.25, t.shape))
            for weighting, w in {"": None, ", whole weights": whole(30),
                                 ", wide weights": wide(30)}.items():
                cases.append(case(f"counts, {outputs} outputs, rates of {size}{weighting}",
                                  "counts", t.tolist(), y, w))
    for outputs in [1, 3]:
        for offset in [0, 1000]:
            t = offset + np.round(64 * g.normal(0, 1, (30, outputs))) / 64
            y = np.hstack([t + g.normal(0, 0.5, t.shape), g.gamma(2, 0.25, t.shape)])
            for weighting, w in {"": None, ", whole weights": whole(30),
                                 ", wide weights": wide(30)}.items():
                cases.append(case(f"normals, {outputs} targets, offset {offset}{weighting}",
                                  "normals", t.tolist(), y, w))
    for kind in ["quantile(0.1,0.5,0.9)", "quantile(0.05,0.3,0.95)", "quantile(0.5)", "quantile(0.75)"]:
        for outputs in [1, 3]:
            for weighting in ["", ", whole weights", ", wide weights"]:
                w = {"": None, ", whole weights": whole(30), ", wide weights": wide(30)}[weighting]
                t = np.round(16 * g.normal(0, 1, (30, outputs))) / 16
                # Some are equal to the target, and some cross.
                y = np.hstack([t + np.round(4 * g.normal(2 * level - 1, 0.4, t.shape)) / 4
                               for level in levels_of(kind)])
                cases.append(case(f"{kind}, {outputs} targets{weighting}", kind, t.tolist(), y, w))
    cases += [
        case("equal values, quantiles", "quantile(0.1,0.5,0.9)", [[0.5]] * 3,
             [[0.25, 0.5, 0.75], [0.5, 0.5, 0.5], [0.75, 0.5, 0.25]]),
        case("one value, quantiles", "quantile(0.1,0.5,0.9)", [[1.0]], [[1.0, 1.25, 1.5]]),
        case("equal counts", "counts", [[3.0]] * 3, [[3.0], [2.5], [4.0]]),
        case("equal values", "normals", [[0.5]] * 3, [[0.5, 0.25], [0.25, 1.0], [1.0, 4.0]]),
        case("one normal distribution", "normals", [[1.0]], [[1.5, 0.5]]),
        case("counts that are not whole", "counts", [[0.25], [0.0], [1.5]], [[0.5], [1e-9], [1.5]]),
    ]
    return cases


def likelihoods():
    """ll = logsumexp_s(-tau/2 |t - y_s|²) - log T - D/2 log 2 pi + D/2 log tau"""
    g = np.random.default_rng(23)
    found = []
    for samples, outputs, tau, far in [(1, 1, 1.0, 0), (50, 1, 0.25, 0), (20, 3, 40.0, 0),
                                       (10, 2, 1e6, 50), (5, 1, 1e-6, 3)]:
        y = np.round(64 * g.normal(0, 1, (samples, outputs))) / 64
        t = far + np.round(64 * g.normal(0, 1, outputs)) / 64
        exponents = -tau / 2 * np.sum((t - y) ** 2, axis=1)
        value = (logsumexp(exponents) - np.log(samples) - outputs / 2 * np.log(2 * np.pi)
                 + outputs / 2 * np.log(tau))
        found.append({"samples": y.tolist(), "target": t.tolist(), "precision": tau,
                      "value": value})
    return found


def main():
    cases = [json.dumps(recorded, separators=(",", ":")) for recorded in all_cases()]
    densities = [json.dumps(recorded, separators=(",", ":")) for recorded in likelihoods()]
    head = json.dumps({"scikit-learn": sklearn.__version__})
    text = (head[:-1] + ', "cases": [\n' + ",\n".join(cases) + '\n], "likelihoods": [\n'
            + ",\n".join(densities) + "\n]}\n")
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
