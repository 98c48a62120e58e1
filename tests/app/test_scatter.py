"""The map: which points an outline holds, gestures, the overlay of the forget set, density, names."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPolygonF, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

import app.plots.scatter as scatter
from app.plots.export import as_image
from app.plots.points import class_centres, nearest, points_in_polygon, points_in_rectangle
from app.plots.scatter import ScatterPlot
from app.services.theme import theme
from app.services.tokens import DARK, LIGHT

SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)


class TestLasso:
    def test_square(self):
        points = np.array([[0.5, 0.5], [1.5, 0.5], [-0.1, 0.5], [0.5, 2.0]])
        assert points_in_polygon(points, SQUARE).tolist() == [True, False, False, False]

    def test_a_hole_by_the_even_odd_rule(self):
        # One line that goes round twice: the inner square is left out.
        path = np.array([[0, 0], [4, 0], [4, 4], [0, 4], [0, 0], [1, 1], [3, 1], [3, 3], [1, 3], [1, 1]], float)
        points = np.array([[0.5, 2.0], [2.0, 2.0]])
        assert points_in_polygon(points, path).tolist() == [True, False]

    def test_too_few_corners_hold_nothing(self):
        assert not points_in_polygon(np.zeros((3, 2)), SQUARE[:2]).any()

    def test_rectangle_from_any_corner(self):
        points = np.array([[0.5, 0.5], [2.0, 0.5]])
        inside = points_in_rectangle(points, np.array([1.0, 1.0]), np.array([0.0, 0.0]))
        assert inside.tolist() == [True, False]

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=3, max_size=9, unique=True),
        st.integers(0, 10_000),
    )
    def test_it_agrees_with_qt(self, corners, seed):
        polygon = np.array(corners, float)
        points = np.random.default_rng(seed).uniform(-22, 22, (60, 2))  # not on an edge
        ours = points_in_polygon(points, polygon)
        shape = QPolygonF([QPointF(x, y) for x, y in corners])
        theirs = [shape.containsPoint(QPointF(x, y), Qt.FillRule.OddEvenFill) for x, y in points.tolist()]
        assert ours.tolist() == theirs


@pytest.fixture
def plot(qtbot, monkeypatch):
    monkeypatch.setitem(pg.CONFIG_OPTIONS, "mouseRateLimit", -1)  # no move is passed over
    plot = ScatterPlot()
    qtbot.addWidget(plot)
    plot.resize(320, 340)
    points = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [5, 5]], float)
    plot.set_points(points, np.array([0, 0, 1, 1, 2]), ["a", "b", "c"])
    plot.show()
    plot.grab()
    plot.view.scaleBy((1.5, 1.5))  # room to begin an outline beside the points
    return plot


def pixel(plot: ScatterPlot, x: float, y: float) -> QPoint:
    return plot.canvas.mapFromScene(plot.view.mapViewToScene(QPointF(x, y)))


def send(plot: ScatterPlot, kind: QEvent.Type, at: QPoint, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    """Send a mouse event with the left button: QTest moves the mouse without any."""
    port, left, move = plot.canvas.viewport(), Qt.MouseButton.LeftButton, kind == QEvent.Type.MouseMove
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else left
    button = Qt.MouseButton.NoButton if move else left
    event = QMouseEvent(kind, at.toPointF(), port.mapToGlobal(at).toPointF(), button, held, modifier)
    QApplication.sendEvent(port, event)


def drag(plot: ScatterPlot, corners, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    send(plot, QEvent.Type.MouseButtonPress, pixel(plot, *corners[0]), modifier)
    for corner in corners[1:]:
        send(plot, QEvent.Type.MouseMove, pixel(plot, *corner), modifier)
    send(plot, QEvent.Type.MouseButtonRelease, pixel(plot, *corners[-1]), modifier)


def double_click(plot: ScatterPlot, x: float, y: float) -> None:
    send(plot, QEvent.Type.MouseButtonDblClick, pixel(plot, x, y))
    send(plot, QEvent.Type.MouseButtonRelease, pixel(plot, x, y))


class TestGestures:
    def test_rectangle(self, qtbot, plot):
        plot.set_tool("rectangle")
        with qtbot.waitSignal(plot.selection_drawn) as drawn:
            drag(plot, [(-1, -1), (6, 6)])
        assert drawn.args[0].tolist() == [0, 4]
        assert drawn.args[1] == "replace"

    def test_lasso(self, qtbot, plot):
        plot.set_tool("lasso")
        with qtbot.waitSignal(plot.selection_drawn) as drawn:
            drag(plot, [(-1, 8), (12, 8), (12, 12), (-1, 12)])
        assert drawn.args[0].tolist() == [2, 3]

    def test_a_lasso_may_end_where_it_began(self, qtbot, plot):
        plot.set_tool("lasso")
        with qtbot.waitSignal(plot.selection_drawn) as drawn:
            drag(plot, [(-1, 8), (12, 8), (12, 12), (-1, 12), (-1, 8)])
        assert drawn.args[0].tolist() == [2, 3]

    def test_a_rectangle_taken_back_chooses_nothing_anew(self, qtbot, plot):
        plot.set_tool("rectangle")
        with qtbot.assertNotEmitted(plot.selection_drawn):
            drag(plot, [(-3, -3), (6, 6), (-3, -3)])

    @pytest.mark.parametrize(
        "modifier, mode",
        [(Qt.KeyboardModifier.ShiftModifier, "add"), (Qt.KeyboardModifier.ControlModifier, "remove")],
    )
    def test_modifiers(self, qtbot, plot, modifier, mode):
        plot.set_tool("rectangle")
        with qtbot.waitSignal(plot.selection_drawn) as drawn:
            drag(plot, [(-1, -1), (6, 6)], modifier)
        assert drawn.args[1] == mode

    def test_escape_gives_up(self, qtbot, plot):
        plot.set_tool("lasso")
        send(plot, QEvent.Type.MouseButtonPress, pixel(plot, 0, 0))
        send(plot, QEvent.Type.MouseMove, pixel(plot, 9, 9))
        assert plot.view.drawing
        QTest.keyClick(plot.canvas, Qt.Key.Key_Escape)
        with qtbot.assertNotEmitted(plot.selection_drawn):
            send(plot, QEvent.Type.MouseMove, pixel(plot, 9, 5))
            send(plot, QEvent.Type.MouseButtonRelease, pixel(plot, 9, 0))

    def test_a_click_names_the_nearest_point(self, qtbot, plot):
        plot.set_forget(np.array([True, False, False, False, True]))
        plot.flush()
        with qtbot.waitSignal(plot.clicked) as clicked:
            QTest.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=pixel(plot, 5, 5))
        assert clicked.args == [4, "replace"]

    def test_the_wheel_zooms_with_every_tool(self, plot):
        for tool in ("lasso", "rectangle", "pan"):
            plot.set_tool(tool)
            plot.fit()
            before = plot.view.viewRect().width()
            turn_wheel(plot, 120)
            assert plot.view.viewRect().width() < before

    def test_dragging_pans_with_the_pointer_alone(self, plot):
        before = plot.view.viewRect()
        plot.set_tool("lasso")
        drag(plot, [(2, 2), (8, 8)])
        assert plot.view.viewRect() == before
        plot.set_tool("pan")
        drag(plot, [(2, 2), (8, 8)])
        assert plot.view.viewRect().center().x() < before.center().x() - 3

    def test_a_double_click_opens_a_point_or_shows_everything(self, qtbot, plot):
        plot.fit()
        everything = plot.view.viewRect()
        with qtbot.waitSignal(plot.activated) as opened:
            double_click(plot, 5, 5)
        assert opened.args == [4]
        plot.view.scaleBy((0.9, 0.9))
        double_click(plot, 2.5, 4)
        assert plot.view.viewRect() == everything

    def test_the_keyboard_does_all_of_it(self, qtbot, plot):
        press = lambda key, modifier=Qt.KeyboardModifier.NoModifier: QTest.keyClick(plot.canvas, key, modifier)  # noqa: E731
        plot.fit()
        whole = plot.view.viewRect()
        press(Qt.Key.Key_Plus)
        press(Qt.Key.Key_Left)
        assert plot.view.viewRect().width() < whole.width() and plot.view.viewRect().center().x() < whole.center().x()
        press(Qt.Key.Key_0)
        assert plot.view.viewRect() == whole
        plot.view.setRange(xRange=(-1, 6), yRange=(-1, 6), padding=0)
        with qtbot.waitSignal(plot.selection_drawn) as drawn:
            press(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        assert drawn.args == [pytest.approx(np.array([0, 4])), "add"]


def turn_wheel(plot: ScatterPlot, by: int) -> None:
    at = pixel(plot, 5, 5).toPointF()
    port = plot.canvas.viewport()
    event = QWheelEvent(at, port.mapToGlobal(at), QPoint(), QPoint(0, by), Qt.MouseButton.NoButton,
                        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False)  # fmt: skip
    QApplication.sendEvent(port, event)


def written(plot: ScatterPlot) -> set[str]:
    """The classes whose names are painted."""
    plot.flush()
    plot.grab()
    return set(plot.canvas.written)


class TestDrawing:
    def test_the_forget_set_is_drawn_counted_and_told(self, plot):
        plot.set_forget(np.array([True, False, False, False, True]))
        plot.flush()
        marks = plot._marks
        assert sorted(zip(*marks.getData(), strict=True)) == [(0, 0), (5, 5)] and marks.opts["symbol"] == "t1"
        assert marks.opts["brush"].color() == theme.color("forget")
        assert plot.canvas.accessibleDescription().startswith("2 of 5 (40.0 %)")
        assert plot.legend.text() == "▲ 2 of 5 to forget"
        plot.highlight_class(0)
        assert plot._lit_legend.text() == "● a: 1 of 2"

    def test_classes_bear_their_names_where_none_covers_another(self, plot):
        assert written(plot) == {"a", "b", "c"}
        plot.set_points(np.array([[0, 0], [1e-3, 0], [9, 9], [9, 9]]), np.array([0, 1, 2, 2]), ["a", "b", "c"])
        assert written(plot) == {"a", "c"}
        plot.highlight_class(1)  # the one under the mouse is named first
        assert written(plot) == {"b", "c"}

    def test_very_many_classes_are_one_grey_and_the_lit_one_is_blue(self, plot, monkeypatch):
        monkeypatch.setattr(scatter, "MOST_TONED", 2)
        plot.set_points(plot._points, plot._labels, ["a", "b", "c"])
        plot.flush()
        assert [len(dots.getData()[0]) for dots in plot._dots] == [5, *[0] * (len(plot._dots) - 1)]
        assert plot._dots[0].opts["brush"].color() == theme.color("text_3")
        assert not written(plot) and not len(plot._lit_dots.getData()[0])
        bright = plot._dots[0].opacity()
        plot.highlight_class(2)
        plot.flush()
        assert list(zip(*plot._lit_dots.getData(), strict=True)) == [(5, 5)]
        assert plot._lit_dots.opts["brush"].color() == theme.color("retain") and plot._dots[0].opacity() < bright / 2

    def test_very_many_forget_points_are_all_there(self, plot, monkeypatch):
        monkeypatch.setattr(scatter, "MARKS_UP_TO", 2)
        plot.set_forget(np.ones(5, bool))
        plot.flush()
        assert len(plot._marks.getData()[0]) == 5 and plot._marks.opts["symbol"] == "o" and plot._marks.opacity() < 1

    def test_dots_are_fainter_the_more_of_them_are_in_view(self, plot):
        plot.flush()
        assert plot._dots[0].opacity() == pytest.approx(0.85)
        points = np.random.default_rng(0).normal(size=(9_000, 2))
        plot.set_points(points, np.arange(9_000) % 10, list("abcdefghij"))
        plot.flush()
        faint = plot._dots[0].opacity()
        plot.view.setRange(xRange=(2, 3), yRange=(2, 3), padding=0)  # few are out here: one by one to be seen
        plot.flush()
        assert 0.15 < faint < 0.4 < plot._dots[0].opacity()

    def test_nearest_is_the_nearest(self, plot):
        assert nearest(plot._points, 9.0, 9.5, 3.0) == 3
        assert nearest(plot._points, 7.5, 2.5, 1.0) == -1
        assert nearest(np.array([[np.nan, 0], [1, 1]]), 0, 0, 2.0) == 1 and nearest(np.empty((0, 2)), 0, 0, 1.0) == -1

    def test_a_mask_of_another_length_is_an_error(self, plot):
        with pytest.raises(ValueError, match="a mask of 2 for 5 points"):
            plot.set_forget(np.zeros(2, bool))


    def test_a_picture_of_it_is_light_whatever_the_window_wears(self, qapp, plot):
        plot.set_forget(np.ones(5, bool))
        theme.apply(qapp, "dark")
        try:
            plot.flush()
            image = as_image(plot, 1)
        finally:
            theme.apply(qapp, "light")
        colours = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
        light = {LIGHT.value("surface").lower(), LIGHT.value("forget").lower()}
        assert light <= colours and DARK.value("forget").lower() not in colours


class TestNames:
    def test_names_stand_on_the_point_in_the_middle_of_a_class(self):
        rng = np.random.default_rng(0)
        points = np.concatenate([rng.normal(0, 0.1, (90, 2)), rng.uniform(-5, 5, (60, 2)), rng.normal(3, 0.1, (40, 2))])
        centres = class_centres(points, np.repeat([0, 2], [150, 40]), 3)
        assert np.abs(centres[0]).max() < 0.5 and np.abs(centres[2] - 3).max() < 0.5 and np.isnan(centres[1]).all()


class TestManyPoints:
    @pytest.fixture
    def many(self):
        return np.random.default_rng(0).normal(size=(60_000, 2)).astype(np.float32)

    @pytest.mark.parametrize("corners", [5, 40, 300])
    def test_an_outline_that_crosses_itself_agrees_with_qt(self, many, corners):
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
        radius = 1.5 + np.random.default_rng(corners).normal(size=corners) * 0.4  # crosses itself here and there
        outline = np.stack([np.cos(angles) * radius, np.sin(angles) * radius], axis=1)
        inside = points_in_polygon(many, outline)
        shape = QPolygonF([QPointF(x, y) for x, y in outline.tolist()])
        some = slice(None, None, 40)
        theirs = [shape.containsPoint(QPointF(x, y), Qt.FillRule.OddEvenFill) for x, y in many[some].tolist()]
        assert inside[some].tolist() == theirs and 0 < inside.sum() < len(many)

    def test_an_outline_along_the_grid(self, many):
        box = SQUARE * 2 - 1
        inside = (np.abs(many) < 1).all(axis=1)
        assert (points_in_polygon(many, box) == inside).all()

    def test_a_flat_outline_holds_nothing(self, many):
        assert not points_in_polygon(many, np.array([[-1.0, 0.5], [1.0, 0.5], [0.0, 0.5]])).any()
