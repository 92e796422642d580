"""That the engines do the same work: from the same parameters on the same
batches their losses are the same without dropout and fall alike with it, the
norm of the weights into each unit is within its bound, and the network's
predictions are the same, for every size of batch that is timed: engines choose
their kernels by it."""

import statistics
from dataclasses import dataclass

from .engines import EngineError
from .groups import MAX_NORM, keeps_of, prediction
from .options import ENGINES, PREDICTING, Shape

STEPS = 60
# Of the first losses, 6: on the digits in the repository a ReLU of PyTorch's network opens in the
# seventh step, as said below; the other engines agree to 4e-7 until the tenth.
FIRST, LAST = 6, 20
# Of each of the first losses without dropout: engines add up in different
# orders, which made 3e-7 here.
FIRST_TOLERANCE = 1e-5
# Of the mean of all losses without dropout. Later steps magnify rounding: where
# a sum beside zero falls on the other side, a ReLU opens in one engine only, and
# single losses come to differ by a percent or two.
MEAN_TOLERANCE = 0.01
# Of a layer's norm over all its weights after those steps.
NORM_TOLERANCE = 0.001
# With dropout, of the mean of the last 20 losses: its standard deviation from
# masks to masks is about 2 %.
DROPOUT_TOLERANCE = 0.1
# Of what a network predicts.
ANSWER_TOLERANCE = 1e-5
# A norm that was scaled to its bound is within rounding of it.
BOUND_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Task:
    """What is compared: training with this batch if `trains`, and predictions for batches of the
    sizes in `answers`."""

    shape: Shape
    batch: int
    trains: bool
    answers: tuple[int, ...]
    engines: tuple[str, ...] = ENGINES


def run(workers, setting, task, say):
    """A row for each engine."""
    rows = []
    shape, batch = task.shape, task.batch
    for engine in (engine for engine in setting.engines if engine in task.engines):
        say(f"check of the same work: {shape}, {engine}")
        row = {"engine": engine}
        try:
            for dropout in (False, True) if task.trains and engine not in PREDICTING else ():
                row["with dropout" if dropout else "without"] = first_steps(
                    workers, setting, engine, shape, batch, dropout
                )
            row["answers"] = [
                first_answer(workers, setting, engine, shape, size) for size in task.answers
            ]
        except EngineError as error:
            row["error"] = str(error)
        rows.append(row)
    workers.drop()
    judge(rows)
    return {
        "shape": str(shape),
        "batch": batch,
        "steps": STEPS if task.trains else 0,
        "answered": task.answers,
        "rows": rows,
    }


def first_steps(workers, setting, engine, shape, batch, dropout):
    """Losses and norms of an engine's first steps."""
    case = setting.case_for(engine, setting.step(shape, batch, keeps_of(dropout)))
    workers.ask(engine, do="setup", slot="check", case=case)
    losses = workers.ask(engine, do="losses", slot="check", steps=STEPS)["losses"]
    norms = workers.ask(engine, do="norms", slot="check")["norms"]
    keeps = case["network"]["keep_input"], case["network"]["keep_hidden"]
    bounds = [MAX_NORM * (keeps[1] if layer else keeps[0]) for layer in range(len(norms))]
    return {
        "losses": losses,
        "norms": [norm for _, norm in norms],
        "norm_over_bound": max(norm / bound for (norm, _), bound in zip(norms, bounds)),
        "mean": statistics.fmean(losses),
        "last": statistics.fmean(losses[-LAST:]),
    }


def first_answer(workers, setting, engine, shape, batch):
    """The predictions for the first batch, before any training."""
    case = {"kind": "predict", **prediction(setting, shape, batch, setting.fresh(shape))}
    workers.ask(engine, do="setup", slot="check", case=setting.case_for(engine, case))
    return workers.ask(engine, do="answer", slot="check")["answer"]


def difference(a, b):
    """The largest relative difference of numbers."""
    return max(abs(x - y) / abs(y) for x, y in zip(a, b, strict=True))


def judge(rows):
    """Puts into each row how far it is from the reference, in place of the
    answers, and whether it is near enough. The reference is PyTorch, or the first
    that ran."""
    good = [row for row in rows if "error" not in row]
    if not good:
        return
    names = [row["engine"] for row in good]
    reference = good[names.index("pytorch") if "pytorch" in names else 0]
    answers = reference["answers"]
    for row in good:
        row["answer_difference"] = max(
            abs(x - y)
            for one, other in zip(row.pop("answers"), answers, strict=True)
            for x, y in zip(one, other, strict=True)
        )
        row["same"] = row["answer_difference"] <= ANSWER_TOLERANCE
        if "without" in row:
            row["same"] &= trains_alike(row, reference)


def trains_alike(row, reference):
    """Whether an engine's steps are near enough to the reference's; adds to the
    row how far they are."""
    without, dropped = row["without"], row["with dropout"]
    same = reference["without"]
    row["first_difference"] = difference(without["losses"][:FIRST], same["losses"][:FIRST])
    row["mean_difference"] = difference([without["mean"]], [same["mean"]])
    row["norm_difference"] = difference(without["norms"], same["norms"])
    row["dropout_difference"] = difference([dropped["last"]], [reference["with dropout"]["last"]])
    row["norm_over_bound"] = max(without["norm_over_bound"], dropped["norm_over_bound"])
    return (
        row["first_difference"] <= FIRST_TOLERANCE
        and row["mean_difference"] <= MEAN_TOLERANCE
        and row["norm_difference"] <= NORM_TOLERANCE
        and row["dropout_difference"] <= DROPOUT_TOLERANCE
        and row["norm_over_bound"] <= 1 + BOUND_TOLERANCE
    )
