"""The tables: Markdown for people, JSON for programs."""

import json
import statistics

from . import integers
from .bars import dense_rate, over_peak, peaks, share_of_peak
from .check import FIRST, LAST
from .groups import KEEP_HIDDEN, KEEP_INPUT, LEARNING_RATE, MAX_NORM, MOMENTUM, SMALL_SAMPLES
from .tables import NAMES, number, of_column, table, timed


def densities(row, _notes):
    """How much of each layer's inputs was computed, in the last turn's last step."""
    values = row["results"].get("thinnet", {}).get("densities") or []
    return " ".join(f"{100 * value:.0f}" for value in values) or "-"


def what_differs(row):
    """From the usual rows of the step."""
    parts = (
        ("trained network", row["network"] == "trained"),
        (f"{row['activation']} units", row["activation"] != "relu"),
        ("dense normal inputs", row["inputs"] == "normals"),
        ("Adam, learning rate 0.001, no max-norm", row["optimiser"] == "adam"),
    )
    return ", ".join(text for text, differs in parts if differs)


def step_section(rows, engines):
    labels = {
        "network": lambda r: r["shape"],
        "batch": lambda r: r["batch"],
        "dropout": lambda r: f"{KEEP_INPUT} / {KEEP_HIDDEN}" if r["dropout"] else "none",
    }
    more = [
        (
            "GFLOP/s, dense-equivalent",
            lambda r, _: number(dense_rate(r) / 1e9 if dense_rate(r) else None),
        ),
        ("over FMA peak", lambda r, _: number(over_peak(dense_rate(r), r, rows))),
        ("computed, over FMA peak", lambda r, _: number(share_of_peak(r, rows))),
        ("computed %, layer by layer", densities),
    ]
    usual = [
        r
        for r in rows
        if (r["activation"], r["inputs"], r["network"], r["optimiser"])
        == ("relu", "digits", "fresh", "sgd")
    ]
    extra = [r for r in rows if r not in usual]
    text = (
        "## Training step, ms\n\n"
        f"SGD with momentum {MOMENTUM}, learning rate {LEARNING_RATE}, max-norm (paper's c) "
        f"{MAX_NORM}, with dropout (keep rate of inputs / hidden units) and without (the same step "
        "at keep rate 1); ReLU, softmax cross-entropy, batches of digits. In brackets: times "
        "thinnet's time.\n\n" + timed(usual, engines, labels, 1e3, more)
    )
    if extra:
        special = {"row": what_differs}
        text += "\n\n### More rows of the step, ms\n\n" + timed(
            extra, engines, {**special, **labels}, 1e3, more
        )
    for row in usual:
        others = {c: r for c, r in row["results"].items() if c.startswith("thinnet-")}
        if others:
            isas = ", ".join(
                f"{c.removeprefix('thinnet-')} {r.get('error') or number(r['seconds'] * 1e3)}"
                for c, r in others.items()
            )
            where = f"{row['shape']}, batch {row['batch']}, with dropout"
            text += f"\n\nthinnet on other instruction sets, {where}, ms: {isas}"
    return text


def dropout_section(rows, engines):
    labels = {
        "elements": lambda r: f"2^{r['elements'].bit_length() - 1}",
        "keep": lambda r: r["keep"],
        "form": lambda r: "in place" if r["in_place"] else "out of place",
    }
    sections = []
    for elements in sorted({row["elements"] for row in rows}):
        scale = 1e9 / elements
        more = [
            (name, of_column(column, scale))
            for name, column in (
                ("memcpy", "memcpy"),
                ("streaming copy", "streaming-copy"),
                ("thinnet, 1 thread", "thinnet-1-thread"),
                ("memcpy, 1 thread", "memcpy-1-thread"),
            )
        ]
        sections.append(
            timed([r for r in rows if r["elements"] == elements], engines, labels, scale, more)
        )
    return (
        "## Dropout operation, ns an element\n\n"
        "Every call draws new bits. Out of place, PyTorch and candle allocate their result in "
        "each call, as their users get it; thinnet writes into memory that was made before.\n\n"
        + "\n\n".join(sections)
    )


def gaussian_section(rows, engines):
    labels = {"elements": lambda r: f"2^{r['elements'].bit_length() - 1}"}
    sections = [
        timed(
            [row],
            engines,
            labels,
            1e9 / row["elements"],
            [
                ("normal numbers alone", of_column("thinnet-normals", 1e9 / row["elements"])),
                ("dropout, keep 0.5", of_column("thinnet-dropout", 1e9 / row["elements"])),
            ],
        )
        for row in rows
    ]
    return (
        "## Multiplicative Gaussian noise, ns an element\n\n"
        "x (1 + sigma z), out of place, with new numbers in every call. The last columns are "
        "thinnet's.\n\n" + "\n\n".join(sections)
    )


PREDICTION = {
    "network": lambda r: f"{r['shape']}, {r['network']}",
    "batch": lambda r: r["batch"],
}


def predict_section(rows, engines):
    return (
        "## Prediction by weight scaling, µs a call\n\n"
        "Class probabilities of a batch; each call waits for its answer. The last columns are "
        "thinnet's: weights read as bfloat16; means and variances in one pass, on the digits and on "
        "dense normal inputs; and a plain pass of which nothing is zero, with identity units on the "
        "same dense inputs.\n\n"
        + timed(
            rows,
            engines,
            PREDICTION,
            1e6,
            [
                ("thinnet, bf16", of_column("thinnet-bf16", 1e6)),
                ("thinnet, moments", of_column("thinnet-moments", 1e6)),
                ("moments, dense inputs", of_column("thinnet-moments-dense", 1e6)),
                ("full lists, dense inputs", of_column("thinnet-full-lists", 1e6)),
            ],
        )
    )


def mc_section(rows, engines):
    labels = {**PREDICTION, "samples": lambda r: r["samples"]}
    return (
        "## Monte-Carlo prediction, ms a call\n\n"
        "Class probabilities averaged over samples of the masks; the peers take all samples of "
        "all rows as one batch.\n\n" + timed(rows, engines, labels, 1e3)
    )


def curve_section(rows, engines):
    text = "## Curves: training step with dropout, batch 128, ms"
    for over, label in (
        ("keep", "keep rate of inputs and hidden units"),
        ("width", "units of three hidden layers"),
        ("depth", "hidden layers of 1024"),
    ):
        some = [r for r in rows if r["over"] == over]
        if some:
            text += "\n\n" + timed(some, engines, {label: lambda r: r["at"]}, 1e3)
    return text


def small_section(rows, engines):
    labels = {
        "network": lambda r: r["shape"],
        "loss": lambda r: r["loss"].replace("_", " "),
        "work": lambda r: WORK[r["work"]],
        "batch": lambda r: r["batch"],
    }
    return (
        "## Small networks, µs a call\n\n"
        f"Dense normal inputs, ReLU units, dropout {KEEP_INPUT} / {KEEP_HIDDEN}. Steps with SGD, "
        f"momentum {MOMENTUM} and max-norm (paper's c) {MAX_NORM}; predictions by weight scaling, or "
        "averaged over samples of the masks. Times of PyTorch, JAX and ONNX Runtime include the "
        "call from Python.\n\n" + timed(rows, engines, labels, 1e6)
    )


WORK = {
    "step": "step",
    "prediction": "prediction",
    "monte_carlo": f"{SMALL_SAMPLES} Monte-Carlo samples",
}
SECTIONS = {
    "step": step_section,
    "dropout": dropout_section,
    "gaussian": gaussian_section,
    "predict": predict_section,
    "integers": lambda rows, _: integers.section(rows),
    "mc": mc_section,
    "curve": curve_section,
    "small": small_section,
}


def machine_section(results):
    machine, engines = results["machine"], results["engines"]
    rows = [
        [
            "CPU",
            f"{machine['cpu']}, {machine['cpus']} CPUs, {' '.join(machine['instruction_sets'])}",
        ],
        [
            "system",
            f"{machine['system']}, {machine['rustc']}, Python {machine['python']}, "
            f"{machine['c++']}",
        ],
        ["date", machine["date"]],
        [
            "settings",
            f"{results['threads']} threads, {results['rounds']} rounds of {results['seconds']} s",
        ],
        ["data", results["data"]],
        ["FMA peak", fma_peak(results["rows"])],
        ["other work on these CPUs", other_work(results["rows"])],
    ]
    for name, hello in engines.items():
        more = f", {hello['generator']} masks" if "generator" in hello else ""
        rows.append(
            [
                NAMES.get(name, name),
                hello.get("error") or f"{hello['version']}, {hello['isa']}{more}",
            ]
        )
    return table(["", ""], rows)


def fma_peak(rows):
    """Median and range of the turns that measured it."""
    measured = sorted(peak / 1e9 for peak in peaks(rows))
    if not measured:
        return "-"
    middle, least, most = statistics.median(measured), measured[0], measured[-1]
    text = f"{middle:.0f} GFLOP/s on all threads, the median of {len(measured)} turns"
    text += f" from {least:.0f} to {most:.0f}"
    return text + (" (**uneven: the CPUs were not always ours**)" if least < 0.8 * middle else "")


def other_work(rows):
    shares = [row["other_work"] for row in rows]
    if not shares:
        return "-"
    text = f"at most {100 * max(shares):.0f} % of the time of a row"
    return (
        text + " (**above 5 %: measure again on a quiet machine**)" if max(shares) > 0.05 else text
    )


TRAINING = [
    "first losses",
    "mean loss",
    "weights' norms",
    "mean of the last losses with dropout",
    "difference",
    "largest norm / bound",
]


def checks_section(checks):
    text = (
        "Relative differences from PyTorch's values: without dropout of the first "
        f"{FIRST} losses, of the mean of all, and of the layers' norms afterwards; with dropout, "
        f"where each engine draws masks of its own, of the mean of the last {LAST} losses. Last, "
        "the largest difference of the predictions before any training."
    )
    return "\n\n".join(["## The work is the same", text, *map(check_table, checks)])


def check_table(check):
    head = ["engine", *(TRAINING if check["steps"] else []), "predictions", "same work"]
    lines = []
    for row in check["rows"]:
        name = NAMES[row["engine"]]
        if "error" in row:
            lines.append([name, row["error"], *["-"] * (len(head) - 2)])
            continue
        training = training_cells(row) if "without" in row else ["-"] * (len(head) - 3)
        same = "yes" if row["same"] else "**no**"
        lines.append([name, *training, f"{row['answer_difference']:.0e}", same])
    batches = ", ".join(map(str, check["answered"]))
    text = f"{check['shape']}, from the same parameters on the same batches: "
    if check["steps"]:
        text += f"{check['steps']} steps with batches of {check['batch']}, "
    return f"{text}predictions for batches of {batches}.\n\n" + table(head, lines)


def training_cells(row):
    """How an engine's steps differ from the reference's."""
    return [
        f"{row['first_difference']:.0e}",
        f"{row['mean_difference']:.0e}",
        f"{row['norm_difference']:.0e}",
        number(row["with dropout"]["last"]),
        f"{row['dropout_difference']:.0e}",
        f"{row['norm_over_bound']:.5f}",
    ]


def bars_section(bars):
    lines = [
        [
            bar["bar"],
            f"{'at most' if bar['sign'] == '<=' else 'at least'} {bar['limit']}",
            number(bar["measured"]) + (f" ({bar['note']})" if bar["note"] else ""),
            {True: "met", False: "**not met**", None: "not measured"}[bar["met"]],
        ]
        for bar in bars
    ]
    return "## Bars\n\n" + table(["bar", "demanded", "measured", ""], lines)


def markdown(results):
    """peers.md."""
    parts = [
        "# thinnet beside PyTorch, JAX, candle, ONNX Runtime, tract and rten",
        "Made by `benches/peers/run.sh`; medians of rounds in which the engines take turns. "
        "Ratios within this table mean something, absolute times are this machine's.",
    ]
    if not results["complete"]:
        parts.append("**The run was broken off: groups are missing.**")
    parts.append(machine_section(results))
    for group, section in SECTIONS.items():
        rows = [row for row in results["rows"] if row["group"] == group]
        if rows:
            taking_part = [e for e in results["order"] if any(e in r["results"] for r in rows)]
            parts.append(section(rows, taking_part))
    if results["checks"]:
        parts.append(checks_section(results["checks"]))
    parts.append(bars_section(results["bars"]))
    return "\n\n".join(parts) + "\n"


def as_json(results):
    """peers.json."""
    return json.dumps(results, indent=1) + "\n"
