"""An empty state: icon, one sentence of what will be here, one button; centred in the area it will fill."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import Button, SecondaryButton
from app.widgets.labels import Label


class EmptyState(QWidget):
    """What stands where content will be."""

    def __init__(
        self,
        icon: str,
        text: str,
        button: str = "",
        on_click: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.px(t.L), theme.px(t.L), theme.px(t.L), theme.px(t.L))
        column.setSpacing(theme.px(t.M))
        column.addStretch(1)
        self._icon_name = icon
        self._icon = QLabel(self)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self._icon)
        self._label = Label(text, "body", "text-2", wrap=True)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self._label, 0)
        column.setAlignment(self._label, Qt.AlignmentFlag(0))
        self._label.setMaximumWidth(16_777_215)
        self.button: Button = SecondaryButton(button)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self._callback = on_click
        self.button.clicked.connect(self._clicked)
        self.button.setVisible(bool(button))
        theme.changed.connect(self._draw_icon)
        self._draw_icon()

    def set(self, text: str, button: str = "", on_click: Callable[[], object] | None = None) -> None:
        """Say something else."""
        self._label.setText(text)
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self._callback = on_click

    def text(self) -> str:
        """The sentence."""
        return self._label.text()

    def _clicked(self) -> None:
        if self._callback is not None:
            self._callback()

    def _draw_icon(self) -> None:
        pixmap = icons.pixmap(self._icon_name, theme.px(32), "text_3", self.devicePixelRatioF())
        self._icon.setPixmap(pixmap)
