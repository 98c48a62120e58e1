"""The window is closed over a run, the session ends, or the program was killed: nothing is lost, nothing hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QLabel

from app.bootstrap import install_runs
from app.dialogs import runs as dialogs
from app.dialogs.runs import RunCloseGuard
from app.dialogs.sheet import ConfirmDialog
from app.main_window import MainWindow, PageSpec
from app.services.faults import EXIT_STOPPED
from app.widgets.page import Page
from core.events import State
from core.runs.folder import RunFolder
from tests.app.scripted import Script, Stepped, job, write_run

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def new_window(context, qtbot):
    """Make the window; it goes after the runs, as in the program."""
    made: list[MainWindow] = []

    def make(ask_interrupted: bool = False) -> MainWindow:
        made.append(MainWindow(context, [PageSpec("one", "One", "One", "model", Page)]))
        install_runs(context, made[-1], ask_interrupted=ask_interrupted)
        made[-1].show()
        return made[-1]

    yield make
    for run in context.run_controller.queue:
        context.run_controller.remove(run)
    assert context.run_controller.shutdown()
    for window in made:
        window.hide()
        window.deleteLater()


@pytest.fixture
def window(new_window):
    return new_window()


@pytest.fixture
def run(window, context, tmp_path, qtbot):
    """A scripted run at step 310 of 920."""
    work, script = Stepped(), Script("r", steps=920)
    live = context.run_controller.start_work(RunFolder(tmp_path / "r"), "unlearn", "", work, job())
    work.give(script.started(), script.checkpoint(300), script.losses(310))
    qtbot.waitUntil(lambda: live.step == 310)
    yield live, work
    work.end()
    qtbot.waitUntil(lambda: context.run_controller.current is None)


def question() -> ConfirmDialog | None:
    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, ConfirmDialog) and w.isVisible()), None)


def said(dialog: ConfirmDialog) -> list[str]:
    return [label.text() for label in dialog.findChildren(QLabel)]


def test_without_a_run_the_window_just_closes(window):
    assert window.close() and question() is None


def test_the_question_is_exact_and_says_what_is_on_disk(window, run):
    assert not window.close()
    asked = question()
    texts = said(asked)
    assert "A run is going: step 310 of 920." in texts
    assert (
        "It can go on without the window, in a process of its own; Runs shows it.\n"
        "On disk: a checkpoint at step 300 and results up to step 310 of 920."
    ) in texts
    assert {key: button.text() for key, button in asked.buttons.items()} == {
        "keep": "Keep running", "go on": "Quit, work goes on", "stop": "Stop, save and quit",
        "discard": "Discard and quit",
    }  # fmt: skip
    assert asked.buttons["keep"].isDefault()
    asked.reject()


def test_keep_running_is_the_default_and_what_escape_means(window, run):
    live, work = run
    window.close()
    question().reject()
    assert window.isVisible() and live.state is State.RUNNING and not work.control.ending
    window.close()  # and it can be asked again
    assert question() is not None
    question().buttons["keep"].click()
    assert window.isVisible()


def test_asking_twice_opens_one_question(window, run):
    window.close()
    first = question()
    window.close()
    assert question() is first
    first.reject()


def test_stop_save_and_quit(window, run, context, qtbot):
    live, work = run
    window.close()
    question().buttons["stop"].click()
    assert work.control.stopping and not work.control.discarding
    guard = window.guard
    assert guard._stopping.text.text().startswith("Stopping · finishing step 310 of 920")
    assert not guard._stopping.quit.isEnabled()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert live.state is State.STOPPED and guard._stopping is None


def test_discard_and_quit(window, run, qtbot):
    live, work = run
    window.close()
    question().buttons["discard"].click()
    assert work.control.discarding
    qtbot.waitUntil(lambda: not window.isVisible())
    assert live.state is State.DISCARDED


def test_what_waits_is_named_and_not_started(window, run, context, qtbot, tmp_path):
    waiting = context.run_controller.start_work(RunFolder(tmp_path / "w"), "unlearn", "", Stepped(), job())
    window.close()
    behind = "1 run waits behind it: it goes on with it or is offered at the next start."
    assert any(behind in text for text in said(question()))
    question().buttons["stop"].click()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert waiting.state is State.QUEUED and context.run_controller.current is None


def test_the_end_of_the_session_leaves_the_run_to_be_gone_on_with_without_asking(window, run, context, qtbot):
    live, work = run
    assert window.guard.leave() is False
    assert question() is None and work.control.leaving
    qtbot.waitUntil(lambda: not window.isVisible())
    assert live.state is State.INTERRUPTED
    assert window.guard.leave() is True


def test_a_run_that_ends_while_asked_takes_the_question_away_and_leaves_the_window(window, run, context, qtbot):
    _, work = run
    window.close()
    assert question() is not None
    work.end()
    qtbot.waitUntil(lambda: context.run_controller.current is None)
    assert question() is None and window.isVisible()


def test_after_a_while_one_may_leave_anyway(window, context, tmp_path, qtbot, monkeypatch):
    monkeypatch.setattr(dialogs, "PATIENCE_MS", 50)
    left: list[int] = []
    window.guard = RunCloseGuard(context, window, leave=left.append)
    free = []

    def work(control, emit):  # a step that takes long: it does not look at the control
        while not free:
            time.sleep(0.002)
        return State.STOPPED

    context.run_controller.start_work(RunFolder(tmp_path / "r"), "unlearn", "", work, job())
    window.close()
    question().buttons["stop"].click()
    stopping = window.guard._stopping
    qtbot.waitUntil(stopping.quit.isEnabled)
    qtbot.keyClick(stopping, "\x1b")
    stopping.close()
    assert stopping.isVisible()  # neither Esc nor the corner takes it back
    stopping.quit.click()
    assert left == [EXIT_STOPPED]
    free.append(True)
    qtbot.waitUntil(lambda: not window.isVisible())


def test_a_check_is_stopped_or_kept(window, context, tmp_path, qtbot):
    work = Stepped()
    context.run_controller.start_work(RunFolder(tmp_path / "r"), "check", "", work, job())
    window.close()
    assert {button.text() for button in question().buttons.values()} == {"Keep running", "Stop and quit"}
    question().buttons["stop"].click()
    qtbot.waitUntil(lambda: not window.isVisible())


# ---- after a program that was killed


def interrupted(home: Path, name: str = "r", step: int = 31) -> RunFolder:
    return write_run(home / "data" / "runs" / name, job(), [Script(name).started()], "running", step=step)


@pytest.fixture
def asked(home, new_window, qtbot):
    """A window that opens over an interrupted run."""
    folder = interrupted(home)
    new_window(ask_interrupted=True)
    qtbot.waitUntil(lambda: question() is not None)
    return folder


def test_an_interrupted_run_is_offered(asked):
    assert (
        "A run was interrupted at step 31. Resuming gives the same result as if it had not been."
        in said(question())
    )
    assert {key: button.text() for key, button in question().buttons.items()} == {
        "resume": "Resume", "keep": "Keep as it is", "delete": "Delete",
    }  # fmt: skip
    question().reject()


def test_a_run_whose_process_died_is_offered_with_how_it_ended(home, new_window, qtbot):
    folder = interrupted(home)
    folder.change_status(state="interrupted", error="The process of the run crashed (SIGSEGV). Resume it.")
    new_window(ask_interrupted=True)
    qtbot.waitUntil(lambda: question() is not None)
    assert "The process of the run crashed (SIGSEGV). Resume it." in said(question())
    question().reject()


def test_runs_that_other_processes_work_on_are_told_at_the_start(home, new_window, context, qtbot):
    folder = interrupted(home)
    with folder.lock():
        new_window(ask_interrupted=True)
        qtbot.waitUntil(lambda: bool(context.notifications.history))
        assert [one.text for one in context.notifications.history] == [
            "1 run goes on in another process: r. Runs shows it."
        ]
        assert question() is None


def test_kept_it_is_not_asked_about_again(asked, context, qtbot):
    from app.dialogs.runs import RunsLeft

    question().buttons["keep"].click()
    again = RunsLeft(context, QApplication.activeWindow())
    again.offer(context.run_library.rows)
    assert again.dialog is None and asked.exists


def test_what_waited_is_asked_about_after_the_interrupted_runs(home, context, new_window, qtbot, monkeypatch):
    from app.dialogs import runs as waiting

    looked: list[bool] = []
    monkeypatch.setattr(waiting.RunsLeft, "_ask_waiting", lambda self: looked.append(True))
    interrupted(home)
    new_window(ask_interrupted=True)
    qtbot.waitUntil(lambda: question() is not None)
    assert not looked  # two questions at once lay one over the other
    question().buttons["keep"].click()
    qtbot.waitUntil(lambda: bool(looked))


def test_deleted_it_goes_to_the_trash(asked, context, qtbot, monkeypatch):
    import shutil

    trash: list[Path] = []
    monkeypatch.setattr("app.pages.runs.run_actions._to_trash",
                        lambda path: trash.append(path) or not shutil.rmtree(path))  # fmt: skip
    question().buttons["delete"].click()
    qtbot.waitUntil(lambda: not context.run_library.rows)
    assert trash == [asked.path]


KILLED = """
import sys
sys.path.insert(0, {root!r})
import torch
torch.set_num_threads(1)
import dataclasses
from core.engine.control import Control
from core.events import CheckpointSaved
from core.runs.folder import RunFolder
from core.session.jobs import create_run, make_unlearn_job
from core.session.running import run
from tests.digits import open_digits
example = open_digits()
job = make_unlearn_job(example.bench.on("cpu", threads=1), example.selection, "muda", settings={{"rounds": 3}})
job = dataclasses.replace(job, checkpoint_seconds=0.05)
folder = create_run({path!r}, job, example.selection, example.bench.dataset)
def tell(event):
    if isinstance(event, CheckpointSaved) and event.step > 20:
        print("saved", flush=True)
        sys.stdin.readline()
run(folder, Control(), tell, bench=example.bench)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_run_of_a_killed_program_is_resumed_to_its_end(context, home, new_window, qtbot):
    path = home / "data" / "runs" / "killed"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(root=str(ROOT), path=str(path))], cwd=ROOT, env=dict(os.environ),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline().strip() == "saved"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    new_window(ask_interrupted=True)
    context.show_page = lambda page: None
    qtbot.waitUntil(lambda: question() is not None, timeout=10_000)
    question().buttons["resume"].click()
    qtbot.waitUntil(lambda: context.run_controller.current is not None, timeout=10_000)
    run = context.run_controller.current
    assert context.project.run is run
    qtbot.waitUntil(lambda: context.run_controller.current is None, timeout=60_000)
    assert run.state is State.FINISHED and run.folder.has_result
    assert run.history.started.resumed_at and run.history.started.resumed_at > 20
