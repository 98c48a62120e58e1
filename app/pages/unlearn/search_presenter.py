"""Acts for the search for settings: starts it in the run thread, fills its table, and hands over what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.dialogs.search_settings import SearchDialog
from app.services import format as fmt
from app.services import run_words as words
from app.services.doubts import settled
from app.services.translation import tr
from app.workers.search_work import SearchWork
from core.events import State

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job
    from core.methods.base import Method
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.tuning import Tuning


FAR = 0.25  # a gap, as a mean of shares, that no user would call reached


@dataclass(frozen=True)
class Asked:
    """What a search is about: a method with its values as they stand in the form, on what is open."""

    bench: Bench
    selection: Selection
    method: Method
    preset: str
    values: dict[str, Any]
    seed: int
    common: dict[str, Any]
    seconds: float | None  # training time of one run, where it is known

    def make_job(self) -> Job:
        """The job the search starts from; called in the run thread."""
        from core.session.jobs import make_unlearn_job

        bench = settled(self.bench.on(self.common["device"], self.common["precision"], self.common["threads"]))
        return make_unlearn_job(bench, self.selection, self.method.id, preset=self.preset, settings=self.values,
                                seed=self.seed, monitoring_budget=self.common["monitoring_budget"])  # fmt: skip


class SearchPresenter(QObject):
    """One search at a time. `found` carries the method's id and the values that were searched."""

    found = Signal(str, object)
    changed = Signal()  # a search began or ended

    def __init__(
        self, context: AppContext, ask: Callable[[], Asked | None], window: QWidget, parent: QObject | None = None
    ) -> None:
        """`ask` gives what the form holds now, None where that is wrong; `window` is what the dialog belongs to."""
        super().__init__(parent)
        self._context, self._ask, self._window = context, ask, window
        self._dialog: SearchDialog | None = None
        self._asked: Asked | None = None
        self._run: LiveRun | None = None
        self._work: SearchWork | None = None
        self._jobs: dict[str, tuple[Job, Path]] = {}  # what searches found, by method
        controller = context.run_controller
        controller.run_ended.connect(self._ended)
        controller.queue_changed.connect(self._queue_changed)

    @property
    def going(self) -> bool:
        """Whether a search goes or waits."""
        return self._run is not None

    @property
    def dialog(self) -> SearchDialog | None:
        """The dialog, once it was opened."""
        return self._dialog

    def open(self) -> None:
        """Show the dialog: of the search that goes, or for a new one."""
        if self._dialog is None:
            self._dialog = SearchDialog(self._window.window())
            self._dialog.search_wanted.connect(self._start)
            self._dialog.stop_wanted.connect(self._stop)
            self._dialog.use_wanted.connect(self._use)
            self._dialog.changed.connect(self._update)
        if not self.going:
            asked = self._ask()
            if asked is None:
                return
            self._prepare(asked)
        self._dialog.show()
        self._dialog.raise_()
        self._dialog.activateWindow()

    def origin(self, job: Job) -> tuple[Job, Path | None]:
        """Return the job with how its settings were found, and the file of tries, where a search has given them."""
        from dataclasses import replace

        from core.session.jobs import differences

        found = self._jobs.get(job.method)
        if found is None or set(differences(job, found[0])) - {"seed"} or not found[1].is_file():
            return job, None
        return replace(job, tuning=found[0].tuning), found[1]

    # ---- before

    def _prepare(self, asked: Asked) -> None:
        from core.parameters import Values
        from core.session.tuning import axes

        assert self._dialog is not None
        again = self._asked is not None and self._asked.method.id == asked.method.id
        self._asked = asked
        searched = axes(asked.method, Values(asked.values))
        self._dialog.setWindowTitle(f"Search settings of {asked.method.title}")
        self._dialog.set_axes({
            axis.parameter.name: tr("{parameter}, {low} to {high}", parameter=axis.parameter.label, low=f"{axis.low:g}",
                                    high=f"{axis.high:g}") for axis in searched
        })  # fmt: skip
        if not again:  # else what was tried before stays in view
            self._dialog.model.set_searched({})
            self._dialog.table.hide()
        self._dialog.set_going(False)
        self._update()

    def _update(self) -> None:
        """Say what the search will take, or what is missing."""
        dialog, asked = self._dialog, self._asked
        if dialog is None or asked is None or self.going:
            return
        dialog.set_reason("" if dialog.varied() else "Tick what to vary.")
        if asked.seconds is not None:
            from core.session.tuning import IMAGES

            seconds = dialog.tries.value() * asked.seconds * min(1.0, IMAGES / asked.selection.total)
            number = fmt.plural(dialog.tries.value(), "try takes", "tries take")
            dialog.say(f"{number} {fmt.about(seconds)}.", "text-2")
        else:
            dialog.say("")

    # ---- while it goes

    def _start(self) -> None:
        dialog, asked = self._dialog, self._asked
        if dialog is None or asked is None or self.going:
            return
        labels = {p.name: p.label for p in asked.method.parameters if p.name in dialog.varied()}
        dialog.model.set_searched(labels)
        self._work = SearchWork(asked.make_job, asked.bench, asked.selection, dialog.tries.value(), dialog.fixed())
        dialog.say("")
        title = f"Search for settings of {asked.method.title}"
        self._run = self._context.run_controller.start_search(self._work, title)
        self._context.run_controller.state_changed.connect(self._told)
        dialog.set_going(True)
        self._show(self._run)
        self.changed.emit()

    def _stop(self) -> None:
        if self._run is not None:
            self._context.run_controller.end(self._run)

    def _told(self, run: LiveRun) -> None:
        if run is self._run:
            self._show(run)

    def _show(self, run: LiveRun) -> None:
        assert self._dialog is not None and self._work is not None
        self._dialog.model.set_tries(self._work.tries())
        self._dialog.stop.setEnabled(run.can("stop") or run.state is State.QUEUED)
        if run.state is State.QUEUED:
            self._dialog.progress.set(0, 0, words.ending(run))
            return
        progress = run.progress
        done, total = (progress.done, progress.total) if progress is not None else (0, 0)
        self._dialog.progress.set(done, total, words.headline(run))

    def _queue_changed(self) -> None:
        if self._run is not None and self._run.state is State.DISCARDED:  # taken out of the queue
            self._over("")

    # ---- after

    def _ended(self, run: LiveRun) -> None:
        if run is not self._run:
            return
        assert self._dialog is not None and self._work is not None and self._asked is not None
        work, method = self._work, self._asked.method
        self._dialog.model.set_tries(work.tries())
        if run.state is State.FAILED:
            self._over(" ".join(part for part in (run.error, run.hint) if part), "danger")
            return
        found: Tuning | None = run.result
        if found is None or found.best is None or work.job is None or work.kept is None:
            none = "None of these settings gave a usable model. Start from a smaller step size, or from another preset."
            self._over(none if found is not None and found.tries else "Nothing was tried.", "caution")
            return
        self._jobs[method.id] = (work.job, work.kept)
        self._over(outcome(found, {p.name: p.label for p in method.parameters}))
        self._take(found.best.number, found.best.values)
        if not self._dialog.isVisible():
            self._context.notifications.info(f"{method.title}: {self._dialog.outcome.text()}")

    def _over(self, sentence: str, tone: str = "") -> None:
        assert self._dialog is not None
        self._run = self._work = None
        self._context.run_controller.state_changed.disconnect(self._told)
        self._dialog.set_going(False)
        self._dialog.say(sentence, tone)
        self.changed.emit()

    def _use(self, number: int) -> None:
        dialog = self._dialog
        assert dialog is not None
        rows = [dialog.model.try_at(row) for row in range(dialog.model.rowCount())]
        one = next((one for one in rows if one is not None and one.number == number), None)
        if one is not None:
            self._take(number, one.values)

    def _take(self, number: int, values: dict[str, Any]) -> None:
        assert self._dialog is not None and self._asked is not None
        self._dialog.model.set_used(number)
        self.found.emit(self._asked.method.id, values)


def outcome(found: Tuning, labels: dict[str, str]) -> str:
    """Say which try is used, what it was judged by, and what was wanted."""
    best = found.best
    assert best is not None
    values = ", ".join(f"{labels[name]} {best.values[name]:g}" for name in found.searched)
    goal = found.goal
    wanted = [f"retain {fmt.percent(goal.retain)}"]
    wanted += [f"forget {fmt.percent(goal.forget)}"] if goal.forget is not None else []
    wanted += [f"forget images {fmt.percent(goal.samples)}"] if goal.samples is not None else []
    tried = fmt.plural(len(found.tries), "try", "tries")
    stopped = "" if found.complete else f"Stopped after {tried}. "
    far = " Even this one is far from it: start from another preset, or vary more." if (best.score or 0) > FAR else ""
    return (
        f"{stopped}Used: try {fmt.count(best.number)}, {values}. Judged by {found.judged_by}; "
        f"wanted: {', '.join(wanted)}.{far}"
    )
