"""A contest: cases that are timed in turn, round after round."""

import os
import statistics
import time
from dataclasses import dataclass, field
from functools import partial

from . import machine
from .engines import EngineError

# Calls before the clock starts: the first ones of all, and those of a turn.
FIRST_CALLS, WARM_CALLS = 3, 2
LEAST_CALLS = 5


@dataclass
class Entry:
    """A case: the engine whose worker does it, the row and column where its
    time goes."""

    engine: str
    case: dict
    row: int
    column: str
    # What to say of the predictions for all rows: a function of the column and of another one
    # that asks for them.
    judge: object = None
    calls: int = LEAST_CALLS
    seconds: list = field(default_factory=list)
    about: dict = field(default_factory=dict)
    judged: dict = field(default_factory=dict)
    error: str | None = None

    def result(self):
        """Medians for the JSON file."""
        if self.error:
            return {"error": self.error}
        median = statistics.median(self.seconds)
        # What a case is worth in operations a second, where it says so.
        flops = self.about.get("flops_per_call")
        more = {"flops_per_second": flops / median} if flops else {}
        return {
            "seconds": median,
            "least_seconds": min(self.seconds),
            "rounds": self.seconds,
            "calls": self.calls,
            **self.about,
            **self.judged,
            **more,
        }


class Contest:
    """Rows of a table that are measured together."""

    def __init__(self, title):
        self.title, self.rows, self.entries = title, [], []

    def row(self, **what):
        """Adds a row; its number."""
        self.rows.append(what)
        return len(self.rows) - 1

    def add(self, engine, case, row, column=None, judge=None):
        self.entries.append(Entry(engine, case, row, column or engine, judge))

    def run(self, workers, options, cpus, say):
        """Times all entries; the rows with their results."""
        started = time.monotonic()
        other = OtherWork(workers, cpus)
        for number, entry in enumerate(self.entries):
            say(f"{self.title}: making ready {number + 1} of {len(self.entries)}")
            attempt(make_ready, workers, entry, number, options.seconds)
        other.start()
        for turn in range(options.rounds):
            say(f"{self.title}: round {turn + 1} of {options.rounds}")
            for number in rotated(len(self.entries), turn):
                attempt(take_turn, workers, self.entries[number], number)
        share = other.share()
        workers.drop()
        say(f"{self.title}: {time.monotonic() - started:.0f} s", done=True)
        return [
            {
                **row,
                "contest": self.title,
                "other_work": share,
                "results": {e.column: e.result() for e in self.entries if e.row == number},
            }
            for number, row in enumerate(self.rows)
        ]


def rotated(count, turn):
    """0 to count - 1, beginning elsewhere each time and in turn backwards, so
    that no entry always follows the same one."""
    order = [(number + turn * 3) % count for number in range(count)]
    return order[::-1] if turn % 2 else order


def attempt(part, workers, entry, *more):
    """Does a part of an entry's work, unless an earlier part failed."""
    if entry.error is None:
        try:
            part(workers, entry, *more)
        except EngineError as error:
            entry.error = str(error)


def make_ready(workers, entry, number, seconds):
    """Sets a case up and finds how many calls fill a turn."""
    workers.ask(entry.engine, do="setup", slot=str(number), case=entry.case)
    if entry.judge:
        ask = partial(workers.ask, entry.engine, do="answers", slot=str(number))
        entry.judged = entry.judge(entry.column, lambda: ask()["answers"])
    run = {"do": "run", "slot": str(number)}
    taken, calls = workers.ask(entry.engine, **run, warm=FIRST_CALLS, calls=1)["seconds"], 1
    # A few calls of a microsecond say little of how many fill a turn.
    while taken < seconds / 10:
        calls *= 10
        taken = workers.ask(entry.engine, **run, warm=WARM_CALLS, calls=calls)["seconds"]
    entry.calls = max(LEAST_CALLS, round(seconds * calls / taken))


def take_turn(workers, entry, number):
    run = {"do": "run", "slot": str(number), "warm": WARM_CALLS, "calls": entry.calls}
    answer = workers.ask(entry.engine, **run)
    entry.seconds.append(answer["seconds"] / entry.calls)
    entry.about = answer.get("about", {})


class OtherWork:
    """What the CPUs did for processes that are not ours."""

    def __init__(self, workers, cpus):
        self.workers, self.cpus = workers, cpus

    def now(self):
        pids = [os.getpid(), *self.workers.pids()]
        ours = sum(map(machine.cpu_seconds, pids))
        return time.monotonic(), machine.busy_seconds(self.cpus) - ours

    def start(self):
        self.before = self.now()

    def share(self):
        """The part of the CPUs' time since `start` that others had."""
        now = self.now()
        whole = (now[0] - self.before[0]) * len(self.cpus)
        return max(0.0, round((now[1] - self.before[1]) / max(whole, 1e-9), 3))
