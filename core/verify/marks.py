"""Markers and gap bars of the report as inline SVG."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

MARKERS = {"original": "square", "unlearned": "circle", "retrained": "diamond", "head_only": "cross", "fresh": "ring"}
"""The marker of each model, the same in every plot and table."""

HIGHEST, LOWEST = 1.25, -0.25
"""Ends of the gap bar: beyond them an arrow says that it goes on."""


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
