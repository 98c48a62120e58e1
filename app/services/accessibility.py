"""Telling screen readers what changed without moving the focus."""

from __future__ import annotations

from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QWidget

try:
    from PySide6.QtGui import QAccessibleAnnouncementEvent
except ImportError:  # Qt below 6.8 has no announcements; the description then changes silently
    QAccessibleAnnouncementEvent = None  # type: ignore[assignment, misc]


def announce(widget: QWidget, text: str, assertive: bool = False) -> None:
    """Have a screen reader say `text`; `assertive` interrupts what it is saying."""
    if QAccessibleAnnouncementEvent is None or not QAccessible.isActive():
        return
    event = QAccessibleAnnouncementEvent(widget, text)
    if assertive:
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
    QAccessible.updateAccessibility(event)


def describe(widget: QWidget, description: str) -> None:
    """Change a widget's accessible description where it differs."""
    if widget.accessibleDescription() != description:
        widget.setAccessibleDescription(description)
