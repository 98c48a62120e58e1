"""The map: which points an outline holds, gestures, the overlay of the forget set, density, names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QPolygonF
from PySide6.QtTest import QTest

import app.plots.lasso as lasso
import app.plots.scatter as scatter
from app.plots.lasso import points_in_polygon, points_in_rectangle
from app.plots.scatter import ScatterPlot
from app.plots.spots import Spots

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
def plot(qtbot):
    plot = ScatterPlot()
    qtbot.addWidget(plot)
    plot.resize(320, 340)
    points = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [5, 5]], float)
    plot.set_points(points, np.array([0, 0, 1, 1, 2]), ["a", "b", "c"])
    plot.show()
    plot.grab()
    return plot


def pixel(plot: ScatterPlot, x: float, y: float) -> QPoint:
    return plot.canvas.mapFromScene(plot.view.mapViewToScene(QPointF(x, y)))


def drag(plot: ScatterPlot, corners, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    port = plot.canvas.viewport()
    QTest.mousePress(port, Qt.MouseButton.LeftButton, modifier, pixel(plot, *corners[0]))
    for corner in corners[1:]:
        QTest.mouseMove(port, pixel(plot, *corner))
    QTest.mouseRelease(port, Qt.MouseButton.LeftButton, modifier, pixel(plot, *corners[-1]))


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
        port = plot.canvas.viewport()
        QTest.mousePress(port, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, pixel(plot, 0, 0))
        QTest.mouseMove(port, pixel(plot, 9, 9))
        QTest.keyClick(plot.canvas, Qt.Key.Key_Escape)
        with qtbot.assertNotEmitted(plot.selection_drawn):
            QTest.mouseRelease(port, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, pixel(plot, 9, 0))

    def test_a_click_names_the_nearest_point(self, qtbot, plot):
        with qtbot.waitSignal(plot.clicked) as clicked:
            QTest.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=pixel(plot, 5, 5))
        assert clicked.args == [4, "replace"]

    def test_hidden_classes_are_not_selected(self, qtbot, plot):
        plot.set_class_visible(2, False)
        plot.set_tool("rectangle")
        with qtbot.waitSignal(plot.selection_drawn) as drawn:
            drag(plot, [(-1, -1), (6, 6)])
        assert drawn.args[0].tolist() == [0]


class TestDrawing:
    def test_marking_draws_only_the_overlay(self, plot):
        items = dict(plot._items)
        plot.set_forget(np.array([True, False, False, False, True]))
        assert plot._items == items
        assert len(plot._overlay.data) == 2
        assert plot.canvas.accessibleDescription().startswith("2 of 5 (40.0 %)")

    def test_a_class_has_one_item(self, plot):
        assert sorted(plot._items) == [0, 1, 2]

    def test_few_classes_bear_their_names(self, plot):
        assert sorted(plot._texts) == [0, 1, 2]

    def test_many_classes_are_one_grey_and_the_lit_one_is_blue(self, qtbot):
        plot = ScatterPlot()
        qtbot.addWidget(plot)
        points = np.random.default_rng(0).normal(size=(40, 2))
        plot.set_points(points, np.arange(40) % 20, [str(i) for i in range(20)])
        assert not plot._texts
        assert len(plot._items) == 1 and len(plot._items[scatter.ALL].data) == 40
        plot.highlight_class(3)
        assert plot._lit.data["x"].tolist() == pytest.approx(points[[3, 23], 0])
        assert plot._lit.opts["brush"].color() != plot._items[scatter.ALL].opts["brush"].color()
        plot.highlight_class(None)
        assert not len(plot._lit.data)

    def test_very_many_points_become_an_image_until_zoomed_in(self, qtbot, monkeypatch):
        monkeypatch.setattr(scatter, "DENSITY_ABOVE", 1000)
        monkeypatch.setattr(scatter, "POINTS_WHEN_ZOOMED", 100)
        plot = ScatterPlot()
        qtbot.addWidget(plot)
        points = np.random.default_rng(0).uniform(0, 100, (2000, 2))
        plot.set_points(points, np.zeros(2000, int), ["a"])
        assert plot.shows_density
        assert not plot._items[0].isVisible()
        plot.view.setRange(xRange=(0, 5), yRange=(0, 5), padding=0)
        assert not plot.shows_density
        assert plot._items[0].isVisible()

    def test_nearest_is_the_nearest(self, plot):
        assert plot.nearest(9.0, 9.5, 3.0) == 3
        assert plot.nearest(7.5, 2.5, 1.0) == -1

    def test_a_mask_of_another_length_is_an_error(self, plot):
        with pytest.raises(ValueError, match="a mask of 2 for 5 points"):
            plot.set_forget(np.zeros(2, bool))


class TestManyPoints:
    @pytest.fixture
    def many(self):
        return np.random.default_rng(0).normal(size=(60_000, 2)).astype(np.float32)

    @pytest.mark.parametrize("corners", [5, 40, 300])
    def test_a_grid_finds_the_same_points_as_every_edge(self, many, corners, monkeypatch):
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
        radius = 1.5 + np.random.default_rng(corners).normal(size=corners) * 0.4  # crosses itself here and there
        outline = np.stack([np.cos(angles) * radius, np.sin(angles) * radius], axis=1)
        quick = points_in_polygon(many, outline)
        monkeypatch.setattr(lasso, "_MANY", len(many))
        assert (quick == points_in_polygon(many, outline)).all() and 0 < quick.sum() < len(many)

    def test_an_outline_along_the_grid(self, many):
        box = SQUARE * 2 - 1
        inside = (np.abs(many) < 1).all(axis=1)
        assert (points_in_polygon(many, box) == inside).all()

    def test_a_flat_outline_holds_nothing(self, many):
        assert not points_in_polygon(many, np.array([[-1.0, 0.5], [1.0, 0.5], [0.0, 0.5]])).any()

    @pytest.fixture
    def dense(self, qtbot, many, monkeypatch):
        monkeypatch.setattr(scatter, "DENSITY_ABOVE", 1000)
        monkeypatch.setattr(scatter, "POINTS_WHEN_ZOOMED", 500)
        plot = ScatterPlot()
        qtbot.addWidget(plot)
        plot.set_points(many, np.arange(len(many)) % 3, ["a", "b", "c"])
        return plot

    def test_the_forget_set_is_tinted_where_its_points_lie(self, dense, many):
        mask = many[:, 0] > 0.5
        dense.set_forget(mask)
        tint = dense._layers.tints["forget"]
        assert tint.isVisible() and not len(dense._overlay.data)
        shown = tint.image[..., 3] > 0
        assert 0 < shown.sum() <= np.unique(dense._grid._cells[mask]).size
        cells = np.zeros(shown.size, bool)
        cells[dense._grid._cells[mask]] = True
        assert (shown.ravel() == cells).all()

    def test_few_marks_stand_out_of_a_density(self, dense, many):
        mask = np.zeros(len(many), bool)
        mask[::1000] = True
        dense.set_forget(mask)
        assert dense.shows_density and dense._overlay.isVisible() and len(dense._overlay.data) == 60
        assert dense._layers.tints["forget"].image is None

    def test_zooming_in_shows_points_and_marks_of_the_view(self, dense, many):
        dense.set_forget(np.ones(len(many), bool))
        dense.view.setRange(xRange=(1.5, 1.7), yRange=(1.5, 1.7), padding=0)
        assert not dense.shows_density and not dense._layers.tints["forget"].isVisible()
        drawn = sum(len(item.data) for item in dense._items.values())
        assert 0 < drawn <= 500 and len(dense._overlay.data) == drawn
        dense.fit()
        assert dense.shows_density and not dense._items[0].isVisible()

    def test_of_many_marks_one_is_drawn_where_they_cover_each_other(self, qtbot, many, monkeypatch):
        monkeypatch.setattr(scatter, "MARKS_ABOVE", 100)
        plot = ScatterPlot()
        qtbot.addWidget(plot)
        plot.set_points(many, np.zeros(len(many), int), ["a"])
        mask = many[:, 0] > 1.0
        plot.set_forget(mask)
        drawn = np.stack([plot._overlay.data["x"], plot._overlay.data["y"]], axis=1)
        assert 100 < len(drawn) < mask.sum() and (drawn[:, 0] > 1.0).all()
        cell = (many.max(axis=0) - many.min(axis=0)) / 128
        for point in many[mask][::500]:  # each one is covered by a mark beside it
            assert (np.abs(drawn - point) <= cell).all(axis=1).any()
        assert plot.canvas.accessibleDescription().startswith(f"{mask.sum():,} of 60,000")

    def test_a_class_lights_up_in_the_density(self, dense):
        dense.highlight_class(1)
        assert (dense._layers.tints["retain"].image[..., 3] > 0).any()
        dense.highlight_class(None)
        assert dense._layers.tints["retain"].image is None


def test_spots_look_up_their_picture_once(qapp):
    spots = Spots(size=5, symbol="o")
    spots.setData(pos=np.zeros((1000, 2)))
    for number in range(200):
        spots.setBrush((number, 0, 0))
    assert len(spots.fragmentAtlas) <= 100  # one a colour, and old ones are dropped
    assert (spots.data["sourceRect"]["w"] > 0).all()
