"""One run as the window sees it: its states, and its events as a worker tells them or as its folder holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from app.services.translation import tr
from app.workers.run_history import RunHistory
from core.engine.control import Control
from core.errors import AppError, ProcessEndedError, StoppedError
from core.events import (
    ACTIVE,
    AlignmentMeasured,
    CheckpointSaved,
    Emit,
    Evaluation,
    Event,
    FeaturesMoved,
    Log,
    MeasureTaken,
    PhaseChanged,
    Progress,
    Resources,
    RunFailed,
    RunFinished,
    RunStarted,
    SpectrumMeasured,
    StagePart,
    State,
    StepMetrics,
)
from core.job import Job
from core.runs.asked import Ask, ask
from core.runs.folder import RunFolder
from core.runs.following import Look, looks
from core.runs.waiting import Check
from core.verify.measure_log import merge

if TYPE_CHECKING:
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.planning import Estimate

Work = Callable[[Control, Emit], Any]  # what the thread does; returns a State, or a check's report


@dataclass(eq=False)
class LiveRun:
    """State, position and history of one run. Lives in the window's thread; a worker touches `control` only.

    `kind` is "unlearn", "train", "check" or "search"; the last two end with a result in memory, not with a model.
    `work` is None for a run that is only looked at (`from_folder`).
    """

    folder: RunFolder
    kind: str
    job: Job | None = field(default=None, kw_only=True)
    title: str = field(default="", kw_only=True)
    work: Work | None = field(default=None, kw_only=True)
    check: Check | None = field(default=None, kw_only=True)
    control: Control = field(default_factory=Control)
    state: State = State.QUEUED
    history: RunHistory = field(default_factory=RunHistory)
    step: int = 0
    steps: int = 0
    host: str = ""  # the machine it goes on, once it has told
    stages: list[StagePart] = field(default_factory=list)
    progress: Progress | None = None
    resources: Resources | None = None
    checkpoints: int = 0
    checkpoint_step: int | None = None
    finished: RunFinished | None = None
    warnings: list[Log] = field(default_factory=list)
    error: str = ""
    hint: str = ""
    details: str = ""
    failure: BaseException | None = None  # what the work ended with
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)  # what a check has measured so far, by model
    taken_count: int = 0
    result: Any = None  # what the work returned
    asked: str = ""  # "pause", "resume" or "checkpoint" while the run has not answered yet
    chosen: bool = True  # whether the user set up its job, and so chose the machine it may name
    inputs: tuple[Bench, Selection] | None = None  # what the job was started on
    planned: Estimate | None = None
    kept_in: Path | None = None  # where it is kept on disk while it waits
    adopted: bool = False  # left by an earlier program: its work takes it out of there
    offset: int = 0  # how far its event log was read, where it is followed on disk
    from_disk: bool = False

    @classmethod
    def from_folder(cls, folder: RunFolder) -> LiveRun:
        """Read a run from its folder. Raises the AppErrors of a folder that cannot be read."""
        job = folder.job()
        run = cls(folder, job.kind, job=job)
        run.from_disk = True
        for look in looks(folder, 0):
            run.renew(look)
        run.renew(Look([], run.offset, folder.status()))
        return run

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The id its events carry."""
        return self.folder.id

    @property
    def path(self) -> Path:
        """Its folder's path."""
        return self.folder.path

    @property
    def active(self) -> bool:
        """Whether it is under way, here or in another process."""
        return self.state in ACTIVE

    @property
    def ended(self) -> bool:
        """Whether it came to an end; an interrupted run did not."""
        return self.state in TERMINAL

    @property
    def mine(self) -> bool:
        """Whether this window started it."""
        return self.work is not None

    @property
    def outlasts(self) -> bool:
        """Whether it goes in a process of its own, which goes on without the window."""
        return self.makes_model and self.job is not None and self.job.launcher not in ("", "thread")

    @property
    def goes_on(self) -> bool:
        """Whether what it does can go on, or begin anew, without the window."""
        return self.makes_model or self.check is not None

    @property
    def makes_model(self) -> bool:
        """Whether it has a run folder and steps of its own, so that it can be paused and kept."""
        return self.kind in ("unlearn", "train")

    @property
    def resumable(self) -> bool:
        """Whether it can go on: it was cut off, or failed for a reason that may be over by now, as on a full disk."""
        failed = self.state is State.FAILED and self.makes_model and self.folder.exists
        return failed or self.state is State.INTERRUPTED

    @property
    def remaining(self) -> float | None:
        """Seconds its steps still take, as the run itself estimates; None while it measures, or where all are taken."""
        stepping = self.active and self.makes_model and self.progress is None and self.step < self.steps
        return self.resources.remaining if self.resources and stepping else None

    @property
    def forget_mode(self) -> str:
        """"class", "sample", "mixed" or "none"."""
        return self.job.forget.mode if self.job is not None else "none"

    def can(self, action: str) -> bool:
        """Whether a user's action is allowed now; derived from the one table of states."""
        if not (self.mine or (self.from_disk and self.active)):
            return False
        if not self.makes_model:
            return action == "stop" and self.state is State.RUNNING
        if action == "pause" and self.asked == "pause":
            return False
        return self.state in ACTIONS[action]

    # -- what happened ---------------------------------------------------------------------------------------------

    def apply(self, events: Iterable[Event]) -> list[Event]:
        """Take events in and return those that belong to this run; those of another one are dropped."""
        taken = []
        for event in events:
            if event.run == self.id:
                self._apply(event)
            elif self.kind == "check":
                self._apply_reference(event)
            else:
                continue
            taken.append(event)
        if self.kind != "check":
            self.history.add(taken)
        return taken

    def renew(self, look: Look) -> None:
        """Take in what a look at the folder found."""
        for event in look.events:  # all are this run's, also where its folder has got another name
            kind = type(event)
            if kind in _MEASURED:  # most of what a run tells: the history has it
                self.step = event.step
            elif kind is StepMetrics:
                self.step, self.progress = event.step, None
            elif kind is Resources:
                self.step, self.resources = event.step, event  # type: ignore[assignment]
            else:
                self._apply(event)
        self.history.add(look.events)
        self.offset = look.offset
        if look.status is not None:
            self.state = State(look.status.state)
            self.step, self.steps = max(self.step, look.status.step), look.status.steps or self.steps
            self.error = self.error or look.status.error or ""

    def ask(self, action: str) -> bool:
        """Tell the worker what the user wants; False where the state does not allow it."""
        if not self.can(action):
            return False
        # A check keeps nothing of a half-trained reference, so that stopping it is quick.
        asked = "discard" if self.kind == "check" else action
        if self.mine:
            self.control.ask(asked)
        else:
            ask(self.folder, cast(Ask, asked))
        self.asked = "" if action in ENDS else action
        self.state = ENDS.get(action, self.state)
        return True

    def begin(self) -> None:
        """The worker starts."""
        self.state = State.PREPARING if self.makes_model else State.RUNNING

    def end(self, result: Any, error: BaseException | None, details: str = "") -> None:
        """The worker is over: what it returned, or the exception it ended with."""
        self.asked, self.progress, self.result, self.failure = "", None, result, error
        if error is not None and not self.ended:
            self._fail(error, details)
        elif isinstance(result, State):
            self.state = result
        elif not self.ended:
            self.state = State.STOPPED if self.state is State.STOPPING else State.FINISHED
        self.work = None

    # -- parts -----------------------------------------------------------------------------------------------------

    def _apply(self, event: Event) -> None:
        if isinstance(event, MeasureTaken):
            merge(self.taken.setdefault(event.model, {}), event.values)
            self.taken_count += 1
            return
        if not isinstance(event, Progress):
            self.step = event.step
        self._take(event)
        match event:
            case RunStarted():
                if event.resumed_at is not None:
                    # A resume, or a new beginning after a loss that became infinite, made the end void.
                    self.finished, self.error, self.hint, self.details = None, "", "", ""
                self._move(State.RUNNING)
            case StepMetrics():
                self.progress = None
            case PhaseChanged():
                self._move(State.named(event.state))
                if event.detail:
                    self.progress = Progress(run=event.run, step=event.step, time=event.time, what=event.detail,
                                             done=0, total=0)  # fmt: skip
            case CheckpointSaved():
                self.checkpoints += 1
                self.checkpoint_step = event.step
                if self.asked == "checkpoint":
                    self.asked = ""
            case Log() if event.level != "info":
                self.warnings.append(event)
            case RunFinished():
                self.finished = event
                self._move(State.named(event.state))
            case RunFailed():
                self.error, self.hint, self.details = event.error, event.hint, event.details
                self._move(State.FAILED)

    def _apply_reference(self, event: Event) -> None:
        # A reference trained on the way: its steps are the check's progress, its end is not the check's.
        if isinstance(event, StepMetrics):
            self.step = event.step
            what = tr("Training a retrained model")
            self.progress = Progress(run=self.id, step=self.step, time=event.time, what=what, done=self.step,
                                     total=self.steps)  # fmt: skip
        else:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.steps, self.stages, self.host = event.steps, event.stages, event.host
            case Progress():
                self.progress = event
            case Resources():
                self.resources = event

    def _move(self, following: State | None) -> None:
        if following is None:  # of a newer version; status.json tells where the run stands
            return
        # What the user asked for shows at once; what the worker still reports from before does not take it back.
        if following in TERMINAL or following in TRANSITIONS[self.state]:
            self.state = following
            if following in (State.PAUSED, State.RUNNING) and self.asked in ("pause", "resume"):
                self.asked = ""

    def _fail(self, error: BaseException, details: str) -> None:
        if isinstance(error, ProcessEndedError):
            self.state, self.error, self.hint = State.INTERRUPTED, error.message, error.hint
            self.details = error.last_words or details
            return
        if isinstance(error, StoppedError) or (self.control.ending and type(error).__name__ == "Interrupted"):
            self.state = State.DISCARDED if self.control.discarding else State.STOPPED
            return
        self.state, self.details = State.FAILED, details
        if isinstance(error, AppError):
            self.error, self.hint = error.message, error.hint
        else:
            self.error = f"{type(error).__name__}: {error}"
            self.hint = tr("This is a fault of the application; the log has the details.")


TRANSITIONS: dict[State, frozenset[State]] = dict.fromkeys(State, frozenset()) | {
    State.QUEUED: frozenset({State.PREPARING, State.DISCARDED}),
    State.PREPARING: frozenset({State.RUNNING, State.STOPPING, State.DISCARDING, State.FAILED}),
    State.RUNNING: frozenset({State.PAUSED, State.STOPPING, State.DISCARDING, State.FINISHED, State.FAILED}),
    State.PAUSED: frozenset({State.RUNNING, State.STOPPING, State.DISCARDING, State.FAILED}),
    # From PREPARING there is nothing to keep: STOPPING ends as DISCARDED.
    State.STOPPING: frozenset({State.STOPPED, State.DISCARDED, State.FAILED}),
    State.DISCARDING: frozenset({State.DISCARDED}),
    State.INTERRUPTED: frozenset({State.PREPARING, State.DISCARDED}),
}

TERMINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)

# What a user may ask for, and in which states.
ACTIONS = {
    "pause": (State.RUNNING,), "resume": (State.PAUSED,), "checkpoint": (State.RUNNING, State.PAUSED),
    **dict.fromkeys(("stop", "discard", "leave"), (State.PREPARING, State.RUNNING, State.PAUSED)),
}  # fmt: skip
ENDS = {"stop": State.STOPPING, "leave": State.STOPPING, "discard": State.DISCARDING}  # and the state it is in at once

_MEASURED = frozenset({Evaluation, AlignmentMeasured, SpectrumMeasured, FeaturesMoved})
