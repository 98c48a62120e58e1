"""Runs that were going when the program ended last time: resume, keep as they are, or delete. Asked once each."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.dialogs.sheet import Choice, ConfirmDialog, ask
from app.services import run_words as words
from app.services.resuming import resume
from core.events import State
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.run_library import RunRow

KEPT = "kept interrupted run"
MOST_ASKED = 5  # more than that is a list to look at, not a series of questions


class InterruptedRuns(QObject):
    """Asks about each interrupted run of the folder of runs, newest first, one question at a time."""

    answered = Signal()  # all of them, or there were none

    def __init__(self, context: AppContext, window: QWidget) -> None:
        super().__init__(window)
        self._context, self._window = context, window
        self._waiting: deque[RunRow] = deque()
        self.dialog: ConfirmDialog | None = None

    def offer(self, rows: tuple[RunRow, ...]) -> None:
        """Ask about those among these runs that were interrupted and not asked about before."""
        kept = set(self._context.window_state.recent(KEPT))
        found = [r for r in rows if r.state == State.INTERRUPTED.value and str(r.path) not in kept]
        self._waiting.extend(found[:MOST_ASKED])
        self._next()

    def _next(self) -> None:
        if self.dialog is not None:
            return
        if not self._waiting:
            self.answered.emit()
            return
        row = self._waiting.popleft()
        what = f"{row.method}, {row.forget_text}, seed {row.seed}" if row.kind == "unlearn" else f"training, {row.id}"
        self.dialog = ask(
            self._window, words.interrupted(row.step),
            [Choice("keep", "Keep as it is"), Choice("resume", "Resume"), Choice("delete", "Delete", destructive=True)],
            lambda answer: self._answered(row, answer), f"{what}. {row.path}",
        )  # fmt: skip

    def _answered(self, row: RunRow, answer: str) -> None:
        self.dialog = None
        folder = RunFolder(row.path)
        if answer == "resume":
            resume(self._context, folder, self._window)
        elif answer == "delete":
            from app.pages.runs.run_actions import delete

            delete(self._context, [folder], self._window)
        else:
            self._context.window_state.add_recent(KEPT, str(row.path))
        self._next()
