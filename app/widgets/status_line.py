"""The foot of the window: what is going on, how far, how long still, and the switch of the log panel."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import IconButton, TextButton
from app.widgets.labels import ElidedLabel, Label
from app.widgets.progress import ProgressLine

MESSAGE_MS = 4000


class StatusLine(QFrame):
    """28 high. Activities are kept by key and the latest is shown; a message shows for four seconds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "status")
        self.setFixedHeight(theme.px(t.STATUS_HEIGHT))
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(t.L), 0, theme.px(t.S), 0)
        row.setSpacing(theme.px(t.M))
        self._label = ElidedLabel("", "caption", "text-2")
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._bar = ProgressLine("Progress of what goes on", with_text=False)
        self._bar.setFixedWidth(theme.px(160))
        self._left = Label("", "caption", "text-2")
        self._cancel = TextButton("Cancel")
        self._cancel.setFixedHeight(theme.px(22))
        self._row = row
        row.addWidget(self._label, 1)
        for widget in (self._left, self._bar, self._cancel):
            row.addWidget(widget)
        self._activities: dict[str, tuple[str, float, float, float | None, Callable[[], object] | None]] = {}
        self._resting = ""
        self._message_timer = QTimer(self)
        self._message_timer.setSingleShot(True)
        self._message_timer.timeout.connect(self._show)
        self._cancel.clicked.connect(self._cancel_clicked)
        self._show()

    def show_message(self, text: str, milliseconds: int = MESSAGE_MS) -> None:
        """Say that something was done, for a few seconds."""
        self._label.setText(text)
        self._message_timer.start(milliseconds)

    def set_resting(self, text: str) -> None:
        """What stands here while nothing goes on."""
        self._resting = text
        self._show()

    def set_activity(
        self,
        key: str,
        text: str,
        done: float = 0,
        total: float = 0,
        left: float | None = None,
        on_cancel: Callable[[], object] | None = None,
    ) -> None:
        """Something goes on: `total` 0 is without a measure, `left` in seconds, `on_cancel` offers *Cancel*."""
        self._activities.pop(key, None)
        self._activities[key] = (text, done, total, left, on_cancel)
        if not self._message_timer.isActive():
            self._show()

    def end_activity(self, key: str) -> None:
        """It ended; unknown keys are fine."""
        if self._activities.pop(key, None) is not None and not self._message_timer.isActive():
            self._show()

    def text(self) -> str:
        """The text shown."""
        return self._label.text()

    def add_command(self, action: QAction) -> IconButton:
        """Put a command at the end as a button, which follows it; its key stays the command's alone."""
        button = IconButton.from_action(action, self)
        button.setFixedHeight(theme.px(24))
        self._row.addWidget(button)
        return button

    def _show(self) -> None:
        latest = next(reversed(self._activities.values()), None)
        for widget in (self._bar, self._left, self._cancel):
            widget.setVisible(latest is not None)
        if latest is None:
            self._label.setText(self._resting)
            return
        text, done, total, left, on_cancel = latest
        self._label.setText(text)
        self._bar.set(done, total)
        self._left.setText(f"{fmt.duration(left)} left" if left is not None else "")
        self._cancel.setVisible(on_cancel is not None)

    def _cancel_clicked(self) -> None:
        latest = next(reversed(self._activities.values()), None)
        if latest is not None and latest[4] is not None:
            latest[4]()
