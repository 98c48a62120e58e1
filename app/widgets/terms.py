"""Terms of the glossary, which explain themselves where they stand; and facts: a label and a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.services import tokens as t
from app.services.glossary import HELP, TERMS, open_help, term_of
from app.services.theme import Role, theme
from app.services.translation import inside, tr
from app.widgets.buttons import TextButton
from app.widgets.labels import ElidedLabel, Label
from app.widgets.layout import form, row, widget_of

_GAP = "\N{NO-BREAK SPACE} \N{NO-BREAK SPACE}"  # between words that wrap
_BY_TAB = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


class TermLabel(Label):
    """Shows a word of the glossary; `text` where the sentence needs another form of it.

    A tool tip explains it: under the mouse, on Tab and on F1. A click and Return open the glossary.
    """

    def __init__(self, key: str, text: str = "", role: Role = "body", tone: str = "") -> None:
        term = TERMS[key]
        super().__init__(text or tr(term.word), role, tone)
        self._key = key
        self.setProperty("part", "term")
        self.setIndent(0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.WhatsThisCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleDescription(tr(term.short))
        self.setToolTip(explained(key))

    def explain(self) -> None:
        """Show the tool tip now, under the word."""
        QToolTip.showText(self.mapToGlobal(QPoint(0, self.height())), self.toolTip(), self)

    def event(self, event: QEvent) -> bool:
        key = event.key() if isinstance(event, QKeyEvent) else None
        if event.type() == QEvent.Type.ShortcutOverride and key == Qt.Key.Key_F1:
            event.accept()  # before the window's F1
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F1:
            self.explain()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            open_help("glossary", self._key)
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        open_help("glossary", self._key)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        # Qt calls it a Tab, too, where a button that was clicked goes and passes its focus on.
        if event.reason() in _BY_TAB and self.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange):
            QTimer.singleShot(0, self, self.explain)  # Qt hides tips until it has told everybody of the focus

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        QToolTip.hideText()


def explained(key: str) -> str:
    """Return the tool tip of a term: its word and two sentences."""
    term = TERMS[key]
    return f"<p><b>{escape(tr(term.word))}</b></p><p>{escape(tr(term.short))}</p><p>{tr('Click for more.')}</p>"


def heading(text: str, role: Role = "section", tone: str = "") -> Label:
    """Return a title: a term where the glossary holds it, so that whoever wonders about the word can ask."""
    found = term_of(text)
    return TermLabel(found.key, text, role, tone) if found is not None else Label(text, role, tone)


class TermRow(Label):
    """The words of a page that stand where nothing can be pointed at, such as in a table's rows: as links."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__("", "caption", "text-2", wide=True)
        self._words = {key: tr(TERMS[key].word) for key in keys}
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setOpenExternalLinks(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.setAccessibleName(tr("Glossary"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.linkHovered.connect(lambda url: self.setToolTip(explained(url.split("/")[1]) if url else ""))
        theme.changed.connect(self._fill)
        self._fill()

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(_GAP.join((tr("Glossary"), *self._words.values()))) + theme.px(t.M)
        return QSize(width, self.heightForWidth(width))

    def _fill(self) -> None:
        link = f'<a style="color: {theme.color("text-2").name()}" href="{HELP}:glossary/'
        links = (f'{link}{key}">{escape(word)}</a>' for key, word in self._words.items())
        self.setText(_GAP.join((tr("Glossary"), *links)))


@dataclass(frozen=True)
class Fact:
    """One row. `hint` is its tool tip; `change` names what the button of the row opens, as it says on it."""

    key: str
    label: str
    value: str
    hint: str = ""
    fixed: bool = False
    change: str = ""


class FactTable(QWidget):
    """Facts as rows; `change_wanted` carries the key of the one whose button was pressed."""

    change_wanted = Signal(str)

    def __init__(self, label_width: int = 120) -> None:
        super().__init__()
        self._form = form(on=self, spacing=t.XS)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._width = theme.px(label_width)
        self._rows: dict[str, tuple[ElidedLabel, TextButton]] = {}

    def show_facts(self, facts: Sequence[Fact]) -> None:
        """Show these facts and no others; rows that are there already stay."""
        if [*self._rows] != [fact.key for fact in facts]:
            while self._form.rowCount():
                self._form.takeRow(0)
            for old in self.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
                old.hide()
                old.deleteLater()  # it may hold the button that was pressed
            self._rows = {fact.key: self._add_row(fact) for fact in facts}
        for fact in facts:
            value, change = self._rows[fact.key]
            value.setText(fact.value)
            value.set_hint(fact.hint)
            change.setText(fact.change)
            change.setAccessibleName(f"{fact.change.removesuffix('…')} {inside(fact.label)}")
            change.setVisible(bool(fact.change))

    def values(self) -> dict[str, str]:
        """All values shown, by key."""
        return {key: value.text() for key, (value, _) in self._rows.items()}

    def _add_row(self, fact: Fact) -> tuple[ElidedLabel, TextButton]:
        name = heading(fact.label, "body", "text-2")
        if not isinstance(name, TermLabel):  # its line is as long as its word
            name.setMinimumWidth(self._width)
        value = ElidedLabel("", "fixed" if fact.fixed else "body")
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        value.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        change = TextButton("", partial(self.change_wanted.emit, fact.key))
        change.setProperty("compact", True)  # so that all rows are as high
        self._form.addRow(name, widget_of(row((value, 1), change)))
        return value, change
