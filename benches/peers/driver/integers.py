"""Predictions with weights of 8 bits, beside those in f32: what is measured, the bars, the table.

An engine that rounds weights and activations gives other answers, so each column's predictions
for all rows are compared with the labels and with thinnet's in f32.
"""

import itertools
from dataclasses import dataclass
from functools import partial

import numpy as np

from .bars import Bar, ratio, seconds
from .contest import Contest
from .groups import PREDICT_BATCHES, RECIPE, prediction
from .onnx_models import DYNAMIC, STATIC
from .tables import Notes, cell, number, table

# Ways to integers that an engine takes. rten multiplies integers only in dynamic models.
WAYS = {"onnxruntime": (*DYNAMIC, *STATIC), "rten": DYNAMIC}
# thinnet's columns, and what differs from f32 on the fastest instruction set.
OURS = {
    "thinnet": {},
    "thinnet-bf16": {"weights": "bf16"},
    "thinnet-int8": {"weights": "int8"},
    "thinnet-avx2": {"isa": "avx2"},
    "thinnet-avx2-int8": {"weights": "int8", "isa": "avx2"},
}
TRAINED, WITHOUT_ZEROS = "trained", "without zeros"
# A way whose test error is farther than this above f32's is not counted.
TOLERATED_ERROR = 0.003
# Of thinnet's own integers: how far the test error may be above f32's.
OWN_ERROR = 0.001
# How many times as fast as the best of ONNX Runtime's ways, and as thinnet's f32 on AVX2: of one
# row, and of more; and where nothing is zero.
TIMES, TIMES_AVX2, TIMES_WITHOUT_ZEROS = (2.5, 1.3), (3, 1.5), 0.8
MICROSECONDS = 1e6
NAMES = {
    "thinnet": "thinnet f32",
    "thinnet-bf16": "thinnet bf16",
    "thinnet-int8": "thinnet int8",
    "thinnet-avx2": "thinnet f32, AVX2",
    "thinnet-avx2-int8": "thinnet int8, AVX2",
    "onnxruntime": "ONNX Runtime f32",
    "rten": "rten f32",
}


class Judge:
    """Compares predictions with the labels, and with those of the first column. Each column is
    asked once: threads do not change the answers."""

    def __init__(self, labels, outputs):
        self.labels, self.outputs = labels, outputs
        self.first, self.known = None, {}

    def __call__(self, column, ask):
        if column not in self.known:
            self.known[column] = self.judged(np.reshape(ask(), (-1, self.outputs)))
        return self.known[column]

    def judged(self, answers):
        if self.first is None:
            self.first = answers
        classes = answers.argmax(1)
        result = {
            "same_class": float(np.mean(classes == self.first.argmax(1))),
            "largest_difference": float(np.abs(answers - self.first).max()),
        }
        if self.labels is not None:
            result["test_error"] = float(np.mean(classes != self.labels))
        return result


def contests(setting):
    """The trained network on the test digits; and one of which nothing is zero, with random
    weights and identity units on dense normal inputs."""
    labels = np.fromfile(setting.tests["targets"], "<u4")
    calibration = setting.calibration(setting.digits)
    yield from of_network(
        setting,
        TRAINED if setting.trained else "fresh",
        lambda batch: prediction(setting, RECIPE, batch, setting.trained, data=setting.tests),
        calibration,
        labels,
    )
    calibration = setting.calibration(setting.other_normals)
    yield from of_network(
        setting,
        WITHOUT_ZEROS,
        lambda batch: prediction(setting, RECIPE, batch, None, "identity", setting.normals),
        calibration,
        None,
    )


def of_network(setting, network, case_of, calibration, labels):
    for batch in PREDICT_BATCHES:
        contest = Contest(f"integers {RECIPE}, {network}, batch {batch}")
        judge = Judge(labels, RECIPE.widths[-1])
        for threads in sorted({1, setting.threads}):
            what = {"shape": str(RECIPE), "network": network, "batch": batch, "threads": threads}
            row = contest.row(group="integers", **what)
            case = {"kind": "predict", **case_of(batch), "threads": threads}
            for engine, column, entry in entries(setting, case, calibration):
                contest.add(engine, entry, row, column, judge)
        yield contest


def entries(setting, case, calibration):
    """Engine, column and case of each column."""
    if "thinnet" in setting.engines:
        for column, more in OURS.items():
            if "isa" not in more or more["isa"] in setting.isas:
                yield "thinnet", column, {**case, "calibration": calibration, **more}
    for engine, ways in WAYS.items():
        if engine in setting.engines:
            yield engine, engine, setting.case_for(engine, case)
            for way in ways:
                model = setting.models.path(
                    case["network"], case["batch"], integers=way, calibration=calibration
                )
                yield engine, column_of(engine, way), {**case, "model": model}


def column_of(engine, way):
    return f"{engine} {way.name}"


@dataclass(frozen=True)
class Fastest:
    """The fastest way of an engine whose error is near enough to f32's, for a row."""

    seconds: float
    way: str
    threads: int


def fastest(rows, row, engine):
    """`Fastest`, or None. Waking the other threads can cost more than they do, so fewer threads
    than the row's may be faster."""
    ways = [
        Fastest(seconds(other, column), way.name, other["threads"])
        for other in rows
        if (other["network"], other["batch"]) == (row["network"], row["batch"])
        and other["threads"] <= row["threads"]
        for way in WAYS[engine]
        if near_enough(other, engine, column := column_of(engine, way))
    ]
    return min(ways, key=lambda way: way.seconds, default=None)


def near_enough(row, engine, column):
    """Whether a column was measured, and with what error."""
    most = row["results"].get(engine, {}).get("test_error", 1) + TOLERATED_ERROR
    return seconds(row, column) and row["results"][column].get("test_error", 0) <= most


def bars(rows):
    rows = [row for row in rows if row["group"] == "integers"]
    for row in rows:
        some = row["batch"] > 1
        if row["network"] == TRAINED:
            yield times_onnxruntime(rows, row, TIMES[some])
            yield times_avx2(row, TIMES_AVX2[some])
        if row["network"] == WITHOUT_ZEROS:
            yield times_onnxruntime(rows, row, TIMES_WITHOUT_ZEROS)
    for row in rows:
        if row["network"] == TRAINED and row["threads"] == 1:
            yield error_bar(row)


def times_onnxruntime(rows, row, least):
    peer = fastest(rows, row, "onnxruntime")
    measured = ratio(peer.seconds, seconds(row, "thinnet-int8")) if peer else None
    text = f"{described(row)}, 8 bits: times as fast as ONNX Runtime's"
    return Bar(text, least, measured, note=told(peer, row) if peer else "")


def told(peer, row):
    """The way, and its threads where they are not the row's."""
    return peer.way if peer.threads == row["threads"] else f"{peer.way}; {counted(peer.threads)}"


def counted(threads):
    return "1 thread" if threads == 1 else f"{threads} threads"


def times_avx2(row, least):
    measured = ratio(seconds(row, "thinnet-avx2"), seconds(row, "thinnet-avx2-int8"))
    return Bar(f"{described(row)}, 8 bits on AVX2: times as fast as f32", least, measured)


def error_bar(row):
    columns = ("thinnet-int8", "thinnet")
    errors = [row["results"].get(column, {}).get("test_error") for column in columns]
    measured = None if None in errors else errors[0] - errors[1]
    text = f"{described(row)}, 8 bits: test error above f32's"
    return Bar(text, OWN_ERROR, measured, at_most=True)


def described(row):
    where = f"{row['network']} {row['shape']}, batch {row['batch']}"
    return f"prediction, {where}, {counted(row['threads'])}"


LABELS = {
    "network": lambda row: row["network"],
    "rows": lambda row: row["batch"],
    "threads": lambda row: row["threads"],
}


def section(rows):
    return "\n\n".join(
        [
            "## Predictions with 8-bit weights, µs a call",
            f"{RECIPE}. The trained network predicts the test digits. The one without zeros has "
            "random weights, identity units and dense normal inputs, so that no engine can leave "
            "anything out. For ONNX Runtime and rten the fastest way to integers counts whose "
            f"test error is at most {100 * TOLERATED_ERROR:.1f} points above f32's, also with fewer "
            "threads than the row's; its name stands beside its time.",
            times_table(rows),
            "### Every way to 8 bits, µs a call",
            ways_table(rows),
            "### What the predictions are worth",
            "Of the trained network the test error in %, of the other the rows with the class of "
            "the first column in %; in brackets the largest difference of a probability from that "
            "column.",
            answers_table(rows),
        ]
    )


def times_table(rows):
    """A row for each network, batch and number of threads."""
    notes = Notes()
    cells = dict(LABELS)
    for column, name in NAMES.items():
        if any(column in row["results"] for row in rows):
            cells[name] = lambda row, column=column: cell(row, column, MICROSECONDS, notes)
            if column in WAYS:
                eight = name.replace("f32", "int8")
                peer = partial(fastest, rows, engine=column)
                cells[eight] = lambda row, peer=peer: best(peer(row), row)
                cells[f"{eight} / thinnet's"] = lambda row, peer=peer: over_ours(peer(row), row)
    text = table([*cells], [[read(row) for read in cells.values()] for row in rows])
    return f"{text}\n\n{notes}".strip()


def best(peer, row):
    """The fastest way's time and name."""
    return f"{number(peer.seconds * MICROSECONDS)} ({told(peer, row)})" if peer else "-"


def over_ours(peer, row):
    """The fastest way's time over that of thinnet's integers."""
    return f"**{number(ratio(peer.seconds, seconds(row, 'thinnet-int8')))}**" if peer else "-"


def ways_table(rows):
    """A row for each network and way, a column for each batch and number of threads."""
    notes = Notes()
    sizes = dict.fromkeys((row["batch"], row["threads"]) for row in rows)
    head = ["network", "way", *(f"{b}, {t} thr." for b, t in sizes)]
    lines = []
    for network in dict.fromkeys(row["network"] for row in rows):
        some = {(r["batch"], r["threads"]): r for r in rows if r["network"] == network}
        for column in columns_of(rows, WAYS):
            cells = [cell(some[size], column, MICROSECONDS, notes) for size in sizes]
            lines.append([network, named(column), *cells])
    return f"{table(head, lines)}\n\n{notes}".strip()


def answers_table(rows):
    """A row for each network and column, a column for each batch."""
    batches = dict.fromkeys(row["batch"] for row in rows)
    head = ["network", "engine", *(f"batches of {batch}" for batch in batches)]
    lines = []
    for network in dict.fromkeys(row["network"] for row in rows):
        some = {row["batch"]: row for row in rows if row["network"] == network}
        for column in columns_of(rows, [*OURS, *WAYS]):
            results = [some[batch]["results"].get(column, {}) for batch in batches]
            lines.append([network, named(column), *map(worth, results)])
    return table(head, lines)


def columns_of(rows, engines):
    """The columns of some engines, in order."""
    columns = dict.fromkeys(itertools.chain.from_iterable(row["results"] for row in rows))
    return [column for column in columns if column.split(" ")[0] in engines]


def named(column):
    """A column's name for people."""
    engine, _, way = column.partition(" ")
    return f"{NAMES[engine].removesuffix(' f32')}, {way}" if way else NAMES[column]


def worth(result):
    if "same_class" not in result:
        return "-"
    share = result["test_error"] if "test_error" in result else result["same_class"]
    return f"{100 * share:.2f} ({result['largest_difference']:.0e})"
