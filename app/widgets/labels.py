"""Text and icons on a page: by role, wrapping at 80 characters, or elided; and what a screen reader is told."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QWidget

from app.services import icons
from app.services.format import plain
from app.services.theme import Role, theme
from core.text import visible

_LINE_CHARACTERS = 80


class Label(QLabel):
    """A plain-text label of one role and tone; it wraps at 80 characters, or at all of the width it is given."""

    def __init__(
        self, text: str = "", role: Role = "body", tone: str = "", wrap: bool = False, wide: bool = False
    ) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)
        theme.set_font(self, role)
        self.setProperty("tone", tone)
        if wrap or wide:
            self.setWordWrap(True)
            self.setMinimumWidth(1)
        if wrap:
            self.setMaximumWidth(_LINE_CHARACTERS * self.fontMetrics().averageCharWidth())

    def setText(self, text: str) -> None:
        """Show another text; what steers a line in names from files is written out."""
        super().setText(visible(text, lines=True))

    def say(self, text: str) -> None:
        """Show a text; where there is none, nothing."""
        self.setText(text)
        self.setVisible(bool(text))

    def heightForWidth(self, width: int) -> int:
        # A layout asks for the width it has, which may be more than the label takes.
        return super().heightForWidth(min(width, self.maximumWidth()))


def caption(text: str = "", wrap: bool = False, wide: bool = False) -> Label:
    """Return a caption: small, in text-2."""
    return Label(text, "caption", "text-2", wrap, wide)


def section(text: str) -> Label:
    """Return a section title."""
    return Label(text, "section")


def separator() -> QWidget:
    """Return a one-pixel line."""
    line = QFrame()
    line.setProperty("part", "separator")
    return line


class Icon(QLabel):
    """An icon in a token's colour, drawn when it is painted; none takes no room."""

    def __init__(self, name: str = "", token: str = "text-2", size: int = 16) -> None:
        super().__init__()
        self._size = size
        self.set(name, token)

    def set(self, name: str, token: str = "text-2") -> None:
        """Show another icon."""
        self._icon, self._token = name, token
        if not name or self.parentWidget() is not None:  # without a parent it would be a window
            self.setVisible(bool(name))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(self._size), theme.px(self._size))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._icon:
            place = QRect(QPoint(), self.sizeHint())
            place.moveCenter(self.rect().center())
            painter = QPainter(self)
            icons.icon(self._icon, self._token).paint(painter, place)
            painter.end()


class ElidedLabel(QLabel):
    """A one-line label that elides in the middle; the whole text is its tool tip and accessible name."""

    def __init__(
        self, text: str = "", role: Role = "body", tone: str = "",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
    ) -> None:
        super().__init__()
        self._mode = mode
        self._text = self._hint = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_font(self, role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(theme.px(24))
        self.setProperty("tone", tone)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show another text; what is as wide as its place whatever it says has nothing laid out anew for it."""
        self._text = text = visible(text, lines=True)
        self.setAccessibleName(text)
        self._update_tip()
        self.update()
        if self.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Maximum:
            self.updateGeometry()

    def text(self) -> str:
        return self._text

    def set_hint(self, hint: str) -> None:
        """Tool tip to show where the text is not elided."""
        self._hint = hint
        self._update_tip()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + 2, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height() + 2)  # its minimum width stands above it

    def resizeEvent(self, event: object) -> None:
        self._update_tip()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), self._mode, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()

    def _update_tip(self) -> None:
        elided = self.fontMetrics().horizontalAdvance(self.text()) > self.width()
        self.setToolTip(plain(self.text() if elided else self._hint))


def announce(widget: QWidget, text: str, assertive: bool = False) -> None:
    """Have a screen reader say `text`; `assertive` interrupts what it is saying."""
    if not QAccessible.isActive():
        return
    event = QAccessibleAnnouncementEvent(widget, text)
    if assertive:
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
    QAccessible.updateAccessibility(event)


def describe(widget: QWidget, description: str) -> None:
    """Change a widget's accessible description where it differs."""
    if widget.accessibleDescription() != description:
        widget.setAccessibleDescription(description)
