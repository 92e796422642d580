"""Runs the contests and writes peers.md and peers.json.

run.sh calls this with the workers that it built.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from . import machine
from .options import ENGINES, GROUPS, INTEGER, parser


def say_progress(text, done=False):
    """One line on standard error, overwritten on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="\n" if done else "", file=sys.stderr, flush=True)
    elif done:
        print(text, file=sys.stderr, flush=True)


def greet(workers, engines):
    """Who each engine is; engines that do not start are left in, and their
    rows say why."""
    from .engines import EngineError, worker_of

    hellos = {}
    for name in dict.fromkeys(map(worker_of, engines)):
        say_progress(f"starting {name}")
        worker = workers.all[name]
        try:
            worker.start()
            hellos[name] = worker.hello
        except EngineError as error:
            hellos[name] = {"error": str(error)}
    return hellos


def train(workers, setting, folder, rows, epochs):
    """Trains the recipe's network with thinnet; the file of its parameters."""
    from .engines import EngineError
    from .groups import RECIPE, RECIPE_BATCH, keeps_of

    if "thinnet" not in setting.engines or epochs == 0:
        return None
    path = folder / "trained.parameters"
    started = time.monotonic()
    try:
        case = setting.step(RECIPE, RECIPE_BATCH, keeps_of(True))
        workers.ask("thinnet", do="setup", slot="train", case=case)
        for epoch in range(epochs):
            say_progress(f"training {RECIPE}: epoch {epoch + 1} of {epochs}")
            calls = rows // RECIPE_BATCH
            workers.ask("thinnet", do="run", slot="train", warm=0, calls=calls)
        workers.ask("thinnet", do="save", slot="train", path=str(path))
    except EngineError as error:
        say_progress(f"no trained network: {error}", done=True)
        return None
    workers.drop()
    say_progress(f"training {RECIPE}: {time.monotonic() - started:.0f} s", done=True)
    return str(path)


def name_of_data(options, rows):
    embedded = options.data.name == "digits"
    return f"{rows} digits of MNIST{', those in the repository' if embedded else ''}"


def judged(results, hellos):
    """The results with the bars."""
    from . import integers
    from .bars import all_bars

    avx512 = "avx512" in hellos.get("thinnet", {}).get("available", [])
    bars = [*all_bars(results["rows"], avx512), *integers.bars(results["rows"])]
    return {**results, "bars": [bar.as_dict() for bar in bars]}


def write(options, results, stem):
    from .report import as_json, markdown
    from .whole import write_whole

    write_whole(options.out / f"{stem}.json", as_json(results))
    write_whole(options.out / f"{stem}.md", markdown(results))
    print(f"wrote {options.out / stem}.md and .json", file=sys.stderr)


def measure(options, workers, folder, cpus):
    """All of it."""
    from . import check, data, groups, plan
    from .onnx_models import Models

    digits, rows = data.write_digits(options.data, folder)
    hellos = greet(workers, options.engines)
    if "thinnet" in hellos:
        version = f"commit {machine.describe()['thinnet_commit'] or 'unknown'}"
        hellos["thinnet"].setdefault("version", version)
    setting = groups.Setting(
        engines=options.engines,
        threads=options.threads,
        isas=hellos.get("thinnet", {}).get("available", []),
        digits=digits,
        tests=data.write_test_digits(options.data, folder),
        normals=data.write_normals(folder, "normals", 2),
        other_normals=data.write_normals(folder, "other-normals", 5),
        table=lambda shape: data.write_table(shape, folder),
        fresh=lambda shape: data.write_parameters(shape, folder),
        models=Models(folder),
        calibration=data.write_calibration,
        trained=None,
    )
    results = {
        "complete": False,
        "machine": machine.describe(),
        "engines": hellos,
        "order": options.engines,
        "threads": options.threads,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "data": name_of_data(options, rows),
        "checks": [],
        "rows": [],
    }
    for task in () if options.no_check else plan.tasks(options):
        results["checks"].append(check.run(workers, setting, task, say_progress))
    try:
        if plan.TRAINED & set(options.only):
            setting.trained = train(workers, setting, folder, rows, options.epochs)
        for contest in plan.contests(setting, options):
            results["rows"] += contest.run(workers, options, cpus, say_progress)
        results["complete"] = True
    finally:
        if results["complete"] or results["rows"]:
            stem = "peers" if results["complete"] else "peers-partial"
            write(options, judged(results, hellos), stem)
    return results


def main():
    options = parser().parse_args()
    if options.only_arguments:
        return 0
    options.only = [group for group in GROUPS if group in options.only]
    options.engines = [engine for engine in ENGINES if engine in options.engines]
    if options.only == ["integers"]:
        options.engines = [engine for engine in INTEGER if engine in options.engines]
    cpus = machine.choose_cpus(options.threads)
    os.sched_setaffinity(0, cpus)
    # As Ctrl-C: the workers have to be ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    from .engines import Workers

    workers = None
    try:
        with tempfile.TemporaryDirectory(prefix="peers-") as folder:
            try:
                workers = Workers(options, Path(folder))
                results = measure(options, workers, Path(folder), cpus)
            finally:
                if workers:
                    workers.close()
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    different = [
        f"{row['engine']} on {checked['shape']}"
        for checked in results["checks"]
        for row in checked["rows"]
        if not row.get("same", "error" in row)
    ]
    if different:
        print(f"error: not the same work: {', '.join(different)}", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
