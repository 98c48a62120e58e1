"""Acts for the search for settings: starts it in the run thread, fills its table, and hands over what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.dialogs.search_settings import SearchDialog
from app.services import format as fmt
from app.services import run_words as words
from app.services.translation import tr
from app.workers.search_work import SearchWork
from core.events import State
from core.selection import SAMPLE

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job
    from core.methods.base import Method
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.tuning import Try, Tuning


FAR = 0.25  # a gap, as a mean of shares, that no user would call reached


@dataclass(frozen=True)
class Asked:
    """What a search is about: a method with its values as they stand in the form, on what is open."""

    bench: Bench
    selection: Selection
    method: Method
    values: dict[str, Any]
    make_jobs: Callable[[], list[Job]]  # the one the search starts from; called in the run thread
    seconds: float | None  # training time of one run, where it is known

    def about(self, bench: Bench | None, selection: Selection | None) -> bool:
        """Whether it is about this model, data and forget set."""
        same = bench is not None and (bench.model, bench.dataset) == (self.bench.model, self.bench.dataset)
        return same and selection == self.selection


class SearchPresenter(QObject):
    """One search at a time. `found` carries the method's id and the values that were searched."""

    found = Signal(str, object)

    def __init__(
        self, context: AppContext, ask: Callable[[], Asked | None], window: QWidget, parent: QObject
    ) -> None:
        """`ask` gives what the form holds now, None where that is wrong; `window` is what the dialog belongs to."""
        super().__init__(parent)
        self._context, self._ask, self._window = context, ask, window
        self._asked: Asked | None = None
        self._run: LiveRun | None = None
        self._work: SearchWork | None = None
        self._labels: dict[str, str] = {}  # of what is varied, by name
        self._jobs: dict[str, tuple[Job, Path]] = {}  # what searches found, by method
        context.run_controller.run_ended.connect(self._ended)

    @property
    def going(self) -> bool:
        """Whether a search goes or waits."""
        return self._run is not None

    @cached_property
    def dialog(self) -> SearchDialog:
        """The dialog, made when it is first wanted."""
        made = SearchDialog(self._window.window())
        for signal, slot in ((made.search_wanted, self._start), (made.stop_wanted, self._stop),
                             (made.use_wanted, self._take), (made.tries.valueChanged, self._update)):  # fmt: skip
            signal.connect(slot)
        return made

    def open(self) -> None:
        """Show the dialog: of the search that goes, or for a new one."""
        if not self.going:
            asked = self._ask()
            if asked is None:
                return
            self._prepare(asked)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def origin(self, job: Job) -> tuple[Job, Path | None]:
        """Return the job with how its settings were found, and the file of tries, where a search has given them."""
        from core.session.jobs import differences

        found = self._jobs.get(job.method)
        if found is None or set(differences(job, found[0])) - {"seed"} or not found[1].is_file():
            return job, None
        return replace(job, tuning=found[0].tuning), found[1]

    # ---- before

    def _prepare(self, asked: Asked) -> None:
        from core.parameters import Values
        from core.session.tuning import axes

        last = self._asked
        again = last is not None and last.method is asked.method and last.about(asked.bench, asked.selection)
        self._asked = asked
        self.dialog.setWindowTitle(tr("Search settings of {method}", method=asked.method.title))
        varied = axes(asked.method, Values(asked.values))
        self._labels = {axis.parameter.name: axis.parameter.label for axis in varied}
        self.dialog.varied.setText("\n".join(
            tr("{parameter}, {low} to {high}", parameter=axis.parameter.label, low=fmt.brief(axis.low),
               high=fmt.brief(axis.high))
            for axis in varied
        ))  # fmt: skip
        if not again:  # else what was tried before stays in view
            self.dialog.model.set_searched({})
            self.dialog.table.hide()
        self.dialog.set_going(False)
        self._update()

    def _update(self) -> None:
        """Say what the search will take."""
        dialog, asked = self.dialog, self._asked
        if asked is None or self.going:
            return
        said = ""
        if asked.seconds is not None:
            from core.session.tuning import IMAGES

            tries = dialog.tries.value()
            seconds = tries * asked.seconds * min(1.0, IMAGES / asked.selection.total)
            said = tr("%n tries take {time}.", n=tries, time=fmt.about(seconds))
        dialog.say(said, "text-2")

    # ---- while it goes

    def _start(self) -> None:
        dialog, asked, controller = self.dialog, self._asked, self._context.run_controller
        if asked is None or self.going:
            return
        dialog.begin(self._labels, SAMPLE in asked.selection.kinds, asked.selection.trigger is not None)
        self._work = SearchWork(lambda: asked.make_jobs()[0], asked.bench, asked.selection, dialog.tries.value())
        dialog.say("")
        title = tr("Search for settings of {method}", method=asked.method.title)
        self._run = controller.start_search(self._work, title)
        controller.state_changed.connect(self._told)
        dialog.set_going(True)
        self._told(self._run)

    def _stop(self) -> None:
        if self._run is not None:
            self._context.run_controller.end(self._run)

    def _told(self, run: LiveRun) -> None:
        dialog, work = self.dialog, self._work
        if run is not self._run or work is None:
            return
        if run.state is State.DISCARDED:  # taken out of the queue
            self._over("")
            return
        waits = run.state is State.QUEUED
        dialog.model.set_tries(work.tries)
        dialog.stop.setEnabled(run.can("stop") or waits)
        progress = run.progress
        done, total = (progress.done, progress.total) if progress is not None and not waits else (0, 0)
        dialog.progress.set(done, total, words.headline(run))

    # ---- after

    def _ended(self, run: LiveRun) -> None:
        work, asked = self._work, self._asked
        if run is not self._run or work is None or asked is None:
            return
        self.dialog.model.set_tries(work.tries)
        if run.state is State.FAILED:
            self._over(" ".join(filter(None, (run.error, run.hint))), "danger")
            return
        found: Tuning | None = run.result
        if found is None or not found.tries:
            self._over(tr("Nothing was tried."), "caution")
        elif found.best is None or work.job is None or work.kept is None:
            self._over(tr("None of these settings gave a usable model. Start from a smaller step size, or from another "
                          "preset."), "caution")  # fmt: skip
        else:
            self._jobs[asked.method.id] = (work.job, work.kept)
            self._over(outcome(found))
            self._take(found.best)
            if not self.dialog.isVisible():
                self._context.notifications.info(f"{asked.method.title}: {self.dialog.outcome.text()}")

    def _over(self, sentence: str, tone: str = "") -> None:
        self._run = None
        self._context.run_controller.state_changed.disconnect(self._told)
        self.dialog.set_going(False)
        self.dialog.say(sentence, tone)

    def _take(self, one: Try) -> None:
        """Use a try's settings, where they were sought for what is open and chosen now."""
        asked, project = self._asked, self._context.project
        assert asked is not None
        if asked.about(project.bench, project.selection):
            self.dialog.model.set_used(one.number)
            self.found.emit(asked.method.id, one.values)
        else:
            self.dialog.say(tr("The model, the data or the forget set has changed since this search began, so its "
                               "settings were not used."), "caution")  # fmt: skip


def outcome(found: Tuning) -> str:
    """Say which try is used, what it was judged by, and what was wanted."""
    best, goal = found.best, found.goal
    assert best is not None
    wanted = [tr("retain {accuracy}", accuracy=fmt.percent(goal.retain))]
    wanted += [tr("forget {accuracy}", accuracy=fmt.percent(goal.forget))] if goal.forget is not None else []
    wanted += [tr("forget images {accuracy}", accuracy=fmt.percent(goal.samples))] if goal.samples is not None else []
    wanted += [tr("trigger {accuracy}", accuracy=fmt.percent(goal.trigger))] if goal.trigger is not None else []
    said = [] if found.complete else [tr("Stopped after %n tries.", n=len(found.tries))]
    said.append(tr("Used: try {number}. Judged by {measure}; wanted: {wanted}.", number=fmt.count(best.number),
                   measure=found.judged_by, wanted=", ".join(wanted)))  # fmt: skip
    if (best.score or 0) > FAR:
        said.append(tr("Even this one is far from it: start from another preset, or vary more."))
    return " ".join(said)
