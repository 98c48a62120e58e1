"""What waited in the queue when the program ended last time: start it, or let it go. Asked once a start."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.sheet import Choice, ConfirmDialog, ask
from app.dialogs.trust import with_trusted_code
from app.services import format as fmt
from app.widgets.run_chips import describe_run

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.queue_files import Waiting

_NAMED = 3


class WaitingRuns(QObject):
    """Reads what was left in a worker and asks once."""

    def __init__(self, context: AppContext, window: QWidget) -> None:
        super().__init__(window)
        self._context, self._window = context, window
        self.dialog: ConfirmDialog | None = None

    def look(self) -> None:
        """Ask where runs were left."""
        self._context.jobs.submit(left, key="left runs").done.connect(self._ask)

    def _ask(self, found: tuple[Waiting, ...]) -> None:
        if not found:
            return
        named = "; ".join(words_of(one) for one in found[:_NAMED])
        more = f"; and {fmt.count(len(found) - _NAMED)} more" if len(found) > _NAMED else ""
        was = "was" if len(found) == 1 else "were"
        choices = [Choice("later", "Ask again next time"), Choice("start", "Start"), Choice("drop", "Remove", True)]
        self.dialog = ask(
            self._window, f"{_counted(found)} {was} waiting when the app ended.", choices,
            lambda answer: self._answered(found, answer), f"{named}{more}.",
        )  # fmt: skip

    def _answered(self, found: tuple[Waiting, ...], answer: str) -> None:
        self.dialog = None
        if answer == "start":
            self._start(found)
        elif answer == "drop":
            self._context.jobs.submit(drop, found)


    def _start(self, found: tuple[Waiting, ...]) -> None:
        """Start all, once the program code that networks of theirs are made by may run."""
        trust = self._context.trust
        for one in found:
            brought = list(one.check.retrained.values()) if one.check is not None else []
            if trust.asked(one.job, brought):
                go_on = partial(self._start, found)
                with_trusted_code(trust, one.job, "Starting what waited", self._window, go_on, brought)
                return
        runs = [self._context.run_controller.start_waiting(one) for one in found]
        made = [run for run in runs if run.makes_model]
        if made:
            self._context.project.set_run(made[0])
        self._context.show_page("unlearn" if made else "runs")


def words_of(one: Waiting) -> str:
    """Name what waits in a few words."""
    if one.job.kind == "train":
        return f"training of {one.job.model.architecture}, seed {one.job.seed}"
    about = f"{describe_run(one.job)}, seed {one.job.seed}"
    return f"check of {about}" if one.check is not None else about


def _counted(found: tuple[Waiting, ...]) -> str:
    checks = sum(one.check is not None for one in found)
    runs = len(found) - checks
    parts = [fmt.plural(runs, "run")] if runs else []
    return " and ".join([*parts, fmt.plural(checks, "check")] if checks else parts)


def left() -> tuple[Waiting, ...]:
    """Return what was left; runs in a worker."""
    from app.services.queue_files import left_waiting

    return left_waiting()


def drop(found: tuple[Waiting, ...]) -> None:
    """Remove what was left; runs in a worker."""
    from app.services.queue_files import drop_waiting

    for one in found:
        drop_waiting(one.entry)
