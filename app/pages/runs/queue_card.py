"""The runs that wait: in their order, to be moved or taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.run_words import describe_run
from app.services.theme import theme
from app.widgets.buttons import IconButton, SecondaryButton
from app.widgets.cards import Card

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

MOST_ROWS = 4


class QueueCard(Card):
    """Emits what is wanted of the chosen run; hidden while nothing waits."""

    moved = Signal(object, int)  # LiveRun, by how many places
    removed = Signal(object)  # LiveRun

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Waiting", parent)
        self._runs: list[LiveRun] = []
        self.list = QListWidget()
        self.list.setAccessibleName("Runs that wait, next one first")
        self.list.currentRowChanged.connect(self._update)
        self.up = IconButton("chevron-up", "Start earlier", lambda: self._move(-1))
        self.down = IconButton("chevron-down", "Start later", lambda: self._move(1))
        self.remove = SecondaryButton("Take out", self._remove)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.list, self._remove)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        for button in (self.up, self.down, self.remove):
            self.add_action(button)
        self.body.addWidget(self.list)
        self.hide()

    def set_runs(self, runs: Sequence[LiveRun]) -> None:
        """Show these runs in this order; the chosen one stays chosen."""
        chosen = self.chosen()
        self._runs = list(runs)
        self.list.blockSignals(True)
        self.list.clear()
        for number, run in enumerate(self._runs, 1):
            item = QListWidgetItem(f"{number}.  {words_of(run)}")
            item.setSizeHint(QSize(0, theme.px(t.TABLE_ROW)))
            self.list.addItem(item)
        if chosen in self._runs:
            self.list.setCurrentRow(self._runs.index(chosen))
        elif self._runs:
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        self.set_title(f"Waiting ({fmt.count(len(self._runs))})")
        rows = min(max(len(self._runs), 1), MOST_ROWS)
        self.list.setFixedHeight(rows * theme.px(t.TABLE_ROW) + 2 * self.list.frameWidth())
        self.setVisible(bool(self._runs))
        self._update()

    def chosen(self) -> LiveRun | None:
        """The chosen run."""
        row = self.list.currentRow()
        return self._runs[row] if 0 <= row < len(self._runs) else None

    def _move(self, by: int) -> None:
        run = self.chosen()
        if run is not None:
            self.moved.emit(run, by)

    def _remove(self) -> None:
        run = self.chosen()
        if run is not None:
            self.removed.emit(run)

    def _update(self, *_: object) -> None:
        row = self.list.currentRow()
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < len(self._runs) - 1)
        self.remove.setEnabled(row >= 0)


def words_of(run: LiveRun) -> str:
    """Name a waiting run in one line."""
    if run.job is None:
        return run.title or run.id
    about = f"{describe_run(run.job)} · seed {run.job.seed}"
    return f"Check of {about}" if run.kind == "check" else about
