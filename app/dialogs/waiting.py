"""Runs that waited in the queue when the program ended last time: start them, or let them go. Asked once a start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.confirm import Choice, ConfirmDialog, ask
from app.services import format as fmt
from app.widgets.run_chips import describe_run

if TYPE_CHECKING:
    from app.context import AppContext
    from core.session.waiting import Waiting

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
        named = "; ".join(f"{describe_run(one.job)}, seed {one.job.seed}" for one in found[:_NAMED])
        more = f"; and {fmt.count(len(found) - _NAMED)} more" if len(found) > _NAMED else ""
        was = "was" if len(found) == 1 else "were"
        choices = [Choice("later", "Ask again next time"), Choice("start", "Start"), Choice("drop", "Remove", True)]
        self.dialog = ask(
            self._window, f"{fmt.plural(len(found), 'run')} {was} waiting when the app ended.", choices,
            lambda answer: self._answered(found, answer), f"{named}{more}.",
        )  # fmt: skip

    def _answered(self, found: tuple[Waiting, ...], answer: str) -> None:
        self.dialog = None
        if answer == "start":
            runs = [self._context.run_controller.start_waiting(one) for one in found]
            self._context.project.set_run(runs[0])
            self._context.show_page("unlearn")
        elif answer == "drop":
            self._context.jobs.submit(drop, found)


def left() -> tuple[Waiting, ...]:
    """Return what was left; runs in a worker."""
    from core.session.waiting import left_waiting

    return left_waiting()


def drop(found: tuple[Waiting, ...]) -> None:
    """Remove what was left; runs in a worker."""
    from core.session.waiting import drop_waiting

    for one in found:
        drop_waiting(one.entry)
