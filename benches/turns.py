#!/usr/bin/env python3
"""Compares the speed of two commits, in turns on one machine.

    benches/turns.py OLD [NEW] [--turns N] [--cases TEXT]

NEW is the working tree unless it is given. Three workers (benches/turns.rs) wait for
their turn: OLD, OLD again, and NEW. A turn asks each for one case, in a rotating order.
Printed are the medians and quartiles of the paired ratios: NEW / OLD, and OLD / OLD,
which shows the noise. Unchanged means a median of at most 1.02 over 30 turns or more.

OLD needs a worker of its own; for a commit without one, or whose interface differs,
--worker FILE gives a benches/turns.rs that compiles there.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FEATURES = ["--features", "digits"]


def run(*command, folder=ROOT):
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def build(folder, program, worker=None):
    """Builds the worker of a checkout, and copies it to `program` out of cargo's way."""
    if worker:
        shutil.copy(worker, folder / "benches" / "turns.rs")
        manifest = folder / "Cargo.toml"
        if 'name = "turns"' not in manifest.read_text():
            with manifest.open("a") as file:
                file.write('\n[[bench]]\nname = "turns"\nharness = false\n')
    environment = ["env", f"CARGO_TARGET_DIR={ROOT / 'target' / 'turns'}"]
    cargo = ["cargo", "bench", "--quiet", "--no-run", "--bench", "turns", *FEATURES]
    messages = run(*environment, *cargo, "--message-format", "json", folder=folder)
    built = [json.loads(line) for line in messages.splitlines()]
    shutil.copy(next(one["executable"] for one in built if one.get("executable")), program)


def build_commit(commit, folder, program, worker=None):
    run("git", "worktree", "add", "--quiet", "--detach", str(folder), commit)
    try:
        build(folder, program, worker)
    finally:
        run("git", "worktree", "remove", "--force", str(folder))


class Worker:
    def __init__(self, program):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [program, "--turns"], cwd=ROOT, stdin=pipe, stdout=pipe, text=True, bufsize=1
        )
        self.cases = self.process.stdout.readline().strip().split("\t")

    def seconds(self, case):
        self.process.stdin.write(f"{case}\n")
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args[0]} ended in {self.cases[case]}")
        return float(answer)


def summary(ratios):
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def measure(programs, options):
    """The names of the cases, and of each chosen case the seconds of every turn."""
    workers = [Worker(program) for program in programs]
    names = workers[0].cases
    if any(worker.cases != names for worker in workers):
        raise SystemExit("the two commits have different cases: give OLD's worker the same")
    times = {case: [] for case, name in enumerate(names) if options.cases in name}
    for turn in range(options.turns):
        order = [(turn + i) % 3 for i in range(3)]
        for case, before in times.items():
            seconds = {which: workers[which].seconds(case) for which in order}
            before.append([seconds[which] for which in range(3)])
    return names, times


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", metavar="OLD", help="the commit to compare with")
    parser.add_argument("new", metavar="NEW", nargs="?", help="a commit [the working tree]")
    parser.add_argument("--turns", metavar="N", type=int, default=31, help="[31]")
    parser.add_argument("--cases", metavar="TEXT", default="", help="those whose name holds it")
    parser.add_argument("--worker", metavar="FILE", help="OLD's benches/turns.rs")
    options = parser.parse_args()
    if options.turns < 3:
        parser.error(f"--turns {options.turns}: expected 3 or more")

    with tempfile.TemporaryDirectory(prefix="turns-") as folder:
        folder = pathlib.Path(folder)
        old, new = folder / "old", folder / "new"
        build_commit(options.old, folder / "checkout", old, options.worker)
        if options.new:
            build_commit(options.new, folder / "checkout", new)
        else:
            build(ROOT, new)
        names, times = measure([old, old, new], options)

    print(f"{options.turns} turns; median (quartiles) of the paired ratios")
    print(f"{'case':32} {'OLD, us':>10}   {'NEW / OLD':24}   OLD / OLD")
    for case, seconds in times.items():
        middle = statistics.median(old for old, _, _ in seconds) * 1e6
        changed = summary([new / old for old, _, new in seconds])
        noise = summary([again / old for old, again, _ in seconds])
        print(f"{names[case]:32} {middle:10.1f}   {changed:24}   {noise}")


if __name__ == "__main__":
    main()
