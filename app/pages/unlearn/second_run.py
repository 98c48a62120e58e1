"""A second run on the axes of the one in view: chosen from the runs known, read in a job, drawn dashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from app.pages.unlearn.run_view import RunView
from app.widgets.buttons import ChipButton
from app.workers.live_run import LiveRun
from core.errors import AppError
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext

NONE = "Second run: none"
TIP = "Draw another run's curves, dashed, on the same axes"
MOST_OFFERED = 30


class SecondRun(QObject):
    """Keeps the chip beside the time slider and the dashed curves up to date with `project.beside`."""

    def __init__(self, context: AppContext, view: RunView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context, self._view = context, view
        self.chip = ChipButton(NONE.removeprefix("Second run: "), name="Second run")
        self.chip.set(NONE, TIP)
        self.menu = QMenu(self.chip)
        self.menu.aboutToShow.connect(self.fill)
        self.chip.set_menu(self.menu)
        view.slider.add_widget(self.chip)
        context.project.beside_changed.connect(self.refresh)
        context.project.run_changed.connect(self._run_changed)
        self.refresh()

    def fill(self) -> None:
        """Offer the runs known, the one in view left out."""
        self.menu.clear()
        self._add("None", None)
        self.menu.addSeparator()
        run, library = self._context.project.run, self._context.run_library
        for row in (library.rows if library is not None else ())[:MOST_OFFERED]:
            if row.readable and (run is None or row.path != run.path):
                self._add(f"{row.method}, seed {row.seed} · {row.id}", RunFolder(row.path))

    def refresh(self) -> None:
        """Read the second run, or take it away."""
        folder = self._context.project.beside
        if folder is None:
            self._context.jobs.cancel("second run")
            self._show(None)
            return
        job = self._context.jobs.submit(LiveRun.from_folder, folder, key="second run")
        job.done.connect(self._show)
        job.failed.connect(self._not_read)

    def _add(self, title: str, folder: RunFolder | None) -> None:
        action = self.menu.addAction(title)
        action.setData(folder)
        action.triggered.connect(self._choose)

    def _choose(self) -> None:
        action, run = self.sender(), self._context.project.run
        assert isinstance(action, QAction)
        self._context.project.set_beside(action.data(), of=run.path if run is not None else None)

    def _run_changed(self) -> None:
        if self._context.project.beside is not None:
            self.refresh()

    def _show(self, run: LiveRun | None) -> None:
        self._view.plots.set_overlaid([run] if run is not None else [])
        shown = self._context.project.run
        self._view.update_slider(shown.steps if shown is not None else 0)
        if run is None or run.job is None:
            self.chip.set(NONE, TIP)
        else:
            self.chip.set(f"Dashed, 2nd: {run.job.method}, seed {run.job.seed}", str(run.path))

    def _not_read(self, error: BaseException) -> None:
        self._context.project.set_beside(None)
        problem = error if isinstance(error, AppError) else RuntimeError(str(error))
        self._context.notifications.error(problem, "The second run could not be read")
