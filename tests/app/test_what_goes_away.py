"""Runs that go away while pages show them, and full disks: nothing is stuck, and what cannot be done is said."""

from __future__ import annotations

import errno
import io
import logging
import shutil

import pytest

from app.services.notifications import Notifications, install_log, remove_log, start_file_log
from core.errors import RunError
from core.events import State
from core.files import write_json
from core.runs.folder import CARD, MODEL, REPORT_JSON, RunFolder
from tests.app.runner import context, window
from tests.app.scripted import Script, Stepped, job, write_run
from tests.app.verify.reports import full_report

__all__ = ["context", "window"]
FULL = OSError(errno.ENOSPC, "No space left on device", "/disk/file")
PAGES = ("runs", "unlearn", "verify", "export", "project", "forget")


@pytest.fixture
def shown(tmp_path, window, context, qtbot, monkeypatch) -> RunFolder:
    """A finished run that all pages show."""
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    run = write_run(context.runs_folder() / "one", job(), Script("one").whole())
    write_json(run.file(REPORT_JSON), full_report())
    write_json(run.file(CARD), {"schema_version": 1, "architecture": "small-cnn", "measures": {}})
    run.file(MODEL).write_bytes(b"weights")
    context.run_library.refresh()
    context.opening.open_run(run.path)
    walk(window, context, qtbot)
    assert context.project.run is not None and [row.path for row in context.run_library.rows] == [run.path]
    return run


def walk(window, context, qtbot) -> None:
    for page in PAGES:
        qtbot.waitUntil(lambda: not context.jobs.active() and not context.device_jobs.active())
        context.show_page(page)
        window.grab()
    qtbot.waitUntil(lambda: not context.jobs.active())


def replaced(path):
    for file in path.iterdir():
        file.unlink()
        file.mkdir()


AWAY = {
    "removed": shutil.rmtree, "renamed": lambda path: path.rename(path.with_name("other")), "replaced": replaced,
    "a file": lambda path: (shutil.rmtree(path), path.write_text("x")),
}  # fmt: skip


@pytest.mark.parametrize("away", AWAY)
def test_a_run_that_goes_while_it_is_shown(away, shown, window, context, qtbot):
    AWAY[away](shown.path)
    walk(window, context, qtbot)
    for name in ("verify.check", "verify.check_full", "verify.report", "run.resume", "run.discard", "verify.check_all"):
        if name in context.actions and context.actions[name].isEnabled():
            context.actions.trigger(name)
            qtbot.waitUntil(lambda: not context.jobs.active() and not context.run_controller.busy)
    context.opening.open_run(shown.path)
    context.project.set_compared((shown, RunFolder(shown.path.with_name("never"))))
    walk(window, context, qtbot)
    context.run_library.refresh()
    qtbot.waitUntil(lambda: not context.jobs.active())
    assert shown.path not in {row.path for row in context.run_library.rows}
    said = [note for note in context.notifications.history if note.level == "error"]
    assert said and not any("fault" in note.text or note.details for note in said), said


def test_a_full_disk_is_no_fault_of_the_program(context, qtbot, tmp_path):
    def full():
        raise FULL

    found = []
    with qtbot.waitSignal(context.jobs.submit(full).failed) as failed:
        pass
    found.append(failed.args[0])
    work = Stepped()
    run = context.run_controller.start_work(RunFolder(tmp_path / "r"), "unlearn", "", work, job())
    work.fail(FULL)
    qtbot.waitUntil(lambda: run.ended)
    assert run.state is State.FAILED and run.error == "/disk/file: No space left on device."
    assert run.hint == "Check the disk and its permissions, then try again."
    for error in (*found, run.failure, FULL):
        said = Notifications().error(error)
        assert (said.text, said.details) == (run.error, "") and said.hint == run.hint
    assert all(isinstance(error, RunError) for error in (*found, run.failure))


def test_a_window_closes_on_a_full_disk(tmp_path):
    class Full(io.StringIO):
        def close(self):
            raise FULL

    handler = start_file_log(tmp_path)
    handler.stream = Full()
    install_log(handler)
    remove_log(handler)
    assert handler not in logging.getLogger().handlers
    handler.stream = None
