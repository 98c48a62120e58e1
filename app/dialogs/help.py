"""What helps to find one's way: glossary, shortcuts, the palette of commands, what this program is."""

from __future__ import annotations

import platform
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import PySide6
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QUrl, qVersion
from PySide6.QtGui import QAction, QDesktopServices, QKeyEvent, QKeySequence, QTextCursor
from PySide6.QtWidgets import (
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QTextBrowser,
    QWidget,
)

from app.actions import TITLES, Actions
from app.dialogs.sheet import Dialog
from app.services import tokens as t
from app.services.glossary import TERMS, Term
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton, close_box
from app.widgets.labels import Label
from app.widgets.layout import column, named, row
from app.widgets.table import text_table
from app.widgets.terms import Fact, FactTable

if TYPE_CHECKING:
    from app.context import AppContext

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide.md"
WITHOUT = "## The window"  # the guide's pictures of the window: who reads this has it before them
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


class GuideDialog(Dialog):
    """The guide as it ships with the program: contents at the left, a search over the page; it blocks nothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Guide"), parent)
        self.browser = named(QTextBrowser(openLinks=False), tr("Guide"))
        self.browser.anchorClicked.connect(self._follow)
        self.contents = named(QListWidget(), tr("Contents"))
        self.contents.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.contents.setFixedWidth(theme.px(260))
        self.contents.itemActivated.connect(self._go)
        self.contents.itemClicked.connect(self._go)
        search = tr("Search the guide")
        self.field = named(QLineEdit(placeholderText=search, clearButtonEnabled=True), search)
        self.field.textChanged.connect(lambda: self.browser.moveCursor(QTextCursor.MoveOperation.Start))
        self.field.textChanged.connect(self.find_next)
        self.field.returnPressed.connect(self.find_next)
        self.found = Label("", "caption", "text-2")
        column(
            row(self.field, self.found, SecondaryButton(tr("Find next"), self.find_next)),
            (row(self.contents, (self.browser, 1)), 1), close_box(self), on=self, margins=t.L,
        )  # fmt: skip
        self.resize(theme.px(920), theme.px(640))
        self.show_page(GUIDE)

    def show_page(self, path: Path) -> None:
        """Show a page of the documents; one that is not there is said."""
        try:
            text = path.read_text(encoding="utf-8").partition(WITHOUT)[0]
        except OSError:
            text = tr("The guide was not installed with the program: {file} is missing.", file=str(path))
        self.browser.setMarkdown(text)
        self.browser.document().setDocumentMargin(theme.px(t.M))
        self.contents.clear()
        block = self.browser.document().begin()
        while block.isValid():
            if (level := block.blockFormat().headingLevel()) > 1:  # below the page's own
                item = QListWidgetItem("    " * (level - 2) + block.text(), self.contents)
                item.setToolTip(block.text())
                item.setData(Qt.ItemDataRole.UserRole, block.position())
            block = block.next()

    def show_section(self, title: str) -> None:
        """Go to the section of a title, or of the anchor that a link to it has."""
        for place in range(self.contents.count()):
            item = self.contents.item(place)
            if title in (item.toolTip(), anchor(item.toolTip())):
                self.contents.setCurrentItem(item)
                self._go(item)

    def find_next(self) -> None:
        """Go to the next place that holds what is searched, from the top after the last one."""
        text = self.field.text()
        there = not text or self.browser.find(text)
        if not there:
            self.browser.moveCursor(QTextCursor.MoveOperation.Start)
            there = self.browser.find(text)
        self.found.setText("" if there else tr("Not found"))

    def _go(self, item: QListWidgetItem) -> None:
        cursor = QTextCursor(self.browser.document())
        cursor.setPosition(item.data(Qt.ItemDataRole.UserRole))
        self.browser.setTextCursor(cursor)
        bar = self.browser.verticalScrollBar()
        bar.setValue(bar.value() + self.browser.cursorRect(cursor).top())

    def _follow(self, link: QUrl) -> None:
        page = GUIDE.parent / link.path()
        if link.scheme():
            QDesktopServices.openUrl(link)
            return
        if link.path() and page.suffix == ".md" and page.is_file():
            self.show_page(page)
        self.show_section(link.fragment())


def anchor(title: str) -> str:
    """Return what a link to a heading names: "What stays on this machine" is "what-stays-on-this-machine"."""
    return _NOT_IN_ANCHORS.sub("", title.lower()).replace(" ", "-")


def guide_place(hint: str) -> str:
    """Return the section that an error's hint points to, "" for the guide as a whole."""
    return "Several runs at once" if "batch file" in hint else ""


def open_guide(window: QWidget, section: str = "") -> GuideDialog:
    """Open the guide, or bring it to the front where it is open; `section` is a heading or its anchor."""
    guide = window.findChild(GuideDialog) or GuideDialog(window)
    guide.show()
    guide.raise_()
    guide.activateWindow()
    if section:
        guide.show_section(section)
    return guide


class GlossaryDialog(Dialog):
    """Shows all terms, scrolled to one where asked for."""

    def __init__(self, key: str = "", parent: QWidget | None = None) -> None:
        super().__init__(tr("Glossary"), parent)
        self.browser = named(QTextBrowser(), tr("Glossary"))
        self.browser.setHtml("".join(_entry(term) for term in sorted(TERMS.values(), key=lambda x: tr(x.word))))
        column(self.browser, close_box(self), on=self, margins=t.L)
        self.resize(theme.px(560), theme.px(520))
        if key:
            self.browser.scrollToAnchor(key)


def _entry(term: Term) -> str:
    text = " ".join(tr(part) for part in (term.short, term.more) if part)
    return f'<p style="line-height:140%"><a name="{term.key}"></a><b>{escape(tr(term.word))}</b><br>{escape(text)}</p>'


# Keys that belong to a part of a page rather than to a command.
LOCAL_KEYS = (
    (mark("Plots"), mark("Add to the selection while drawing"), "Shift"),
    (mark("Plots"), mark("Remove from the selection while drawing"), "Ctrl"),
    (mark("Plots"), mark("Give up drawing"), "Esc"),
    (mark("Gallery"), mark("Mark or unmark an image"), "Space"),
    (mark("Fields"), mark("Next or previous field"), "Tab, Shift+Tab"),
    (mark("Rail"), mark("Next or previous page"), "Up, Down"),
)


class ShortcutTable(Dialog):
    """All commands with a shortcut, by menu."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(tr("Keyboard shortcuts"), parent)
        rows = [(tr(TITLES[c.menu]).replace("&", "") if c.menu in TITLES else tr("Window"), c.text, keys_of(c.action))
                for c in actions if c.action.shortcuts()]  # fmt: skip
        rows += [(tr(where), tr(what), keys) for where, what, keys in LOCAL_KEYS]
        self.table = text_table(tr("Keyboard shortcuts"), [tr("Where"), tr("What"), tr("Keys")], rows)
        column(self.table, close_box(self), on=self, margins=t.L)
        title = self.table.horizontalHeader().sectionSizeHint
        wide = sum(max(self.table.sizeHintForColumn(place), title(place)) for place in range(3))  # the longest keys too
        self.resize(max(theme.px(600), wide + theme.px(2 * t.L + t.XL)), theme.px(520))


def keys_of(action: QAction) -> str:
    """Return all shortcuts of a command as the system writes them."""
    return ", ".join(keys.toString(QKeySequence.SequenceFormat.NativeText) for keys in action.shortcuts())


# What moves in the list of commands while its field has the focus.
_OF_LIST = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class CommandPalette(Dialog):
    """Lists the commands that hold all words typed; unavailable ones say why."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(tr("Find a command"), parent)
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        self._context = context
        self.field = named(QLineEdit(placeholderText=tr("Type a command")), tr("Command"))
        self.list = named(QListWidget(), tr("Commands found"))
        self.list.setUniformItemSizes(True)
        self.list.itemActivated.connect(self._activated)
        column(self.field, self.list, on=self, margins=t.S)
        self.setFixedSize(theme.px(520), theme.px(360))
        context.actions.refresh()
        self.field.textChanged.connect(self._fill)
        self.field.installEventFilter(self)
        self._fill("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key() in _OF_LIST:
            QCoreApplication.sendEvent(self.list, event)
            return True
        return super().eventFilter(watched, event)

    def _fill(self, text: str) -> None:
        self.list.clear()
        words = text.casefold().split()
        for command in self._context.actions:
            if not command.text or any(word not in command.text.casefold() for word in words):
                continue
            keys = command.action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            reason = self._context.actions.reason(command.id)
            label = "   ".join(part for part in (command.text, f"({keys})" if keys else "", reason) if part)
            item = QListWidgetItem(label, self.list)
            item.setData(Qt.ItemDataRole.UserRole, command.id)
            if reason:
                item.setForeground(theme.color("text_3"))
        self.list.setCurrentRow(0)

    def _activated(self, item: QListWidgetItem) -> None:
        action_id = str(item.data(Qt.ItemDataRole.UserRole))
        if self._context.actions.reason(action_id):
            return
        self.accept()
        self._context.actions.trigger(action_id)


SENTENCE = mark(
    "Removes chosen classes or images from a trained image classifier, shows what happens inside the network, "
    "measures how far it got and exports the result."
)


class AboutDialog(Dialog):
    """Name, version and libraries."""

    def __init__(self, version: str, parent: QWidget | None = None) -> None:
        super().__init__(tr("About Unlearn Studio"), parent)
        text = Label(tr(SENTENCE), wrap=True)
        text.setMinimumWidth(theme.px(400))
        facts = FactTable()
        facts.show_facts([
            Fact("version", tr("Version"), version), Fact("python", "Python", platform.python_version()),
            Fact("qt", "Qt", f"{qVersion()} (PySide6 {PySide6.__version__})"),
            Fact("system", tr("System"), platform.platform()),
        ])  # fmt: skip
        column(Label("Unlearn Studio", "title"), text, facts, close_box(self), on=self, margins=t.XL, spacing=t.M)
