"""Draws the curves of peers.json: step time against keep rate, width, depth.

PYTHONPATH=benches/peers python3 -m driver.draw_curve target/peers/peers.json docs/curve.svg
"""

import argparse
import json
import sys
from pathlib import Path

from .svg import Panel, Series, picture
from .whole import write_whole

COLOURS = {"thinnet": "#0969da", "pytorch": "#bc4c00", "pytorch-compiled": "#8250df"}
NAMES = {"thinnet": "thinnet", "pytorch": "PyTorch", "pytorch-compiled": "PyTorch compiled"}
PANELS = (
    ("keep", "keep rate", "keep rate of inputs and hidden units", False),
    ("width", "width", "units of each of three hidden layers", True),
    ("depth", "depth", "hidden layers of 1024 units", False),
)


def panel(rows, over, title, across, logarithmic):
    """The chart of a curve, or None where it was not measured."""
    rows = sorted(
        (r for r in rows if r["group"] == "curve" and r["over"] == over), key=lambda r: r["at"]
    )
    if not rows:
        return None
    series = []
    for engine, colour in COLOURS.items():
        results = [(row["at"], row["results"].get(engine, {})) for row in rows]
        points = [(at, 1e3 * r["seconds"]) for at, r in results if "seconds" in r]
        if points:
            series.append(
                Series(NAMES[engine], colour, points, dashed=engine == "pytorch-compiled")
            )
    return Panel(
        f"Step time and {title}", across, "ms per step", [r["at"] for r in rows], series, logarithmic
    )


def caption(results):
    versions = results["engines"]
    parts = [
        "training step with dropout, 784-1024x3-10 unless stated otherwise, batch 128",
        f"{results['threads']} threads",
        results["machine"]["cpu"],
        *(
            f"PyTorch {versions[name]['version']}"
            for name in ("pytorch",)
            if "version" in versions.get(name, {})
        ),
        results["machine"]["date"],
    ]
    return "; ".join(parts)


def main():
    parser = argparse.ArgumentParser(prog="driver.draw_curve", description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, help="peers.json with the group curve")
    parser.add_argument("picture", type=Path, help="the SVG file to write")
    options = parser.parse_args()
    try:
        results = json.loads(options.results.read_text())
        panels = [p for p in (panel(results["rows"], *about) for about in PANELS) if p]
    except (OSError, ValueError, KeyError) as error:
        return f"error: {options.results}: {type(error).__name__}: {error}"
    if not panels:
        return f"error: {options.results} has no curve: run.sh --only curve measures it"
    write_whole(options.picture, picture(panels, caption(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
