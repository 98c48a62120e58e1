"""Kept images beside the forget images they look like; nothing is taken that was not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from app.dialogs.sheet import Sheet
from app.services import format as fmt
from app.services.theme import theme
from app.widgets.labels import Label
from core.likeness import LEVELS, SAME

if TYPE_CHECKING:
    from app.models.gallery import Images
    from app.workers.thumbnails import Thumbnails
    from core.data.duplicates import Duplicates

MOST_ROWS = 500  # pairs to look at one by one; what is beyond is found again once these were added
KEPT, FORGOTTEN, ALIKE = range(3)
WHY = (
    "While kept images show the same picture as forget images, the model can go on knowing what you remove. "
    "Take out the tick of what is to stay."
)
SHOWN = {
    "exact": "The same pixels only", "same": "The same picture: moved, cut, turned, mirrored, saved anew",
    "near": "Nearly the same picture, other people's among them",
}  # fmt: skip

INCOMPLETE = "Only the likeliest pairs were compared, so there may be more."


class SimilarSheet(Sheet):
    """`added` carries the positions of the kept images the user takes, (m,) int64, and from which agreement."""

    added = Signal(object, float)

    def __init__(
        self, found: Duplicates, images: Images, thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        super().__init__("Similar images kept", "Add", parent, cancel="Keep them")
        self._found, self._images, self._thumbnails = found, images, thumbnails
        label = Label(WHY, wrap=True)
        label.setMinimumWidth(theme.px(520))
        self.body.addWidget(label)
        if not found.complete:
            self.body.addWidget(Label(INCOMPLETE, "caption", "text-2"))
        rows = min(len(found), MOST_ROWS)
        if len(found) > rows:
            more = f"The {fmt.count(rows)} most alike are shown; once they were added, the others are found again."
            self.body.addWidget(Label(more, "caption", "text-2"))
        self.level = QComboBox()
        self.level.setAccessibleName("Which images are shown")
        for word, least in LEVELS.items():
            number = len(found.at(least))
            self.level.addItem(f"{SHOWN[word]} (agreement from {least:g}): {fmt.count(number)}", least)
        same = bool(len(found.at(SAME)))
        self.level.setCurrentIndex(list(LEVELS).index("same" if same else "near"))
        self.body.addWidget(self.level)
        self.table = QTableWidget(rows, 3)
        self.table.setHorizontalHeaderLabels(["Kept", "Forget image it looks like", "Agreement"])
        self.table.setAccessibleName("Kept images and the forget images they look like")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)  # Tab leads to the buttons
        self.table.verticalHeader().hide()
        side = thumbnails.side
        self.table.setIconSize(QSize(side, side))
        self.table.verticalHeader().setDefaultSectionSize(side + theme.px(8))
        header = self.table.horizontalHeader()
        for column in (KEPT, FORGOTTEN):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.table.setMinimumHeight(theme.px(min(420, 60 + rows * (side + 8))))
        self._fill(ticked=same)  # else they are other people's pictures, until somebody has looked
        self.body.addWidget(self.table, 1)
        self.table.itemChanged.connect(self._count)
        self.level.currentIndexChanged.connect(self._show_level)
        thumbnails.ready.connect(self._draw)
        self.accepted.connect(self._take)
        self._draw()
        self._show_level()

    def chosen(self) -> np.ndarray:
        """Positions of the kept images that are shown and ticked."""
        rows = [row for row in range(self.table.rowCount()) if not self.table.isRowHidden(row)]
        chosen: np.ndarray = self._found.kept[
            [row for row in rows if self._kept(row).checkState() == Qt.CheckState.Checked]
        ]
        return chosen

    def _show_level(self, _index: int = 0) -> None:
        """Show the rows that agree at least so much as the level asks for."""
        shown = len(self._found.at(self.level.currentData()))  # the best agreement stands first
        for row in range(self.table.rowCount()):
            self.table.setRowHidden(row, row >= shown)
        self._count()

    def _fill(self, ticked: bool) -> None:
        for row in range(self.table.rowCount()):
            for column, image in ((KEPT, self._found.kept[row]), (FORGOTTEN, self._found.forgotten[row])):
                item = QTableWidgetItem(self._images.name("train", int(image)))
                item.setToolTip(self._images.describe("train", int(image)))
                self.table.setItem(row, column, item)
            kept = self._kept(row)
            kept.setFlags(kept.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            kept.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            alike = "same pixels" if self._found.exact[row] else fmt.decimal(float(self._found.agreement[row]))
            self.table.setItem(row, ALIKE, QTableWidgetItem(alike))

    def _kept(self, row: int) -> QTableWidgetItem:
        item = self.table.item(row, KEPT)
        assert item is not None
        return item

    def _draw(self, _keys: object = None) -> None:
        """Show the thumbnails that are there, and ask for the others."""
        self.table.blockSignals(True)
        for row in range(self.table.rowCount()):
            for column, image in ((KEPT, self._found.kept[row]), (FORGOTTEN, self._found.forgotten[row])):
                item = self.table.item(row, column)
                if item is None or not item.icon().isNull():
                    continue
                pixmap = self._thumbnails.get(("train", int(image)))
                if pixmap is not None:
                    item.setIcon(QIcon(pixmap))
        self.table.blockSignals(False)
        self.table.viewport().update()

    def _count(self, _item: object = None) -> None:
        number = len(self.chosen())
        self.accept_button.setText(f"Add {fmt.images(number)}")
        self.set_reason("" if number else "Tick what is to be forgotten as well.")

    def _take(self) -> None:
        self.added.emit(self.chosen(), self.level.currentData())
