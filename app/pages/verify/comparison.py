"""What the view of several runs does: reads the runs, checks them, opens and replays them, and saves their tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.dialogs.sheet import ask_save, ask_to_open
from app.pages.verify.compared import Compared, measure_ensembles, read_batch, read_comparison
from app.services.translation import mark, tr
from core.errors import AppError
from core.verify.shown import ShownTable

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.context import AppContext
    from app.pages.verify.checks import Checks
    from app.pages.verify.comparison_view import ComparisonView
    from core.runs.folder import RunFolder

ENSEMBLES = "ensembles"  # key of the job, and of the activity
TABLES = (mark("LaTeX, booktabs (*.tex)"), "Markdown (*.md)", "CSV (*.csv)")


class ComparisonPresenter(QObject):
    """Reads the runs that are to be compared, checks them, and answers what is asked of the view."""

    shown = Signal()
    failed = Signal(object)

    def __init__(self, context: AppContext, view: ComparisonView, checks: Checks, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._view, self._checks = context, view, checks
        project = context.project
        project.compared_changed.connect(self.refresh)
        view.left.connect(partial(project.set_compared, ()))
        view.opened.connect(self._open)
        view.batch_chosen.connect(project.show_batch)
        view.open_asked.connect(self._ask_batch)
        view.rest_button.clicked.connect(self._start_rest)
        view.check_button.clicked.connect(self.check_unchecked)
        view.stop_button.clicked.connect(checks.stop)
        view.save_button.clicked.connect(self._ask_save)
        view.plots.ensembles.measure_asked.connect(self._measure_ensembles)
        checks.changed.connect(self._show_check)
        checks.ended.connect(self.refresh)
        # `run_library` also has runs that a terminal has changed.
        for signal in (context.run_controller.queue_changed, context.run_controller.run_ended,
                       context.opening.batch_recorded, context.run_library.changed):  # fmt: skip
            signal.connect(self._refresh_batch)

    def refresh(self, *_: object) -> None:
        """Read the runs again, where there are any to compare."""
        project, jobs = self._context.project, self._context.jobs
        if project.batch is not None:
            queue = tuple(run.path for run in self._context.run_controller.queue if run.makes_model)
            job = jobs.submit(read_batch, project.batch or None, queue, key="compare")
        elif project.compared:
            job = jobs.submit(read_comparison, project.compared, key="compare")
        else:
            jobs.cancel("compare")
            return
        job.then(self._read, self._not_read)

    def check_all(self, folders: Sequence[RunFolder]) -> None:
        """Check those of the runs that were not compared yet."""
        self._context.jobs.submit(read_comparison, folders, key="check-all").then(self._check, self.failed)

    def _start_rest(self) -> None:
        """Queue the runs of the batch that have no result and do not wait."""
        if (compared := self._view.compared) is not None and compared.batch is not None:
            self._context.opening.batch_wanted.emit(compared.batch.file)

    def check_unchecked(self) -> None:
        """Check those of the runs in view that were not compared yet."""
        if self._view.compared is not None:
            self._check(self._view.compared)

    def _check(self, compared: Compared) -> None:
        self._checks.run_several(compared.unchecked, compared.trained)

    def _show_check(self, *_: object) -> None:
        checks = self._checks
        self._view.show_check(checks.shown if checks.asked_for else None, checks.progress_words())

    def _measure_ensembles(self) -> None:
        compared, context = self._view.compared, self._context
        if compared is None:
            return
        job = context.device_jobs.submit(
            measure_ensembles, compared.ensembles, context.project.bench, context.trust.everything(), key=ENSEMBLES
        )
        context.shell.follow(job, ENSEMBLES)
        job.then(partial(self._ensembles_measured, compared), self._ensembles_failed)

    def _ensembles_measured(self, compared: Compared, block: ShownTable) -> None:
        if self._view.compared is not None and self._view.compared.ensembles == compared.ensembles:
            self._view.plots.ensembles.set_table(block.header, block.rows, block.note)

    def _ensembles_failed(self, error: BaseException) -> None:
        self._context.notifications.error(error, tr("The ensembles could not be measured"))

    def _refresh_batch(self, *_: object) -> None:
        if self._context.project.batch is not None and self._view.isVisible():
            self.refresh()

    def _read(self, compared: Compared | None) -> None:
        self._view.show_compared(compared)
        self._show_check()
        self.shown.emit()

    def _not_read(self, error: BaseException) -> None:
        self._context.project.set_compared(())
        self.failed.emit(error)

    def _open(self, folder: RunFolder) -> None:
        self._context.opening.open_run(folder.path)

    def _ask_batch(self) -> None:
        ask_to_open(self._context, self._view.window(), "batch")

    def _ask_save(self) -> None:
        if (compared := self._view.compared) is not None:
            name, csv = "comparison", ""
            if compared.batch is not None:
                name, csv = f"{compared.batch.file.stem}-results", compared.batch.csv
            save_tables(self._context, self._view, compared.tables, name, csv)


def save_tables(context: AppContext, widget: QWidget, tables: Sequence[ShownTable], name: str, csv: str = "") -> None:
    """Ask for a file and write tables to it, as its ending says; `csv`: what a CSV file holds in their place."""

    def write(path: Path) -> None:
        from core.files import write_atomic
        from core.verify.shown import write_tables

        if csv and path.suffix.lower() == ".csv":
            write_atomic(path, csv.encode())
        else:
            write_tables(path, tables)

    save_as(context, widget, tr("Save table"), TABLES, name, write)


def save_as(
    context: AppContext, widget: QWidget, title: str, kinds: Sequence[str], name: str, write: Callable[[Path], object]
) -> None:
    """Ask for a file, have it written, and say what became of it."""

    def save(chosen: str) -> None:
        try:
            write(Path(chosen))
        except AppError as error:
            context.notifications.error(error)
        except OSError as error:
            reason = error.strerror or error
            context.notifications.error(tr("{file} could not be written: {reason}.", file=chosen, reason=reason))
        else:
            context.notifications.info(tr("Saved as {name}.", name=Path(chosen).name))

    ask_save(widget.window(), title, save, kinds, name)
