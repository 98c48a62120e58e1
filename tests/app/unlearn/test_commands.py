"""The commands of runs, and what the rail and the status line say of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.services.commands import ask_discard, register_run_commands
from app.services.run_words import describe_run
from app.widgets.frame import StatusLine
from app.workers.live_run import LiveRun
from core.events import State
from core.runs.folder import MODEL, RunFolder
from tests.app.scripted import Script, Stepped, job

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def wired(context):
    status = context.status = StatusLine()  # which listens as the window does
    context.shell.activity_changed.connect(status.show_activity)
    register_run_commands(context)
    yield context
    assert context.run_controller.shutdown()
    context.status.deleteLater()


@pytest.fixture
def run(wired, tmp_path, qtbot):
    work, script = Stepped(), Script("r")
    live = wired.run_controller.start_work(RunFolder(tmp_path / "r"), "unlearn", "", work, job())
    work.give(script.started(), script.losses(31), script.resources(31, remaining=20))
    qtbot.waitUntil(lambda: live.step == 31)
    yield live, work, script
    work.end()
    qtbot.waitUntil(lambda: not wired.run_controller.busy)


def enabled(context) -> set[str]:
    return {command.id for command in context.actions if command.id.startswith("run.") and command.action.isEnabled()}


def test_without_a_run_each_command_says_why_it_is_not_there(wired):
    assert enabled(wired) == set()
    assert wired.actions.reason("run.stop") == "No run is going."
    assert wired.actions.reason("run.start") == "Open a model and data first."


def test_commands_follow_the_run(wired, run, qtbot):
    live, work, script = run
    assert enabled(wired) == {"run.pause", "run.checkpoint", "run.stop", "run.discard"}
    wired.actions.trigger("run.pause")
    assert work.control.paused
    work.give(script.state(State.PAUSED, 31))
    qtbot.waitUntil(lambda: live.state is State.PAUSED)
    wired.actions.trigger("run.pause")
    assert not work.control.paused
    wired.actions.trigger("run.stop")
    assert live.state is State.STOPPING and enabled(wired) == set()
    assert wired.actions.reason("run.pause") == "Not possible now. State of the run: Stopping."


def test_a_run_is_discarded_unasked_where_the_user_wants_no_question(wired, run, qtbot):
    live, _, _ = run
    wired.settings.change(confirm_discard=False)
    wired.actions.trigger("run.discard")
    assert live.state is State.DISCARDING


def test_a_run_of_another_process_that_is_gone_by_now_is_not_discarded_in_silence(wired, tmp_path):
    other = LiveRun(RunFolder(tmp_path / "gone"), "unlearn", job=job())
    other.from_disk, other.state = True, State.RUNNING
    wired.settings.change(confirm_discard=False)
    ask_discard(wired, other, None)
    assert wired.notifications.history[-1].text.startswith("The run cannot be asked")
    assert other.state is State.RUNNING


def test_escape_is_no_shortcut_of_a_run(wired):
    assert all("Esc" not in command.action.shortcut().toString() for command in wired.actions)
    assert wired.actions["run.start"].shortcut().toString() == "Ctrl+Return"


def test_rail_and_status_line_say_where_the_run_stands(wired, run, qtbot):
    live, work, script = run
    qtbot.waitUntil(lambda: wired.page_states.get("unlearn") == ("running", "31 %"))
    qtbot.waitUntil(lambda: wired.status.text() == "Forget · round 1 of 2 · step 31 of 100 · 20 s left")
    work.give(*script.measured(0, 0.98, "full"), *script.measured(100, 0.0, "full"), script.finished())
    work.end()
    qtbot.waitUntil(lambda: not wired.run_controller.busy)
    assert wired.notifications.history[-1].text.startswith("Finished in 12 s. Forget accuracy on 60 unseen images went")
    wired.project.set_run(live)
    assert wired.page_states.get("unlearn") == ("done", "Finished")


def test_the_rail_tells_of_pages_that_are_not_in_sight(wired, run):
    live, _, _ = run
    states = wired.page_states
    assert states.get("verify") == ("empty", "Nothing to check")
    assert states.get("export") == ("empty", "Nothing to export")
    live.folder.path.mkdir()
    live.folder.file(MODEL).write_bytes(b"weights")
    wired.project.set_run(live)
    assert states.get("verify") == states.get("export") == ("ready", describe_run(live.job))
    states.set("verify", "done", "Close to retrained")  # the page itself, once it is in sight
    wired.project.selection_changed.emit()
    assert states.get("verify") == ("done", "Close to retrained")
    assert states.get("export") == ("ready", describe_run(live.job))
    wired.project.set_run(None)
    assert states.get("verify") == ("empty", "Nothing to check")
    assert states.get("export") == ("empty", "Nothing to export")


def test_a_checkpoint_that_was_asked_for_is_confirmed(wired, run, qtbot):
    live, work, script = run
    work.give(script.checkpoint(31))  # one of its own makes no words
    qtbot.waitUntil(lambda: live.checkpoint_step == 31)
    wired.run_controller.ask("checkpoint")
    before = len(wired.notifications.history)
    work.give(script.checkpoint(33))
    qtbot.waitUntil(lambda: len(wired.notifications.history) > before)
    assert wired.notifications.history[-1].text == "Checkpoint saved at step 33."


def test_what_waits_is_counted_in_the_rail(wired, run, tmp_path, qtbot):
    waiting = wired.run_controller.start_work(RunFolder(tmp_path / "w"), "unlearn", "", Stepped(), job())
    qtbot.waitUntil(lambda: wired.page_states.get("unlearn")[1] == "31 % · 1 waiting")
    wired.run_controller.remove(waiting)


def test_a_failure_behind_ones_back_is_said(wired, run, qtbot):
    _, work, _ = run
    work.fail(ValueError("no"))
    qtbot.waitUntil(lambda: not wired.run_controller.busy)
    assert "ValueError: no" in wired.notifications.history[-1].text


def test_nothing_heavy_is_imported_with_these_modules():
    """Pages may bring pyqtgraph, what the window has at its start must not; none of them torch."""
    light = ("app.dialogs.runs", "app.services.run_library",
             "app.services.commands", "app.services.run_status", "app.workers.run_controller",
             "app.workers.mailbox", "app.pages.runs.run_actions")  # fmt: skip
    heavy = (*light, "app.pages.unlearn", "app.pages.runs", "app.models.run_table")
    never = {"torch", "scipy", "sklearn"}
    for modules, banned in ((light, never | {"pyqtgraph"}), (heavy, never)):
        code = f"import sys; import {', '.join(modules)}; print({banned!r} & set(sys.modules))"
        found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "set()", found.stdout
