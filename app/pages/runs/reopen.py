"""Brings a run's model and data back into the session: to start its job again, or a later request from its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from app.workers.opening_job import Request
from core.errors import AmbiguousEntryError, NoTestPartError, UnsafeFileError
from core.job import Job
from core.models.trust import Trust
from core.runs.folder import MODEL, RunFolder

if TYPE_CHECKING:
    from app.context import AppContext

# The Project page asks and opens again.
_QUESTIONS = (UnsafeFileError, AmbiguousEntryError, NoTestPartError)


class Reopening(QObject):
    """One run at a time; what is open stays where anything of the run cannot be opened."""

    def __init__(self, context: AppContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._goal: object = None  # marks the request that is waited for
        self._folder: RunFolder | None = None
        self._then: Callable[[], object] | None = None
        if context.opening is not None:
            context.opening.opened.connect(self._opened)
            context.opening.failed.connect(self._failed)

    def open(self, folder: RunFolder, job: Job, then: Callable[[Job], object]) -> None:
        """Open what `job` needs where it is not open, choose its forget set, then call `then(job)`."""

        def chosen() -> None:
            then(job)

        self._folder = folder
        bench = self._context.project.bench
        self._open(job.model.path, job, f"The model and data of {folder.id}", lambda: self._choose(chosen),
                   key=job.model.key, is_open=bench is not None and bench.holds_model_of(job))  # fmt: skip

    def open_result(self, folder: RunFolder, job: Job, then: Callable[[], object]) -> None:
        """Open the model a run made with the run's data; nothing is chosen in it yet when `then` is called."""

        def opened() -> None:
            selection = self._context.project.selection
            if selection is not None and selection.count:
                self._context.project.set_selection(selection.cleared())
            then()

        model, project = str(folder.file(MODEL)), self._context.project
        is_open = project.opened_model is not None and str(project.opened_model.path) == model
        self._open(model, job, f"The result of {folder.id}", opened, is_open=is_open)

    def _open(
        self, model: str, job: Job, name: str, then: Callable[[], object], *, is_open: bool, key: str = ""
    ) -> None:
        """Open a model with a job's data, prepared as the job says; `is_open`: the model is open already."""
        self._then = then
        bench, data = self._context.project.bench, job.data
        if is_open and bench is not None and not bench.other_data_than(job):
            self._go_on()
            return
        changes = {
            "data_root": data.data_root, "test_fraction": data.test_fraction, "classes_file": data.classes_file,
            "preprocess_file": data.preprocess_file,
        }  # fmt: skip
        self._goal = object()
        self._context.opening.put(
            Request("both", name, model=model, data=data.spec, changes=changes,
                    arch=job.model.builder, key=key, prepared=job.model.preprocessing,
                    trust=Trust(code=self._context.trust.code(job)), wanted_by=self._goal)
        )  # fmt: skip

    def _go_on(self) -> None:
        then, self._then, self._goal = self._then, None, None
        if then is not None:
            then()

    def _opened(self, request: Request) -> None:
        if self._goal is not None and request.wanted_by is self._goal:
            self._go_on()

    def _failed(self, failure: Any) -> None:
        if self._goal is None or failure.request.wanted_by is not self._goal:
            return
        if isinstance(failure.error, _QUESTIONS):
            self._context.show_page("project")
            return
        self._goal = self._then = None
        self._context.notifications.error(failure.sentence)

    def _choose(self, then: Callable[[], object]) -> None:
        dataset = self._context.project.dataset
        assert dataset is not None and self._folder is not None
        self._then = then
        handle = self._context.jobs.submit(_selection, self._folder, dataset, key="reopen")
        handle.done.connect(self._chosen)
        handle.failed.connect(self._not_chosen)

    def _chosen(self, selection: Any) -> None:
        self._context.project.set_selection(selection)
        self._go_on()

    def _not_chosen(self, error: BaseException) -> None:
        self._then = None
        self._context.notifications.error(error, "The forget set could not be read")


def _selection(folder: RunFolder, dataset: Any) -> Any:
    from core.session.forget_sets import run_selection

    return run_selection(folder, dataset)
