"""Plots with one step axis: range, following and crosshair are shared."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from app.plots.base import ThemedPlot
from app.plots.items import Phase


class StepGroup(QObject):
    """Links plots as they are added; the first one leads."""

    hovered_step = Signal(object)

    def __init__(self, plots: Sequence[ThemedPlot] = (), parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._plots: list[ThemedPlot] = []
        for plot in plots:
            self.add(plot)

    def add(self, plot: ThemedPlot) -> None:
        """Link another plot."""
        if self._plots:
            plot.view.setXLink(self._plots[0].view)
        self._plots.append(plot)
        plot.hovered_step.connect(self.show_step)
        plot.follow_changed.connect(self._follow_changed)

    def show_step(self, step: float | None) -> None:
        """Draw the crosshair at a step in all plots."""
        for plot in self._plots:
            plot.show_step(step)
        self.hovered_step.emit(step)

    def set_cut(self, step: float | None) -> None:
        """Draw what comes after a step faded in all plots; None draws everything as ever."""
        for plot in self._plots:
            changed = [series for series in plot.all_series() if series.cut != step]
            for series in changed:
                series.cut = step
            if changed:
                plot.mark_dirty()

    def set_phases(self, phases: Sequence[Phase]) -> None:
        """Show phases in all plots."""
        for plot in self._plots:
            plot.set_phases(phases)

    def clear(self) -> None:
        """Empty all plots."""
        for plot in self._plots:
            plot.clear()

    def _follow_changed(self, follow: bool) -> None:
        for plot in self._plots:
            plot.set_follow(follow)
