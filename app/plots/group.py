"""Plots that belong together: one step axis for all, and drawn one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from PySide6.QtCore import QElapsedTimer, QObject, QTimer
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.plots.base import ThemedPlot
from app.plots.export import Figure
from app.plots.items import Phase
from app.widgets.buttons import Segmented

TURN_MS = 40  # four plots come round six times a second
SLOWEST_MS = 400


class StepGroup(QObject):
    """Links plots. While they follow each takes the common range in its own turn: painting all at once holds up."""

    def __init__(self, plots: Sequence[ThemedPlot], parent: QObject) -> None:
        super().__init__(parent)
        self._plots = plots
        for plot in plots:
            plot.together = plots
            if plot is not plots[0]:
                plot.view.setXLink(plots[0].view)
            plot.hovered_step.connect(self.show_step)
            plot.follow_changed.connect(partial(self._follow_changed, plot))
        for plot in plots:
            plot.view.blockLink(True)  # once all are linked: linking ends with unblocking

    def show_step(self, step: float | None) -> None:
        """Draw the crosshair at a step in all plots."""
        for plot in self._plots:
            plot.show_step(step)

    def set_cut(self, step: float | None) -> None:
        """Draw what comes after a step faded in all plots; None draws everything as ever."""
        for plot in self._plots:
            plot.set_cut(step)

    def set_phases(self, phases: Sequence[Phase]) -> None:
        """Show phases in all plots; their names over the first one."""
        for plot in self._plots:
            plot.set_phases(phases, named=plot is self._plots[0])

    def _follow_changed(self, changed: ThemedPlot, follow: bool) -> None:
        for plot in self._plots:
            if not follow and plot is not changed:
                plot.view.setXRange(*changed.view.viewRange()[0], padding=0)
        for plot in self._plots:
            plot.view.blockLink(follow)
        for plot in self._plots:  # each of which says it of itself, and then all have the same axis
            plot.set_follow(follow)


class Switched(QStackedWidget):
    """Plots of which one shows, each with the same switch in its head."""

    def __init__(self, plots: Sequence[Figure], choices: Sequence[tuple[str, str]], name: str) -> None:
        super().__init__()
        self._wanted = ""  # the view that the user chose
        self._switches = [Segmented(choices, name) for _ in plots]
        for plot, switch in zip(plots, self._switches, strict=True):
            switch.changed.connect(self.set_view)
            plot.add_head_widget(switch)
            self.addWidget(plot)

    def set_view(self, view: str) -> None:
        """Show another view."""
        self._wanted = view
        self._show()

    def _show(self) -> None:
        """Call `show_plot` for the view that was chosen, or another one."""

    def show_plot(self, view: str, plot: QWidget) -> None:
        """Show the plot of a view."""
        for switch in self._switches:
            switch.blockSignals(True)
            switch.set_value(view)
            switch.blockSignals(False)
        if self.indexOf(plot) >= 0:  # not while it stands in a window of its own
            self.setCurrentWidget(plot)


class DrawTurns(QObject):
    """Draws one changed plot a tick. Drawing takes at most half the time between ticks, or they become rarer."""

    def __init__(self, plots: Iterable[Figure], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._plots = list(plots)
        self._next = 0
        self.period = TURN_MS  # milliseconds between two ticks
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._turn)
        for plot in self._plots:
            plot.ask_turn = self.ask

    def ask(self) -> None:
        """A plot changed."""
        if not self._timer.isActive():
            self._timer.start(self.period)

    def _turn(self) -> None:
        for _ in self._plots:
            plot = self._plots[self._next]
            self._next = (self._next + 1) % len(self._plots)
            if plot.dirty and plot.isVisible():
                self._clock.start()
                plot.flush()
                # What is painted for it comes later in the turn, and is as long as it was before.
                self._adapt(self._clock.nsecsElapsed() / 1e6 + plot.canvas.painted_ms)
                return
        self._timer.stop()

    def _adapt(self, spent_ms: float) -> None:
        if spent_ms > self.period / 2:
            self.period = min(2 * self.period, SLOWEST_MS)
        elif spent_ms < self.period / 8:
            self.period = max(self.period // 2, TURN_MS)
        if self.period != self._timer.interval():
            self._timer.setInterval(self.period)
