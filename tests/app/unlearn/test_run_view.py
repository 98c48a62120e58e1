"""A run on the page: buttons by state, plots fed by events, the time slider, banners."""

from __future__ import annotations

import dataclasses
import time

import pytest

from app.pages.unlearn.markers import Marker
from app.pages.unlearn.run_view import RunBar, RunView
from app.plots.items import Phase
from app.widgets.buttons import PrimaryButton
from app.workers.live_run import LiveRun
from core.events import State
from core.job import RequestPart
from core.runs.folder import RunFolder
from tests.app.helpers import pressable
from tests.app.scripted import Script, job

# What can be pressed in each state, for a run of this window.
SHOWN = {
    State.QUEUED: set(),
    State.PREPARING: {"stop", "discard"},
    State.RUNNING: {"pause", "checkpoint", "stop", "discard"},
    State.PAUSED: {"pause", "checkpoint", "stop", "discard"},
    State.STOPPING: set(),
    State.DISCARDING: set(),
    State.FINISHED: {"again", "check"},
    State.STOPPED: {"again", "check"},
    State.DISCARDED: {"again"},
    State.FAILED: {"again"},
    State.INTERRUPTED: {"restart", "again"},
}


@pytest.fixture
def run(tmp_path) -> LiveRun:
    return LiveRun(RunFolder(tmp_path / "r"), "unlearn", job=job(), work=lambda control, emit: None)


@pytest.fixture
def script() -> Script:
    return Script("r")


@pytest.mark.parametrize("state", State)
def test_buttons_follow_from_the_state(qtbot, run, state):
    bar = RunBar()
    qtbot.addWidget(bar)
    run.state = state
    bar.show_run(run)
    assert pressable(bar.buttons) == SHOWN[state]
    assert bar.buttons["pause"].text() == ("Resume" if state is State.PAUSED else "Pause")


def test_a_run_that_failed_goes_on_where_there_is_a_folder_to_go_on_in(qtbot, run):
    """Its disk may have room again, its data be back."""
    bar = RunBar()
    qtbot.addWidget(bar)
    RunFolder.create(run.path, run.job)
    run.state = State.FAILED
    bar.show_run(run)
    assert pressable(bar.buttons) == {"restart", "again"}


@pytest.mark.parametrize("state", [State.RUNNING, State.PAUSED, State.STOPPING])
def test_a_run_of_another_process_has_no_buttons_here(qtbot, run, state):
    bar = RunBar()
    qtbot.addWidget(bar)
    run.state, run.work = state, None
    bar.show_run(run)
    assert pressable(bar.buttons) == {"again"}
    assert "runs in another process" in bar.facts.text()


def test_the_button_that_pauses_goes_on_after_a_pause(qtbot, run):
    bar = RunBar()
    qtbot.addWidget(bar)
    run.state = State.RUNNING
    bar.show_run(run)
    assert not bar.resuming
    run.state = State.PAUSED
    bar.show_run(run)
    assert bar.resuming


def test_with_a_verdict_the_next_step_is_the_export(qtbot, run):
    """It was *Check the result*, also where the result was checked already."""
    bar = RunBar()
    qtbot.addWidget(bar)
    run.state = State.FINISHED
    for verdict, shown in ((False, {"again", "check"}), (True, {"again", "details", "export"})):
        bar.show_run(run, verdict)
        assert pressable(bar.buttons) == shown
        primary = [name for name in shown if isinstance(bar.buttons[name], PrimaryButton)]
        assert primary == ["export" if verdict else "check"]


def test_the_destructive_button_stands_apart(qtbot, run):
    bar = RunBar()
    qtbot.addWidget(bar)
    run.state = State.RUNNING
    bar.show_run(run)
    bar.resize(1064, 70)
    bar.show()
    assert bar.buttons["discard"].x() - bar.buttons["stop"].geometry().right() >= 24


@pytest.fixture
def view(qtbot) -> RunView:
    made = RunView()
    qtbot.addWidget(made)
    made.resize(1064, 612)
    made.show()
    return made


def test_test_images_the_original_has_seen_are_not_called_unseen(view, run, script):
    run.job = dataclasses.replace(job(), data=dataclasses.replace(job().data, test_origin="set aside"))
    run.apply(script.whole())
    view.plots.show_run(run)
    view.plots.accuracy.flush()
    assert view.plots.accuracy._y_title_text == "Accuracy on images seen before, %"


def points(view: RunView, key: str) -> list[tuple[float, float]]:
    view.plots.accuracy.flush()
    series = {series.key: series for series in view.plots.accuracy.all_series()}.get(key)
    return [] if series is None else list(zip(series.x.tolist(), series.y.tolist(), strict=True))


def tell(view: RunView, run: LiveRun, *events) -> None:
    """What a live run's events do on the page."""
    view.plots.add(run.apply(events))
    for plot in view.plots._all:
        plot.flush()


def test_curves_grow_with_events(view, run, script):
    view.plots.show_run(run)
    tell(view, run, script.started(), *script.measured(0, 0.98), script.losses(10, 10), *script.measured(10, 0.5))
    assert points(view, "forget") == [(0, 98.0), (10, 50.0)]
    assert view.plots.features.eigenvalues.caption().startswith("step 10 ·")
    assert len(view.plots.losses.series("term/alignment")) == 10
    assert "term/loss" not in {series.key for series in view.plots.losses.all_series()}
    at_k = view.plots.alignment.at_k
    assert at_k.series("unlearned").last() == (10.0, 0.9)
    assert at_k.caption() == "k = 9 · 96 % of retain energy · not centred · the goal is the retrained value, not 1"
    assert [phase.name for phase in view.plots.accuracy.strip.phases] == [
        "Forget, round 1 of 2", "Recover, round 1 of 2",
    ]  # fmt: skip


def test_the_name_of_a_phase_is_there_whole_or_not_at_all(view):
    """It read "Forg…" over short phases."""
    strip, phase = view.plots.accuracy.strip, Phase("Forget, round 1 of 2", 0, 10)
    shown = [strip.shown_name(phase, width) for width in range(400)]
    assert set(shown) == {"", "Forget", phase.name} and shown[0] == "" and shown[-1] == phase.name
    whole = strip._metrics.horizontalAdvance(phase.name)
    assert shown[whole] == "Forget"  # else it ran into the name of the next phase


def test_the_plot_with_most_names_beside_it_is_the_highest(view):
    """At 1280 x 720 the names beside the accuracies were cut."""
    assert view.plots.accuracy.height() > view.plots.losses.height() + 10


def test_history_and_live_events_come_to_the_same(view, run, script, qtbot):
    run.apply(script.whole())
    view.plots.show_run(run)
    whole = points(view, "forget")
    other = RunView()
    qtbot.addWidget(other)
    live = LiveRun(run.folder, "unlearn", job=run.job)
    other.plots.show_run(live)
    for event in script.whole():
        other.plots.add(live.apply([event]))
    assert points(other, "forget") == whole and len(whole) == 11


def test_all_plots_go_back_to_a_step_together(view, run, script):
    run.apply(script.whole())
    view.plots.show_run(run)
    view.update_slider(run.steps)
    view.slider._slider.setValue(3)
    assert view.slider.step == 30 == view.plots.until
    view.plots.features.eigenvalues.flush()
    assert "step 30" in view.plots.features.eigenvalues.caption()
    for plot in (view.plots.accuracy, view.plots.alignment.at_k, view.plots.losses):
        assert plot._crosshair.isVisible() and plot._crosshair.value() == 30
    view.slider.to_newest()
    assert view.plots.until is None and not view.plots.accuracy._crosshair.isVisible()


def test_looking_back_does_not_hold_up_what_comes(view, run, script):
    run.apply([script.started(), *script.measured(0), *script.measured(10), *script.measured(20)])
    view.plots.show_run(run)
    view.update_slider(run.steps)
    view.slider._slider.setValue(1)
    tell(view, run, *script.measured(30))
    view.update_slider(run.steps)
    assert points(view, "retain")[-1][0] == 30
    assert view.slider.step == 10 and "step 10 " in view.plots.features.eigenvalues.caption()


def test_the_mouse_leaving_a_plot_gives_the_step_of_the_slider_back(view, run, script):
    run.apply(script.whole())
    view.plots.show_run(run)
    view.update_slider(run.steps)
    view.slider._slider.setValue(4)
    view.plots.accuracy._hover(70.0)
    assert view.plots.losses._crosshair.value() == 70.0
    view.plots.accuracy._hover(None)
    assert view.plots.losses._crosshair.value() == 40


def test_opening_a_long_run_takes_the_window_no_time(view, run, script):
    """15,000 measurements held it up for 2.8 to 4.8 s, a fifth of them for 0.3 to 0.9 s."""
    script.steps = 3000
    run.apply([script.started(), *(event for step in range(3000) for event in script.measured(step))])
    before = time.thread_time()
    view.plots.show_run(run)
    view.update_slider(run.steps)
    view.plots.add(run.history.evaluations[-1:])
    assert time.thread_time() - before < 0.05
    assert view.slider._steps == list(range(3000)) and len(points(view, "retain")) == 3000


def test_a_run_can_be_played_again(view, run, script, qtbot, monkeypatch):
    monkeypatch.setattr("app.pages.unlearn.run_view.REPLAY_MS", 300)
    run.apply(script.whole())
    view.plots.show_run(run)
    view.update_slider(run.steps)
    seen: list = []
    view.slider.moved.connect(seen.append)
    view.slider._play.click()
    assert view.slider.playing and view.slider.step == 0
    qtbot.waitUntil(lambda: not view.slider.playing)
    assert seen[-1] is None and view.slider.step is None
    steps = [step for step in seen if step is not None]
    assert steps == sorted(steps)


def test_a_new_beginning_is_drawn_anew(view, run, script):
    view.plots.show_run(run)
    tell(view, run, script.started(), *script.measured(0), *script.measured(10), *script.measured(20))
    tell(view, run, script.started(resumed_at=10))
    assert [x for x, _ in points(view, "retain")] == [0, 10]


def test_references_stand_in_the_margin(view, run, script):
    view.plots.show_run(run)
    tell(view, run, *script.measured(0, 0.98, "full"), script.started(), *script.measured(0, 0.98))
    view.plots.set_markers([Marker("head_only", 0.96, 0.0, 0.9, 9), Marker("retrained", 0.95, 0.0, 0.7, 9)])
    view.plots.accuracy.flush()
    texts = {label.text for label in view.plots.accuracy.margin.labels() if label.reference}
    assert {"Original 97.0", "Original 98.0", "Head-only 96.0", "Retrained 95.0"} <= texts
    view.plots.alignment.at_k.flush()
    assert {label.text for label in view.plots.alignment.at_k.margin.labels() if label.reference} == {
        "Original 0.900", "Head-only 0.900", "Retrained 0.700",
    }  # fmt: skip


def test_an_alignment_with_another_k_is_no_reference(view, run, script):
    view.plots.show_run(run)
    tell(view, run, script.started(), *script.measured(0))
    view.plots.set_markers([Marker("retrained", 0.95, 0.0, 0.7, k=4)])
    view.plots.alignment.at_k.flush()
    assert not [label for label in view.plots.alignment.at_k.margin.labels() if label.reference]


def test_for_single_images_losses_take_the_place_of_alignment(view, tmp_path):
    run = LiveRun(RunFolder(tmp_path / "r"), "unlearn", job=job("sample"))
    script = Script("r", mode="sample")
    view.plots.show_run(run)
    tell(view, run, script.started(), *script.measured(0), *script.measured(10))
    shown = view.plots.alignment.currentWidget()
    assert shown is view.plots.alignment.losses
    assert shown.caption() == (
        "Alignment compares whole classes. For single images it says nothing, so losses are shown instead."
    )
    assert shown.title == "Loss on forget and on test images"
    assert points(view, "forget") == [(0, 50.0), (10, 50.0)]  # of the forget images themselves
    view.update_slider(100)
    view.slider._slider.setValue(0)
    assert view.plots.alignment.losses._values["forget"].tolist() == [0.0, 0.2, 0.3]


def test_a_training_shows_only_what_it_has(view, run, tmp_path):
    training = LiveRun(RunFolder(tmp_path / "t"), "train", job=job("none", kind="train"))
    training.apply(Script("t", mode="none").whole())
    view.plots.show_run(training)
    plots = view.plots
    assert not plots.alignment.isVisible() and not plots.features.isVisible() and plots.losses.isVisible()
    plots.accuracy.flush()
    assert [label.text for label in plots.accuracy.margin.labels()] == ["Accuracy 97.0"]
    view.plots.show_run(run)
    assert plots.alignment.isVisible() and plots.features.isVisible()


def test_another_run_leaves_nothing_of_the_one_before(view, run, script, tmp_path):
    run.apply(script.whole())
    view.plots.show_run(run)
    view.plots.set_markers([Marker("retrained", 0.95, 0.0, 0.7, 9)])
    view.plots.show_run(LiveRun(RunFolder(tmp_path / "other"), "unlearn", job=job()))
    assert points(view, "retain") == []
    view.plots.features.eigenvalues.flush()
    assert not view.plots.features.eigenvalues.all_series()
    view.plots.accuracy.flush()
    assert view.plots.accuracy.margin.labels() == ()
    assert view.plots.alignment.at_k.caption() == view.plots.alignment.profile.caption() == ""


def test_a_dismissed_banner_does_not_come_back(view):
    texts = [("One thing.", "caution", []), ("Another.", "error", [])]
    view.set_banners(texts)
    view.banners[0].hide()
    view.set_banners(texts)
    assert [banner.isVisible() for banner in view.banners] == [False, True]
    view.set_banners([])
    assert not any(banner.isVisible() for banner in view.banners)


def test_a_later_request_starts_from_another_model_than_the_original(view, run, script):
    def original(view):
        view.plots.accuracy.flush()
        return [label.text for label in view.plots.accuracy.margin.labels() if label.text.startswith("Original")]

    run.apply(script.whole())
    view.plots.show_run(run)
    assert len(original(view)) == 2
    asked = RequestPart(method="muda", mode="class")
    run.job = dataclasses.replace(run.job, requests=(asked, asked))
    view.plots.show_run(run)
    assert original(view) == []
