"""Plots that change together are drawn one after the other, and less often where drawing takes long."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QWidget

from app.plots.base import ThemedPlot
from app.plots.group import SLOWEST_MS, TURN_MS, DrawTurns, StepGroup
from app.services.tokens import SETS
from app.widgets.layout import column


@pytest.fixture
def plots(qtbot) -> list[ThemedPlot]:
    made = []
    for name in "abc":
        plot = ThemedPlot(name)
        plot.add_series("retain", SETS["retain"])
        qtbot.addWidget(plot)
        plot.show()
        plot.flush()
        made.append(plot)
    return made


def test_one_plot_a_turn_until_all_are_drawn(plots, qtbot):
    turns = DrawTurns(plots)
    for plot in plots:
        plot.set_data("retain", [0, 1], [1.0, 2.0])
    assert all(plot.dirty for plot in plots)
    turns._turn()
    assert [plot.dirty for plot in plots] == [False, True, True]
    plots[0].set_data("retain", [0, 1, 2], [1.0, 2.0, 3.0])  # it has to wait for the others
    turns._turn()
    turns._turn()
    assert [plot.dirty for plot in plots] == [True, False, False]
    qtbot.waitUntil(lambda: not any(plot.dirty for plot in plots))
    qtbot.waitUntil(lambda: not turns._timer.isActive())  # nothing to do, nothing ticks


def test_a_hidden_plot_waits_until_it_is_shown(plots, qtbot):
    turns = DrawTurns(plots)
    plots[1].hide()
    for plot in plots:
        plot.set_data("retain", [0, 1], [1.0, 2.0])
    qtbot.waitUntil(lambda: not plots[0].dirty and not plots[2].dirty)
    assert plots[1].dirty
    plots[1].show()
    qtbot.waitUntil(lambda: not plots[1].dirty and not turns._timer.isActive())


def test_slow_drawing_becomes_rarer_and_comes_back(plots):
    turns = DrawTurns(plots)
    turns._adapt(TURN_MS)
    assert turns.period == 2 * TURN_MS
    for _ in range(20):
        turns._adapt(10 * SLOWEST_MS)
    assert turns.period == SLOWEST_MS
    for _ in range(20):
        turns._adapt(0.1)
    assert turns.period == TURN_MS


def test_an_axis_that_grows_leaves_room_and_ends_where_the_run_ends(plots):
    plot = plots[0]
    plot.x_most = 1800.0
    ends = []
    for step in range(1, 1801):
        if step % 20 == 0:
            plot.set_data("retain", range(step + 1), [1.0] * (step + 1))
            plot.flush()
            ends.append(plot.view.viewRange()[0][1])
    assert len(set(ends)) < 25 and len(ends) == 90
    assert ends[-1] == pytest.approx(1800, rel=0.05)


def test_plots_with_one_axis_agree_where_it_ends_and_none_is_drawn_for_another(qtbot):
    """Each asked for an end of its own before: the axis went to and fro, and every turn drew all of them."""
    window = QWidget()
    plots = [ThemedPlot("a", value_format=str), ThemedPlot("b", y_range=(0, 1e6))]
    for plot in plots:
        plot.add_series("retain", SETS["retain"])
        plot.x_most = 200.0
    column(*plots, on=window)
    StepGroup(plots, window)
    qtbot.addWidget(window)
    window.resize(500, 500)
    window.show()
    qtbot.waitExposed(window)
    painted = []
    for plot, last in zip(plots, (9, 12), strict=True):
        watch = Painted(plot, painted)
        watch.setParent(window)
        plot.canvas.viewport().installEventFilter(watch)
        plot.set_data("retain", range(last), [1.0] * last)
        plot.flush()
    qtbot.waitUntil(lambda: not any(plot.dirty for plot in plots))
    qtbot.wait(100)
    ends = [plot.view.viewRange()[0][1] for plot in plots]
    assert min(ends) > 12 and max(ends) < 25
    painted.clear()
    plots[0].set_data("retain", range(10), [1.0] * 10)
    plots[0].flush()
    qtbot.waitUntil(lambda: plots[0] in painted)
    qtbot.wait(100)
    assert plots[1] not in painted and [plot.view.viewRange()[0][1] for plot in plots] == ends


class Painted(QObject):
    """Notes the plots whose canvases are painted."""

    def __init__(self, plot: ThemedPlot, painted: list[ThemedPlot]) -> None:
        super().__init__()
        self._plot, self._painted = plot, painted

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self._painted.append(self._plot)
        return False
