"""A plot of a report: what stands on the page beside the drawing."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Plot:
    """A plot with its title and the caption that must stand with it."""

    title: str
    svg: Markup
    caption: str
