"""Brings a run's model, data and forget set back into the session, to start its job again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from app.workers.opening_job import Request
from core.job import Job
from core.runs.folder import FORGET, RunFolder

if TYPE_CHECKING:
    from app.context import AppContext


class Reopening(QObject):
    """One run at a time; what is open stays where anything of the run cannot be opened."""

    def __init__(self, context: AppContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._request: Request | None = None
        self._folder: RunFolder | None = None
        self._job: Job | None = None
        self._then: Callable[[Job], object] | None = None
        if context.opening is not None:
            context.opening.opened.connect(self._opened)
            context.opening.failed.connect(self._failed)

    def open(self, folder: RunFolder, job: Job, then: Callable[[Job], object]) -> None:
        """Open what `job` needs where it is not open, choose its forget set, then call `then(job)`."""
        self._folder, self._job, self._then = folder, job, then
        project = self._context.project
        model, dataset = project.opened_model, project.dataset
        same = model is not None and dataset is not None and (
            model.sha256 == job.model.sha256 and dataset.fingerprint == job.data.fingerprint
        )  # fmt: skip
        if same:
            self._choose()
            return
        data = job.data
        changes = {
            "data_root": data.data_root, "test_fraction": data.test_fraction, "classes_file": data.classes_file,
            "preprocess_file": data.preprocess_file,
        }  # fmt: skip
        self._request = Request("both", f"The model and data of {folder.id}", model=job.model.path, data=data.spec,
                                changes=changes, arch=job.model.user_code or job.model.architecture)  # fmt: skip
        self._context.opening.put(self._request)

    def _opened(self, request: Request) -> None:
        if request is self._request:
            self._request = None
            self._choose()

    def _failed(self, failure: Any) -> None:
        if failure.request is self._request:
            self._request = self._then = None
            self._context.notifications.error(failure.sentence)

    def _choose(self) -> None:
        dataset = self._context.project.dataset
        assert dataset is not None and self._folder is not None
        handle = self._context.jobs.submit(_selection, self._folder, dataset, key="reopen")
        handle.done.connect(self._chosen)
        handle.failed.connect(self._not_chosen)

    def _chosen(self, selection: Any) -> None:
        then, self._then = self._then, None
        self._context.project.set_selection(selection)
        if then is not None and self._job is not None:
            then(self._job)

    def _not_chosen(self, error: BaseException) -> None:
        self._then = None
        self._context.notifications.error(error, "The forget set could not be read")


def _selection(folder: RunFolder, dataset: Any) -> Any:
    from core.selection import Selection, read_forget_csv

    mask = read_forget_csv(folder.file(FORGET)).mask(len(dataset.train))
    return Selection(mask, dataset.train.labels.numpy(), dataset.classes)
