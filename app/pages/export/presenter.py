"""What the Export page does: reads the run, exports its model in a job, removes traces when told to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from core.job import Job
from core.runs.folder import FORGET, REPORT_HTML, RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.jobs import JobHandle
    from core.data.dataset import Dataset
    from core.events import Tell
    from core.models.trust import Trust
    from core.session.exporting import ExportResult
    from core.session.kept import Removed, Traces


_FACTS = "export-facts"


@dataclass(frozen=True)
class ExportFacts:
    """What must be known of a finished run before its model can be exported."""

    folder: RunFolder
    job: Job
    checked: bool
    has_report: bool
    has_list: bool
    traces: Traces | None


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    format: str
    path: Path
    with_card: bool
    with_report: bool
    with_forget_list: bool


class ExportPresenter(QObject):
    """Holds the run in view; all signals come in the window's thread."""

    facts_changed = Signal(object)  # ExportFacts, or None where there is nothing to export
    unreadable = Signal(object)  # the exception of a run that cannot be read
    started = Signal()
    progress = Signal(str, int, int)
    exported = Signal(object)  # ExportResult
    failed = Signal(object)  # the exception
    removed = Signal(object)  # Removed

    def __init__(self, context: AppContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.facts: ExportFacts | None = None
        self._job: JobHandle | None = None
        context.project.run_changed.connect(self.refresh)
        context.run_controller.run_ended.connect(self._run_ended)

    @property
    def busy(self) -> bool:
        """Whether an export is under way."""
        return self._job is not None

    def refresh(self) -> None:
        """Read the run in view again."""
        run = self._context.project.run
        folder = getattr(run, "folder", None)
        if folder is None or not folder.has_result:
            self._context.jobs.cancel(_FACTS)  # of the run before
            self.facts = None
            self.facts_changed.emit(None)
            return
        job = self._context.jobs.submit(read_facts, folder, key=_FACTS)
        job.done.connect(self._read)
        job.failed.connect(self._not_read)

    def export(self, wish: Wish, overwrite: bool = False) -> None:
        """Write, read back and compare, in a worker."""
        if self.facts is None or self.busy:
            return
        project, trust = self._context.project, self._context.trust.of(self.facts.job)
        self._job = self._context.device_jobs.submit(
            _export, self.facts.folder.path, wish, project.dataset, overwrite, trust, key="export"
        )
        self._job.progress.connect(self.progress)
        self._job.done.connect(self._exported)
        self._job.failed.connect(self._failed)
        self._job.finished.connect(self._ended)
        self.started.emit()

    def remove(self, ids: tuple[str, ...]) -> None:
        """Remove kinds of traces; asking is the page's part."""
        if self.facts is None:
            return
        job = self._context.jobs.submit(_remove, self.facts.folder, ids, key="export-remove")
        job.done.connect(self._removed)
        job.failed.connect(self._not_removed)

    def _read(self, facts: ExportFacts) -> None:
        self.facts = facts
        self.facts_changed.emit(facts)

    def _not_read(self, error: BaseException) -> None:
        self.facts = None
        self.unreadable.emit(error)

    def _exported(self, result: ExportResult) -> None:
        self._job = None
        self.exported.emit(result)

    def _failed(self, error: BaseException) -> None:
        self._job = None
        self.failed.emit(error)

    def _ended(self) -> None:
        self._job = None

    def _removed(self, removed: Removed) -> None:
        self.removed.emit(removed)
        self.refresh()

    def _not_removed(self, error: BaseException) -> None:
        self._context.notifications.error(error, "Nothing was removed")
        self.refresh()

    def _run_ended(self, run: Any) -> None:
        current = self._context.project.run
        if current is not None and run.folder.path == current.folder.path:
            self.refresh()


def read_facts(folder: RunFolder) -> ExportFacts:
    """Read a run folder; runs in a worker, because counting traces hashes model files."""
    from core.session.kept import what_is_kept
    from core.session.library import check_state

    job = folder.job()
    return ExportFacts(
        folder=folder,
        job=job,
        checked=check_state(folder)["checked"] or job.kind == "train",
        has_report=folder.file(REPORT_HTML).is_file(),
        has_list=folder.file(FORGET).is_file() and job.forget.count > 0,
        traces=what_is_kept(folder) if job.kind == "unlearn" else None,
    )


def _export(
    folder: Path, wish: Wish, dataset: Dataset | None, overwrite: bool, trust: Trust, progress: Tell
) -> ExportResult:
    from core.session.bench import Bench
    from core.session.exporting import export

    return export(
        folder, wish.format, wish.path, Bench(None, dataset, trust=trust, tell=progress), with_card=wish.with_card,
        with_report=wish.with_report, with_forget_list=wish.with_forget_list, overwrite=overwrite,
    )  # fmt: skip


def _remove(folder: RunFolder, ids: tuple[str, ...]) -> Removed:
    from core.session.kept import remove_kept

    return remove_kept(folder, ids)
