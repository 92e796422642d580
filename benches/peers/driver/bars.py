"""The acceptance bars, each read against the rows."""

import itertools
import statistics
from dataclasses import dataclass

from .groups import RECIPE, RECIPE_BATCH
from .options import Shape
from .options import shape as shape_of

PYTORCH = ("pytorch", "pytorch-compiled")
PEERS = (*PYTORCH, "jax", "candle", "onnxruntime", "tract", "rten")
# Passes with full lists that moment propagation may cost.
MOMENTS = 3
# Products of a step in each layer; the first has no gradient of its inputs.
PRODUCTS = 3
LARGE_BATCHES = (512, 1024, 2048, 4096)


@dataclass
class Bar:
    """What was demanded, what came out, and whether that is enough; `met` is
    None where it was not measured."""

    text: str
    least: float
    measured: float | None
    at_most: bool = False
    # What else a reader should know.
    note: str = ""

    @property
    def met(self):
        if self.measured is None:
            return None
        return self.measured <= self.least if self.at_most else self.measured >= self.least

    def as_dict(self):
        sign = "<=" if self.at_most else ">="
        return {
            "bar": self.text,
            "sign": sign,
            "limit": self.least,
            "measured": self.measured,
            "met": self.met,
            "note": self.note,
        }


def seconds(row, *columns):
    """The time of the fastest of some columns."""
    results = (row["results"].get(column, {}) for column in columns) if row else ()
    return min((r["seconds"] for r in results if "seconds" in r), default=None)


def ratio(above, below):
    return above / below if above and below else None


def times_pytorch(text, least, row, ours="thinnet"):
    """A bar of the ratio to the faster of PyTorch's two forms, with both."""
    taken = seconds(row, ours)
    both = [(name, ratio(seconds(row, name), taken)) for name in PYTORCH]
    note = ", ".join(
        f"{'compiled' if name == PYTORCH[1] else 'eager'} {times:.1f}"
        for name, times in both
        if times
    )
    return Bar(text, least, ratio(seconds(row, *PYTORCH), taken), note=note)


def operations(row, batch, densities=None):
    """Floating-point operations of a step's products, without those of inactive inputs; without
    densities, those of the full network."""
    widths = shape_of(row["shape"]).widths
    layers = list(zip(widths, widths[1:]))
    products = [PRODUCTS - 1] + [PRODUCTS] * (len(layers) - 1)
    parts = zip(products, densities or [1] * len(layers), layers, strict=True)
    return 2 * batch * sum(n * density * k * m for n, density, (k, m) in parts)


def dense_rate(row):
    """Floating-point operations a second of a step, as if every unit of the
    network were computed."""
    taken = seconds(row, "thinnet")
    return operations(row, row["batch"]) / taken if taken else None


def peaks(rows):
    """The FMA peak of every turn that measured it, in operations a second."""
    results = (row["results"].get("peak", {}) for row in rows)
    return [
        result["flops_per_call"] / taken
        for result in results
        if "flops_per_call" in result
        for taken in result["rounds"]
    ]


def over_peak(rate, row, rows):
    """A rate over the FMA peak: the median of all turns that measured it in the
    same contest."""
    measured = peaks(r for r in rows if row and r["contest"] == row["contest"])
    return ratio(rate, statistics.median(measured)) if measured else None


def share_of_peak(row, rows, column="thinnet", batch=None):
    """The rate of the operations that are left, over the FMA peak."""
    result = row["results"].get(column, {}) if row else {}
    if "seconds" not in result:
        return None
    left = operations(row, batch or row["batch"], result["densities"])
    return over_peak(left / result["seconds"], row, rows)


def find(rows, **what):
    """The row that is so, or None."""
    for row in rows:
        if all(row.get(key) == value for key, value in what.items()):
            return row
    return None


def find_step(rows, shape=RECIPE, **what):
    usual = {
        "batch": RECIPE_BATCH,
        "dropout": True,
        "activation": "relu",
        "inputs": "digits",
        "network": "fresh",
        "optimiser": "sgd",
    }
    return find(rows, group="step", shape=str(shape), **{**usual, **what})


def step_bars(rows, avx512):
    wide = Shape.of((2048, 2048, 2048))
    jax = "with AVX-512" if avx512 else "without AVX-512"
    for shape, pytorch, others in (
        (RECIPE, 5, {"candle": 8, "jax": 2.5 if avx512 else 4}),
        (wide, 4, {"jax": 2 if avx512 else 3.5}),
    ):
        row = find_step(rows, shape)
        text = f"step with dropout, {shape}, batch 128: times as fast as"
        yield times_pytorch(f"{text} PyTorch", pytorch, row)
        for peer, least in others.items():
            name = f"JAX, {jax}" if peer == "jax" else peer
            yield Bar(f"{text} {name}", least, ratio(seconds(row, peer), seconds(row, "thinnet")))
    adam, sgd = find_step(rows, optimiser="adam"), find_step(rows)
    text = f"step with dropout and Adam, {RECIPE}, batch 128:"
    yield times_pytorch(f"{text} times as fast as PyTorch", 5, adam)
    jax = ratio(seconds(adam, "jax"), seconds(adam, "thinnet"))
    yield Bar(f"{text} times as fast as JAX with optax", 2.5, jax)
    over = ratio(seconds(adam, "thinnet"), seconds(sgd, "thinnet"))
    yield Bar(f"{text} over the step with SGD and max-norm", 1.5, over, at_most=True)


def batch_bars(rows):
    """Batches that do not fit the caches."""
    for batch, dropout in itertools.product(LARGE_BATCHES, (True, False)):
        pytorch, jax = (5.5, 4.2) if dropout else (2.3, 1.9)
        row = find_step(rows, dropout=dropout, batch=batch)
        text = f"step with{'' if dropout else 'out'} dropout, {RECIPE}, batch {batch}:"
        yield per_row_bar(text, row, rows)
        yield times_pytorch(f"{text} times as fast as PyTorch", pytorch, row)
        measured = ratio(seconds(row, "jax"), seconds(row, "thinnet"))
        yield Bar(f"{text} times as fast as JAX", jax, measured)


def per_row_bar(text, row, rows):
    """The time per row beside that at the recipe's batch, both of the fresh network."""
    taken, few = seconds(row, "fresh"), seconds(row, "fresh-128")
    measured = ratio(taken and taken / row["batch"], few and few / RECIPE_BATCH)
    shares = share_of_peak(row, rows, "fresh"), share_of_peak(row, rows, "fresh-128", RECIPE_BATCH)
    note = "of the FMA peak {:.2f}, at batch 128 {:.2f}".format(*shares) if all(shares) else ""
    return Bar(f"{text} its time per row over that of batch 128", 1, measured, True, note)


def dense_bars(rows):
    """Products of which nothing is zero, and inputs of which none is."""
    for batch in (RECIPE_BATCH, *LARGE_BATCHES):
        row = find_step(rows, dropout=False, batch=batch, activation="tanh", inputs="normals")
        text = f"tanh units without dropout, dense inputs, {RECIPE}, batch {batch}:"
        least = 0.72 if batch == RECIPE_BATCH else 0.8
        yield Bar(f"{text} rate over the FMA peak", least, share_of_peak(row, rows))
        best = ratio(seconds(row, "jax", *PYTORCH), seconds(row, "thinnet"))
        yield Bar(f"{text} times as fast as the faster of PyTorch and JAX", 1, best)
    dense, digits = find_step(rows, inputs="normals"), find_step(rows)
    measured = ratio(seconds(dense, "thinnet"), seconds(digits, "thinnet"))
    text = f"step with dropout, {RECIPE}, batch 128: on dense inputs over that on digits"
    yield Bar(text, 1.3, measured, at_most=True)


def slowest_bar(rows):
    """The dropout row where the best peer comes nearest to thinnet."""
    ratios = [
        ratio(seconds(row, *PEERS), seconds(row, "thinnet"))
        for row in rows
        if (
            row["group"] == "step"
            and row["dropout"]
            and (row["activation"], row["inputs"]) == ("relu", "digits")
        )
        or row["group"] in ("dropout", "mc")
        or (row["group"] == "small" and row["work"] != "prediction")
    ]
    ratios = [r for r in ratios if r]
    text = "no row with dropout is slower than the best peer: the least ratio of all rows"
    return Bar(text, 1, min(ratios, default=None))


def own_bars(rows):
    """Against the machine, and with dropout against without."""
    row, trained = find_step(rows), find_step(rows, network="trained")
    text = "dense-equivalent rate of a step over the FMA peak"
    yield Bar(f"{text}, at the start", 1.4, over_peak(dense_rate(row), row, rows))
    measured = over_peak(dense_rate(trained), trained, rows)
    yield Bar(f"{text}, on the trained network", 1.8, measured)
    without = seconds(find_step(rows, dropout=False), "thinnet")
    yield Bar(
        "a step with dropout: times as fast as one without",
        1.8,
        ratio(without, seconds(row, "thinnet")),
    )
    portable, avx2 = seconds(row, "thinnet-portable"), seconds(row, "thinnet-avx2")
    if avx2 is None and row and row["results"].get("thinnet", {}).get("isa") == "avx2":
        avx2 = seconds(row, "thinnet")
    yield Bar("portable: its time over AVX2's", 4, ratio(portable, avx2), at_most=True)
    yield times_pytorch("portable: times as fast as PyTorch", 1, row, "thinnet-portable")


def dropout_bars(rows):
    for power, keep in itertools.product((18, 24), (0.5, 0.8)):
        row = find(rows, group="dropout", elements=2**power, keep=keep, in_place=False)
        text = f"dropout of 2^{power} elements, keep {keep}"
        yield times_pytorch(f"{text}: times as fast as PyTorch", 40 if keep == 0.5 else 25, row)
        if power == 24:
            measured = ratio(seconds(row, "thinnet"), seconds(row, "memcpy"))
            streaming = ratio(seconds(row, "thinnet"), seconds(row, "streaming-copy"))
            note = f"over a copy with streaming stores {streaming:.2f}" if streaming else ""
            limit = 1.25 if keep == 0.5 else 1.6
            yield Bar(f"{text}: its time over memcpy's", limit, measured, True, note)
        else:
            measured = ratio(seconds(row, "thinnet-1-thread"), seconds(row, "memcpy-1-thread"))
            limit = 2 if keep == 0.5 else 2.5
            yield Bar(f"{text}, one thread: its time over a copy's", limit, measured, True)


def gaussian_bars(rows):
    for power in (18, 24):
        row = find(rows, group="gaussian", elements=2**power)
        text = f"Gaussian noise on 2^{power} elements"
        yield times_pytorch(f"{text}: times as fast as PyTorch", 4, row)
        parts = [seconds(row, "thinnet-normals"), seconds(row, "thinnet-dropout")]
        measured = ratio(seconds(row, "thinnet"), sum(parts) if all(parts) else None)
        yield Bar(f"{text}: its time over normals and dropout", 1.5, measured, True)


def prediction_bars(rows):
    for row in rows:
        if row["group"] == "predict":
            text = f"prediction, {row['network']} {row['shape']}, batch {row['batch']}: "
            alone = row["batch"] == 1
            least = {"trained": 2, "fresh": 1.2}[row["network"]] if alone else 1
            yield times_best(f"{text}times as fast as the best peer", least, row)
            yield moments_bar(text, row)
            if alone:
                measured = ratio(seconds(row, "thinnet-bf16"), seconds(row, "thinnet"))
                yield Bar(f"{text}time with bf16 weights over that with f32", 1, measured, True)


def times_best(text, least, row):
    """A bar of the ratio to the fastest peer, with its name."""
    times = {peer: ratio(seconds(row, peer), seconds(row, "thinnet")) for peer in PEERS}
    times = {peer: value for peer, value in times.items() if value}
    best = min(times, key=times.get, default=None)
    return Bar(text, least, times.get(best), note=best or "")


def moments_bar(text, row):
    """Moments beside a pass with full lists, both on dense inputs; the digits'
    zeros make moments cheaper."""
    full = seconds(row, "thinnet-full-lists")
    measured = ratio(seconds(row, "thinnet-moments-dense"), full)
    digits = ratio(seconds(row, "thinnet-moments"), full)
    note = f"on digits {digits:.2f}" if digits else ""
    return Bar(f"{text}time of moments over a pass with full lists", MOMENTS, measured, True, note)


def sampling_bars(rows, avx512):
    for row in rows:
        if row["group"] == "mc":
            alone = row["batch"] == 1
            text = f"{row['samples']} Monte-Carlo samples, batch {row['batch']}: times as fast as"
            yield times_pytorch(f"{text} PyTorch", 8 if alone else 6, row)
            if alone:
                for peer, least in (("candle", 5), ("jax", 2.5 if avx512 else 4)):
                    measured = ratio(seconds(row, peer), seconds(row, "thinnet"))
                    yield Bar(f"{text} {peer}", least, measured)


def curve_bar(rows):
    """The largest rise of the step time from a keep rate to the next lower one."""
    points = sorted(
        (row["at"], seconds(row, "thinnet"))
        for row in rows
        if row["group"] == "curve" and row["over"] == "keep"
    )
    times = [taken for _, taken in points]
    whole = len(times) > 1 and all(times)
    rises = [low / high for low, high in itertools.pairwise(times)] if whole else []
    text = "step time at each keep rate over that at the next higher one: the largest of all"
    return Bar(text, 1.03, max(rises, default=None), at_most=True)


def all_bars(rows, avx512):
    return [
        *step_bars(rows, avx512),
        *batch_bars(rows),
        *dense_bars(rows),
        slowest_bar(rows),
        *own_bars(rows),
        *dropout_bars(rows),
        *gaussian_bars(rows),
        *prediction_bars(rows),
        *sampling_bars(rows, avx512),
        curve_bar(rows),
    ]
