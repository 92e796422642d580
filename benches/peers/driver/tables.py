"""Tables in Markdown."""

from .bars import PEERS, ratio, seconds

NAMES = {
    "thinnet": "thinnet",
    "pytorch": "PyTorch",
    "pytorch-compiled": "PyTorch compiled",
    "jax": "JAX",
    "candle": "candle",
    "onnxruntime": "ONNX Runtime",
    "tract": "tract",
    "rten": "rten",
}


def number(value, digits=3):
    """A number with about so many digits that count."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    size = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, digits - size)}f}"


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


class Notes:
    """Why a cell is empty, once each."""

    def __init__(self):
        self.texts = []

    def mark(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"

    def __str__(self):
        return "\n".join(f"[{n}] {text}  " for n, text in enumerate(self.texts, 1))


def cell(row, column, scale, notes):
    """A time; for a peer with how many of thinnet's it is."""
    result = row["results"].get(column)
    if result is None:
        return "-"
    if "error" in result:
        return notes.mark(f"{NAMES.get(column, column)}: {result['error']}")
    text = number(result["seconds"] * scale)
    times = ratio(result["seconds"], seconds(row, "thinnet"))
    return f"{text} ({number(times)}x)" if times and column in PEERS else text


def best(row):
    """The fastest peer's time over thinnet's."""
    return number(ratio(seconds(row, *PEERS), seconds(row, "thinnet")))


def timed(rows, engines, labels, scale, more=()):
    """A table of times: label columns, a column for each engine, the best
    peer's ratio, and more columns."""
    notes = Notes()
    head = [
        *labels,
        *(NAMES[e] for e in engines),
        "best peer / thinnet",
        *(name for name, _ in more),
    ]
    lines = [
        [
            *(label(row) for label in labels.values()),
            *(cell(row, e, scale, notes) for e in engines),
            f"**{best(row)}**",
            *(read(row, notes) for _, read in more),
        ]
        for row in rows
    ]
    text = table(head, lines)
    return f"{text}\n\n{notes}".strip() if notes.texts else text


def of_column(name, scale):
    return lambda row, notes: cell(row, name, scale, notes)
