"""The card *Do they fit?*: accuracy, and which class each output stands for; before that, the row for a newcomer."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.models.class_table import SAMPLE_COUNT, SAMPLE_KEYS, FitTableModel
from app.models.tables import ArrangedRows
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label, caption
from app.widgets.layout import add_to, column, row, stacked, widget_of
from app.widgets.notices import Banner, EmptyState
from app.widgets.table import SortHeader, set_up_table
from app.workers.thumbnails import Thumbnails

NOTHING_OPEN = mark("Open a model and its data to see which output stands for which class, and how often it is right.")


class FitCard(Card):
    """Shows what it is told; `match_wanted` says that the button was pressed."""

    match_wanted = Signal()

    def __init__(self, model: FitTableModel, thumbnails: Thumbnails) -> None:
        super().__init__(tr("Do they fit?"))
        self.banner = Banner()
        self.match_button = SecondaryButton(tr("Match classes…"), self.match_wanted.emit)
        self.add_action(self.match_button)
        self.number, self.said, self.found = Label("", "number"), ElidedLabel("", "body", "text-2"), caption(wide=True)
        self.said.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.table = _table(model, thumbnails)
        head = row(self.number, (self.said, 1), spacing=t.M)
        full = widget_of(column(head, self.found, (self.table, 1)))
        self.stack = stacked(EmptyState("verify", tr(NOTHING_OPEN)), full)
        add_to(self.body, self.banner, (self.stack, 1))
        self.found.hide()
        self.set_full(False)

    def set_full(self, full: bool) -> None:
        """Show the table, or the text of what will be here."""
        self.stack.setCurrentIndex(1 if full else 0)
        self.match_button.setVisible(full)

    def set_number(self, number: str, text: str) -> None:
        """Show the accuracy and what it is of."""
        self.number.say(number)
        self.number.setAccessibleName(f"{number} {text}")
        self.said.setText(text)


SIDE = 28  # logical pixels of one sample
ROW_HEIGHT = 36
_WIDTHS = {FitTableModel.OUTPUT: 100, FitTableModel.IMAGES: 96, FitTableModel.ACCURACY: 120,
           FitTableModel.SAMPLES: SAMPLE_COUNT * (SIDE + t.XS) + t.M}  # fmt: skip


def _table(model: FitTableModel, thumbnails: Thumbnails) -> QTableView:
    view = QTableView()
    view.setAccessibleName(tr("Classes"))
    view.setHorizontalHeader(SortHeader(view))
    view.setModel(ArrangedRows(model, view))
    set_up_table(view, _WIDTHS, (FitTableModel.MODEL, FitTableModel.FOLDER))
    view.setSortingEnabled(True)
    view.sortByColumn(FitTableModel.OUTPUT, Qt.SortOrder.AscendingOrder)
    view.verticalHeader().setDefaultSectionSize(theme.px(ROW_HEIGHT))
    view.setItemDelegateForColumn(FitTableModel.SAMPLES, SampleStrip(thumbnails, view))
    return view


class SampleStrip(QStyledItemDelegate):
    """Up to six thumbnails side by side; those that are not there yet are drawn as empty squares."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        side, rect = theme.px(SIDE), option.rect
        cell = QRect(rect.left() + theme.px(6), rect.top() + (rect.height() - side) // 2, side, side)
        for key in index.data(SAMPLE_KEYS) or ():
            pixmap = self._thumbnails.get(key)
            if pixmap is None:
                painter.fillRect(cell, theme.color("sunken"))
            else:
                place = QRect(cell.topLeft(), pixmap.deviceIndependentSize().toSize())
                place.moveCenter(cell.center())
                painter.drawPixmap(place.topLeft(), pixmap)
            cell.translate(side + theme.px(t.XS), 0)


NOTE = mark("Network, images and retrained models come with the program; everything stays on this computer.")


class FirstRunRow(Card):
    """`run_wanted`: the button was pressed."""

    run_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Example"))
        self.text = Label("", "section")
        self.button = SecondaryButton(tr("Run the example"), self.run_wanted.emit)
        words = column(self.text, caption(tr(NOTE)), spacing=t.XS)
        self.body.addLayout(row((words, 1), self.button, spacing=t.L))

    def set_words(self, forgotten: str) -> None:
        """Name the class that the example forgets."""
        self.text.setText(tr("New here? Watch a small network forget the class {name}.", name=forgotten))
