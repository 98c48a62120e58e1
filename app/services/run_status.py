"""Says in the rail where each step of the work stands, and in the status line what the run under way does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.services import format as fmt
from app.services import run_words as words
from app.services.project import open_doubts
from app.services.shell import Activity
from app.services.translation import mark, tr
from core.events import State

if TYPE_CHECKING:
    from app.services.run_library import RunLibrary
    from app.services.shell import Services
    from app.workers.live_run import LiveRun
    from app.workers.run_controller import RunController

ACTIVITY = "run"
_FAILED = {"check": mark("The check failed. {why}"), "train": mark("The training failed. {why}"),
           "search": mark("The search for settings failed. {why}")}  # fmt: skip
Said = tuple[str, str]  # of a page: its state and its caption


class RunStatus(QObject):
    """Follows what is open, chosen and run; a caption of the rail is where a page's work stands, in a few words."""

    def __init__(self, services: Services, controller: RunController, library: RunLibrary) -> None:
        super().__init__(services.project)
        self._context, self._controller, self._library = services, controller, library
        # Verify and Export tell more of the run in view once they are in sight: until then it is said here.
        self._unseen: dict[str, Said] = {"verify": ("", ""), "export": ("", "")}
        self._of: LiveRun | None = None  # the run in view when they were last spoken of
        self._saving = False  # a checkpoint was asked for
        project = services.project
        controller.state_changed.connect(self._changed)
        controller.run_ended.connect(self._ended)
        controller.queue_changed.connect(self._queue_changed)
        for signal in (project.model_changed, project.dataset_changed, project.selection_changed, project.run_changed,
                       project.evaluation_changed, library.changed):  # fmt: skip
            signal.connect(self._rest)
        self._rest()

    def _changed(self, run: LiveRun) -> None:
        if not run.active:
            return
        if self._saving and not run.asked and run.checkpoint_step is not None:  # nothing else in the window tells it
            step = fmt.count(run.checkpoint_step)
            self._context.notifications.info(tr("Checkpoint saved at step {step}.", step=step))
        self._saving = run.asked == "checkpoint"
        text = words.headline(run)
        if run.kind == "unlearn":
            self._context.page_states.set("unlearn", "running", self._running(run))
        elif run.kind == "train":
            text = f"{run.title}: {text}"
        outside = run.progress if run.state is not State.RUNNING or not run.makes_model else None
        done, total = (outside.done, outside.total) if outside else (run.step, run.steps)
        self._context.shell.activity_changed.emit(ACTIVITY, Activity(text, done, total))

    def _running(self, run: LiveRun) -> str:
        share = f"{100 * run.step // max(run.steps, 1)} %"
        word = words.state_word(run.state)
        if run.state is State.RUNNING and run.steps:
            word = share
        elif run.state is State.PAUSED:
            word = tr("Paused at {share}", share=share)
        waiting = len(self._controller.queue)
        return tr("{state} · %n waiting", n=waiting, state=word) if waiting else word

    def _ended(self, run: LiveRun) -> None:
        self._saving = False
        self._context.shell.activity_changed.emit(ACTIVITY, None)
        self._rest()
        notifications = self._context.notifications
        if run.state is not State.FAILED:
            if run.kind == "unlearn":
                notifications.info(words.outcome(run))
            return
        sentence = _FAILED.get(run.kind, mark("{run} failed. {why}"))
        shown = run.makes_model and run is self._context.project.run  # a banner over its curves says it
        say = notifications.keep if shown else notifications.error
        say(tr(sentence, run=run.id, why=f"{run.error} {run.hint}".strip()))

    def _queue_changed(self) -> None:
        current = self._controller.current
        if current is not None:
            self._changed(current)

    def _rest(self) -> None:
        """Say in the rail what holds while nothing goes on."""
        states, project = self._context.page_states, self._context.project
        current = self._controller.current
        chosen, runs, run = project.selection, self._library.rows, project.run
        number = chosen.count if chosen is not None else 0
        states.set("project", *self._opened())
        states.set("forget", *(("ready", fmt.images(number)) if number else ("empty", tr("Nothing chosen"))))
        states.set("runs", "", tr("%n runs", n=len(runs)) if runs else tr("None yet"))
        if current is None or current.kind != "unlearn":
            states.set("unlearn", *self._unlearn(number))
        job = run.job if run is not None and run.folder.has_result else None
        other, self._of = run is not self._of, run
        for page, nothing in (("verify", tr("Nothing to check")), ("export", tr("Nothing to export"))):
            if other or states.get(page) == self._unseen[page]:
                self._unseen[page] = ("ready", words.describe_run(job)) if job is not None else ("empty", nothing)
                states.set(page, *self._unseen[page])

    def _opened(self) -> Said:
        project = self._context.project
        if open_doubts(project.proof):
            return "problem", tr("Has a question")
        model, data = project.opened_model, project.dataset
        parts = [model.spec.architecture] if model else []
        parts += [tr("%n classes", n=data.num_classes)] if data else []
        return "ready" if project.ready else "empty", " · ".join(parts) or tr("Nothing open")

    def _unlearn(self, chosen: int) -> Said:
        project = self._context.project
        if project.run is not None:
            return words.state_shape(project.run.state), words.state_word(project.run.state)
        if not project.ready or not chosen:
            return "empty", tr("No run yet")
        return ("empty", tr("Waits for Project")) if open_doubts(project.proof) else ("ready", tr("Ready to start"))
