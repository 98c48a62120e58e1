"""The card *Do they fit?*: accuracy as a number, and output by output which class of the data it stands for."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QSizePolicy, QStackedWidget, QTableView, QVBoxLayout, QWidget

from app.models.class_table import FitTableModel
from app.models.tables import ArrangedRows
from app.pages.project.sample_strip import ROW_HEIGHT, SampleStrip
from app.services import tokens as t
from app.services.theme import theme
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
