"""The strip under the header that shows cautions and errors of the background, without stopping anyone."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.services.accessibility import announce
from app.services.notifications import Notification, Notifications
from app.widgets.banner import Banner


class NoticeStrip(Banner):
    """Shows the latest caution or error; details open in a dialog."""

    def __init__(self, notifications: Notifications, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notification: Notification | None = None
        notifications.posted.connect(self.show_notification)

    def show_notification(self, notification: Notification) -> None:
        """Show one message; info belongs to the status line and is left to it."""
        if notification.level == "info":
            return
        self.notification = notification
        buttons = list(notification.actions[:1])
        if notification.details:
            buttons.append(("Details…", self._details))
        else:
            buttons += notification.actions[1:2]
        self.show_message(notification.sentence, notification.level, buttons)
        announce(self, notification.sentence)

    def _details(self) -> None:
        from app.dialogs.error import ErrorDialog

        if self.notification is not None:
            ErrorDialog(self.notification, self.window()).open()
