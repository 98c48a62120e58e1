"""Plots: drawing once, references, crosshair, following, history, export, and what they say of themselves."""

from __future__ import annotations

import csv
import io
import itertools
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from PySide6.QtCore import QByteArray, QPoint, QPointF, Qt
from PySide6.QtGui import QFontMetrics, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget

from app.plots import export
from app.plots.base import ThemedPlot
from app.plots.curves import AccuracyPlot, AlignmentPlot, HistogramPlot, LossPlot, describe_alignment
from app.plots.features import SpectrumPlot
from app.plots.group import StepGroup
from app.plots.items import THICK_BELOW, Phase, Reference, log_label, moving_mean, spread, tick_label
from app.services.theme import theme
from app.services.tokens import DARK, LIGHT, MODELS, SETS
from app.workers.run_history import RunHistory
from core.events import Event
from tests.app.scripted import Script


@pytest.fixture
def accuracy(qtbot):
    plot = AccuracyPlot()
    qtbot.addWidget(plot)
    plot.resize(526, 244)
    plot.show()
    plot.show_history(RunHistory(), "class")
    measure(plot, *((step, 0.95, 0.9 - step / 200) for step in range(0, 100, 10)))
    plot.flush()
    return plot


def measure(plot: AccuracyPlot, *values: tuple[int, float, float]) -> None:
    """Let the run measure retain and forget accuracies (step, retain, forget)."""
    script = Script("r")
    plot._history.add(script.evaluation(step, retain, forget) for step, retain, forget in values)
    plot.mark_dirty()


def told(terms: dict[str, list[float | None]], steps: list[int]) -> Event:
    return msgspec.structs.replace(Script("r").losses(max(steps) + 1), steps=steps, terms=terms)


class TestAccuracy:
    def test_values_are_per_cent(self, accuracy):
        assert accuracy.series("retain").last() == (90, pytest.approx(95.0))

    def test_the_description_follows_the_values(self, accuracy):
        assert accuracy.canvas.accessibleDescription() == "retain 95.0, forget 45.0, step 90"
        measure(accuracy, (1200, 0.931, 0.024))
        accuracy.flush()
        assert accuracy.canvas.accessibleDescription() == "retain 93.1, forget 2.4, step 1,200"

    def test_the_training_subset_is_off_until_asked_for(self, accuracy):
        assert "retain_train" not in {series.key for series in accuracy.all_series()}
        accuracy.set_trained_on(True)
        accuracy.flush()
        assert accuracy.series("retain_train").last() == (90, pytest.approx(99.0))
        accuracy.set_trained_on(False)
        accuracy.flush()
        assert "retain_train" not in {series.key for series in accuracy.all_series()}

    def test_sample_forgetting_renames_the_forget_curve(self, accuracy):
        for mode, title in (("sample", "Forget images"), ("class", "Forget")):
            accuracy.show_history(accuracy._history, mode)
            accuracy.flush()
            assert accuracy.series("forget").title == title

    def test_a_training_has_one_accuracy_and_nothing_that_is_forgotten(self, accuracy):
        accuracy.show_history(accuracy._history, "none")
        accuracy.flush()
        assert [(series.key, series.title) for series in accuracy.all_series()] == [("retain", "Accuracy")]

    def test_the_ends_are_what_was_measured_of_all_images(self, accuracy):
        script, history = Script("r"), accuracy._history
        history.add([script.evaluation(0, 0.9, 0.8, "full"), script.evaluation(90, 0.96, 0.473, "full")])
        accuracy.mark_dirty()
        accuracy.flush()
        forget = accuracy.series("forget")
        assert (forget.y[0], forget.y[1], forget.last()) == (
            pytest.approx(80), pytest.approx(85), (90, pytest.approx(47.3))
        )  # fmt: skip
        history.add([script.evaluation(95, 0.96, 0.4, "full")])
        accuracy.mark_dirty()
        accuracy.flush()
        assert accuracy.series("forget").last() == (95, pytest.approx(40.0))

    def test_references_stand_in_the_margin_and_draw_a_line_only_when_asked(self, accuracy):
        accuracy.set_reference_values({"retrained": (0.948, 0.613), "original": (0.951, None)})
        accuracy.flush()
        texts = {label.text for label in accuracy.margin.labels() if label.reference}
        assert texts == {"Retrained 94.8", "Retrained 61.3", "Original 95.1"}
        assert not accuracy._lines
        accuracy.margin.hovered.emit("retrained/forget")
        assert list(accuracy._lines) == ["retrained/forget"]
        assert accuracy._lines["retrained/forget"].value() == pytest.approx(61.3)
        accuracy.margin.hovered.emit("")
        assert not accuracy._lines

    def test_a_pinned_reference_keeps_its_line(self, accuracy):
        accuracy.set_references([Reference("retrained", 50.0, "forget")])
        accuracy.flush()
        accuracy.margin.clicked.emit("retrained/forget")
        accuracy.margin.hovered.emit("")
        assert "retrained/forget" in accuracy._lines

    def test_clear_empties_everything_but_references(self, accuracy):
        accuracy.set_references([Reference("original", 98.0, "forget")])
        accuracy.show_history(RunHistory(), "class")
        accuracy.flush()
        assert accuracy.canvas.accessibleDescription() == "no values yet"
        assert [label.text for label in accuracy.margin.labels()] == ["Original 98.0"]


class TestDrawing:
    def test_one_item_for_each_series_however_often_it_changes(self, accuracy):
        before = accuracy.series("retain").item
        count = len(accuracy.item.items)
        for step in range(100, 400, 10):
            measure(accuracy, (step, 0.9, 0.1))
            accuracy.flush()
        assert accuracy.series("retain").item is before
        assert len(accuracy.item.items) == count

    def test_changes_are_drawn_together(self, qtbot, accuracy, monkeypatch):
        draws = []
        series = accuracy.series("retain")
        original = type(series).draw
        monkeypatch.setattr(type(series), "draw", lambda self, *how: (draws.append(self.key), original(self, *how)))
        for step in range(100, 200):
            measure(accuracy, (step, 0.9, 0.1))
        qtbot.waitUntil(lambda: "retain" in draws)
        assert draws.count("retain") == 1 and not accuracy.dirty and not accuracy._drawing.isActive()

    def test_a_hidden_plot_draws_when_it_is_shown(self, qtbot):
        plot = AccuracyPlot()
        qtbot.addWidget(plot)
        plot.show_history(RunHistory(), "class")
        measure(plot, (5, 0.5, 0.5))
        assert not plot.all_series()
        plot.show()
        qtbot.waitUntil(lambda: not plot.dirty)
        assert plot.series("retain").item.xData.tolist() == [5.0]

    def test_dense_curves_are_one_pixel(self, accuracy):
        assert accuracy.series("retain").item.opts["pen"].widthF() == 2
        accuracy.series("retain").set(range(THICK_BELOW + 1), [50.0] * (THICK_BELOW + 1))
        accuracy.series("retain").draw()
        assert accuracy.series("retain").item.opts["pen"].widthF() == 1
        assert not accuracy.series("retain").item.opts["antialias"]

    def test_curves_of_sets_differ_by_more_than_colour(self):
        assert SETS["retain"].symbol != SETS["forget"].symbol

    def test_the_theme_reaches_the_curves(self, qapp, accuracy):
        theme.apply(qapp, "dark")
        try:
            accuracy.flush()
            assert accuracy.canvas.backgroundBrush().color().name().upper() == DARK.value("surface")
            assert accuracy.series("retain").item.opts["pen"].color().name().upper() == DARK.value("retain")
        finally:
            theme.apply(qapp, "light")
        accuracy.flush()
        assert accuracy.series("retain").item.opts["pen"].color().name().upper() == LIGHT.value("retain")


class TestFollowing:
    def test_panning_stops_following_and_the_button_brings_it_back(self, qtbot, accuracy):
        assert accuracy.follow
        assert not accuracy.follow_button.isVisible()
        accuracy.view.sigRangeChangedManually.emit([True, False])
        assert not accuracy.follow
        assert accuracy.follow_button.isVisible()
        before = accuracy.view.viewRange()[0]
        measure(accuracy, (5000, 0.9, 0.1))
        accuracy.flush()
        assert accuracy.view.viewRange()[0] == before
        accuracy.follow_button.click()
        accuracy.flush()
        assert accuracy.view.viewRange()[0][1] >= 5000

    def test_a_group_follows_together(self, qtbot, accuracy):
        other = LossPlot()
        qtbot.addWidget(other)
        group = StepGroup([accuracy, other], accuracy)
        accuracy.set_follow(False)
        assert not other.follow
        other.set_follow(True)
        assert accuracy.follow
        assert group is not None

    def test_a_longer_axis_comes_to_each_plot_in_its_own_turn_and_a_zoom_to_all_at_once(self, qtbot, accuracy):
        other = LossPlot()
        qtbot.addWidget(other)
        other.resize(accuracy.size())
        other.show()
        StepGroup([accuracy, other], accuracy)
        other.flush()
        measure(accuracy, (5000, 0.9, 0.1))
        before = other.view.viewRange()[0]
        accuracy.flush()
        assert other.view.viewRange()[0] == before and other.dirty  # painting both in one turn would hold up
        other.flush()
        assert other.view.viewRange()[0] == pytest.approx(accuracy.view.viewRange()[0]) and before[1] < 5000
        QTest.keyClick(accuracy.canvas, Qt.Key.Key_Plus)
        assert accuracy.view.viewRange()[0][1] < 5000
        assert other.view.viewRange()[0] == pytest.approx(accuracy.view.viewRange()[0])


class TestZoom:
    def test_keys_and_a_double_click_zoom_both_axes_and_back(self, accuracy):
        whole = accuracy.view.viewRange()
        QTest.keyClick(accuracy.canvas, Qt.Key.Key_Plus)
        near = accuracy.view.viewRange()
        assert all(after[1] - after[0] < before[1] - before[0] for before, after in zip(whole, near, strict=True))
        assert not accuracy.follow
        QTest.mouseDClick(accuracy.canvas.viewport(), Qt.MouseButton.LeftButton)
        accuracy.flush()
        assert accuracy.follow and np.allclose(accuracy.view.viewRange(), whole)
        QTest.keyClick(accuracy.canvas, Qt.Key.Key_Minus)
        QTest.keyClick(accuracy.canvas, Qt.Key.Key_0)
        accuracy.flush()
        assert accuracy.follow and np.allclose(accuracy.view.viewRange(), whole)

    def test_the_mouse_may_zoom_both_axes(self, accuracy):
        assert accuracy.view.mouseEnabled() == [True, True] and accuracy.view.state["mouseMode"] == 1


class TestLegend:
    def test_a_click_on_a_name_hides_its_curve_and_shows_it_again(self, accuracy):
        accuracy.margin.clicked.emit("forget")
        accuracy.flush()
        series = accuracy.series("forget")
        assert not series.item.isVisible() and not series.dot.isVisible()
        labels = {label.key: label for label in accuracy.margin.labels()}
        assert labels["forget"].hidden and labels["forget"].text == "Forget" and not labels["retain"].hidden
        measure(accuracy, (100, 0.9, 0.3))
        accuracy.flush()
        assert not series.item.isVisible() and "Forget" not in accuracy.readout(100)
        accuracy._fill_menu()  # the way for the keyboard
        entries = {action.text(): action for action in accuracy._menu.actions()[0].menu().actions()}
        entries["Forget"].trigger()
        accuracy.flush()
        assert series.item.isVisible() and accuracy.margin.labels()[1].text == "Forget 30.0"

    def test_the_mouse_finds_the_name_it_is_on(self, accuracy):
        accuracy.grab()
        (label, y), *_ = accuracy.margin.positions()
        place = accuracy.canvas.mapFromScene(accuracy.margin.mapToScene(QPointF(10, y)))
        QTest.mouseClick(accuracy.canvas.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert not accuracy.series(label.key).visible

    def test_hovering_changes_no_layout(self, accuracy):
        before = accuracy.canvas.geometry()
        accuracy.show_step(50.0)
        QApplication.processEvents()
        assert accuracy.canvas.geometry() == before


class TestCrosshair:
    def test_hovering_shows_the_same_step_in_all_plots(self, qtbot, accuracy):
        other = LossPlot()
        qtbot.addWidget(other)
        other.show_history(history := RunHistory(), "class")
        history.add([told({"forget": [1.0, 2.0, 3.0]}, [0, 50, 55])])
        other.flush()
        group = StepGroup([accuracy, other], accuracy)
        accuracy.hovered_step.emit(50.0)
        assert accuracy._y_title.text() == "step 50 · Retain 95.0 · Forget 65.0"
        assert other._y_title.text() == "step 50 · Forget 2.000"
        accuracy.hovered_step.emit(None)
        assert not accuracy._crosshair.isVisible() and accuracy._y_title.text() == "Accuracy on unseen images, %"
        group.set_cut(50.0)  # looked back to, it is there again when the mouse has left
        accuracy.hovered_step.emit(0.0)
        accuracy.hovered_step.emit(None)
        assert other._y_title.text() == "step 50 · Forget 2.000"

    def test_arrow_keys_move_it(self, qtbot, accuracy):
        with qtbot.waitSignal(accuracy.hovered_step) as hovered:
            QTest.keyClick(accuracy.canvas, Qt.Key.Key_Left)
        assert hovered.args == [80.0]
        with qtbot.waitSignal(accuracy.hovered_step) as hovered:
            QTest.keyClick(accuracy.canvas, Qt.Key.Key_Home)
        assert hovered.args == [0.0]

    def test_the_mouse_reads_the_step_under_it(self, qtbot, accuracy):
        accuracy.grab()
        centre = accuracy.view.mapViewToScene(QPointF(40.0, 50.0))
        steps = []
        accuracy.hovered_step.connect(steps.append)
        accuracy.canvas.scene().sigMouseMoved.emit(centre)
        assert steps[0] == pytest.approx(40.0, abs=1.0)
        accuracy.canvas.scene().sigMouseMoved.emit(QPointF(-5, -5))
        assert steps[-1] is None


class TestMargin:
    def test_labels_never_overlap(self):
        ys = spread([10, 11, 12, 90], 14, 7, 100)
        assert all(b - a >= 14 for a, b in itertools.pairwise(ys))

    def test_labels_at_the_bottom_are_pushed_up(self):
        ys = spread([95, 96, 97], 14, 7, 100)
        assert ys == [72, 86, 100]

    @pytest.mark.parametrize("height", [100, 140, 244])
    def test_no_label_is_cut_however_low_the_plot_is(self, accuracy, height):
        accuracy.resize(526, height)
        accuracy.set_reference_values({"original": (0.87, 0.94), "retrained": (0.865, 0.0)})
        accuracy.flush()
        accuracy.grab()
        margin, half = accuracy.margin, QFontMetrics(theme.font("caption")).height() / 2
        ys = [y for _, y in margin.positions()]
        assert len(ys) == 6 and ys[0] >= half - 1 and ys[-1] <= margin.rect().height() - 2 * half
        assert all(later > sooner for sooner, later in itertools.pairwise(ys))

    def test_labels_alone_stay_where_they_are(self):
        assert spread([20, 60], 14, 0, 100) == [20, 60]

    def test_a_name_is_cut_and_never_its_number(self, qtbot, monkeypatch):
        plot = ThemedPlot("Any")
        qtbot.addWidget(plot)
        for key, title in (("retain", ""), ("forget", "A curve with a name that no margin has room for")):
            plot.add_series(key, SETS[key], title)
            plot.set_data(key, [0, 1], [50.0, 40.0])
        plot.show()
        plot.flush()
        qtbot.waitUntil(lambda: plot.margin.rect().width() == plot.margin.minimumWidth())
        written = []
        painter = SimpleNamespace(drawText=lambda at, text: written.append(text), **{
            name: lambda *_: None for name in ("setRenderHint", "setFont", "setPen", "drawLine")})  # fmt: skip
        monkeypatch.setattr("app.plots.items.draw_symbol", lambda *_: None)
        plot.margin.paint(painter)
        whole, cut = written[:2]
        assert whole == "Retain 40.0" and cut.startswith("A curve") and "…" in cut and cut.endswith(" 40.0")


class TestPhases:
    def test_the_strip_says_the_phase_under_the_mouse(self, accuracy):
        accuracy.set_phases([Phase("Forget", 0, 40), Phase("Recover", 40)])
        accuracy.canvas.grab()
        for step, name in ((10, "Forget"), (40.5, "Recover"), (-1, "")):
            place = accuracy.strip.mapFromScene(accuracy.view.mapViewToScene(QPointF(step, 0)))
            accuracy.strip.hoverEvent(SimpleNamespace(isExit=lambda: False, pos=lambda at=place: at))
            assert accuracy.strip.toolTip() == name

    def test_it_is_drawn_over_the_plot(self, accuracy):
        accuracy.set_phases([Phase("Vergessen", 0, 90, strong=True)])
        accuracy.flush()
        image, strip = accuracy.canvas.grab().toImage(), accuracy.strip.sceneBoundingRect()
        middle = image.pixelColor(QPoint(int(strip.center().x()), int(strip.top()) + 1)).name().upper()
        assert middle == LIGHT.value("text_2")

    def test_so_many_that_nothing_can_be_told_apart_are_not_drawn(self, accuracy):
        accuracy.set_phases([Phase("Forget", n, n + 1) for n in range(15)])
        assert accuracy.strip.isVisible() and accuracy.strip.room
        accuracy.set_phases([Phase("Forget", n, n + 1) for n in range(16)])
        assert not accuracy.strip.isVisible() and not accuracy.strip.room


class TestAlignment:
    @pytest.fixture
    def plot(self, qtbot):
        plot = AlignmentPlot()
        qtbot.addWidget(plot)
        plot.show_history(RunHistory(), "class")
        self.measure(plot, 0, 0.9, [0.5, 0.7, 0.9, 1.0])
        return plot

    def measure(self, plot, step, value, profile=()):
        event = msgspec.structs.replace(Script("r").alignment(step), value=value, profile=list(profile), energy=0.961)
        plot._history.add([event])
        plot.at_k.mark_dirty()
        plot.show_until(None)

    def test_the_caption_says_what_the_value_means(self, plot):
        meaning = "k = 9 · 96 % of retain energy · not centred · the goal is the retrained value, not 1"
        assert plot.at_k.caption() == meaning
        plot.resize(494, 220)  # as on the smallest window
        plot.show()
        plot.at_k.grab()
        assert plot.at_k.caption_label.toolTip() == ""  # not cut

    def test_values_near_one_get_a_closer_scale_that_says_so(self, plot):
        at_k = plot.at_k
        scale = lambda: pytest.approx(at_k.view.viewRange()[1], abs=0.06)  # noqa: E731
        at_k.flush()
        assert scale() == [0.9, 1.0] and at_k.texts()[1][0].endswith(" · axis from 0.9")
        plot.set_reference_values({"original": 0.7})
        at_k.flush()
        assert scale() == [0.5, 1.0] and at_k.texts()[1][0].endswith(" · axis from 0.5")
        self.measure(plot, 10, 0.3)
        at_k.flush()
        assert scale() == [0.0, 1.0] and at_k.texts()[1][0].endswith("retain space")
        plot.show_history(RunHistory(), "class")
        plot.set_reference_values({})
        self.measure(plot, 0, None)  # a gap is no value
        self.measure(plot, 10, 0.99)
        at_k.flush()
        assert scale() == [0.98, 1.0]

    def test_views_switch_together(self, plot):
        plot.set_view("profile")
        assert plot.currentWidget() is plot.profile
        assert all(switch.value() == "profile" for switch in plot._switches)
        plot.set_view("at_k")
        assert plot.currentWidget() is plot.at_k

    def test_single_images_show_losses_instead(self, plot):
        plot.show_history(plot._history, "sample")
        assert plot.currentWidget() is plot.losses
        assert "says nothing" in plot.losses.caption()
        plot.show_history(plot._history, "class")
        assert plot.currentWidget() is plot.at_k

    def test_the_floor_is_a_random_subspace(self, plot):
        floor = plot.profile.series("floor")
        assert floor.y.tolist() == pytest.approx([0.5, 0.25**0.5 * 2**0.5, 0.75**0.5, 1.0])

    def test_centred_is_said(self):
        assert describe_alignment(3, None, True) == "k = 3 · – of retain energy · centred"


def spectra(values) -> RunHistory:
    history = RunHistory()
    for step, retain, forget in values:
        history.add([msgspec.structs.replace(Script("r").spectrum(step), retain=retain, forget=forget)])
    return history


class TestSpectrum:
    @pytest.fixture
    def history(self):
        return spectra((step, [10.0, 1.0, 0.1], [5.0 / (step + 1), 0.5, 0.0]) for step in range(0, 200, 10))

    @pytest.fixture
    def plot(self, qtbot, history):
        plot = SpectrumPlot()
        qtbot.addWidget(plot)
        plot.show_history(history, "")
        plot.flush()
        return plot

    def test_the_newest_stands_over_the_start(self, plot):
        assert plot.series("forget").y[0] == pytest.approx(5.0 / 191)
        assert plot.series("forget/start").y[0] == 5.0
        assert plot.series("forget/start").style.dash and not plot.series("forget").style.dash
        assert plot.caption() == "step 190 · effective rank: Retain 3.0 → 3.0, Forget 1.5 → 1.5"

    def test_the_slider_goes_back(self, plot, history):
        plot.until = 55
        plot.mark_dirty()
        plot.flush()
        assert plot.series("forget").y[0] == pytest.approx(5.0 / 51)
        assert "step 50" in plot.caption()
        plot.until = -1
        plot.mark_dirty()  # before the first one the first is shown
        plot.flush()
        assert plot.series("forget").y[0] == 5.0

    def test_zero_has_no_logarithm_and_becomes_a_gap(self, plot):
        assert np.isnan(plot.series("forget").y[2])

    def test_drawing_asks_for_no_further_drawing(self, plot):
        assert not plot.dirty and not plot._drawing.isActive()

    @pytest.mark.parametrize(
        "exponent, text",
        [(0, "1"), (-2, "0.01"), (np.log10(5), "5"), (3, "1,000"), (5, "10⁵"), (-7, "10⁻⁷"),
         (np.log10(2e-5), "2·10⁻⁵"), (np.log10(5e4), "5·10⁴")],
    )
    def test_ticks_are_readable(self, exponent, text):
        assert log_label(exponent) == text

    def test_small_losses_have_ticks_that_differ(self, plot):
        """2 and 5 times a power of ten read as the power itself: 10⁻⁵ stood there three times."""
        values = plot.bottom_axis.tickValues(-6.2, 0.0, 1000)[0][1]
        labels = plot.bottom_axis.tickStrings(values, 1.0, 1.0)
        assert len(set(labels)) == len(labels) and "10⁻⁵" in labels

    def test_ratios_near_one_have_ticks_of_their_own(self, plot):
        def ticks(low, high, size):
            values = plot.left_axis.tickValues(np.log10(low), np.log10(high), size)[0][1]
            return plot.left_axis.tickStrings(values, 1.0, 1.0)

        assert ticks(0.88, 1.17, 150) == ["0.9", "1", "1.1"]
        assert ticks(0.3, 3.5, 150) == ["0.5", "1", "2"]
        assert ticks(0.3, 3.5, 50) == ["0.3", "1", "3"]
        assert ticks(1e-6, 100, 100) == ["10⁻⁶", "10⁻⁴", "0.01", "1", "100"]

    def test_another_run_leaves_nothing_of_the_one_before(self, plot):
        plot.show_history(RunHistory(), "")
        plot.flush()
        assert not any(len(series) for series in plot.all_series()) and plot.caption() == ""


@pytest.mark.parametrize(
    "value, places, text",
    [(1500, 0, "1,500"), (-200, 0, "−200"), (0.98, 2, "0.98"), (0, 1, "0.0"), (2e6, 0, "2e+06"), (-5e-5, 6, "−5e−05")],
)
def test_ticks_are_written_as_numbers_elsewhere(value, places, text):
    assert tick_label(value, places) == text


class TestLosses:
    @pytest.fixture
    def plot(self, qtbot):
        plot = LossPlot()
        qtbot.addWidget(plot)
        plot.show()
        return plot

    def show(self, plot, terms, steps=(0,)):
        history = RunHistory()
        history.add([told(terms, list(steps))])
        plot.show_history(history, "class")
        plot.flush()

    def test_the_terms_of_another_run_differ_too(self, plot):
        """A term kept the colour it had in the run before, and two stood there in the same one."""
        self.show(plot, {"classification": [1.0], "alignment": [1.0]})
        self.show(plot, {"loss_matching": [1.0], "distillation": [1.0], "classification": [1.0]})
        assert len({series.style for series in plot.all_series()}) == 3

    def test_terms_of_sets_have_the_colours_of_sets(self, plot):
        self.show(plot, {"forget": [1.0], "retain_ce": [1.0], "distillation": [1.0]})
        assert plot.series("term/forget").style.token == "forget"
        assert plot.series("term/retain_ce").style.token == "retain"
        assert plot.series("term/distillation").style.token.startswith("term_")

    def test_the_names_of_the_usual_terms_are_whole_and_a_minus_is_none_of_a_hyphen(self, plot, qtbot):
        self.show(plot, {"classification": [0.057], "distillation": [2.512], "sum": [-215.839]})
        plot.resize(526, 244)
        plot.show()
        qtbot.waitUntil(lambda: len(plot.margin.labels()) == 3)
        metrics = QFontMetrics(theme.font("caption"))
        texts = [label.text for label in plot.margin.labels()]
        room = plot.margin.width() - theme.px(2) - theme.px(16) - theme.px(4)
        assert all(metrics.horizontalAdvance(text) <= room for text in texts)
        assert "Sum −215.839" in texts
        assert plot.left_axis.tickStrings([-200.0], 1.0, 100.0) == ["−200"]

    def test_every_term_has_a_colour_of_its_own_that_is_neither_a_sets_nor_a_models(self, plot):
        self.show(plot, {name: [1.0] for name in "abcdef"})
        styles = [series.style for series in plot.all_series()]
        others = {style.token for style in (*SETS.values(), *MODELS.values())}
        assert len({style.token for style in styles}) == 6 and not {style.token for style in styles} & others
        assert len({style.dash for style in styles}) == 6

    def test_smoothing_is_a_moving_mean_over_a_faint_line_and_all_numbers_are_of_what_is_drawn(self, plot):
        self.show(plot, {"alpha": [float(step % 2) for step in range(200)]}, list(range(200)))
        plot.smoothing.setValue(60)
        plot.flush()
        series = plot.series("term/alpha")
        assert series.y.tolist() == [float(step % 2) for step in range(200)]
        drawn = series.item.getOriginalDataset()[1]
        assert np.ptp(drawn[50:150]) < 0.1 and drawn.mean() == pytest.approx(0.5, abs=0.02)
        raw = series._faint["raw"]
        assert raw.isVisible() and np.ptp(raw.getOriginalDataset()[1]) == 1 and raw.opts["pen"].color().alphaF() < 0.5
        label = next(label for label in plot.margin.labels() if label.key == "term/alpha")
        assert label.text == f"Alpha {drawn[-1]:.3f}" and f"Alpha {drawn[-1]:.3f}" in plot.readout(199)
        plot.smoothing.setValue(0)
        plot.flush()
        assert not raw.isVisible()

    def test_logarithmic_scales_write_numbers_as_the_language_does(self, german_numbers):
        assert [log_label(exponent) for exponent in (-2.0, 3.0, 0.0)] == ["0,01", "1.000", "1"]

    def test_the_scale_can_be_logarithmic(self, plot):
        self.show(plot, {"alpha": [100.0, 0.01, -1.0]}, [0, 1, 2])
        plot.scale.changed.emit("log")
        plot.flush()
        assert plot.log == (False, True) and plot.left_axis.tickStrings([-2.0, 2.0], 1.0, 1.0) == ["0.01", "100"]
        assert plot.view.viewRange()[1] == pytest.approx([-2, 2], abs=0.5)  # what has no logarithm is not drawn
        plot.scale.changed.emit("linear")
        plot.flush()
        assert plot.left_axis.tickStrings([-200.0], 1.0, 100.0) == ["−200"]

    def test_losses_of_any_size_are_not_taken_for_exponents_when_the_scale_changes(self, plot):
        self.show(plot, {"alpha": [1e12, 1.0]}, [0, 1])
        plot.scale.changed.emit("log")
        assert plot.view.viewRange()[1] == pytest.approx([-1.5, 13.5])  # before anything is painted
        (_, values), = plot.left_axis.tickValues(0.0, 1e12, 100.0)  # nor where the view was zoomed before
        assert 0 < len(values) < 10

    def test_moving_mean_keeps_gaps_and_means(self):
        values = np.ones(400)
        values[100] = np.nan
        smooth = moving_mean(values, 0.5)
        assert np.isnan(smooth[100])
        assert smooth[99] == pytest.approx(1.0)


class TestHistogram:
    def test_equal_losses_overlap_wholly_and_far_ones_not(self, qtbot):
        plot = HistogramPlot()
        qtbot.addWidget(plot)
        assert plot.overlap() is None
        losses = np.random.default_rng(0).exponential(size=500).tolist()
        plot.set_losses(losses, losses)
        assert plot.overlap() == pytest.approx(1.0)
        plot.set_losses([0.1] * 50, [5.0] * 50)
        assert plot.overlap() == pytest.approx(0.0)

    def test_losses_of_very_certain_models_are_told_apart(self, qtbot):
        plot = HistogramPlot()
        qtbot.addWidget(plot)
        plot.set_losses([0.0, 1e-5, 2e-5, 8.0], [1e-3, 2e-3])
        _, rows = plot.table()
        taken = [row for row in rows if row[1] or row[2]]
        assert len(taken) >= 5 and rows[0][0] == pytest.approx(1e-6)
        plot.flush()
        assert plot.bottom_axis.tickStrings([-3.0], 1.0, 1.0) == ["0.001"]

    def test_it_describes_itself(self, qtbot):
        plot = HistogramPlot()
        qtbot.addWidget(plot)
        plot.set_losses([1.0, 1.0, 1.0], [2.0])
        plot.flush()
        words = plot.canvas.accessibleDescription()
        assert words == "median loss 1.00 on forget images (3), 2.00 on test images (1); overlap 0.0 %"


class TestExport:
    def test_png_is_light_and_carries_where_it_is_from(self, qapp, accuracy, tmp_path):
        accuracy.provenance = "run abc, seed 0"
        theme.apply(qapp, "dark")
        try:
            accuracy.save_to(tmp_path / "a.png")
            assert theme.current.name == "dark"
        finally:
            theme.apply(qapp, "light")
        image = QImage(str(tmp_path / "a.png"))
        assert image.width() == 2 * (accuracy.width() + 2 * theme.px(16))
        assert image.pixelColor(2, 2).name().upper() == LIGHT.value("surface")
        assert image.text("Title") == "Accuracy"
        assert image.text("Run") == "run abc, seed 0"

    def test_the_picture_holds_the_curves(self, accuracy):
        image = export.as_image(accuracy, 2)
        colours = {
            image.pixelColor(x, y).name().upper()
            for x in range(0, image.width(), 2)
            for y in range(0, image.height(), 2)
        }
        assert LIGHT.value("retain") in colours
        assert LIGHT.value("forget") in colours

    def test_svg_is_a_drawing_with_words(self, accuracy):
        text = export.contents(accuracy, "svg").decode()
        assert "<title>Accuracy</title>" in text
        assert "<polyline" in text or "<path" in text

    def test_svg_shows_what_the_picture_shows(self, accuracy):
        picture = export.as_image(accuracy, 1)
        drawn = QImage(picture.size(), picture.format())
        painter = QPainter(drawn)
        QSvgRenderer(QByteArray(export.contents(accuracy, "svg"))).render(painter)
        painter.end()
        pixels = [np.frombuffer(image.constBits(), np.uint8).astype(float) for image in (picture, drawn)]
        assert np.abs(pixels[0] - pixels[1]).mean() < 1.2  # axes at three quarters of their size: 2.3

    def test_csv_holds_the_values(self, accuracy):
        lines = [line for line in export.as_csv(accuracy).splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
        assert rows[1] == {"step": "10", "Retain": "95", "Forget": "85"}
        assert len(rows) == 10

    def test_csv_joins_curves_of_different_steps(self, qtbot):
        plot = ThemedPlot("Two")
        qtbot.addWidget(plot)
        plot.add_series("retain", SETS["retain"])
        plot.add_series("forget", SETS["forget"])
        plot.set_data("retain", [0, 2], [1.0, 2.0])
        plot.set_data("forget", [1, 2], [3.0, None])
        rows = [line for line in export.as_csv(plot).splitlines() if not line.startswith("#")]
        assert rows == ["step,Retain,Forget", "0,1,", "1,,3", "2,2,"]

    def test_csv_of_a_histogram_has_a_row_a_bin(self, qtbot):
        plot = HistogramPlot()
        qtbot.addWidget(plot)
        plot.set_losses([0.1, 0.2, 4.0], [1.0])
        lines = [line for line in export.as_csv(plot).splitlines() if not line.startswith("#")]
        rows = list(csv.reader(lines))
        assert rows[0] == ["loss", "Forget images", "Test images"]
        bins = np.array(rows[1:], float)  # each from its loss to the next one's
        assert bins[:, 1].sum() == pytest.approx(100) and len(bins) == 41 and not bins[-1, 1:].any()
        assert bins[np.searchsorted(bins[:, 0], 1.0, side="right") - 1, 2] == 100

    def test_csv_of_spectra_holds_the_start_too(self, qtbot):
        plot = SpectrumPlot()
        qtbot.addWidget(plot)
        plot.show_history(spectra((step, [4.0 + step, 1.0], [2.0, 0.5]) for step in (0, 10)), "")
        rows = [line for line in export.as_csv(plot).splitlines() if not line.startswith("#")]
        assert rows == ['index,Retain,Forget,"Retain, start","Forget, start"', "1,14,2,4,2", "2,1,0.5,1,0.5"]

    def test_what_was_in_view_is_saved_whatever_is_when_its_file_is_chosen(self, accuracy, tmp_path, monkeypatch):
        chosen = []
        monkeypatch.setattr(export, "choose_file", lambda plot, kind, then: chosen.append(then))
        accuracy.provenance = "run a"
        accuracy._choose("csv")
        accuracy.provenance = "run b"
        chosen[0](tmp_path / "a.csv")
        assert "# Run: run a" in (tmp_path / "a.csv").read_text(encoding="utf-8")

    def test_another_ending_is_refused(self, accuracy):
        with pytest.raises(ValueError, match=r"not '\.bmp'"):
            export.contents(accuracy, "bmp")

    @pytest.mark.parametrize("name", ["a.csv", "a.svg", "a.png"])
    def test_a_file_that_cannot_be_written_is_said_under_the_plot(self, accuracy, tmp_path, name):
        accuracy.save_to(tmp_path / "missing" / name)
        assert accuracy.said.text().startswith("Not saved:")

    def test_an_ending_of_the_users_own_is_said_under_the_plot(self, accuracy, tmp_path):
        accuracy.save_to(tmp_path / "a.pdf")
        assert accuracy.said.text() == "Not saved: a plot is saved as .png, .svg or .csv, not '.pdf'"

    def test_enlarging_borrows_the_plot_and_puts_it_back(self, qtbot):
        page, plot = QWidget(), AccuracyPlot()
        qtbot.addWidget(page)
        row = QHBoxLayout(page)
        row.addWidget(plot)
        page.show()
        window = plot.enlarge()
        assert plot.window() is window
        window.close()
        assert plot.window() is page
        assert row.indexOf(plot) == 0

    def test_the_menu_offers_every_form(self, accuracy):
        accuracy._fill_menu()
        texts = [action.text() for action in accuracy._menu.actions() if action.text()]
        assert "Enlarge" in texts
        assert "Copy image" in texts
        assert {"Save PNG, 2×…", "Save PNG, 4×…", "Save SVG…", "Save values as CSV…"} <= set(texts)


def test_the_y_axis_is_drawn_without_vertical_grid(accuracy):
    image = accuracy.canvas.grab().toImage()
    top = accuracy.view.mapViewToScene(QPointF(55.0, 97.0)).toPoint()
    column = [image.pixelColor(QPoint(top.x(), y)).name() for y in range(top.y(), top.y() + 8)]
    assert LIGHT.value("surface").lower() in column


def test_a_long_curve_is_thinned_to_what_the_screen_can_show(accuracy):
    accuracy.series("retain").set(range(150_000), [50.0 + step % 3 for step in range(150_000)])
    accuracy.series("retain").draw()
    accuracy.view.setXRange(0.0, 150_000.0, padding=0)
    x, _y = accuracy.series("retain").item.curve.getData()
    assert 100 < len(x) < 8_000
    accuracy.view.setXRange(100.0, 200.0, padding=0)
    x, y = accuracy.series("retain").item.curve.getData()
    assert 100 <= len(x) < 110 and set(y) == {50.0, 51.0, 52.0}
