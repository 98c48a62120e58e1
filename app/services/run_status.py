"""Says in the rail and the status line what the run under way does, also while its page is not in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.services import format as fmt
from app.services import run_words as words
from app.services.project import open_doubts
from app.services.run_words import describe_run
from core.events import State

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun

ACTIVITY = "run"
_UNSEEN = {"verify": "Nothing to check", "export": "Nothing to export"}  # these tell it themselves once they are made
_FAILED = {"check": "The check failed", "train": "The training failed", "search": "The search for settings failed"}


class RunStatus(QObject):
    """Follows the controller; the caption of the rail is where the run stands, in a few words."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context.project)
        self._context = context
        self._said: dict[str, tuple[str, str]] = dict.fromkeys(_UNSEEN, ("", ""))  # of pages that were never opened
        self._saving: LiveRun | None = None  # a checkpoint of it was asked for
        controller, project = context.run_controller, context.project
        controller.state_changed.connect(self._changed)
        controller.run_ended.connect(self._ended)
        controller.queue_changed.connect(self._queue_changed)
        for signal in (project.model_changed, project.dataset_changed, project.selection_changed, project.run_changed,
                       project.evaluation_changed):  # fmt: skip
            signal.connect(self._rest)
        self._rest()

    def _changed(self, run: LiveRun) -> None:
        if not run.active:
            return
        self._confirm_checkpoint(run)
        text = words.headline(run)
        if run.kind == "unlearn":
            waiting = len(self._context.run_controller.queue)
            self._context.page_states.set("unlearn", "running", _caption(run, waiting))
        elif run.kind == "train":
            text = f"{run.title or 'Training'}: {text}"
        outside = run.progress if run.state is not State.RUNNING or not run.makes_model else None
        done, total = (outside.done, outside.total) if outside else (run.step, run.steps)
        self._context.shell.set_activity(ACTIVITY, text, done, total, run.remaining)

    def _confirm_checkpoint(self, run: LiveRun) -> None:
        """Say that a checkpoint the user asked for is there: nothing else in the window changes by it."""
        if run.asked == "checkpoint":
            self._saving = run
        elif self._saving is run:
            self._saving = None
            if run.checkpoint_step is not None and not run.asked:
                self._context.notifications.info(f"Checkpoint saved at step {fmt.count(run.checkpoint_step)}.")

    def _ended(self, run: LiveRun) -> None:
        self._context.shell.end_activity(ACTIVITY)
        self._rest()
        if run.state is State.FAILED:
            if not run.makes_model or run is not self._context.project.run:
                what = _FAILED.get(run.kind, f"{run.id} failed")
                self._context.notifications.error(f"{what}: {run.error} {run.hint}".strip())
        elif run.kind == "unlearn":
            self._context.notifications.info(words.outcome(run))

    def _queue_changed(self) -> None:
        current = self._context.run_controller.current
        if current is not None:
            self._changed(current)

    def _rest(self) -> None:
        """What the rail says of the page while no run goes."""
        self._say_unseen()
        context, project = self._context, self._context.project
        current = context.run_controller.current
        if current is not None and current.kind == "unlearn":
            return
        run: LiveRun | None = project.run
        if run is not None:
            context.page_states.set("unlearn", words.STATE_SHAPES[run.state], words.STATE_WORDS[run.state])
        elif project.bench is not None and project.selection is not None and project.selection.count:
            if open_doubts(project.proof):
                context.page_states.set("unlearn", "empty", "Waits for Project")
            else:
                context.page_states.set("unlearn", "ready", "Ready to start")
        else:
            context.page_states.set("unlearn", "empty", "No run yet")

    def _say_unseen(self) -> None:
        """What the rail says of the pages after a run, as long as they were not opened."""
        states, run = self._context.page_states, self._context.project.run
        for page, nothing in _UNSEEN.items():
            if states.get(page) == self._said[page]:
                job = run.job if run is not None and run.folder.has_result else None
                state = ("ready", describe_run(job)) if job is not None else ("empty", nothing)
                self._said[page] = state
                states.set(page, *state)


def _caption(run: LiveRun, waiting: int) -> str:
    word = words.STATE_WORDS[run.state]
    if run.state is State.RUNNING and run.steps:
        word = f"{100 * run.step // run.steps} %"
    elif run.state is State.PAUSED:
        word = f"Paused at {100 * run.step // max(run.steps, 1)} %"
    return f"{word} · {waiting} waiting" if waiting else word
