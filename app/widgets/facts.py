"""Facts: a label 120 wide and a value, which may offer to be changed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import TextButton
from app.widgets.labels import ElidedLabel, Label
from app.widgets.term import TermLabel

LABEL_WIDTH = 120


class FactRow(QWidget):
    """One value; `set_value` changes it."""

    def __init__(self, value: str = "", fixed: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        self._value = ElidedLabel(value, "fixed" if fixed else "body")
        self._value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._value.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._change = TextButton("Change…")
        self._label = ""
        self._callback: Callable[[], object] | None = None
        self._change.setProperty("compact", True)  # so that all rows are as high
        self._change.clicked.connect(self._clicked)
        row.addWidget(self._value, 1)
        row.addWidget(self._change)
        self._change.hide()

    def set_value(
        self,
        value: str,
        hint: str = "",
        on_change: Callable[[], object] | None = None,
        change_text: str = "Change…",
    ) -> None:
        """Show a value; `hint` is the tool tip where it is not elided."""
        self._value.setText(value)
        self._value.set_hint(hint)
        self._callback = on_change
        self._change.setText(change_text)
        self._change.setAccessibleName(f"{change_text.removesuffix('…')} {self._label}".strip())
        self._change.setVisible(on_change is not None)

    def value(self) -> str:
        """The value shown."""
        return self._value.text()

    def set_label(self, label: str) -> None:
        """Name the row for a screen reader."""
        self._label = label.lower()

    def _clicked(self) -> None:
        if self._callback is not None:
            self._callback()


class FactTable(QWidget):
    """Rows of facts by key, in the order they were first set."""

    def __init__(self, parent: QWidget | None = None, label_width: int = LABEL_WIDTH) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.px(t.S))
        self._grid.setVerticalSpacing(theme.px(t.XS))
        self._grid.setColumnMinimumWidth(0, theme.px(label_width))
        self._grid.setColumnStretch(1, 1)
        self._rows: dict[str, tuple[Label | TermLabel, FactRow]] = {}

    def set(
        self,
        key: str,
        label: str,
        value: str,
        *,
        hint: str = "",
        on_change: Callable[[], object] | None = None,
        fixed: bool = False,
        change_text: str = "Change…",
        term: str = "",
    ) -> FactRow:
        """Set one fact, adding its row where it is new; `term` names the word of the glossary its label is."""
        if key not in self._rows:
            name = TermLabel(term, label, tone="text_2") if term else Label(label, "body", "text-2")
            row = FactRow(fixed=fixed)
            at = self._grid.rowCount()
            self._grid.addWidget(name, at, 0)
            self._grid.addWidget(row, at, 1)
            self._rows[key] = (name, row)
        name, row = self._rows[key]
        name.setText(label)
        row.set_label(label)
        row.set_value(value, hint, on_change, change_text)
        return row

    def remove(self, key: str) -> None:
        """Remove one fact where it is there."""
        for widget in self._rows.pop(key, ()):
            self._grid.removeWidget(widget)
            widget.deleteLater()

    def clear(self) -> None:
        """Remove all facts."""
        for key in list(self._rows):
            self.remove(key)

    def values(self) -> dict[str, str]:
        """All values shown, by key."""
        return {key: row.value() for key, (_, row) in self._rows.items()}
