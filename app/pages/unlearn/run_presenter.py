"""Acts for the run in view: feeds the plots, obeys the buttons, says what needs saying; and for runs drawn over it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from app.pages.unlearn.run_view import BannerText, RunView
from app.services import format as fmt
from app.services import run_words as words
from app.services.commands import ask_discard, resume
from app.services.notifications import Notification
from app.services.translation import mark, tr
from app.widgets.buttons import ChipButton
from app.workers.live_run import LiveRun
from app.workers.opening_job import trained
from app.workers.run_follower import RunFollower
from core.errors import AppError
from core.events import Event, FeatureMap, Log, State
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from app.context import AppContext
    from app.plots.map_picture import Film
    from app.services.reference_markers import Marker
    from app.workers.run_controller import RunController
    from core.job import Job
    from core.session.bench import Bench
    from core.session.feature_maps import Clouds

OUT_OF_MEMORY = "Out of memory"
_MARKERS, _CLOUDS, _FILM = "run markers", "run clouds", "run film"


class RunPresenter(QObject):
    """Shows `context.project.run`. `left` is emitted when the user wants to set up another run."""

    left = Signal()
    search_wanted = Signal(object)  # Job: settings are to be searched for it

    def __init__(self, context: AppContext, view: RunView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context, self._view = context, view
        self._run: LiveRun | None = None
        self._follower = RunFollower(context.jobs, self)
        self._slider_steps = -1
        bar, controller = view.bar, self._controller
        for signal, act in (
            (bar.pause_wanted, controller.pause), (bar.resume_wanted, controller.resume),
            (bar.checkpoint_wanted, controller.checkpoint), (bar.stop_wanted, controller.stop),
            (bar.discard_wanted, self._discard),
        ):  # fmt: skip
            signal.connect(self._for_current(act))
        for signal, slot in (
            (bar.again_wanted, self.left), (bar.check_wanted, self._check), (bar.search_wanted, self._search),
            (bar.restart_wanted, self._restart), (bar.delete_wanted, self._delete),
            (bar.forget_wanted, self._choose_what_to_forget),
        ):  # fmt: skip
            signal.connect(slot)
        controller.events.connect(self._events)
        controller.state_changed.connect(self._changed)
        controller.run_ended.connect(self._ended)
        self._follower.events.connect(self._read)
        self._follower.renewed.connect(self._renewed)
        self._follower.changed.connect(self._changed)
        self._follower.ended.connect(self._ended)
        view.plots.features.map.film_wanted.connect(self._write_film)

    @property
    def run(self) -> LiveRun | None:
        """The run in view."""
        return self._run

    @property
    def _controller(self) -> RunController:
        return self._context.run_controller

    def show_run(self, run: LiveRun) -> None:
        """Bring a run into view."""
        if run is self._run:
            return
        self._run = run
        self._view.slider.reset()
        self._view.plots.show_run(run)
        self._view.update_slider(run.steps)
        self._show_state(run)
        self._follower.follow(run)
        self._ask_references(run)

    def forget_run(self) -> None:
        """Let go of the run in view."""
        self._run = None
        self._follower.follow(None)

    # ---- what the controller and the follower report

    def _events(self, events: list[Event]) -> None:
        if self._run is not None and self._run is self._controller.current and self._run.kind != "check":
            self._take(events)

    def _read(self, events: list[Event]) -> None:
        if self._run is self._follower.run:
            self._take(events)

    def _take(self, events: list[Event]) -> None:
        run = self._run
        assert run is not None
        self._view.plots.add(events)
        self._view.update_slider(run.steps)
        if any(isinstance(event, Log) for event in events):
            self._show_banners(run)
        if any(isinstance(event, FeatureMap) for event in events):
            self._ask_clouds(run)

    def _renewed(self, run: LiveRun) -> None:
        if run is self._run:
            self._view.plots.show_run(run)
            self._view.update_slider(run.steps)
            self._ask_references(run)

    def _changed(self, run: LiveRun) -> None:
        if run is self._run:
            self._view.bar.show_run(run)
            if run.error:
                self._show_banners(run)

    def _ended(self, run: LiveRun) -> None:
        if run.state is State.FINISHED and run.planned is not None and run.finished is not None:
            from core.session.planning import learn  # torch is loaded: a run has ended

            self._context.jobs.submit(learn, run.planned, run.finished.seconds)
        if run is self._run:
            self._show_state(run)
        elif run.kind == "check" and self._run is not None:
            self._ask_references(self._run)  # it may have trained some

    def _show_state(self, run: LiveRun) -> None:
        if not run.active and run.state is not State.QUEUED:
            self._view.plots.settle()
        self._view.bar.show_run(run)
        self._show_banners(run)

    # ---- what needs a decision

    def _show_banners(self, run: LiveRun) -> None:
        self._view.set_banners(self._banners(run))

    def _banners(self, run: LiveRun) -> list[BannerText]:
        found: list[BannerText] = []
        if run.state is State.FAILED:
            found.append(self._failure(run))
        seen = set(words.outcome_warnings(run))  # the bar has them
        for warning in reversed(run.warnings):
            if warning.message not in seen:
                seen.add(warning.message)
                found.append((warning.message, "caution", []))
        return found

    def _failure(self, run: LiveRun) -> BannerText:
        details = ("Details…", lambda: self._show_details(run))
        batch = _batch_of(run)
        if run.error.startswith(OUT_OF_MEMORY) and batch > 1 and run.inputs is not None:
            half = batch // 2
            text = (
                f"Out of memory at batch {fmt.count(batch)}. Start again with {fmt.count(half)}? Results differ "
                f"slightly: batch statistics then come from {fmt.images(half)}."
            )
            return text, "error", [("Start again", lambda: self._start_with_batch(run, half)), details]
        return " ".join(part for part in (run.error, run.hint) if part), "error", [details]

    def _show_details(self, run: LiveRun) -> None:
        from app.dialogs.messages import MessagesDialog

        notification = Notification(run.error or "The run failed", "error", run.hint, run.details)
        MessagesDialog([notification], self._view.window()).open()

    def _start_with_batch(self, run: LiveRun, batch: int) -> None:
        if run.inputs is None or run.job is None:
            return
        bench, selection = run.inputs
        job = dataclasses.replace(run.job, parameters={**run.job.parameters, "batch": batch})
        self._context.project.set_run(self._controller.start(job, bench, selection))

    # ---- buttons

    def _for_current(self, act: Callable[[], object]) -> Callable[[], None]:
        """What a button does to the run that goes, where that is still the one in view."""

        def pressed() -> None:
            if self._run is not None and self._run is self._controller.current:
                act()

        return pressed

    def _discard(self) -> None:
        assert self._run is not None
        ask_discard(self._context, self._run, self._view.window())

    def _check(self) -> None:
        self._context.show_page("verify")

    def _search(self) -> None:
        if self._run is not None:
            self.search_wanted.emit(self._run.job)

    def _restart(self) -> None:
        if self._run is not None:
            resume(self._context, self._run.folder, self._view.window())

    def _choose_what_to_forget(self) -> None:
        """Open the trained model with its data, and lead on."""
        run, opened = self._run, self._context.project.opened_model
        if run is None or run.job is None:
            return
        if opened is None or run.path not in (opened.path, opened.path.parent):
            self._context.opening.put(trained(run.folder, run.job))
        self._context.show_page("forget")

    def _delete(self) -> None:
        assert self._run is not None
        from app.pages.runs.run_actions import ask_delete

        ask_delete(self._context, [self._run.folder], self._view.window(), self.left.emit)

    # ---- references

    def _ask_references(self, run: LiveRun) -> None:
        """Ask what is known of other models: markers beside the curves, and retrained models on the map."""
        self._context.jobs.cancel(_MARKERS)  # those of the run before
        self._ask_clouds(run)
        if run.job is None or run.job.forget.mode == "none":
            return
        handle = self._context.jobs.submit(_markers, run.job, self._context.runs_folder(), key=_MARKERS)
        handle.done.connect(self._view.plots.set_markers)

    def _ask_clouds(self, run: LiveRun) -> None:
        self._context.jobs.cancel(_CLOUDS)
        laid = run.history.feature_map
        if run.job is not None and isinstance(laid, FeatureMap):
            bench = run.inputs[0] if run.inputs is not None else self._context.project.bench
            handle = self._context.jobs.submit(_clouds, run.job, laid, bench, key=_CLOUDS)
            handle.done.connect(self._view.plots.features.map.set_clouds)

    def _write_film(self, film: Film, path: Path) -> None:
        """Have a worker write a feature map as a GIF, and say how far it is."""
        from app.plots.map_picture import write_gif

        say = self._view.plots.features.map.say
        handle = self._context.jobs.submit(write_gif, film, path, key=_FILM)
        handle.progress.connect(lambda what, done, total: say(f"{what} · {fmt.of_total(done, total)}"))
        handle.done.connect(lambda name: say(tr("Saved {name}", name=name)))
        handle.failed.connect(lambda error: say(tr("Not saved: {error}", error=str(error))))


def _markers(job: Job, runs_folder: Path) -> tuple[Marker, ...]:
    from app.services.reference_markers import markers

    return markers(job, runs_folder)


def _clouds(job: Job, laid: FeatureMap, bench: Bench | None) -> Clouds:
    from core.session.feature_maps import retrained_clouds

    return retrained_clouds(job, laid, bench)


def _batch_of(run: LiveRun) -> int:
    value = run.job.parameters.get("batch", 0) if run.job is not None else 0
    return int(value) if isinstance(value, int | float) else 0


NONE = mark("Other runs: none")
TIP = mark("Draw the curves of other runs, dashed, on the same axes; they stay when another run comes into view")
MOST_OFFERED, MOST_PINNED = 30, 4


class OverlaidRuns(QObject):
    """Runs drawn dashed over the one in view: those pinned in the menu of the chip, and `project.beside`."""

    def __init__(self, context: AppContext, view: RunView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context, self._view = context, view
        self._pinned: list[Path] = []
        self._read: dict[Path, LiveRun] = {}
        self.chip = ChipButton(tr(NONE), name=tr("Other runs"))
        self.menu = QMenu(self.chip)
        self.menu.aboutToShow.connect(self.fill)
        self.chip.setMenu(self.menu)
        view.slider.add_widget(self.chip)
        context.project.beside_changed.connect(self.refresh)
        context.project.run_changed.connect(self.refresh)
        self.refresh()

    def wanted(self) -> list[Path]:
        """The folders of the runs to draw, the one in view left out."""
        project = self._context.project
        beside = [project.beside.path] if project.beside is not None else []
        shown = project.run.path if project.run is not None else None
        return [path for path in dict.fromkeys([*beside, *self._pinned]) if path != shown]

    def fill(self) -> None:
        """Offer the runs known, the one in view left out; those drawn are ticked."""
        self.menu.clear()
        run, wanted = self._context.project.run, self.wanted()
        for row in self._context.run_library.rows[:MOST_OFFERED]:
            if not row.readable or (run is not None and row.path == run.path):
                continue
            what = " · ".join(part for part in (row.method, row.preset, row.forget_text, row.model, row.data) if part)
            action = self.menu.addAction(tr("{what}, seed {seed}", what=what, seed=row.seed))
            action.setToolTip(str(row.path))
            action.setCheckable(True)
            action.setChecked(row.path in wanted)
            action.setEnabled(row.path in wanted or len(wanted) < MOST_PINNED)
            action.setData(row.path)
            action.triggered.connect(self._toggled)

    def refresh(self) -> None:
        """Read what is to be drawn and not read yet; the rest is drawn at once."""
        for path in self.wanted():
            if path not in self._read:
                job = self._context.jobs.submit(LiveRun.from_folder, RunFolder(path), key=f"overlaid {path}")
                job.done.connect(self._was_read)
                job.failed.connect(partial(self._not_read, path))
        self._show()

    def _toggled(self, on: bool) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        path, project = action.data(), self._context.project
        self._read.pop(path, None)  # what it is now, not what it was
        if on:
            self._pinned.append(path)
            self.refresh()
            return
        self._pinned = [other for other in self._pinned if other != path]
        if project.beside is not None and project.beside.path == path:
            project.set_beside(None)
        self._show()

    def _was_read(self, run: LiveRun) -> None:
        self._read[run.path] = run
        self._show()

    def _show(self) -> None:
        runs = [self._read[path] for path in self.wanted() if path in self._read]
        self._view.plots.set_overlaid(runs)
        shown = self._context.project.run
        self._view.update_slider(shown.steps if shown is not None else 0)
        named = [tr("({number}) {name}", number=place + 2, name=run.id) for place, run in enumerate(runs)]
        text = tr("Other runs: {number}", number=len(runs)) if runs else tr(NONE)
        self.chip.set(text, "\n".join([tr(TIP), *named]))

    def _not_read(self, path: Path, error: BaseException) -> None:
        self._pinned = [other for other in self._pinned if other != path]
        if (beside := self._context.project.beside) is not None and beside.path == path:
            self._context.project.set_beside(None)
        problem = error if isinstance(error, AppError) else RuntimeError(str(error))
        self._context.notifications.error(problem, tr("A run to draw over this one could not be read"))
