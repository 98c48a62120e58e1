"""Acts for the run in view: feeds the plots, obeys the buttons, says what needs saying; and for runs drawn over it."""

from __future__ import annotations

import contextlib
import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMenu

from app.pages.unlearn.run_view import BannerText, RunView
from app.services import format as fmt
from app.services import run_words as words
from app.services.commands import ask_discard, resume
from app.services.notifications import Notification
from app.services.translation import mark, tr
from app.widgets.buttons import ChipButton
from app.workers.live_run import LiveRun
from app.workers.mailbox import RunFollower
from app.workers.opening_job import trained
from core.errors import AppError
from core.events import Event, FeatureMap, Log, State
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from app.context import AppContext
    from app.pages.unlearn.markers import Marker
    from app.plots.feature_map import Film
    from core.job import Job
    from core.session.bench import Bench
    from core.session.feature_maps import Clouds

OUT_OF_MEMORY = "Out of memory"
_MARKERS, _CLOUDS, _FILM = "run markers", "run clouds", "run film"


class RunPresenter(QObject):
    """Shows `context.project.run`. `left` is emitted when the user wants to set up another run."""

    left = Signal()
    search_wanted = Signal(object)  # Job: settings are to be searched for it

    def __init__(self, context: AppContext, view: RunView, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._view = context, view
        self._run: LiveRun | None = None
        self._verdict = False  # whether the result of the run was held against retrained models
        self._controller = controller = context.run_controller
        self._follower = RunFollower(context.jobs, self)
        acts: dict[str, Any] = {  # the first four are offered only while the run in view goes
            "pause": self._pause, "checkpoint": lambda: self._ask("checkpoint"), "stop": lambda: self._ask("stop"),
            "discard": self._discard, "again": self.left,
            "check": lambda: context.show_page("verify"), "details": lambda: context.show_page("verify"),
            "export": lambda: context.show_page("export"), "restart": self._restart,
            "forget": self._choose_what_to_forget,
        }  # fmt: skip
        for name, act in acts.items():
            view.bar.buttons[name].clicked.connect(act)
        for signal, slot in (
            (controller.events, self._events), (controller.state_changed, self._changed),
            (controller.run_ended, self._ended), (self._follower.events, self._take),
            (self._follower.changed, self._changed), (self._follower.ended, self._ended),
        ):  # fmt: skip
            signal.connect(slot)
        view.plots.features.map.film_wanted.connect(self._write_film)

    def show_run(self, run: LiveRun | None) -> None:
        """Bring another run into view, or none."""
        if run is self._run:
            return
        self._run, self._verdict = run, False
        self._follower.follow(run)
        self._view.set_banners([])  # those of the run before, whose buttons are about it
        if run is not None:
            self._view.slider.reset()
            self._view.plots.show_run(run)
            self._view.update_slider(run.steps)
            self._ask_others(run)
            self._show_state(run)

    # ---- what the controller and the follower report

    def _events(self, events: list[Event]) -> None:
        if self._run is not None and self._run is self._controller.current and self._run.kind != "check":
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

    def _changed(self, run: LiveRun) -> None:
        if run is self._run:
            self._view.bar.show_run(run, self._verdict)
            if run.error:
                self._show_banners(run)

    def _ended(self, run: LiveRun) -> None:
        if run.state is State.FINISHED and run.planned is not None and run.finished is not None:
            from core.session.planning import learn  # torch is loaded: a run has ended

            self._context.jobs.submit(learn, run.planned, run.finished.seconds)
        if run is self._run:
            self._show_state(run)
        elif run.kind == "check" and self._run is not None:
            self._ask_others(self._run)  # it may have trained some, and come to a verdict

    def _show_state(self, run: LiveRun) -> None:
        if not run.active and run.state is not State.QUEUED:
            self._view.plots.settle()
        self._view.bar.show_run(run, self._verdict)
        self._show_banners(run)

    # ---- what needs a decision

    def _show_banners(self, run: LiveRun) -> None:
        found = [self._failure(run)] if run.state is State.FAILED else []
        if run.state is State.INTERRUPTED and run.error:
            text = " ".join(part for part in (run.error, run.hint) if part)
            found.append((text, "error", [(tr("Details…"), lambda: self._show_details(run))]))
        outcome = words.outcome_warnings(run)
        if outcome:
            search = (tr("Search settings…"), lambda: self.search_wanted.emit(run.job))
            found.append(("\n".join(outcome), "caution", [search] if _may_search(run) else []))
        said = dict.fromkeys(warning.message for warning in reversed(run.warnings))
        self._view.set_banners([*found, *((text, "caution", []) for text in said if text not in outcome)])

    def _failure(self, run: LiveRun) -> BannerText:
        details = (tr("Details…"), lambda: self._show_details(run))
        batch = int((run.job.parameters if run.job is not None else {}).get("batch") or 0)
        if run.error.startswith(OUT_OF_MEMORY) and batch > 1 and run.inputs is not None:
            half = batch // 2
            text = tr(
                "Out of memory at batch {batch}. Start again with {half}? Results differ slightly: batch statistics "
                "then come from {half} images.",
                batch=fmt.count(batch), half=fmt.count(half),
            )  # fmt: skip
            return text, "error", [(tr("Start again"), lambda: self._start_with_batch(run, half)), details]
        return " ".join(part for part in (run.error, run.hint) if part), "error", [details]

    def _show_details(self, run: LiveRun) -> None:
        from app.dialogs.messages import MessagesDialog

        notification = Notification(run.error or tr("The run failed"), "error", run.hint, run.details)
        MessagesDialog([notification], self._view.window()).open()

    def _start_with_batch(self, run: LiveRun, batch: int) -> None:
        assert run.inputs is not None and run.job is not None
        job = dataclasses.replace(run.job, parameters={**run.job.parameters, "batch": batch})
        self._context.project.set_run(self._controller.start(job, *run.inputs))

    # ---- buttons

    def _pause(self) -> None:
        self._ask("resume" if self._view.bar.resuming else "pause")

    def _ask(self, action: str) -> None:
        """Ask the run in view, in whatever process it goes."""
        try:
            self._controller.ask(action, self._run)
        except AppError as error:  # of one that is followed on disk
            self._context.notifications.error(error, tr("The run cannot be asked"))

    def _discard(self) -> None:
        assert self._run is not None
        ask_discard(self._context, self._run, self._view.window())

    def _restart(self) -> None:
        assert self._run is not None
        resume(self._context, self._run.folder, self._view.window())

    def _choose_what_to_forget(self) -> None:
        """Open the trained model with its data, and lead on."""
        run, opened = self._run, self._context.project.opened_model
        assert run is not None and run.job is not None  # it has ended
        if opened is None or run.path not in (opened.path, opened.path.parent):
            self._context.opening.put(trained(run.folder, run.job))
        self._context.show_page("forget")

    # ---- other models

    def _ask_others(self, run: LiveRun) -> None:
        """Ask what is known of other models: markers beside the curves, retrained models on the map, a verdict."""
        self._context.jobs.cancel(_MARKERS)  # those of the run before
        self._ask_clouds(run)
        if run.job is not None and run.forget_mode != "none":
            handle = self._context.jobs.submit(_known, run.folder, run.job, self._context.runs_folder(), key=_MARKERS)
            handle.done.connect(self._show_known)

    def _show_known(self, known: tuple[tuple[Marker, ...], bool]) -> None:
        markers, self._verdict = known
        self._view.plots.set_markers(markers)
        if self._run is not None:
            self._view.bar.show_run(self._run, self._verdict)

    def _ask_clouds(self, run: LiveRun) -> None:
        self._context.jobs.cancel(_CLOUDS)
        laid = run.history.feature_map
        if run.job is not None and isinstance(laid, FeatureMap):
            bench = run.inputs[0] if run.inputs is not None else self._context.project.bench
            handle = self._context.jobs.submit(_clouds, run.job, laid, bench, key=_CLOUDS)
            handle.done.connect(self._view.plots.features.map.set_clouds)

    def _write_film(self, film: Film, path: Path) -> None:
        """Have a worker write a feature map as a GIF, and say how far it is."""
        from app.plots.film import write_gif

        say = self._view.plots.features.map.say
        self._context.jobs.submit(write_gif, film, path, key=_FILM).then(
            lambda name: say(tr("Saved {name}", name=name)),
            lambda error: say(tr("Not saved: {error}", error=str(error))),
            progress=lambda what, done, total: say(f"{what} · {fmt.of_total(done, total)}"),
        )


def _known(folder: RunFolder, job: Job, runs_folder: Path) -> tuple[tuple[Marker, ...], bool]:
    """Return what is known of other models, and whether the run was held against retrained ones."""
    from app.pages.unlearn.markers import markers

    report = None
    with contextlib.suppress(AppError):  # of a damaged one Verify says more
        report = folder.report()
    return markers(job, runs_folder, report), bool((report or {}).get("retrained"))


def _clouds(job: Job, laid: FeatureMap, bench: Bench | None) -> Clouds:
    from core.session.feature_maps import retrained_clouds

    return retrained_clouds(job, laid, bench)


def _may_search(run: LiveRun) -> bool:
    """Whether a run changed nothing, and so wants other settings, and its method has any to search for."""
    unchanged = any(log.code == "unchanged" for log in run.warnings)
    if not unchanged or run.job is None or run.kind != "unlearn":
        return False  # before torch is loaded, as for a run opened right at the start
    from core.methods import methods

    method = methods().get(run.job.method)
    return method is not None and bool(method.searched)


NONE = mark("Other runs: none")
TIP = mark("Draw the curves of other runs, dashed, on the same axes; they stay when another run comes into view")
MOST_OFFERED, MOST_PINNED = 30, 4


class OverlaidRuns(QObject):
    """Draws `project.overlaid` dashed over the run in view and follows those that go on; they are chosen in a menu."""

    def __init__(self, context: AppContext, view: RunView, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._view = context, view
        self._read: dict[Path, LiveRun | None] = {}  # None: it is being read
        self._followers: dict[Path, RunFollower] = {}
        self.chip = ChipButton(tr(NONE), tr("Other runs"))
        self.menu = QMenu(self.chip)
        self.menu.aboutToShow.connect(self.fill)
        self.chip.setMenu(self.menu)
        view.slider.row.addWidget(self.chip)
        context.project.overlaid_changed.connect(self.refresh)
        context.project.run_changed.connect(self.refresh)
        self.refresh()

    def wanted(self) -> list[Path]:
        """The folders of the runs to draw, the one in view left out."""
        return [path for path in self._context.project.overlaid if path != self._shown_path()]

    def fill(self) -> None:
        """Offer the runs known, the one in view left out; those drawn are ticked."""
        self.menu.clear()
        shown, wanted = self._shown_path(), self.wanted()
        for row in self._context.run_library.rows[:MOST_OFFERED]:
            if not row.readable or row.path == shown:
                continue
            what = " · ".join(part for part in (row.method, row.preset, row.forget_text, row.model, row.data) if part)
            action = self.menu.addAction(tr("{what}, seed {seed}", what=what, seed=row.seed))
            action.setToolTip(fmt.plain(str(row.path)))
            action.setCheckable(True)
            action.setChecked(row.path in wanted)
            action.setEnabled(row.path in wanted or len(wanted) < MOST_PINNED)
            action.setData(row.path)
            action.toggled.connect(partial(self._toggle, row.path))
        if self.menu.isEmpty():  # an empty menu would not open, as if the button did nothing
            self.menu.addAction(tr("There are no other runs yet.")).setEnabled(False)

    def refresh(self) -> None:
        """Read what is to be drawn and not read yet; the rest is drawn at once."""
        overlaid = self._context.project.overlaid
        self._read = {path: run for path, run in self._read.items() if path in overlaid}
        for path in self._followers.keys() - overlaid:
            self._followers.pop(path).follow(None)
        for path in self.wanted():
            if path not in self._read:
                self._read[path] = None
                self._context.jobs.submit(LiveRun.from_folder, RunFolder(path)).then(
                    self._was_read, partial(self._not_read, path)
                )
        self._draw()

    def _draw(self) -> None:
        runs = [run for path in self.wanted() if (run := self._read[path]) is not None]
        self._view.plots.set_overlaid(runs)
        shown = self._context.project.run
        self._view.update_slider(shown.steps if shown is not None else 0)
        named = [tr("({number}) {name}", number=place + 2, name=run.id) for place, run in enumerate(runs)]
        text = tr("Other runs: {number}", number=len(runs)) if runs else tr(NONE)
        self.chip.set(text, "\n".join([tr(TIP), *named]))

    def _shown_path(self) -> Path | None:
        run = self._context.project.run
        return run.path if run is not None else None

    def _toggle(self, path: Path, on: bool) -> None:
        others = [other for other in self._context.project.overlaid if other != path]
        self._context.project.set_overlaid([*others, path] if on else others)

    def _was_read(self, run: LiveRun) -> None:
        if run.path in self._read:
            self._read[run.path] = run
            follower = self._followers[run.path] = RunFollower(self._context.jobs, self)
            follower.changed.connect(self._draw)
            follower.follow(run)
            self._draw()

    def _not_read(self, path: Path, error: BaseException) -> None:
        self._toggle(path, False)
        self._context.notifications.error(error, tr("A run to draw over this one could not be read"))
