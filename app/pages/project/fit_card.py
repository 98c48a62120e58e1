"""The card *Do they fit?*: accuracy, and which class each output stands for; before that, the row for a newcomer."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QSizePolicy,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.models.class_table import SAMPLE_COUNT, SAMPLE_KEYS, FitTableModel
from app.models.tables import ArrangedRows
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label, caption
from app.widgets.notices import Banner, EmptyState, ProgressLine
from app.widgets.table import SortHeader, set_up_table
from app.workers.thumbnails import Thumbnails

NOTHING_OPEN = "Open a model and its data to see which output stands for which class, and how often it is right."


class FitCard(Card):
    """Shows what it is told; `match_wanted` says that the button was pressed."""

    match_wanted = Signal()

    def __init__(self, model: FitTableModel, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__("Do they fit?", parent)
        self.banner = Banner()
        self.match_button = SecondaryButton("Match classes…", self.match_wanted.emit)
        self.add_action(self.match_button)
        self.stack = QStackedWidget()
        self.empty = EmptyState("verify", NOTHING_OPEN)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self._full(model, thumbnails))
        self.body.addWidget(self.banner)
        self.body.addWidget(self.stack, 1)
        self.set_full(False)

    def set_full(self, full: bool) -> None:
        """Show the table, or the text of what will be here."""
        self.stack.setCurrentIndex(1 if full else 0)
        self.match_button.setVisible(full)

    def set_number(self, number: str, text: str, description: str = "") -> None:
        """Show the accuracy and what it is of."""
        self._number.setText(number)
        self._number.setVisible(bool(number))
        self._text.setText(text)
        self._number.setAccessibleName(description or text)

    def number(self) -> str:
        """The accuracy shown."""
        return self._number.text()

    def text(self) -> str:
        """What stands beside the number."""
        return self._text.text()

    def set_found(self, text: str) -> None:
        """Say what was found by trying, and against what."""
        self._found.setText(text)
        self._found.setVisible(bool(text))

    def found(self) -> str:
        """What is said to have been found."""
        return self._found.text()

    def show_progress(self, text: str | None, done: int = 0, total: int = 0) -> None:
        """Say how far the measuring is; None takes it away."""
        self.progress.setVisible(text is not None)
        if text is not None:
            self.progress.set(done, total, text)

    def _full(self, model: FitTableModel, thumbnails: Thumbnails) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.S))
        head = QHBoxLayout()
        head.setSpacing(theme.px(t.M))
        self._number = Label("", "number")
        self._text = ElidedLabel("", "body", "text-2")
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.progress = ProgressLine("Progress of measuring")
        self.progress.setMaximumWidth(theme.px(360))
        head.addWidget(self._number)
        head.addWidget(self._text, 1)
        head.addWidget(self.progress, 1)
        column.addLayout(head)
        self._found = caption("", True)
        self._found.setMaximumWidth(16_777_215)
        column.addWidget(self._found)
        self.table = self._table(model, thumbnails)
        column.addWidget(self.table, 1)
        self.progress.hide()
        self._found.hide()
        return whole

    def _table(self, model: FitTableModel, thumbnails: Thumbnails) -> QTableView:
        view = QTableView()
        view.setAccessibleName("Classes")
        view.setHorizontalHeader(SortHeader(view))
        set_up_table(view)
        view.setModel(ArrangedRows(model, view))
        view.setSortingEnabled(True)
        view.sortByColumn(FitTableModel.OUTPUT, Qt.SortOrder.AscendingOrder)
        view.verticalHeader().setDefaultSectionSize(theme.px(ROW_HEIGHT))
        strip = SampleStrip(thumbnails, view)
        view.setItemDelegateForColumn(FitTableModel.SAMPLES, strip)
        header = view.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        for column in (FitTableModel.MODEL, FitTableModel.FOLDER):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        for column, width in ((FitTableModel.OUTPUT, 100), (FitTableModel.IMAGES, 96), (FitTableModel.ACCURACY, 120)):
            view.setColumnWidth(column, theme.px(width))
        view.setColumnWidth(FitTableModel.SAMPLES, strip.width())
        return view


SIDE = 28  # logical pixels of one sample
ROW_HEIGHT = 36


class SampleStrip(QStyledItemDelegate):
    """Up to six thumbnails side by side; those that are not there yet are drawn as empty squares."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    @staticmethod
    def width() -> int:
        """Width of the column that holds all six."""
        return SAMPLE_COUNT * theme.px(SIDE + t.XS) + theme.px(t.M)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(self.width(), theme.px(ROW_HEIGHT))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        rect: QRect = option.rect
        side, gap = theme.px(SIDE), theme.px(t.XS)
        x, y = rect.left() + theme.px(6), rect.top() + (rect.height() - side) // 2
        for key in index.data(SAMPLE_KEYS) or ():
            cell = QRect(x, y, side, side)
            pixmap = self._thumbnails.get(key)
            if pixmap is None:
                painter.fillRect(cell, theme.color("sunken"))
            else:
                size = pixmap.deviceIndependentSize().toSize()
                place = QRect(0, 0, size.width(), size.height())
                place.moveCenter(cell.center())
                painter.drawPixmap(place.topLeft(), pixmap)
            x += side + gap


HEIGHT = 96
NOTE = mark("Network, images and retrained models come with the program; everything stays on this computer.")


class FirstRunRow(Card):
    """`run_wanted`: the button was pressed."""

    run_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setAccessibleName(tr("Example"))
        self.setMaximumHeight(theme.px(HEIGHT))  # less where a banner takes the room
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.L))
        self._text = Label("", "section")
        self.button = SecondaryButton(tr("Run the example"), self.run_wanted.emit)
        self.body.addStretch(1)
        self.body.addLayout(row)
        self.body.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(theme.px(t.XS))
        words.addWidget(self._text)
        words.addWidget(caption(tr(NOTE)))
        row.addLayout(words, 1)
        row.addWidget(self.button)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), theme.px(HEIGHT))

    def set_words(self, forgotten: str, seconds: float | None) -> None:
        """Name the class, and how long it took here the last time where that is known."""
        if seconds is None:
            text = tr("New here? Watch a small network forget the class {name}.", name=forgotten)
        else:
            text = tr(
                "New here? Watch a small network forget the class {name}. Takes {time}.",
                name=forgotten, time=fmt.about(seconds),
            )  # fmt: skip
        self._text.setText(text)

    def text(self) -> str:
        """The sentence shown."""
        return self._text.text()
