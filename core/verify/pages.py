"""What pages are made of: their templates, and line charts, bar charts and gap bars as inline SVG.

No script, no network, colours from the page's properties. Places and axes are computed here, and drawn by
`charts.html.j2`, which escapes all text. One meaning per colour: a plot colours either sets (retain, forget) or models
(original, retrained …); the other is told apart by dash and marker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any, ClassVar

import jinja2
from markupsafe import Markup

from core.files import RESOURCES
from core.verify import numbers

TEMPLATES = RESOURCES / "report"

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 40, 136, 28, 40
"""Margins; the right one, where names stand, is wider where a name needs it."""

LABEL_START = 37
"""Where a name begins in the right margin, behind its lead and its line."""

LETTER = 6.2
"""Width of a letter of a name, more than its mean in the widest of the fonts asked for."""

LABEL_GAP = 14
"""Smallest distance between two labels at the right edge, in the units of the drawing."""

LARGEST_DECADES = 6
"""Decades of a logarithmic axis below its top; smaller eigenvalues are rounding."""

DASHES = {"original": "8 4", "retrained": "2 3", "head_only": "8 3 2 3", "fresh": "1 5"}
"""The dash of each model's curves, the same in every plot; others are drawn through."""

MARKERS = {"original": "square", "unlearned": "circle", "retrained": "diamond", "head_only": "cross", "fresh": "ring"}
"""The marker of each model, the same in every plot and table."""

HIGHEST, LOWEST = 1.25, -0.25
"""Ends of the gap bar: beyond them an arrow says that it goes on."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Plot:
    """A plot with its title and the caption that must stand with it."""

    title: str
    svg: Markup
    caption: str


@dataclass(frozen=True)
class Series:
    """A curve: its points, the colour token it takes (a set or a model), and the model whose dash it has."""

    name: str
    token: str
    points: Points
    dash: str = ""
    marker: str = ""  # none: a continuum, told apart by its dash
    final: str = ""  # the last value in words, beside the name
    steps: bool = False  # a histogram's outline

    @property
    def label(self) -> str:
        """What stands at the curve's end."""
        return f"{self.name} {self.final}".strip()

    @property
    def stroke(self) -> str:
        """The dash as SVG writes it; empty where the line is drawn through."""
        return DASHES.get(self.dash, "")


@dataclass(frozen=True)
class Reference:
    """A single value beside a curve, to compare it with, drawn as marker and label in the right margin."""

    name: str
    token: str
    marker: str
    value: float
    text: str
    stroke: ClassVar[None] = None  # no line leads to it

    @property
    def label(self) -> str:
        """What stands at the value's height."""
        return f"{self.name} {self.text}"


@dataclass(frozen=True)
class Bars:
    """One value a category and model or set; `tokens` colours category by category where it is not empty."""

    name: str
    values: Sequence[float | None]
    token: str
    marker: str = ""  # drawn as a marker instead of a bar
    tokens: Sequence[str] = field(default_factory=tuple)


def template(name: str) -> jinja2.Template:
    """Return a template by its file's name: everything is escaped, and a name that is missing is an error."""
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {
        "fixed": "{:.1f}".format, "elided": numbers.elided, "plain": numbers.plain, "moment": numbers.moment,
        "percent": numbers.percent, "count": numbers.count, "duration": numbers.duration, "plural": numbers.plural,
        "whole_percent": numbers.whole_percent, "number": numbers.number,
    }  # fmt: skip
    return environment


def line_chart(
    series: Iterable[Series],
    *,
    label: str,
    y_title: str,
    x_title: str,
    y_range: tuple[float, float] | None = None,
    log: bool = False,
    references: Iterable[Reference] = (),
) -> Markup:
    """Draw curves over a shared x axis; names stand at the lines' right ends. Empty where there is nothing to draw.

    `label` describes the plot to people who cannot see it. `log` draws decades.
    """
    drawn = [(curve, points) for curve in series if (points := _usable(curve.points, log))]
    if not drawn:
        return Markup("")
    references = [reference for reference in references if math.isfinite(reference.value)]
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y for _, points in drawn for _, y in points] + [reference.value for reference in references]
    names = [*(curve.label for curve, _ in drawn), *(reference.label for reference in references)]
    box = _Box(LEFT, WIDTH - max(RIGHT, LABEL_START + LETTER * max(map(len, names))), HEIGHT)
    if log:
        high = math.ceil(math.log10(max(ys)))
        low = max(high - LARGEST_DECADES, math.floor(math.log10(min(ys))))
        y_axis = _Axis(low, max(high, low + 1), box.bottom, box.top, log=True)
    else:
        y_axis = _Axis(*(y_range or _padded(min(ys), max(ys))), box.bottom, box.top)
    x_axis = _Axis(*_apart(min(xs), max(xs)), box.left, box.right)
    curves: list[tuple[Series, Points]] = []
    for curve, points in drawn:
        places = [(x_axis.at(x), y_axis.at(y)) for x, y in points if not log or y >= 10.0**y_axis.low]
        if places:
            curves.append((curve, places))
    ends: list[tuple[float, Series | Reference]] = [(places[-1][1], curve) for curve, places in curves]
    ends += [(y_axis.at(reference.value), reference) for reference in references]
    return _drawn("line_chart", box, label, x_axis, y_axis, x_title, y_title, curves, _spread(ends, box.bottom + 6))


def bar_chart(categories: Sequence[str], bars: Sequence[Bars], *, label: str, x_title: str) -> Markup:
    """Draw horizontal bars from zero, one row a category; series with a marker are drawn as marks on the row."""
    values = [value for series in bars for value in series.values if value is not None]
    if not values or not categories:
        return Markup("")
    row_height = 20 if len(bars) < 3 else 24
    left = min(140, 16 + 6.6 * max(len(numbers.elided(name)) for name in categories))
    box = _Box(left, WIDTH - 24, TOP + row_height * len(categories) + BOTTOM)
    axis = _Axis(*_padded(min(0.0, *values), max(0.0, *values)), box.left, box.right)
    return _drawn("bar_chart", box, label, axis, x_title, _legend(bars), categories, bars, row_height)


def standalone(svg: Markup) -> str:
    """Return a chart as the content of a file of its own, with the colours that a page would have given it."""
    style = template("plot.css.j2").render().replace(":root", "svg.plot")
    head, _, rest = svg.partition(">")
    return f'{head} xmlns="http://www.w3.org/2000/svg" style="background:var(--surface)"><style>{style}</style>{rest}'


def gap_bar(position: float | None, whisker: float | None = None, *, label: str) -> Markup:
    """Draw how far a model got from Original (0, left) to Retrained (1, right); hatched where nothing can be told.

    Beyond 1.25 and −0.25 an arrow says that it goes on. `whisker` is the half-width of the interval, as a share of
    the gap.
    """
    axis = _Axis(0.0, 1.0, 28.0, 108.0)
    if position is None:
        return _drawn("gap_bar", axis, None, None, 0, label)
    low, end, high = (
        axis.at(min(HIGHEST, max(LOWEST, position + half))) for half in (-(whisker or 0.0), 0.0, whisker or 0.0)
    )
    beyond = (position > HIGHEST) - (position < LOWEST)
    return _drawn("gap_bar", axis, end, (low, high) if whisker else None, beyond, label)


def _drawn(macro: str, *parts: Any) -> Markup:
    return getattr(template("charts.html.j2").module, macro)(*parts)


@dataclass(frozen=True)
class _Box:
    """The picture's width and height, and where the axes' ends lie in it."""

    left: float
    right: float
    height: float
    width: float = WIDTH
    top: float = TOP

    @property
    def bottom(self) -> float:
        return self.height - BOTTOM


@dataclass(frozen=True)
class _Axis:
    """A linear or logarithmic scale (`low` and `high` are decades then) from data to drawing."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        share = ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places of the drawing with the number at each: a value or, of a logarithmic scale, a power of ten."""
        if self.log:
            every = max(1, round((self.high - self.low) / 5))
            powers = range(int(self.low), int(self.high) + 1, every)
            return [(self.at(10.0**power), str(power).replace("-", "−")) for power in powers]
        step = _nice_step((self.high - self.low) / 5)
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [step * i for i in range(first, last + 1)]
        return [(self.at(value), f"{value:,.{places}f}".replace("-", "−") if value else "0") for value in values]


def _nice_step(rough: float) -> float:
    size = 10.0 ** math.floor(math.log10(rough))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)


def _padded(low: float, high: float) -> tuple[float, float]:
    low, high = _apart(low, high)
    pad = 0.06 * (high - low)
    return (low - pad if low else 0.0), (high + pad if high else 0.0)


def _apart(low: float, high: float) -> tuple[float, float]:
    """Return ends that differ: a single value still needs a scale around it."""
    size = max(1.0, abs(low), abs(high))
    return (low, high) if high - low > 1e-9 * size else (low, low + size)


def _usable(points: Points, log: bool) -> Points:
    return [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not log)]


def _spread(
    ends: list[tuple[float, Series | Reference]], lowest: float
) -> list[tuple[float, float, Series | Reference]]:
    """Return what ends at which height in the right margin, with the height of its name between the two.

    No name covers another, and none is below `lowest`.
    """
    ordered = sorted(ends, key=itemgetter(0))
    places = [end for end, _ in ordered]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + LABEL_GAP)
    places[-1] = min(places[-1], lowest)
    for i in range(len(places) - 2, -1, -1):
        places[i] = min(places[i], places[i + 1] - LABEL_GAP)
    return [(end, place, named) for (end, named), place in zip(ordered, places, strict=True)]


def _legend(bars: Sequence[Bars]) -> list[tuple[float, Bars]]:
    """Return where the name of each of `bars` begins; those coloured category by category have none."""
    x, placed = 4.0, []
    for series in bars:
        if series.marker or not series.tokens:
            placed.append((x, series))
            x += 34 + LETTER * len(series.name)
    return placed
