"""Line and bar charts, markers and gap bars as inline SVG: no script, no network, colours from the page's properties.

One meaning per colour: a plot colours either sets (retain, forget) or models (original, retrained …); the other is
told apart by dash and marker. All text is escaped here, so the strings may stand in a page as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from markupsafe import Markup

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 40, 136, 28, 40
LABEL_GAP = 14
"""Smallest distance between two labels at the right edge, in the units of the drawing."""

MARKED_POINTS = 40
"""Curves with at most this many points show each as a marker: they are evaluations, not a continuum."""

LARGEST_DECADES = 6
"""Decades of a logarithmic axis below its top; smaller eigenvalues are rounding."""

DASHES = {"solid": "", "original": "8 4", "retrained": "2 3", "head_only": "8 3 2 3", "fresh": "1 5"}

MARKERS = {"original": "square", "unlearned": "circle", "retrained": "diamond", "head_only": "cross", "fresh": "ring"}
"""The marker of each model, the same in every plot and table."""

HIGHEST, LOWEST = 1.25, -0.25
"""Ends of the gap bar: beyond them an arrow says that it goes on."""


@dataclass(frozen=True)
class Plot:
    """A plot with its title and the caption that must stand with it."""

    title: str
    svg: Markup
    caption: str


@dataclass(frozen=True)
class Series:
    """A curve: its points, the colour token it takes (a set or a model), dash and marker."""

    name: str
    token: str
    points: Sequence[tuple[float, float]]
    dash: str = "solid"
    marker: str = ""
    final: str = ""  # the last value in words, beside the name
    steps: bool = False  # a histogram's outline
    plain: bool = False  # a continuum told apart by its dash, without markers


@dataclass(frozen=True)
class Reference:
    """A single value beside a curve, to compare it with, drawn as marker and label in the right margin."""

    name: str
    token: str
    marker: str
    value: float
    text: str


@dataclass(frozen=True)
class Bars:
    """One value a category and model or set; `tokens` colours category by category where it is not empty."""

    name: str
    values: Sequence[float | None]
    token: str
    marker: str = ""  # drawn as a marker instead of a bar
    tokens: Sequence[str] = field(default_factory=tuple)


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
    drawn = [(s, _usable(s.points, log)) for s in series]
    drawn = [(s, points) for s, points in drawn if points]
    if not drawn:
        return Markup("")
    references = [r for r in references if math.isfinite(r.value)]
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y for _, points in drawn for _, y in points] + [r.value for r in references]
    if log:
        top = math.ceil(math.log10(max(ys)))
        bottom = max(top - LARGEST_DECADES, math.floor(math.log10(min(ys))))
        y_axis = _Axis(bottom, max(top, bottom + 1), TOP, HEIGHT - BOTTOM, log=True)
        drawn = [(s, [(x, y) for x, y in points if y >= 10.0**bottom]) for s, points in drawn]
    else:
        low, high = y_range or _padded(min(ys), max(ys))
        y_axis = _Axis(low, high, TOP, HEIGHT - BOTTOM)
    x_axis = _Axis(*_apart(min(xs), max(xs)), LEFT, WIDTH - RIGHT, upward=False)
    parts = [_frame(x_axis, y_axis, x_title, y_title)]
    labels: list[_Label] = []
    for one, points in drawn:
        if not points:
            continue
        parts.append(_curve(one, points, x_axis, y_axis))
        end = y_axis.at(points[-1][1])
        if not (one.plain or one.steps):
            parts.append(mark(one.marker or "circle", x_axis.at(points[-1][0]), end, one.token, 4))
        text = f"{one.name} {one.final}".strip()
        ending = "" if one.plain or one.steps else one.marker or "circle"
        labels.append(_Label(end, text, one.token, one.dash, ending, line=True))
    labels += [
        _Label(y_axis.at(r.value), f"{r.name} {r.text}", r.token, "", r.marker, line=False) for r in references
    ]
    parts.append(_labels(labels))
    return _svg(parts, WIDTH, HEIGHT, label)


def bar_chart(
    categories: Sequence[str],
    bars: Sequence[Bars],
    *,
    label: str,
    x_title: str,
    x_range: tuple[float, float] | None = None,
) -> Markup:
    """Draw horizontal bars from zero, one row a category; series with a marker are drawn as marks on the row."""
    values = [v for one in bars for v in one.values if v is not None]
    if not values or not categories:
        return Markup("")
    row = 20 if len(bars) < 3 else 24
    height = TOP + row * len(categories) + BOTTOM
    left = min(140, 16 + 6.6 * max(len(_short(name)) for name in categories))
    low, high = x_range or _padded(min(0.0, *values), max(0.0, *values))
    axis = _Axis(low, high, left, WIDTH - 24, upward=False)
    bottom = height - BOTTOM
    parts = [
        f'<line class="grid" x1="{axis.at(t):.1f}" x2="{axis.at(t):.1f}" y1="{TOP}" y2="{bottom}"/>'
        f'<text class="tick" x="{axis.at(t):.1f}" y="{bottom + 16}" text-anchor="middle">{axis.text(t)}</text>'
        for t in axis.ticks()
    ]
    parts.append(f'<text class="axis" x="{WIDTH - 24}" y="{height - 6}" text-anchor="end">{escape(x_title)}</text>')
    parts.append(_legend(bars))
    solid = [one for one in bars if not one.marker]
    thick = (row - 8) / max(1, len(solid))
    for index, name in enumerate(categories):
        top = TOP + index * row
        parts.append(
            f'<text class="name" x="{left - 8:.1f}" y="{top + row / 2 + 4:.1f}" text-anchor="end">'
            f"{escape(_short(name))}<title>{escape(name)}</title></text>"
        )
        for place, one in enumerate(solid):
            value = one.values[index]
            if value is not None:
                token = one.tokens[index] if one.tokens else one.token
                parts.append(_bar(axis, value, top + 4 + place * thick, thick, token, f"{name}, {one.name}"))
        for one in bars:
            value = one.values[index]
            if one.marker and value is not None:
                parts.append(mark(one.marker, axis.at(value), top + row / 2, one.token, 4.5))
    parts.append(f'<line class="zero" x1="{axis.at(0):.1f}" x2="{axis.at(0):.1f}" y1="{TOP - 4}" y2="{bottom}"/>')
    return _svg(parts, WIDTH, height, label)


@dataclass(frozen=True)
class _Label:
    y: float
    text: str
    token: str
    dash: str
    marker: str
    line: bool


class _Axis:
    """A linear or logarithmic scale from data to drawing."""

    def __init__(
        self, low: float, high: float, start: float, end: float, *, log: bool = False, upward: bool = True
    ) -> None:
        self.low, self.high, self.start, self.end, self.log, self.upward = low, high, start, end, log, upward

    def at(self, value: float) -> float:
        share = ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)
        length = self.end - self.start
        return self.end - share * length if self.upward else self.start + share * length

    def ticks(self) -> list[float]:
        if self.log:
            every = max(1, round((self.high - self.low) / 5))
            return [10.0**power for power in range(int(self.low), int(self.high) + 1, every)]
        step = _nice_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [step * i for i in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def text(self, value: float) -> str:
        if self.log:
            power = round(math.log10(value))
            return f'10<tspan dy="-4" font-size="8">{str(power).replace("-", "−")}</tspan>'
        step = _nice_step((self.high - self.low) / 5)
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{value:,.{places}f}".replace("-0.0", "0.0").replace("-", "−") if value else "0"


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


def _usable(points: Sequence[tuple[float, float]], log: bool) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not log)]


def _frame(x_axis: _Axis, y_axis: _Axis, x_title: str, y_title: str) -> str:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for tick in y_axis.ticks():
        y = y_axis.at(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        text = y_axis.text(tick)
        parts.append(f'<text class="tick" x="{LEFT - 7}" y="{y + 3.5:.1f}" text-anchor="end">{text}</text>')
    for tick in x_axis.ticks():
        x = x_axis.at(tick)
        parts.append(f'<line class="spine" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{x_axis.text(tick)}</text>'
        )
    parts.append(f'<path class="spine" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
    parts.append(f'<text class="axis" x="4" y="14">{escape(y_title)}</text>')
    parts.append(f'<text class="axis" x="{right}" y="{HEIGHT - 6}" text-anchor="end">{escape(x_title)}</text>')
    return "".join(parts)


def _curve(series: Series, points: list[tuple[float, float]], x_axis: _Axis, y_axis: _Axis) -> str:
    places = [(x_axis.at(x), y_axis.at(y)) for x, y in points]
    if series.steps:
        path = f"M{places[0][0]:.1f} {places[0][1]:.1f}"
        path += "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
    else:
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dash = DASHES.get(series.dash, "")
    style = f"stroke:var(--{series.token})" + (f";stroke-dasharray:{dash}" if dash else "")
    text = f'<path class="curve" d="{path}" style="{style}"/>'
    if len(places) <= MARKED_POINTS and series.marker and not (series.steps or series.plain):
        text += "".join(mark(series.marker, x, y, series.token, 2.6) for x, y in places[:-1])
    return text


def _labels(labels: list[_Label]) -> str:
    """Place labels beside the plot so that none covers another, with a thin line to where each belongs."""
    ordered = sorted(labels, key=lambda one: one.y)
    places = [one.y for one in ordered]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + LABEL_GAP)
    overflow = places[-1] - (HEIGHT - BOTTOM + 6) if places else 0
    if overflow > 0:
        places[-1] -= overflow
        for i in range(len(places) - 2, -1, -1):
            places[i] = min(places[i], places[i + 1] - LABEL_GAP)
    right, parts = WIDTH - RIGHT, []
    for one, y in zip(ordered, places, strict=True):
        parts.append(f'<path class="lead" d="M{right + 5} {one.y:.1f}L{right + 12} {y:.1f}"/>')
        x = right + 15
        if one.line:
            dash = DASHES.get(one.dash, "")
            style = f"stroke:var(--{one.token})" + (f";stroke-dasharray:{dash}" if dash else "")
            parts.append(f'<line class="curve" x1="{x}" x2="{x + 18}" y1="{y:.1f}" y2="{y:.1f}" style="{style}"/>')
        if one.marker:
            parts.append(mark(one.marker, x + 9, y, one.token, 3.5))
        parts.append(f'<text class="name" x="{x + 22}" y="{y + 3.5:.1f}">{escape(one.text)}</text>')
    return "".join(parts)


def _legend(bars: Sequence[Bars]) -> str:
    x, parts = 4.0, []
    for one in bars:
        if one.marker:
            parts.append(mark(one.marker, x + 6, 10, one.token, 4))
        elif not one.tokens:
            parts.append(f'<rect x="{x}" y="5" width="12" height="10" style="fill:var(--{one.token})"/>')
        else:
            continue
        parts.append(f'<text class="name" x="{x + 17}" y="14">{escape(one.name)}</text>')
        x += 34 + 6.2 * len(one.name)
    return "".join(parts)


def _bar(axis: _Axis, value: float, y: float, thick: float, token: str, name: str) -> str:
    start, end = sorted((axis.at(0.0), axis.at(value)))
    return (
        f'<rect x="{start:.1f}" y="{y:.1f}" width="{max(0.8, end - start):.1f}" height="{thick - 1:.1f}" '
        f'style="fill:var(--{token})"><title>{escape(name)}: {axis_number(value)}</title></rect>'
    )


def axis_number(value: float) -> str:
    """Write a value as the tool tip of a bar does: one decimal, a real minus."""
    return f"{value:.1f}".replace("-", "−")


def _short(name: str, limit: int = 20) -> str:
    """Elide a long name in the middle."""
    if len(name) <= limit:
        return name
    half = (limit - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _svg(parts: Sequence[str], width: float, height: float, label: str) -> Markup:
    return Markup(
        f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def marker(model: str) -> Markup:
    """Return a model's marker as a small picture for table heads."""
    return Markup(
        f'<svg class="marker" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">'
        f"{mark(MARKERS.get(model, 'circle'), 6, 6, model if model in MARKERS else 'unlearned', 4)}</svg>"
    )


def gap_bar(position: float | None, whisker: float | None = None, *, label: str) -> Markup:
    """Draw how far a model got from Original (0, left) to Retrained (1, right); hatched where nothing can be told.

    Beyond 1.25 and −0.25 an arrow says that it goes on. `whisker` is the half-width of the interval, as a share of
    the gap.
    """
    width, height, middle = 136, 18, 9
    zero, one, low, high = 28.0, 108.0, -0.25, 1.25
    scale = one - zero
    parts = []
    if position is None:
        parts.append(f'<rect class="track" x="{zero}" y="4" width="{scale}" height="10" rx="2" fill="url(#hatch)"/>')
    else:
        shown = min(high, max(low, position))
        end = zero + scale * shown
        parts.append(f'<rect class="track" x="{zero}" y="4" width="{scale}" height="10" rx="2"/>')
        start, stop = min(zero, end), max(zero, end)
        if stop > start:
            parts.append(
                f'<rect x="{start:.1f}" y="6" width="{stop - start:.1f}" height="6" style="fill:var(--unlearned)"/>'
            )
        if whisker:
            a = zero + scale * max(low, min(high, position - whisker))
            b = zero + scale * max(low, min(high, position + whisker))
            parts.append(
                f'<path class="whisker" d="M{a:.1f} {middle}H{b:.1f}M{a:.1f} 6v6M{b:.1f} 6v6"/>'
            )
        if shown != position:
            tip, base = (end + 8, end + 1) if position > high else (end - 8, end - 1)
            parts.append(
                f'<path d="M{tip:.1f} {middle}L{base:.1f} 4V14Z" style="fill:var(--unlearned)"/>'
            )
        else:
            parts.append(f'<circle cx="{end:.1f}" cy="{middle}" r="4.5" style="fill:var(--unlearned)"/>')
    parts.append(f'<path class="ends" d="M{zero} 2v14M{one} 2v14"/>')
    return Markup(
        f'<svg class="gap" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def mark(kind: str, x: float, y: float, token: str, size: float) -> str:
    """Draw one marker at (x, y) in the colour `token`; unknown kinds are filled circles."""
    colour = f"var(--{token})"
    solid, outline = f"fill:{colour}", f"fill:var(--surface);stroke:{colour};stroke-width:1.5"
    s = size
    match kind:
        case "square":
            return (
                f'<rect x="{x - s * 0.85:.1f}" y="{y - s * 0.85:.1f}" width="{1.7 * s:.1f}" height="{1.7 * s:.1f}" '
                f'style="{outline}"/>'
            )
        case "diamond":
            h = 1.2 * s
            path = f"M{x:.1f} {y - h:.1f}l{s:.1f} {h:.1f}l{-s:.1f} {h:.1f}l{-s:.1f} {-h:.1f}Z"
            return f'<path d="{path}" style="{solid}"/>'
        case "triangle":
            return f'<path d="M{x:.1f} {y - 1.1 * s:.1f}l{1.1 * s:.1f} {2 * s:.1f}h{-2.2 * s:.1f}Z" style="{solid}"/>'
        case "cross":
            return (
                f'<path d="M{x - s:.1f} {y - s:.1f}l{2 * s:.1f} {2 * s:.1f}m0 {-2 * s:.1f}l{-2 * s:.1f} {2 * s:.1f}" '
                f'style="stroke:{colour};stroke-width:1.8;fill:none"/>'
            )
        case "ring":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{s:.1f}" style="{outline}"/>'
        case _:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{s:.1f}" style="{solid}"/>'
