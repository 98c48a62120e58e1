"""Runs in processes of their own, as the window starts, shows, asks and leaves them."""

from __future__ import annotations

import os
import signal
import time

import pytest
from PySide6.QtWidgets import QApplication

from app.dialogs.runs import RunCloseGuard, RunsLeft
from app.dialogs.sheet import ConfirmDialog
from app.pages.unlearn.run_presenter import RunPresenter
from app.pages.unlearn.run_view import RunView
from app.pages.unlearn.setup_view import ParametersCard
from app.services.run_library import RunRow
from app.widgets.buttons import SecondaryButton
from app.workers.live_run import LiveRun
from core.engine.engine import Engine
from core.events import State
from core.files import queue_home
from core.runs.asked import asked_until_now
from core.runs.folder import RunFolder
from core.runs.waiting import BEHIND, left_waiting, lock_of


@pytest.fixture
def start(context, example, tmp_path):
    """Start a run of the digits, in a process of its own where nothing else is said."""
    from core.session.jobs import make_unlearn_job

    def make(launcher: str = "process", name: str = "run", **settings) -> LiveRun:
        bench = example.bench.on("cpu", "float32", threads=1)
        job = make_unlearn_job(
            bench, example.selection, "finetune", settings=settings, checkpoint_seconds=0.0, launcher=launcher
        )
        return context.run_controller.start(job, bench, example.selection, tmp_path / name)

    return make


@pytest.fixture
def view(context, qtbot):
    """The page's view of the run of the project, with its presenter."""
    made = RunView()
    qtbot.addWidget(made)
    presenter = RunPresenter(context, made, made)
    context.project.run_changed.connect(lambda: presenter.show_run(context.project.run))
    return made


def test_a_killed_process_leaves_the_window_with_a_reason_and_a_way_to_go_on(context, start, view, qtbot):
    run = start(epochs=40.0)
    context.project.set_run(run)
    qtbot.waitUntil(lambda: (run.checkpoint_step or 0) > 0)
    pid = run.folder.status().pid
    assert pid != os.getpid()
    os.kill(pid, signal.SIGSEGV)
    qtbot.waitUntil(lambda: context.run_controller.current is None)
    assert run.state is State.INTERRUPTED and run.resumable and not run.ended
    assert run.error == "The process of the run crashed (SIGSEGV)."
    assert "Fatal Python error: Segmentation fault" in run.details
    banner = view.banners[0]
    assert run.error in banner.text()
    assert [button.text() for button in banner.findChildren(SecondaryButton)] == ["Details…"]
    assert not view.bar.buttons["restart"].isHidden()
    again = context.run_controller.resume_run(LiveRun.from_folder(run.folder), None)
    qtbot.waitUntil(lambda: again.state is State.RUNNING and again.step > 0)
    assert context.run_controller.ask("discard")
    qtbot.waitUntil(lambda: context.run_controller.current is None)
    assert again.state is State.DISCARDED and not run.path.exists()


def question() -> ConfirmDialog | None:
    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, ConfirmDialog) and w.isVisible()), None)


def test_the_window_closes_and_the_run_goes_on_and_is_asked_from_another_window(context, start, view, qtbot):
    run = start(epochs=400.0)
    qtbot.waitUntil(lambda: run.step > 0)
    guard = RunCloseGuard(context, view)
    assert not guard.may_close()
    asked = question()
    assert list(asked.buttons) == ["discard", "stop", "go on", "keep"]
    asked.buttons["go on"].click()
    qtbot.waitUntil(lambda: context.run_controller.current is None)
    assert run.folder.locked and run.folder.status().state == "running"
    # Another window, later: it follows the folder and asks through it.
    other = LiveRun.from_folder(RunFolder(run.path))
    assert not other.mine and other.can("pause") and other.can("stop") and not other.can("resume")
    context.run_controller.hold(False)
    context.project.set_run(other)
    view.bar.buttons["pause"].click()
    assert other.asked == "pause" and asked_until_now(other.folder)
    qtbot.waitUntil(lambda: other.state is State.PAUSED)
    view.bar.buttons["stop"].click()
    qtbot.waitUntil(lambda: other.state is State.STOPPED)
    assert other.folder.has_result


@pytest.mark.slow
def test_the_window_closes_and_all_its_work_goes_on_without_it(home, context, start, view, qtbot, monkeypatch):
    advance = Engine.advance

    def slowly(engine: Engine) -> None:  # in this process alone: a window that is late still finds the run going
        time.sleep(0.3)
        advance(engine)

    monkeypatch.setattr(Engine, "advance", slowly)
    run, behind = start("thread", epochs=8.0), start(name="behind", epochs=0.2)
    qtbot.waitUntil(lambda: run.step > 2)
    guard = RunCloseGuard(context, view)
    assert not guard.may_close()
    question().buttons["go on"].click()
    qtbot.waitUntil(lambda: context.run_controller.current is None)
    assert run.state is State.INTERRUPTED and not behind.path.exists()
    assert context.run_controller.shutdown()
    qtbot.waitUntil(lambda: bool(left_waiting().behind) or behind.path.exists())
    assert not left_waiting().waiting
    # Another window, later: it asks nothing of a run that is about to go on.
    asking = RunsLeft(context, view)
    asking.offer((RunRow(run.path, State.INTERRUPTED.value),))
    qtbot.waitUntil(lambda: behind.folder.exists and behind.folder.finished)
    assert asking.dialog is None or "resume" not in asking.dialog.buttons
    assert run.folder.finished and LiveRun.from_folder(run.folder).history.started.resumed_at
    qtbot.waitUntil(lambda: not list(queue_home().glob("*")))


def test_what_waits_behind_work_without_a_window_is_asked_about_and_taken_over(home, context, start, view, qtbot):
    controller = context.run_controller
    controller.hold()
    for seed in (1, 2):
        start(name=f"s{seed}", epochs=0.2)
    room = controller.queue[0].kept_in.parent
    assert controller.shutdown()
    folder = room.rename(room.with_name(f"{BEHIND}{room.name}"))
    with lock_of(folder):
        asking = RunsLeft(context, view)
        asking.offer(())
        qtbot.waitUntil(lambda: asking.dialog is not None)
        assert asking.dialog.buttons["later"].text() == "Let them wait there"
        asking.dialog.buttons["start"].click()
        assert len(controller.queue) == 4 and all(run.adopted for run in controller.queue[2:])
        qtbot.waitUntil(lambda: not left_waiting().behind)
    for run in controller.queue:
        controller.remove(run)


@pytest.mark.parametrize(
    ("kind", "more", "launcher", "wrong"),
    [("thread", "", "thread", False), ("process", "", "process", False), ("torchrun", "2", "torchrun 2", False),
     ("torchrun", "two", "", True), ("torchrun", "", "", True), ("ssh", "me@gpu", "ssh me@gpu", False),
     ("ssh", "-oProxyCommand=x", "", True)],
)  # fmt: skip
def test_what_starts_the_runs_is_chosen_and_wrong_ones_are_said(qtbot, kind, more, launcher, wrong):
    card = ParametersCard()
    qtbot.addWidget(card)
    card.launcher.setCurrentIndex(card.launcher.findData(kind))
    card.launched_on.setText(more)
    assert bool(card.problems()) is wrong
    assert card.launched_on.isHidden() is not (kind in ("torchrun", "ssh"))
    if not wrong:
        assert card.common()["launcher"] == launcher


def test_another_machine_has_devices_of_its_own(qtbot):
    card = ParametersCard()
    qtbot.addWidget(card)
    card.set_common("auto", 0.1, launcher="ssh gpu")
    assert card.device.findData("cuda:1") >= 0
    card.device.setCurrentIndex(card.device.findData("cuda:1"))
    assert card.common() == {
        "device": "cuda:1", "precision": "auto", "monitoring_budget": 0.1, "launcher": "ssh gpu",
    }  # fmt: skip
    card.set_common("auto", 0.1)
    assert card.device.findData("cuda:1") < 0 and card.common()["launcher"] == "thread"


@pytest.mark.parametrize("chosen", [True, False])
def test_who_sets_a_run_up_chooses_its_machine_and_no_folder_does(
    context, example, tmp_path, qtbot, monkeypatch, chosen
):
    from core import launch as launching
    from core.runs.folder import FORGET
    from core.session.jobs import make_train_job

    asked = []

    def launch(folder, control, emit, bench, *, resume, launcher):
        asked.append(launcher)
        return State.FINISHED

    monkeypatch.setattr(launching, "launch", launch)
    controller, bench = context.run_controller, example.bench.on("cpu", "float32", threads=1)
    if chosen:
        controller.start_training(bench, "small-cnn", launcher="ssh gpu")
    else:
        theirs = make_train_job(bench, "small-cnn", launcher="ssh gpu")
        controller.train_again(RunFolder.create(tmp_path / "theirs", theirs, {FORGET: b""}), theirs)
    qtbot.waitUntil(lambda: bool(asked) and controller.current is None)
    assert [str(launcher) for launcher in asked] == ["ssh gpu" if chosen else "None"]
