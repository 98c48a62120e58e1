"""The frame: rail, header, the page in view, log panel and status line; pages are made when first shown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QSize, Qt, QUrl, Slot
from PySide6.QtGui import (
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeySequence,
    QPixmap,
    QShortcut,
)
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QStackedWidget, QWidget

from app.context import AppContext
from app.dialogs.runs import RunCloseGuard
from app.services import tokens as t
from app.services.glossary import HELP
from app.services.notifications import Notification
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.frame import LogPanel, PageHeader, Rail, StatusLine
from app.widgets.layout import Room, column, row, widget_of
from app.widgets.notices import EmptyState, NoticeStrip, fade
from app.widgets.page import Page
from app.workers.opening_job import Plan

log = logging.getLogger(__name__)

MINIMUM = QSize(800, 500)
WIDEST, LOWEST = 1280, 800  # of a window, for its widest page; of a page below its banners: what is less scrolls
FIRST_SIZE = QSize(1360, 800)
Factory = Callable[[AppContext], Page]


@dataclass(frozen=True)
class PageSpec:
    """One page: its id, name in the rail, title in the header, icon, and how to make it."""

    id: str
    name: str
    title: str
    icon: str
    factory: Factory
    below_line: bool = False


class MainWindow(QMainWindow):
    """Navigation and close logic; everything else is in pages and services."""

    def __init__(self, context: AppContext, pages: Sequence[PageSpec]) -> None:
        super().__init__()
        self.context = context
        self._specs = {spec.id: spec for spec in pages}
        self._pages: dict[str, Page] = {}
        self._refused = False  # what is dragged over the window opens nothing
        self.setWindowTitle("Unlearn Studio")
        self.setObjectName("main-window")

        self.rail = Rail()
        self.header = PageHeader()
        self.notices = NoticeStrip(context.notifications)
        self.stack = QStackedWidget()
        self.room = Room(self.stack, QSize(theme.px(WIDEST - t.RAIL_WIDTH), theme.px(LOWEST)))
        self.log_panel = LogPanel(context.log_lines)
        self.status = StatusLine()
        self.log_panel.hide()
        right = column(self.header, self.notices, (self.room, 1), self.log_panel, self.status, spacing=0)
        self.setCentralWidget(widget_of(row(self.rail, (widget_of(right), 1), spacing=0)))
        self.setMinimumSize(MINIMUM)

        self.guard = RunCloseGuard(context, self)
        self._register_pages(pages)
        self._register_commands()
        self._connect()
        if not context.window_state.restore_window(self):
            self.resize(FIRST_SIZE.boundedTo(self.screen().availableSize()))
        self.show_page(pages[0].id)

    def show_first(self) -> None:
        """Show the window where it was; the first time on all of a screen that is too small for it and its frame."""
        if self.size() == FIRST_SIZE.boundedTo(self.screen().availableSize()) != FIRST_SIZE:
            self.showMaximized()
        else:
            self.show()

    # ---- pages

    def show_page(self, page_id: str) -> None:
        """Show a page, making it where it is new."""
        if page_id == self.current_page:
            return
        picture = None
        if old := self.page(self.current_page):
            if self.isVisible() and theme.motion_ms(t.FADE_MS):
                picture = old.grab()
            old.left()
        page = self._page(page_id)
        theme.dress(page)
        self.context.shell.current_page = page_id
        self.stack.setCurrentWidget(page)
        self.rail.entries[page_id].setChecked(True)
        self.header.show_page(self._specs[page_id].title, page.header_widget)
        page.entered()
        if picture is not None:
            self._fade_out(picture)

    @property
    def current_page(self) -> str:
        """Id of the page in view."""
        return self.context.shell.current_page

    def page(self, page_id: str) -> Page | None:
        """A page, where it was made already."""
        return self._pages.get(page_id)

    def _page(self, page_id: str) -> Page:
        if page_id not in self._pages:
            spec = self._specs[page_id]
            try:
                page = spec.factory(self.context)
            except Exception as error:
                log.exception("the page %s could not be made", page_id)
                self.context.notifications.error(error, tr("{page} could not be opened", page=spec.name))
                sentence = tr("{page} could not be opened. The other pages still work.", page=spec.name)
                page = Page(self.context)
                page.content.addWidget(EmptyState("error", sentence))
            page.setObjectName(f"page-{page_id}")
            self._pages[page_id] = page
            self.stack.addWidget(page)
            self.context.actions.install(self)
        return self._pages[page_id]

    def _fade_out(self, picture: QPixmap) -> None:
        # The old page fades as a picture over the new one, so that no live plot is drawn through an effect.
        cover = QLabel(self.stack)
        cover.setPixmap(picture)
        cover.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        cover.setGeometry(self.stack.rect())
        cover.show()
        fade(cover, 1.0, cover.deleteLater)

    # ---- closing

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask the guard first: a run that is going is never lost by closing the window."""
        if not self.guard.may_close():
            event.ignore()
            return
        QDesktopServices.unsetUrlHandler(HELP)
        state = self.context.window_state
        state.save_window(self)
        state.set_flag("log", self.log_panel.isVisible())
        state.sync()
        event.accept()

    def themed_parts(self) -> list[QWidget]:
        """What is in sight; pages that are not are dressed when they are shown."""
        return [self.room.verticalScrollBar(), self.room.horizontalScrollBar(), self.rail, self.header, self.notices,
                self.log_panel, self.status, self._pages[self.current_page]]  # fmt: skip

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:  # the system's, since this window has none of its own
            theme.follow_font()

    # ---- making the frame

    def _register_pages(self, pages: Sequence[PageSpec]) -> None:
        for number, spec in enumerate(pages, 1):
            shortcut = f"Ctrl+{number}"
            keys = QKeySequence(shortcut).toString(QKeySequence.SequenceFormat.NativeText)
            self.rail.add_entry(spec.id, spec.name, spec.icon, f"{spec.title} ({keys})", spec.below_line)
            self.context.actions.add(
                f"page.{spec.id}", tr("Go to {page}", page=spec.name), partial(self.show_page, spec.id),
                menu="view", icon=spec.icon, shortcut=shortcut,
            )
            self.rail.set_state(spec.id, *self.context.page_states.get(spec.id))

    def _register_commands(self) -> None:
        from app.menus import Menus
        from app.services.commands import register_commands

        register_commands(self.context, self)
        self._register_view()
        self.log_button = self.status.add_command(self.context.actions["view.log"])
        self.menus = Menus(self.context, self)
        if self.menus.bar.isNativeMenuBar():
            self.setMenuBar(self.menus.bar)
        else:  # beside the title, where it takes no height from the page
            self.header.set_menu_bar(self.menus.bar)
            QShortcut(QKeySequence("F10"), self, self.menus.open_first)
        self.context.actions.install(self)

    def _register_view(self) -> None:
        add = self.context.actions.add
        log_action = add("view.log", tr("Show &log"), lambda: self.log_panel.setVisible(log_action.isChecked()),
                         "log", "Ctrl+L", checkable=True)  # fmt: skip
        log_action.setChecked(self.context.window_state.flag("log"))
        self.log_panel.setVisible(log_action.isChecked())
        add("view.messages", tr("&Messages…"), self.show_messages, "info", "Ctrl+Shift+M",
            tip=tr("Everything the program had to say in this session"))  # fmt: skip
        add("view.full_screen", tr("&Full screen"), self._toggle_full_screen,
            shortcut=("F11", QKeySequence.StandardKey.FullScreen))  # fmt: skip

    def _connect(self) -> None:
        context, shell = self.context, self.context.shell
        for signal, slot in (
            (self.rail.chosen, self.show_page), (self.notices.details_wanted, self.show_messages),
            (context.page_states.changed, self.rail.set_state), (context.notifications.posted, self._notified),
            (context.settings.changed, self._settings_changed),
            (shell.page_wanted, self.show_page), (shell.said, self.status.show_message),
            (shell.device_named, self.header.set_device), (shell.activity_changed, self.status.show_activity),
            (context.opening.looked, self._looked),
        ):  # fmt: skip
            signal.connect(slot)
        QDesktopServices.setUrlHandler(HELP, self, "open_help")  # type: ignore[arg-type]  # a str, whatever its stub says
        self.setAcceptDrops(True)

    @Slot(QUrl)
    def open_help(self, url: QUrl) -> None:
        """Open the glossary at a word or the guide at a place, which a link of the window leads to."""
        from app.dialogs.help import GlossaryDialog, guide_place, open_guide

        what, _, place = url.path().partition("/")
        if what == "glossary":
            GlossaryDialog(place, self).open()
        else:
            open_guide(self, guide_place(place))

    def _notified(self, notification: Notification) -> None:
        if notification.level == "info":
            self.status.show_message(notification.sentence)

    def show_messages(self, chosen: Notification | None = None) -> None:
        """List what the program had to say, with one message in full."""
        from app.dialogs.messages import MessagesDialog

        dialog = MessagesDialog(self.context.notifications.history, self, chosen)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def _settings_changed(self, names: list[str]) -> None:
        app = QApplication.instance()
        if "runs_folder" in names:
            self.context.run_library.refresh()
        if "scheme" in names and isinstance(app, QApplication):
            theme.apply(app, self.context.settings.values.scheme)

    # ---- files dropped on the window: what they are is found out elsewhere, for a disk may be slow

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self._refused = False
        if paths := _paths(event.mimeData()):
            event.acceptProposedAction()
            self.context.opening.look_at(paths)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.setAccepted(not self._refused)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.context.opening.look_away()

    def dropEvent(self, event: QDropEvent) -> None:
        if self._refused:
            event.ignore()
        elif paths := _paths(event.mimeData()):
            event.acceptProposedAction()
            self.context.opening.open_paths(paths)

    def _looked(self, plan: Plan | None) -> None:
        self._refused = plan is not None and not plan.opens


def _paths(data: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
