"""Finished runs: one that only has a report, for what is shown; one with models, for checks that are really run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject, Signal

from app.context import AppContext, create_context
from app.pages.verify import VerifyPage
from app.services.run_library import RunRow
from app.workers.live_run import LiveRun
from core.events import Progress, State
from core.files import write_json
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.runs.folder import FORGET, MODEL, REPORT_HTML, REPORT_JSON, RunFolder
from core.runs.waiting import Check
from tests.app.verify.reports import CLASSES, bare_report, full_report
from tests.finished import call_finished


class Library(QObject):
    """Stands in for the list of runs."""

    changed = Signal()

    def __init__(self, rows: Sequence[RunRow] = ()) -> None:
        super().__init__()
        self.rows = tuple(rows)


class Controller(QObject):
    """Stands in for the run controller: notes what is asked, and is told by the test what happens."""

    run_started = Signal(object)
    run_ended = Signal(object)
    state_changed = Signal(object)
    queue_changed = Signal()
    events = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.current: LiveRun | None = None
        self.queue: list[LiveRun] = []
        self.asked: list[Check] = []
        self.stopped = 0

    def start_reference(self, folder: RunFolder, check: Check | None = None, bench: Any = None) -> LiveRun:
        check = check or Check()
        run = LiveRun(folder, "check", job=folder.job(), check=check, work=lambda control, emit: None)
        if self.current is None:
            run.begin()
            self.current = run
        else:
            self.queue.append(run)
        self.asked.append(check)
        return run

    def end(self, run: LiveRun) -> None:
        if run is self.current:
            self.stopped += 1
            return
        run.state, run.work = State.DISCARDED, None
        self.queue_changed.emit()

    # what a test lets happen

    def report_progress(self, what: str, done: int, total: int) -> None:
        assert self.current is not None
        self.current.apply([Progress(run=self.current.id, step=0, time=0.0, what=what, done=done, total=total)])
        self.state_changed.emit(self.current)

    def finish(self, error: BaseException | None = None) -> None:
        run, self.current = self.current, None
        assert run is not None
        run.end({}, error)
        self.state_changed.emit(run)
        self.run_ended.emit(run)
        if self.queue:
            self.current = self.queue.pop(0)
            self.current.begin()
            self.run_started.emit(self.current)


@pytest.fixture
def job() -> Job:
    return Job(
        model=ModelPart(path="", sha256="ab" * 32, architecture="mlp", num_classes=10, in_channels=1,
                        input_size=(8, 8), classes=tuple(CLASSES)),
        data=DataPart(spec="digits", fingerprint="f" * 64),
        forget=ForgetPart(mode="class", classes=(3,), class_names=("3",), count=100, total=1000, sha256="5" * 64),
        method="muda",
    )  # fmt: skip


@pytest.fixture
def make_folder(tmp_path, job) -> Callable[..., RunFolder]:
    def make(report: dict[str, Any], name: str = "run-1") -> RunFolder:
        folder = RunFolder.create(tmp_path / "runs" / name, job)
        folder.file(MODEL).write_bytes(b"weights")
        folder.file(FORGET).write_text("index,class,path,weight\n3,3,,1\n")
        folder.file(REPORT_HTML).write_text("<html>report</html>")
        write_json(folder.file(REPORT_JSON), report)
        call_finished(folder)
        return folder

    return make


@pytest.fixture
def controller(qapp) -> Controller:
    return Controller()


@pytest.fixture
def context(qapp, controller) -> AppContext:
    made = create_context()
    made.run_controller, made.run_library = controller, Library()
    yield made
    assert made.jobs.shutdown() and made.window_state.shutdown()
    assert made.device_jobs.shutdown()


@pytest.fixture
def page(qtbot, context) -> VerifyPage:
    made = VerifyPage(context)
    qtbot.addWidget(made)
    made.resize(1096, 644)
    made.show()
    return made


@pytest.fixture
def show(qtbot, page, context) -> Callable[[RunFolder], VerifyPage]:
    def shown(folder: RunFolder) -> VerifyPage:
        with qtbot.waitSignal(page.presenter.facts_changed):
            context.project.set_run(LiveRun.from_folder(folder))
        assert page.presenter.facts is not None
        return page

    return shown


@pytest.fixture
def checked(show, make_folder) -> VerifyPage:
    return show(make_folder(full_report()))


@pytest.fixture
def unchecked(show, make_folder) -> VerifyPage:
    return show(make_folder(bare_report()))


def rewrite(folder: RunFolder, report: dict[str, Any]) -> None:
    """Replace a run's report, as a check does."""
    write_json(folder.file(REPORT_JSON), report)


def weights(path: Path) -> Path:
    """Make a file that stands for a model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path
