"""The parts around a page: rail, header with the run's chips, log panel and status line."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QMenuBar,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from app.services import tokens as t
from app.services.notifications import LINES, LogLines
from app.services.run_words import describe_run
from app.services.shell import Activity
from app.services.theme import set_property, theme
from app.services.translation import mark, tr
from app.widgets.buttons import STATE_ICONS, Chip, IconButton, TextButton
from app.widgets.labels import ElidedLabel, Icon, Label, separator
from app.widgets.layout import STRETCH, column, named, row
from app.widgets.notices import ProgressLine
from core.files import home

if TYPE_CHECKING:
    from app.services.project import ProjectState
    from core.job import Job


STATE_WORDS = {
    "empty": mark("nothing yet"), "ready": mark("ready"), "running": mark("running"), "done": mark("done"),
    "problem": mark("problem"),
}  # fmt: skip


class RailEntry(QPushButton):
    """One page: 52 high; the state is a shape at the right and a word in the accessible description."""

    def __init__(self, title: str, icon: str, tip: str = "") -> None:
        super().__init__()
        self.setProperty("kind", "rail")
        self.setAccessibleName(title)
        self.setToolTip(tip)
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self._name, self._icon = icon, Icon(icon, size=20)
        self._title, self._state = Label(title), Icon(size=12)
        self._caption = ElidedLabel("", "caption", "text-2", Qt.TextElideMode.ElideRight)
        self._caption.hide()
        lines = column(STRETCH, row((self._title, 1), self._state), self._caption, STRETCH, spacing=0)
        row(self._icon, (lines, 1), on=self, margins=(t.M, 0, t.S, 0), spacing=t.S)
        self.toggled.connect(self._toggled)

    def set_state(self, state: str, caption: str) -> None:
        """Show a state ("" for none, or one of empty, ready, running, done, problem) and a caption."""
        colour = {"problem": "danger", "running": "accent"}.get(state, "text-2")
        self._state.set(STATE_ICONS.get(state, ""), colour)
        self._caption.setText(caption)
        self._caption.setVisible(bool(caption))
        word = tr(STATE_WORDS[state]) if state else ""
        self.setAccessibleDescription(": ".join(part for part in (word, caption) if part))

    def _toggled(self, current: bool) -> None:
        self._icon.set(self._name, "accent" if current else "text-2")
        set_property(self._title, "strong", current)


class Rail(QFrame):
    """All entries; `chosen` carries a page id. Up and Down move between entries."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("part", "rail")
        theme.changed.connect(self._resize)
        self._resize()
        self._column = column(STRETCH, on=self, margins=(0, t.S, 0, t.S), spacing=0)
        self.entries: dict[str, RailEntry] = {}

    def add_entry(self, page_id: str, title: str, icon: str, tip: str = "", below_line: bool = False) -> None:
        """Append an entry; `below_line` draws a line above it."""
        entry = self.entries[page_id] = RailEntry(title, icon, tip)
        entry.clicked.connect(partial(self.chosen.emit, page_id))
        for widget in (separator(), entry) if below_line else (entry,):
            self._column.insertWidget(self._column.count() - 1, widget)

    def set_state(self, page_id: str, state: str, caption: str) -> None:
        """Show where the work of a page stands, where it has an entry."""
        if page_id in self.entries:
            self.entries[page_id].set_state(state, caption)

    def _resize(self) -> None:
        self.setFixedWidth(theme.px(t.RAIL_WIDTH))


class PageHeader(QFrame):
    """48 high: the title, what a page wants at the right, and the device, which is always in sight."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("part", "header")
        theme.set_height(self, t.HEADER_HEIGHT)
        self._title = ElidedLabel("", "title")
        self._slot = row()
        self.device = Chip("", "device")
        self.device.hide()
        self._row = row((self._title, 1), self._slot, self.device, on=self, margins=(t.L, 0, t.S, 0))
        self._widget: QWidget | None = None

    def title(self) -> str:
        return self._title.text()

    def show_page(self, title: str, widget: QWidget | None) -> None:
        """Show the title of a page and its own widget; the former page's is hidden and stays its property."""
        self._title.setText(title)
        if self._widget is not None:
            self._slot.removeWidget(self._widget)
            self._widget.hide()
        self._widget = widget
        if widget is not None:
            self._slot.addWidget(widget)
            widget.show()

    def set_device(self, text: str, caution: str = "") -> None:
        """Name the device runs use, and what is to be minded about it."""
        self.device.set(text, "device", "caution" if caution else "", caution)
        self.device.setVisible(bool(text))

    def set_menu_bar(self, bar: QMenuBar) -> None:
        """Put the menus at the right end."""
        bar.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        self._row.addWidget(bar)


_TAKE_MS = 250


def open_log_folder() -> None:
    """Show the folder of the log files in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(home("log"))))


class LogPanel(QFrame):
    """Lines as they come, taken while somebody looks; it stays where the user scrolled to, and follows at the end."""

    def __init__(self, lines: LogLines) -> None:
        super().__init__()
        self.setProperty("part", "panel")
        theme.set_height(self, 180)
        self._lines = lines
        self.view = named(QPlainTextEdit(readOnly=True, tabChangesFocus=True, maximumBlockCount=LINES), tr("Log lines"))
        self.view.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        theme.set_font(self.view, "caption")
        column((self.view, 1), on=self, margins=(t.S, t.XS, t.S, t.XS))
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._take)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._take()
        self._timer.start(_TAKE_MS)

    def _take(self) -> None:
        if not self.isVisible():
            self._timer.stop()
        elif lines := self._lines.take():
            self.view.appendPlainText("\n".join(lines))


class StatusLine(QFrame):
    """28 high. Activities are kept by key and the one that began last is shown; a message shows for four seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("part", "status")
        theme.set_height(self, t.STATUS_HEIGHT)
        self._label = ElidedLabel("", "caption", "text-2")
        self._bar = ProgressLine(tr("Progress of what goes on"))
        self._bar.setFixedWidth(theme.px(160))
        self._cancel = TextButton(tr("Cancel"), self._cancel_clicked)
        self._cancel.setFixedHeight(theme.px(22))
        self._row = row((self._label, 1), self._bar, self._cancel, on=self, margins=(t.L, 0, t.S, 0),
                        spacing=t.M)  # fmt: skip
        self._activities: dict[str, Activity] = {}
        self._shown = ""  # the key of the one that the bar and *Cancel* are of
        self._message_timer = QTimer(self)
        self._message_timer.setSingleShot(True)
        self._message_timer.timeout.connect(self._show)
        self._show()

    def show_message(self, text: str, milliseconds: int = 4000) -> None:
        """Say that something was done, for a few seconds."""
        self._label.setText(text)
        self._message_timer.start(milliseconds)

    def show_activity(self, key: str, activity: Activity | None) -> None:
        """Show that something goes on; None where it has ended, of which nothing need be known."""
        if activity is None:
            self._activities.pop(key, None)
        else:
            self._activities[key] = activity
        self._show()

    def text(self) -> str:
        return self._label.text()

    def add_command(self, action: QAction) -> IconButton:
        """Put a command at the end as a button, which follows it; its key stays the command's alone."""
        button = IconButton.from_action(action)
        button.setFixedHeight(theme.px(24))
        self._row.addWidget(button)
        return button

    def _show(self) -> None:
        message = self._message_timer.isActive()
        if not message or self._shown not in self._activities:  # under a message *Cancel* stays that of the same one
            self._shown = next(reversed(self._activities), "")
        shown = self._activities.get(self._shown, Activity(""))
        if not message:
            self._label.setText(shown.text)
        self._bar.set(shown.done, shown.total)
        self._bar.setVisible(bool(self._activities))
        self._cancel.setVisible(shown.on_cancel is not None)

    def _cancel_clicked(self) -> None:
        on_cancel = self._activities[self._shown].on_cancel
        if on_cancel is not None:
            on_cancel()


class RunChips(QWidget):
    """In a page's header: the run in view, and whether it still matches what is chosen."""

    def __init__(self, project: ProjectState) -> None:
        super().__init__()
        self._project = project
        self.name, self.earlier = Chip("", "unlearn"), Chip()
        self.earlier.set(tr("for an earlier selection"), "warning", "caution",
                         tr("The forget set, the model or the data were changed after this run."))  # fmt: skip
        row(self.name, self.earlier, on=self)
        for signal in (project.run_changed, project.selection_changed, project.model_changed, project.dataset_changed):
            signal.connect(self.refresh)

    def showEvent(self, event: QShowEvent) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Read the session again, where anybody sees it."""
        if not self.isVisible():
            return
        run = self._project.run
        job = run.job if run is not None else None
        self.name.setVisible(job is not None)
        self.earlier.setVisible(job is not None and not matches(self._project, job))
        if run is not None and job is not None:
            self.name.set(describe_run(job), "unlearn", tip=str(run.folder.path))


def matches(project: ProjectState, job: Job) -> bool:
    """Whether a job is about the model, data and forget set that are open; what is not open does not contradict."""
    model, dataset, selection = project.opened_model, project.dataset, project.selection
    if model is not None and job.model.sha256 and model.sha256 != job.model.sha256:
        return False
    if dataset is not None and dataset.fingerprint != job.data.fingerprint:
        return False
    if selection is None or not selection.count or selection.digest() == job.forget.sha256:
        return True
    before = project.forgotten_before
    if not job.requests or before is None:  # which images a chain adds to its forget set is told by the Forget page
        return bool(job.requests)
    return selection.with_samples((before & ~selection.mask).nonzero()[0]).digest() == job.forget.sha256
