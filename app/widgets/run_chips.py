"""Chips that name the run a page is about, and say so where it belongs to an earlier forget set, model or data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.services import tokens as t
from app.services.run_words import describe_run
from app.services.theme import theme
from app.widgets.buttons import Chip

if TYPE_CHECKING:
    from app.services.project import ProjectState
    from core.job import Job

EARLIER = "for an earlier selection"


class RunChips(QObject):
    """Keeps two chips up to date: the run in view, and whether it still matches what is chosen."""

    def __init__(self, project: ProjectState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self.name = Chip("", "unlearn")
        self.earlier = Chip(EARLIER, "warning", severity="caution")
        self._row = QWidget()
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        row.addWidget(self.name)
        row.addWidget(self.earlier)
        for signal in (project.run_changed, project.selection_changed, project.model_changed, project.dataset_changed):
            signal.connect(self.refresh)
        self.refresh()

    def widgets(self) -> list[QWidget]:
        """What goes into a page's header. One widget, because the header shows all it is given."""
        return [self._row]

    def refresh(self) -> None:
        """Read the session again."""
        run = self._project.run
        job = run.job if run is not None else None
        self.name.setVisible(job is not None)
        self.earlier.setVisible(job is not None and not matches(self._project, job))
        if run is not None and job is not None:
            self.name.set(describe_run(job), "unlearn", tip=str(run.folder.path))
            self.earlier.set(
                EARLIER, "warning", "caution", "The forget set, the model or the data were changed after this run."
            )


def matches(project: Any, job: Job) -> bool:
    """Whether a job is about the model, data and forget set that are open; what is not open does not contradict."""
    model, dataset, selection = project.opened_model, project.dataset, project.selection
    if model is not None and job.model.sha256 and model.sha256 != job.model.sha256:
        return False
    if dataset is not None and dataset.fingerprint != job.data.fingerprint:
        return False
    if selection is None or not selection.count or selection.digest() == job.forget.sha256:
        return True
    before = project.forgotten_before
    if not job.requests or before is None:  # which images a chain adds to its forget set is told by the Forget page
        return bool(job.requests)
    return selection.with_samples((before & ~selection.mask).nonzero()[0]).digest() == job.forget.sha256
