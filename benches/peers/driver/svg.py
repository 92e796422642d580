"""Line charts as SVG, without any library."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

# Size of a panel's plot, and the room around it for labels.
WIDTH, HEIGHT = 300, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 44, 58
FONT = "font-family='system-ui, sans-serif'"
INK, GRID, PAPER = "#24292f", "#d8dee4", "#ffffff"


@dataclass
class Series:
    """A line: its name, colour, marker, and points (x, y)."""

    name: str
    colour: str
    points: list
    dashed: bool = False


@dataclass
class Panel:
    """A chart of some lines. `ticks` are the x that are written; with
    `logarithmic` x grows by factors."""

    title: str
    across: str
    upward: str
    ticks: list
    series: list
    logarithmic: bool = False


def steps_to(top, count=6):
    """Round numbers from 0 to at least `top`, about `count` of them."""
    raw = top / count
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw)
    return [step * n for n in range(math.ceil(top / step - 1e-9) + 1)]


def text(x, y, words, anchor="middle", size=12, weight="normal", turn=None):
    rotate = f" transform='rotate({turn} {x:.1f} {y:.1f})'" if turn else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{size}' "
        f"font-weight='{weight}' fill='{INK}' {FONT}{rotate}>{escape(words)}</text>"
    )


def line(x1, y1, x2, y2, colour=GRID):
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}'/>"


class Axes:
    """Where a panel's numbers lie on the page."""

    def __init__(self, panel, left, top):
        self.left, self.top = left + LEFT, top + TOP
        self.bottom, self.right = self.top + HEIGHT, self.left + WIDTH
        self.scale = math.log if panel.logarithmic else float
        self.low, self.high = self.scale(min(panel.ticks)), self.scale(max(panel.ticks))
        self.levels = steps_to(max((y for s in panel.series for _, y in s.points), default=1))

    def x(self, value):
        # A little room on both sides.
        share = (self.scale(value) - self.low) / ((self.high - self.low) or 1)
        return self.left + (0.04 + 0.92 * share) * WIDTH

    def y(self, value):
        return self.bottom - value / self.levels[-1] * HEIGHT


def drawn(panel, left, top):
    """A panel's elements, its corner at (left, top)."""
    axes = Axes(panel, left, top)
    middle = (axes.left + axes.right) / 2
    out = [text(middle, axes.top - 18, panel.title, size=14, weight="600")]
    for level in axes.levels:
        out.append(line(axes.left, axes.y(level), axes.right, axes.y(level)))
        out.append(text(axes.left - 8, axes.y(level) + 4, f"{level:g}", "end"))
    for tick in panel.ticks:
        out.append(line(axes.x(tick), axes.bottom, axes.x(tick), axes.bottom + 5, INK))
        out.append(text(axes.x(tick), axes.bottom + 20, f"{tick:g}"))
    out.append(line(axes.left, axes.bottom, axes.right, axes.bottom, INK))
    out.append(text(middle, axes.bottom + 42, panel.across))
    out.append(text(left + 14, (axes.top + axes.bottom) / 2, panel.upward, turn=-90))
    for series in panel.series:
        out += drawn_series(series, axes)
    return out


def drawn_series(series, axes):
    dash = " stroke-dasharray='6 4'" if series.dashed else ""
    points = [(axes.x(x), axes.y(y)) for x, y in series.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    stroke = f"stroke='{series.colour}' stroke-width='2.2'{dash}"
    yield f"<polyline points='{path}' fill='none' {stroke}/>"
    for x, y in points:
        yield f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.4' fill='{series.colour}'/>"


def legend(series, width, y):
    """The names of the lines, side by side in the middle."""
    room = 150
    x = (width - room * len(series)) / 2
    for one in series:
        dash = " stroke-dasharray='6 4'" if one.dashed else ""
        yield (
            f"<line x1='{x:.1f}' y1='{y:.1f}' x2='{x + 28:.1f}' y2='{y:.1f}' "
            f"stroke='{one.colour}' stroke-width='2.2'{dash}/>"
        )
        yield f"<circle cx='{x + 14:.1f}' cy='{y:.1f}' r='3.4' fill='{one.colour}'/>"
        yield text(x + 36, y + 4, one.name, "start", 13)
        x += room


def picture(panels, caption):
    """Panels side by side under one legend, a caption below."""
    each = LEFT + WIDTH + RIGHT
    width, height = each * len(panels), 34 + TOP + HEIGHT + BOTTOM + 26
    names = {series.name: series for panel in panels for series in panel.series}
    out = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
        f"width='{width}' height='{height}' role='img'>",
        f"<title>{escape(caption)}</title>",
        f"<rect width='{width}' height='{height}' fill='{PAPER}'/>",
        *legend(list(names.values()), width, 24),
    ]
    for number, panel in enumerate(panels):
        out += drawn(panel, number * each, 34)
    out.append(text(width / 2, height - 12, caption, size=11))
    return "\n".join(out) + "\n</svg>\n"
