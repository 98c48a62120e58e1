"""The glossary: all words of the product in alphabetical order."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.glossary import TERMS, Term
from app.services.theme import theme
from app.widgets.buttons import close_box


class GlossaryDialog(QDialog):
    """Shows all terms, scrolled to one where asked for."""

    def __init__(self, key: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Glossary")
        column = QVBoxLayout(self)
        margin = theme.px(t.L)
        column.setContentsMargins(margin, margin, margin, margin)
        self.browser = QTextBrowser(self)
        self.browser.setAccessibleName("Glossary")
        self.browser.setHtml("".join(_entry(term) for term in sorted(TERMS.values(), key=lambda x: x.word)))
        column.addWidget(self.browser)
        column.addWidget(close_box(self))
        self.resize(theme.px(560), theme.px(520))
        if key:
            self.browser.scrollToAnchor(key)


def _entry(term: Term) -> str:
    text = " ".join(part for part in (term.short, term.more) if part)
    return f'<p style="line-height:140%"><a name="{term.key}"></a><b>{escape(term.word)}</b><br>{escape(text)}</p>'
