"""The head of the window: page title at the left; run chip, device chip and menu at the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QSizePolicy, QToolButton, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import IconButton
from app.widgets.chips import Chip
from app.widgets.labels import ElidedLabel


class PageHeader(QFrame):
    """48 high; the widgets a page wants at the right are handed over with `set_widgets`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "header")
        self.setFixedHeight(theme.px(t.HEADER_HEIGHT))
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(t.L), 0, theme.px(t.S), 0)
        row.setSpacing(theme.px(t.S))
        self._title = ElidedLabel("", "title")
        self._title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row.addWidget(self._title, 1)
        self._slot = QHBoxLayout()
        self._slot.setSpacing(theme.px(t.S))
        row.addLayout(self._slot)
        self.device = Chip("", "device")
        self.device.hide()
        row.addWidget(self.device)
        self.menu_button = IconButton("menu", "Menu", shortcut="F10")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        row.addWidget(self.menu_button)
        self._widgets: list[QWidget] = []

    def set_title(self, title: str) -> None:
        """Show the page's title."""
        self._title.setText(title)

    def title(self) -> str:
        """The title shown."""
        return self._title.text()

    def set_widgets(self, widgets: Sequence[QWidget]) -> None:
        """Show a page's own chips; the former page's are hidden and stay its property."""
        for widget in self._widgets:
            self._slot.removeWidget(widget)
            widget.hide()
        self._widgets = list(widgets)
        for widget in self._widgets:
            self._slot.addWidget(widget)
            widget.show()

    def set_device(self, text: str, tip: str = "", caution: bool = False) -> None:
        """Name the device runs use; always in sight."""
        self.device.set(text, "device", "caution" if caution else "", tip)
        self.device.setVisible(bool(text))

    def set_menu(self, menu: QMenu) -> None:
        """The menu of all commands."""
        self.menu_button.setMenu(menu)
