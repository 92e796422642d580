"""Seconds of training until MNIST's test error is down to 1.6, 1.4 and 1.2 %:
thinnet and PyTorch, with dropout and without.

time_to_error.sh calls this with the worker that it built.
"""

import argparse
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from . import machine
from .engines import PEERS, die_with_parent
from .options import ROOT, default_data, folder_of_digits, number, several
from .tables import number as written
from .tables import table
from .whole import write_whole

ERRORS = (0.016, 0.014, 0.012)
# The recipe of the command `thinnet train`: cli/src/recipe.rs.
RECIPE = {
    "hidden": [1024, 1024, 1024],
    "batch": 128,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "max_norm": 1.5,
}
KEEPS = {True: (0.8, 0.5), False: (1.0, 1.0)}
NAMES = {"ours": "thinnet", "pytorch": "PyTorch"}


def parser():
    parser = argparse.ArgumentParser(
        prog="benches/peers/time_to_error.sh",
        description="Trains 784-1024x3-10 on MNIST with thinnet and PyTorch, with dropout and "
        "without, and writes time_to_error.md and time_to_error.json: the seconds until the test "
        "error is down to 1.6, 1.4 and 1.2 %. One training after the other, the engines in turn; "
        "what is done is written after each. benches/peers/README.md says more.",
    )

    def add(flag, default, text, shown=None, **more):
        shown = default if shown is None else shown
        parser.add_argument(flag, default=default, help=f"{text} (default: {shown})", **more)

    add(
        "--data",
        default_data(),
        "folder of MNIST's four gzipped IDX files",
        "../shared/data/mnist, or else the digits in the repository",
        type=folder_of_digits,
        metavar="DIR",
    )
    add("--engine", "both", "who trains", choices=("ours", "pytorch", "both"))
    add(
        "--seeds",
        3,
        "trainings of each kind, each with the next seed",
        type=number(int, 1, 100),
        metavar="N",
    )
    add("--first-seed", 1, "the first one's", type=number(int, 1, 10000), metavar="N")
    add(
        "--epochs",
        [30],
        "epochs, a list with commas: the learning rate falls to 0 over them",
        "30",
        type=several(number(int, 1, 10000)),
        metavar="N",
    )
    add(
        "--learning-rate",
        RECIPE["learning_rate"],
        "learning rate at the first step",
        type=number(float, 1e-6, 100),
        metavar="X",
    )
    add(
        "--max-norm",
        RECIPE["max_norm"],
        "the paper's c; 0 for none",
        type=number(float, 0, 1000),
        metavar="C",
    )
    add("--threads", 2, "threads of both engines", type=number(int, 1, 1024), metavar="N")
    add(
        "--out",
        ROOT / "target" / "peers",
        "folder of the results",
        "target/peers",
        type=Path,
        metavar="DIR",
    )
    parser.add_argument("--compile", action="store_true", help="PyTorch through torch.compile")
    parser.add_argument("--thinnet-worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only-arguments", action="store_true", help=argparse.SUPPRESS)
    return parser


def settings_of(options, epochs, seed, dropout):
    """What both engines are told."""
    keep_input, keep_hidden = KEEPS[dropout]
    return {
        **RECIPE,
        "data": str(options.data.resolve()),
        "epochs": epochs,
        "seed": seed,
        "keep_input": keep_input,
        "keep_hidden": keep_hidden,
        "learning_rate": options.learning_rate,
        "max_norm": options.max_norm or None,
        "threads": options.threads,
    }


def command_of(options, engine, settings):
    if engine == "ours":
        return [options.thinnet_worker, "time-to-error", json.dumps(settings)]
    program = PEERS / "python" / "pytorch_time_to_error.py"
    return [sys.executable, program, json.dumps({**settings, "compile": options.compile})]


def train(command, say):
    """The epochs of a training: number, seconds until then, test error."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    try:
        epochs = []
        for line in process.stdout:
            epochs.append(json.loads(line))
            say(epochs[-1])
        if process.wait() != 0:
            raise SystemExit(f"error: a training failed with exit code {process.returncode}")
        return epochs
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def seconds_to(error, epochs):
    """Seconds until the first epoch whose test error is no more than `error`."""
    return next((e["seconds"] for e in epochs if e["error"] <= error), None)


def groups_of(runs):
    """The seeds' trainings of each kind."""
    groups = {}
    for run in runs:
        groups.setdefault((run["epochs"], run["dropout"], run["engine"]), []).append(run)
    return groups


def markdown(results):
    machine_ = results["machine"]
    lines = [
        [
            NAMES[engine],
            "0.8 / 0.5" if dropout else "none",
            epochs,
            *(
                " / ".join(written(seconds_to(error, run["curve"])) for run in runs)
                for error in ERRORS
            ),
            " / ".join(f"{100 * run['curve'][-1]['error']:.2f}" for run in runs),
            " / ".join(written(run["curve"][-1]["seconds"]) for run in runs),
        ]
        for (epochs, dropout, engine), runs in sorted(
            groups_of(results["runs"]).items(),
            key=lambda item: (item[0][0], not item[0][1], item[0][2]),
        )
    ]
    head = [
        "engine",
        "dropout",
        "epochs",
        *(f"s to {100 * error:.1f} %" for error in ERRORS),
        "error % at the end",
        "s in all",
    ]
    recipe = results["recipe"]
    bound = f"max-norm (paper's c) {recipe['max_norm']}" if recipe["max_norm"] else "no max-norm"
    return (
        "\n\n".join(
            [
                "# Time to error on MNIST",
                "Made by `benches/peers/time_to_error.sh`. Seconds of training until the test "
                "error was first so low at the end of an epoch; the seeds' values beside each "
                "other, - where it was not reached. Drawing the order, gathering the batches and "
                "the steps are on the clock, evaluation is not. The learning rate falls to 0 over "
                "the epochs, so most of the error falls near the end, and the time to an error "
                "depends on the number of epochs.",
                f"784-1024x3-10, ReLU, batch {recipe['batch']}, an epoch's last partial batch left "
                f"out, SGD with momentum {recipe['momentum']}, learning rate "
                f"{recipe['learning_rate']} falling to 0 in a straight line, {bound}; the same "
                "with dropout and without.",
                f"{machine_['cpu']}, {results['threads']} threads, {machine_['date']}, thinnet "
                f"commit {machine_['thinnet_commit'] or 'unknown'}, PyTorch {results['pytorch']}.",
                table(head, lines),
            ]
        )
        + "\n"
    )


def pytorch_version(options):
    program = "import torch; print(torch.__version__)"
    version = machine.said(sys.executable, "-c", program) or "unknown"
    return f"{version}{' compiled' if options.compile else ' eager'}"


def kinds_of(options):
    """Epochs, seed, dropout and engine of each training, in order."""
    engines = ["ours", "pytorch"] if options.engine == "both" else [options.engine]
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    return itertools.product(options.epochs, seeds, (True, False), engines)


def run_all(options):
    """All trainings; what is done is written after each."""
    results = {
        "machine": machine.describe(),
        "threads": options.threads,
        "pytorch": pytorch_version(options) if options.engine != "ours" else "not run",
        "recipe": settings_of(options, 0, 0, True) | {"data": None, "epochs": options.epochs},
        "runs": [],
    }
    for epochs, seed, dropout, engine in kinds_of(options):
        run = {"engine": engine, "dropout": dropout, "epochs": epochs, "seed": seed}
        settings = settings_of(options, epochs, seed, dropout)
        run["curve"] = train(command_of(options, engine, settings), functools.partial(tell, run))
        results["runs"].append(run)
        whole = json.dumps(results, indent=1) + "\n"
        write_whole(options.out / "time_to_error.json", whole)
        write_whole(options.out / "time_to_error.md", markdown(results))


def tell(run, epoch):
    """Progress on standard error."""
    kind = "dropout" if run["dropout"] else "no dropout"
    print(
        f"{NAMES[run['engine']]}, {kind}, seed {run['seed']}: epoch {epoch['epoch']} of "
        f"{run['epochs']}, {epoch['seconds']:.1f} s, {100 * epoch['error']:.2f} %",
        file=sys.stderr,
    )


def main():
    options = parser().parse_args()
    if options.only_arguments:
        return 0
    os.sched_setaffinity(0, machine.choose_cpus(options.threads))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run_all(options)
    except KeyboardInterrupt:
        print("\ninterrupted; finished trainings are in the results", file=sys.stderr)
        return 130
    print(f"wrote {options.out / 'time_to_error'}.md and .json", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
