"""Replay: all plots are cut at the slider's step, also by keyboard; a second run on the same axes."""

from __future__ import annotations

import itertools
import shutil

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QTest

from app.pages.unlearn.run_presenter import NONE, OverlaidRuns
from app.pages.unlearn.run_view import RunView
from app.plots.curves import LossPlot
from app.services.theme import theme
from app.workers.live_run import LiveRun
from app.workers.run_history import RunHistory
from core.runs.folder import RunFolder
from tests.app.scripted import Script, append_events, job, write_run


@pytest.fixture
def view(qtbot) -> RunView:
    made = RunView()
    qtbot.addWidget(made)
    made.resize(1064, 612)
    made.show()
    return made


@pytest.fixture
def run(tmp_path) -> LiveRun:
    made = LiveRun(RunFolder(tmp_path / "r"), "unlearn", job=job())
    made.apply(Script("r").whole())
    return made


@pytest.fixture
def shown(view, run) -> RunView:
    view.plots.show_run(run)
    view.update_slider(run.steps)
    return view


def drawn(series) -> list[float]:
    x, _ = series.item.getOriginalDataset()
    return [] if x is None else x.tolist()


def drawn_after(series) -> list[float]:
    return series._faint["after"].getOriginalDataset()[0].tolist()


def test_eight_names_find_room_beside_the_accuracies_below_two_banners(shown):
    shown.resize(1064, shown.minimumSizeHint().height())
    plot = shown.plots.accuracy
    values = {"original": (0.87, 0.94), "retrained": (0.865, 0.0), "head_only": (0.86, 0.0)}
    plot.set_reference_values(values)
    plot.flush()
    shown.grab()
    ys = [y for _, y in plot.margin.positions()]
    line = QFontMetrics(theme.font("caption")).height()
    assert len(ys) == 8 and min(later - sooner for sooner, later in itertools.pairwise(ys)) >= 0.8 * line


def test_every_curve_is_drawn_up_to_the_step_and_faded_after_it(shown):
    shown.slider._slider.setValue(3)
    plots = shown.plots
    at_k = plots.alignment.at_k
    for plot, key in ((plots.accuracy, "forget"), (at_k, "unlearned"), (plots.losses, "term/alignment")):
        plot.flush()
        series = plot.series(key)
        assert drawn(series)[-1] == 30, key
        assert series._faint["after"].isVisible() and drawn_after(series)[-1] == series.x[-1]
        assert series.dot.pos().x() == 30
    label = next(label for label in plots.accuracy.margin.labels() if label.key == "forget")
    assert label.text == "Forget 68.6"  # its value at the step, not at the end
    shown.slider.to_newest()
    plots.accuracy.flush()
    series = plots.accuracy.series("forget")
    assert drawn(series)[-1] == 100 and not series._faint["after"].isVisible()


def test_the_axis_stays_as_long_as_the_run_while_looking_back(shown):
    accuracy = shown.plots.accuracy
    accuracy.flush()
    before = accuracy.view.viewRange()[0]
    shown.slider._slider.setValue(2)
    accuracy.flush()
    assert accuracy.view.viewRange()[0] == before


def test_terms_that_begin_later_are_cut_too(shown, run):
    shown.slider._slider.setValue(3)
    script = Script("r")
    event = script.losses(100, 10)
    event.terms["late"] = [1.0] * 10
    shown.plots.add(run.apply([event]))
    shown.plots.losses.flush()
    assert drawn(shown.plots.losses.series("term/late")) == []


@pytest.fixture
def losses(qtbot) -> LossPlot:
    """Of a hundred steps."""
    plot = LossPlot()
    qtbot.addWidget(plot)
    plot.show()
    history = RunHistory()
    history.add([Script("r").losses(100, 100)])
    plot.show_history(history, "class")
    return plot


def test_the_axis_of_losses_holds_what_comes_after_the_step_looked_back_to(losses):
    """It fitted itself to the beginning alone: what was faded left the plot below, and the axis jumped."""
    losses.flush()
    low, high = losses.view.viewRange()[1]
    losses.set_cut(3.0)
    losses.flush()
    lowest, highest = losses.view.viewRange()[1]
    assert abs(lowest - low) < 0.02 and abs(highest - high) < 0.02  # the dot at the end takes some room


def test_a_smoothed_curve_is_cut_as_well(losses):
    losses.smoothing.setValue(50)
    losses.flush()
    losses.set_cut(40.0)
    losses.flush()
    assert drawn(losses.series("term/alignment"))[-1] == 40


def test_keys(shown):
    slider = shown.slider
    QTest.keyClick(slider._slider, Qt.Key.Key_Space)
    assert slider.playing and slider.step == 0
    QTest.keyClick(slider._slider, Qt.Key.Key_Space)
    assert not slider.playing
    QTest.keyClick(slider._slider, Qt.Key.Key_Right)
    assert slider.step == 10


def test_a_second_run_is_drawn_dashed_on_the_same_axes_and_cut_with_the_first(shown, tmp_path):
    other = LiveRun(RunFolder(tmp_path / "o"), "unlearn", job=job(seed=1))
    other.apply(Script("o", steps=200).whole(every=20))
    plots = shown.plots
    plots.set_overlaid([other])
    shown.update_slider(100)
    for plot in plots._all:
        plot.flush()
    assert plots.recorded_steps[-1] == 200 and 30 in plots.recorded_steps
    series = plots.accuracy.series("forget/0")
    assert series.title == "Forget (2)"
    assert series.style.dash and series.x.tolist() == [float(n) for n in range(0, 201, 20)]
    assert len(plots.losses.series("term/alignment/0")) == 200
    assert plots.alignment.at_k.series("unlearned/0").last() == (200.0, 0.9)
    shown.slider._slider.setValue(4)
    plots.accuracy.flush()
    plots.features.eigenvalues.flush()
    assert shown.slider.step == 40 and drawn(series)[-1] == 40
    assert plots.features.eigenvalues.series("forget/0").y[0] == pytest.approx(1 / 41)
    assert shown.slider._label.text() == "step 40 of 200"
    plots.set_overlaid([])
    plots.accuracy.flush()
    assert [series.key for series in plots.accuracy.all_series()] == ["retain", "forget"]


@pytest.fixture
def second(shown, context, home) -> OverlaidRuns:
    folder = context.runs_folder()
    for name, seed in (("a", 0), ("b", 1)):
        write_run(folder / name, job(seed=seed), Script(name).whole())
    context.project.set_run(LiveRun.from_folder(RunFolder(folder / "a")))
    return OverlaidRuns(context, shown, shown)


def test_other_runs_are_chosen_from_those_known_by_what_they_are_and_stay_pinned(qtbot, second, context):
    folder, view = context.runs_folder(), second._view
    write_run(folder / "c", job(seed=2, preset="thorough"), Script("c").whole())
    context.run_library.refresh()
    qtbot.waitUntil(lambda: len(context.run_library.rows) == 3)
    assert second.chip.text() == f"{NONE} ▾"
    second.fill()
    entries = {action.data().name: action for action in second.menu.actions()}
    assert sorted(entries) == ["b", "c"]
    assert entries["c"].text() == "muda · thorough · class 3 · small-cnn · digits, seed 2"
    for entry in entries.values():
        entry.trigger()
    qtbot.waitUntil(lambda: second.chip.text() == "Other runs: 2 ▾")
    assert len(view.plots._overlaid) == 2
    context.project.set_run(LiveRun.from_folder(RunFolder(folder / "b")))  # it is not drawn over itself
    assert second.chip.text() == "Other runs: 1 ▾"
    context.project.set_run(LiveRun.from_folder(RunFolder(folder / "a")))
    assert second.chip.text() == "Other runs: 2 ▾"
    second.fill()
    for action in second.menu.actions():
        assert action.isChecked()
        action.trigger()
    assert second.chip.text() == f"{NONE} ▾" and not view.plots._overlaid


def test_without_other_runs_the_menu_says_so(qtbot, second, context):
    shutil.rmtree(context.runs_folder() / "b")
    context.run_library.refresh()
    qtbot.waitUntil(lambda: [row.path.name for row in context.run_library.rows] == ["a"])
    second.fill()
    (entry,) = second.menu.actions()
    assert entry.text() == "There are no other runs yet." and not entry.isEnabled()


def test_what_stands_beside_the_slider_does_not_overlap(qtbot, second):
    slider = second._view.slider
    row = [slider._slider, slider._label, slider._newest, second.chip]
    qtbot.waitUntil(lambda: second.chip.geometry().right() <= slider.width())
    assert all(one.geometry().right() < other.x() for one, other in itertools.pairwise(row))


def test_a_run_that_goes_on_elsewhere_is_drawn_as_it_grows(qtbot, second, context):
    folder, script = RunFolder(context.runs_folder() / "c"), Script("c")
    write_run(folder.path, job(seed=2), [script.started(), *script.measured(0, 0.9)], "running")
    with folder.lock():
        context.project.set_overlaid([folder.path])
        qtbot.waitUntil(lambda: len(second._view.plots._overlaid) == 1)
        before = len(second._view.plots._overlaid[0].evaluations)
        append_events(folder, script.measured(10, 0.5))
        qtbot.waitUntil(lambda: len(second._view.plots._overlaid[0].evaluations) > before)
    context.project.set_overlaid([])
    assert not second._view.plots._overlaid


def test_each_of_the_other_runs_is_read_once(qtbot, second, context, monkeypatch):
    folder, read = context.runs_folder(), []
    real = LiveRun.from_folder
    monkeypatch.setattr(LiveRun, "from_folder", lambda one: read.append(one.id) or real(one))
    write_run(folder / "c", job(seed=2), Script("c").whole())
    context.project.set_overlaid([folder / "b", folder / "c"])
    context.project.run_changed.emit()  # while they are being read
    qtbot.waitUntil(lambda: len(second._view.plots._overlaid) == 2)
    qtbot.waitUntil(lambda: context.jobs.active() == 0)
    assert sorted(read) == ["b", "c"]


def test_a_second_run_that_cannot_be_read_is_said(qtbot, second, context, tmp_path):
    context.project.set_overlaid([tmp_path / "gone"])
    qtbot.waitUntil(lambda: context.project.overlaid == ())
    assert second.chip.text() == f"{NONE} ▾"


def test_a_folder_that_was_renamed_still_shows_its_curves(context, home):
    folder = context.runs_folder()
    write_run(folder / "a", job(), Script("a").whole())
    (folder / "a").rename(folder / "renamed")
    run = LiveRun.from_folder(RunFolder(folder / "renamed"))
    assert run.finished is not None and len(run.history.evaluations) > 10
