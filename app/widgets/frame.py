"""The parts around a page: rail, header with the run's chips, log panel and status line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractItemModel, QEvent, QObject, QRect, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication, QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QButtonGroup,
    QFrame,
    QListView,
    QMenuBar,
    QSizePolicy,
    QWidget,
)

from app.services import format as fmt
from app.services import icons
from app.services import tokens as t
from app.services.notifications import LogModel
from app.services.paths import log_dir
from app.services.run_words import describe_run
from app.services.shell import Activity
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import STATE_ICONS, STATE_WORDS, Chip, IconButton, TextButton
from app.widgets.labels import ElidedLabel, Label, separator
from app.widgets.layout import STRETCH, column, row, widget_of
from app.widgets.notices import ProgressLine

if TYPE_CHECKING:
    from app.services.project import ProjectState
    from core.job import Job


class RailEntry(QAbstractButton):
    """One page: 52 high; the state is a shape at the right and a word in the accessible description."""

    def __init__(self, title: str, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(title)
        self.setAccessibleName(title)
        self._icon = icon
        self._state = ""
        self._caption = ""
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_state(self, state: str, caption: str) -> None:
        """Show a state ("" for none, or one of empty, ready, running, done, problem) and a caption."""
        if (state, caption) == (self._state, self._caption):
            return
        self._state, self._caption = state, caption
        word = STATE_WORDS.get(state, "")
        self.setAccessibleDescription(": ".join(part for part in (word, caption) if part))
        self.update()

    @property
    def state(self) -> str:
        return self._state

    @property
    def caption(self) -> str:
        return self._caption

    def sizeHint(self) -> QSize:
        return QSize(theme.px(t.RAIL_WIDTH), theme.px(t.RAIL_ENTRY))

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        current = self.isChecked()
        if current:
            painter.fillRect(self.rect(), theme.color("accent_tint"))
            painter.fillRect(0, 0, theme.px(3), self.height(), theme.color("accent"))
        elif self.underMouse():
            painter.fillRect(self.rect(), theme.color("sunken"))
        ratio = self.devicePixelRatioF()
        size, left = theme.px(20), theme.px(t.L)
        token = "accent" if current else "text_2"
        painter.drawPixmap(left, (self.height() - size) // 2, icons.pixmap(self._icon, size, token, ratio))

        mark = theme.px(12)
        right = self.width() - theme.px(t.M) - mark
        text_left = left + size + theme.px(t.M)
        two_lines = bool(self._caption)
        line = theme.px(18)
        top = self.height() // 2 - (line if two_lines else line // 2)
        if self._state:
            token = "danger" if self._state == "problem" else "accent" if self._state == "running" else "text_2"
            shape = icons.pixmap(STATE_ICONS[self._state], mark, token, ratio)
            painter.drawPixmap(right, top + (line - mark) // 2, shape)
        font = theme.font("body")
        if current:
            font.setWeight(font.Weight.DemiBold)
        align = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.setFont(font)
        painter.setPen(theme.color("text"))
        painter.drawText(QRect(text_left, top, right - text_left, line), align, self.text())
        if two_lines:
            painter.setFont(theme.font("caption"))
            painter.setPen(theme.color("text_2"))
            room = self.width() - text_left - theme.px(t.S)
            shown = painter.fontMetrics().elidedText(self._caption, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRect(text_left, top + line, room, line), align, shown)
        painter.end()


class Rail(QFrame):
    """All entries; `chosen` carries a page id. Up and Down move between entries."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "rail")
        self.setFixedWidth(theme.px(t.RAIL_WIDTH))
        theme.changed.connect(self._resize)
        self._column = column(STRETCH, on=self, margins=(0, t.S, 0, t.S), spacing=0)
        self._group = QButtonGroup(self)
        self._entries: dict[str, RailEntry] = {}
        self._group.buttonClicked.connect(self._clicked)
        self._group.buttonToggled.connect(self._toggled)

    def add_entry(self, page_id: str, title: str, icon: str, tip: str = "", below_line: bool = False) -> RailEntry:
        """Append an entry; `below_line` draws a line above it."""
        if below_line:
            self._insert(separator())
        entry = RailEntry(title, icon, self)
        entry.setToolTip(tip)
        self._entries[page_id] = entry
        self._group.addButton(entry)
        self._insert(entry)
        return entry

    def entry(self, page_id: str) -> RailEntry:
        """The entry of a page."""
        return self._entries[page_id]

    def set_state(self, page_id: str, state: str, caption: str) -> None:
        """Show a page's state and caption."""
        self._entries[page_id].set_state(state, caption)

    def set_current(self, page_id: str) -> None:
        """Mark the page that is shown."""
        self._entries[page_id].setChecked(True)

    def _resize(self) -> None:
        self.setFixedWidth(theme.px(t.RAIL_WIDTH))

    def _insert(self, widget: QWidget) -> None:
        self._column.insertWidget(self._column.count() - 1, widget)

    def _clicked(self, button: QAbstractButton) -> None:
        self._choose(button)

    def _toggled(self, button: QAbstractButton, on: bool) -> None:
        if on and button.hasFocus():  # arrow keys move the check mark with the focus
            self._choose(button)

    def _choose(self, button: QAbstractButton) -> None:
        for page_id, entry in self._entries.items():
            if entry is button:
                self.chosen.emit(page_id)


class PageHeader(QFrame):
    """48 high; the widgets a page wants at the right are handed over with `set_widgets`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "header")
        theme.set_height(self, t.HEADER_HEIGHT)
        self._title = ElidedLabel("", "title")
        self._title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._slot = row()
        self.device = Chip("", "device")
        self.device.hide()
        self._row = row((self._title, 1), self._slot, self.device, on=self, margins=(t.L, 0, t.S, 0))
        self._widgets: list[QWidget] = []

    def set_title(self, title: str) -> None:
        self._title.setText(title)

    def title(self) -> str:
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

    def set_menu_bar(self, bar: QMenuBar) -> None:
        """Put the menus at the right end."""
        bar.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        self._row.addWidget(bar)


HEIGHT = 180


def open_log_folder() -> None:
    """Show the folder of the log files in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(log_dir())))


class LogPanel(QFrame):
    """Lines as they come; it stays where the user scrolled to, and follows at the end."""

    def __init__(self, model: LogModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "panel")
        self.setFixedHeight(theme.px(HEIGHT))
        self._model = model
        head = row(Label(tr("Log"), "section"), STRETCH, TextButton(tr("Copy all"), self.copy),
                   TextButton(tr("Open log folder"), open_log_folder))  # fmt: skip
        self.view = QListView(self)
        self.view.setAccessibleName(tr("Log lines"))
        theme.set_font(self.view, "caption")
        self.view.setUniformItemSizes(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setModel(model)
        self._follow = True
        bar = self.view.verticalScrollBar()
        bar.valueChanged.connect(self._scrolled)
        bar.rangeChanged.connect(self._range_changed)
        column(head, (self.view, 1), on=self, margins=(t.L, t.XS, t.S, t.XS), spacing=t.XS)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._model.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._model.stop()

    def copy(self) -> None:
        """Put all lines on the clipboard."""
        QGuiApplication.clipboard().setText(self._model.text())

    def model(self) -> QAbstractItemModel:
        return self._model

    def _scrolled(self, value: int) -> None:
        self._follow = value >= self.view.verticalScrollBar().maximum() - 1

    def _range_changed(self, _low: int, high: int) -> None:
        if self._follow:
            self.view.verticalScrollBar().setValue(high)


MESSAGE_MS = 4000


class StatusLine(QFrame):
    """28 high. Activities are kept by key and the latest is shown; a message shows for four seconds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "status")
        theme.set_height(self, t.STATUS_HEIGHT)
        self._label = ElidedLabel("", "caption", "text-2")
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._bar = ProgressLine(tr("Progress of what goes on"), with_text=False)
        self._bar.setFixedWidth(theme.px(160))
        self._left = Label("", "caption", "text-2")
        self._cancel = TextButton(tr("Cancel"))
        self._cancel.setFixedHeight(theme.px(22))
        self._row = row((self._label, 1), self._left, self._bar, self._cancel, on=self, margins=(t.L, 0, t.S, 0),
                        spacing=t.M)  # fmt: skip
        self._activities: dict[str, tuple[str, float, float, float | None, Callable[[], object] | None]] = {}
        self._message_timer = QTimer(self)
        self._message_timer.setSingleShot(True)
        self._message_timer.timeout.connect(self._show)
        self._cancel.clicked.connect(self._cancel_clicked)
        self._show()

    def show_message(self, text: str, milliseconds: int = MESSAGE_MS) -> None:
        """Say that something was done, for a few seconds."""
        self._label.setText(text)
        self._message_timer.start(milliseconds)

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

    def show_activity(self, key: str, activity: Activity | None) -> None:
        """Show what the shell tells of; None where it has ended."""
        if activity is None:
            self.end_activity(key)
        else:
            self.set_activity(key, *vars(activity).values())

    def end_activity(self, key: str) -> None:
        """It ended; unknown keys are fine."""
        if self._activities.pop(key, None) is not None and not self._message_timer.isActive():
            self._show()

    def text(self) -> str:
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
            self._label.setText("")
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


EARLIER = "for an earlier selection"


class RunChips(QObject):
    """Keeps two chips up to date: the run in view, and whether it still matches what is chosen."""

    def __init__(self, project: ProjectState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self.name = Chip("", "unlearn")
        self.earlier = Chip(EARLIER, "warning", severity="caution")
        self._row = widget_of(row(self.name, self.earlier))
        for signal in (project.run_changed, project.selection_changed, project.model_changed, project.dataset_changed):
            signal.connect(self.refresh)
        self.refresh()

    def widgets(self) -> list[QWidget]:
        """What goes into a page's header. One widget, because the header shows all it is given."""
        return [self._row]

    def refresh(self) -> None:
        """Read the session again."""
        run = self._project.run
        job = run.job if run is not None else None
        self.name.setVisible(job is not None)
        self.earlier.setVisible(job is not None and not matches(self._project, job))
        if run is not None and job is not None:
            self.name.set(describe_run(job), "unlearn", tip=str(run.folder.path))
            self.earlier.set(
                EARLIER, "warning", "caution", "The forget set, the model or the data were changed after this run."
            )


def matches(project: Any, job: Job) -> bool:
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
