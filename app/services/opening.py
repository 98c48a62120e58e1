"""Opening: the one way by which models, data, runs and lists come into the window, one request after the other.

A request is worked on in the background and ends in a whole new project or in a failure; a failure leaves what is open
as it is. Questions (is this file trusted, how many test images) are failures too: whoever listens asks the user and
puts the request again with the answer.
"""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.services.doubts import Measuring
from app.services.settings import Pairings
from app.services.translation import tr
from app.workers.jobs import JobHandle
from app.workers.live_run import LiveRun
from app.workers.opening_job import Plan, Request, Result, look, work
from core.errors import AppError, of_system
from core.events import State
from core.models.trust import NO_TRUST, Trust
from core.models.user_code import FACTORY_OPTION
from core.runs.folder import JOB, RunFolder
from core.runs.waiting import Check

if TYPE_CHECKING:
    from app.services.shell import Services
    from app.workers.run_controller import RunController
    from core.job import Job
    from core.session.attempts import Attempt
    from core.session.example import Example

TOPIC = "opening"  # of notifications, and of the activity
LOOK = "look at files"  # key of the job for what is dragged
# Another data set begins with its own class order and preprocessing, not with those of the former.
FRESH = {"classes_file": "", "preprocess_file": "", "test_fraction": None}


@dataclass(frozen=True)
class Failure:
    """A request that came to nothing. What was open still is."""

    request: Request
    error: BaseException

    @property
    def sentence(self) -> str:
        """What happened, for a banner."""
        return tr("{name} was not opened. {why}", name=self.request.name, why=explain(self.error))


class Opening(QObject):
    """Takes requests, works on them one at a time, and swaps what is open when one has succeeded."""

    started = Signal(object)  # Request
    failed = Signal(object)  # Failure
    opened = Signal(object)  # Request
    idle = Signal()  # nothing is being opened any more
    looked = Signal(object)  # Plan of what is dragged over the window; None where that has left it
    list_wanted = Signal(object)  # Path of a forget list; the Forget page is in view
    batch_wanted = Signal(object)  # Path of a batch file
    batch_recorded = Signal()  # the runs of a batch file were written down

    def __init__(self, services: Services, controller: RunController) -> None:
        super().__init__(services.project)
        self._context, self._controller = services, controller
        self.example_folder: Path | None = None  # where the command line wants the example's next run
        self.key = ""  # the entry of its file that the open model is, where the user said it
        self._waiting: deque[Request] = deque()
        self._current: Request | None = None
        self._handle: JobHandle | None = None
        self._answers: tuple[Trust, str | None] = (NO_TRUST, None)  # trust and architecture of the model
        self._pairings = Pairings()
        self.measuring = Measuring(services, self._pairings)
        self._example: tuple[LiveRun, Example] | None = None  # the example's run, which is checked once it has finished
        controller.run_ended.connect(self._run_ended)

    # -- what can be asked for -------------------------------------------------------------------------------------

    def open_model(self, path: Path | str) -> None:
        """Open a model file or a folder that holds one."""
        self.put(Request("model", Path(path).name, model=str(path)))

    def open_data(self, spec: str, then: Callable[[], object] | None = None) -> None:
        """Open data by name or path."""
        self.put(Request("data", Path(spec).name or spec, data=spec, changes=FRESH, then=then))

    def change(self, **fields: Any) -> None:
        """Open the data again with these fields of a request: `order`, `preprocessing`, `arch`."""
        dataset = self._context.project.dataset
        self.put(Request("data", dataset.title if dataset is not None else tr("The data"), **fields))

    def open_as(self, attempt: Attempt) -> None:
        """Open model and data again with the network and the preparation of an attempt, as if the user stated them."""
        trial = self._context.project.trial
        assert trial is not None
        self.change(arch=attempt.network.architecture if trial.networks > 1 else "",
                    preprocessing=attempt.preprocessing.to_dict(), prepares=not trial.stated)  # fmt: skip

    def accept(self) -> None:
        """Go on with model and data as they are, whatever speaks against it; not asked again for this pair."""
        project = self._context.project
        bench, proof = project.bench, project.proof
        if bench is not None and proof is not None:
            self._pairings.accept(bench.model.weights_id, bench.dataset.spec, proof.doubts)
            project.set_evaluation(proof=dataclasses.replace(proof, accepted=True))

    def open_example(self, start_run: bool = False) -> None:
        """Open the example; with `start_run` also start its run."""
        self.put(Request("example", tr("The example"), start_run=start_run))

    def look_at(self, paths: Sequence[Path]) -> None:
        """Say what dropping these files would do, as soon as that is known."""
        self._look(paths, LOOK).then(self._tell)

    def look_away(self) -> None:
        """The files are not over the window any more."""
        self._context.jobs.cancel(LOOK)
        self.looked.emit(None)

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open files and folders as what they are: models, data, runs, forget lists and batch files."""
        self.look_away()
        failed = partial(self._context.notifications.error, what=tr("The files were not opened"))
        # Without a key: what is dragged next does not take it back.
        self._look(paths).then(self._open_plan, failed)

    def _look(self, paths: Sequence[Path], key: str = "") -> JobHandle:
        whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - what is named "../a" is a
        return self._context.jobs.submit(look, whole, self._context.project.dataset is not None, key=key)

    def _tell(self, plan: Plan) -> None:
        self._context.shell.said.emit(plan.sentence)
        self.looked.emit(plan)

    def _open_plan(self, plan: Plan) -> None:
        if plan.left:
            self._context.notifications.caution(plan.sentence)
        else:
            self._context.shell.said.emit(plan.sentence)
        model, data, listed = (plan.opens.get(kind) for kind in ("model", "dataset", "forget list"))
        # A list is shown once the data is open that it came with.
        then = partial(self.open_list, listed) if listed else None
        if model and data:
            name = tr("{model} with {data}", model=model.name, data=data.name)
            self.put(Request("both", name, model=str(model), data=str(data), changes=FRESH, then=then))
        elif model:
            self.open_model(model)
        elif data:
            self.open_data(str(data), then)
        if model or data:
            self._context.show_page("project")
        if then is not None and not data:
            then()
        if "batch" in plan.opens:
            self.batch_wanted.emit(plan.opens["batch"])
        if "run" in plan.opens:
            self.open_run(plan.opens["run"])

    def open_list(self, path: Path) -> None:
        """Show the sheet of a forget list on the Forget page."""
        self._context.show_page("forget")
        self.list_wanted.emit(path)

    def open_run(self, path: Path) -> None:
        """Bring a run folder into view."""
        folder = path.parent if path.name == JOB else path
        self._context.jobs.submit(_read_run, folder, key="open-run").then(
            self._run_read, partial(self._context.notifications.error, what=tr("The run was not opened"))
        )

    def put(self, request: Request) -> None:
        """Work on a request once those before it are done."""
        self._waiting.append(request)
        if self._current is None:
            self._next()

    def cancel(self) -> None:
        """Drop all requests; what is open stays."""
        self._waiting.clear()
        if self._handle is not None:
            self._handle.cancel()

    @property
    def arch(self) -> str:
        """What the user said that the open model is."""
        return self._answers[1] or ""

    # -- parts -----------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        if not self._waiting:
            self.idle.emit()
            return
        request = self._current = self._waiting.popleft()
        project, settings = self._context.project, self._context.settings.values
        present = (project.opened_model, project.dataset, project.data_options, *self._answers)
        handle = self._context.jobs.submit(work, request, present, settings)
        # Followed first: what comes next has the same place in the status line.
        self._context.shell.follow(handle, TOPIC, tr("Opening · {name}", name=request.name), self.cancel)
        handle.then(self._done, self._failed, finished=self._finished)
        self._handle = handle
        self.started.emit(request)

    def _done(self, result: Result) -> None:
        request, project, opened = result.request, self._context.project, result.bench
        self._answers = (opened.trust, opened.arch)
        if request.model:
            self.key = request.key
        if opened.opened_model is not None:
            self._context.trust.allow_model(opened.opened_model)
        project.set_opened(opened.opened_model, opened.opened_data, opened.options, opened.trial)
        for kind, entry in (("model", request.model), ("data", request.data)):
            if entry:
                self._context.window_state.add_recent(kind, entry)
        if result.example is not None:
            project.set_selection(result.example.selection)
        self._context.notifications.settle(TOPIC)
        self.opened.emit(request)
        if request.then is not None:
            request.then()
        if result.job is not None and result.example is not None:
            self._start_example(result.example, result.job)

    def _start_example(self, example: Example, job: Job) -> None:
        folder, self.example_folder = self.example_folder, None  # named for one run only
        run = self._controller.start(job, example.bench, example.selection, folder)
        self._example = (run, example)
        self._context.project.set_run(run)
        self._context.show_page("unlearn")

    def _run_ended(self, run: LiveRun) -> None:
        """Check the example's run unasked, against the retrained models that ship with it."""
        if self._example is None or run is not self._example[0]:
            return
        example, self._example = self._example[1], None
        if run.state is State.FINISHED and example.retrained:
            self._controller.start_reference(run.folder, Check(example.retrained, which="full"), example.bench)

    def _failed(self, error: BaseException) -> None:
        if self._current is not None:
            if not isinstance(error, AppError):
                what = tr("{name} was not opened", name=self._current.name)
                self._context.notifications.error(error, what, topic=TOPIC)
            self.failed.emit(Failure(self._current, error))

    def _finished(self) -> None:
        self._current = self._handle = None
        self._next()

    def _run_read(self, run: LiveRun) -> None:
        self._context.window_state.add_recent("run", str(run.path))
        self._context.project.set_run(run)
        self._context.show_page("unlearn")


def explain(error: BaseException) -> str:
    """Return what happened and what to do, in one line of the window's words, without what only a command line can."""
    error = of_system(error) or error
    if not isinstance(error, AppError):
        return tr("This is a fault of the application: {error}", error=f"{type(error).__name__}: {error}")
    hint = error.hint.replace(FACTORY_OPTION, tr("the architecture FILE.py:FACTORY"))
    return " ".join(part for part in (error.message, hint if "--" not in hint else "") if part)


def _read_run(path: Path) -> LiveRun:
    return LiveRun.from_folder(RunFolder.open(path))
