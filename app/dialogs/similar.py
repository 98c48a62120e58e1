"""Kept images beside the forget images they look like; nothing is taken before *Add 12 images*."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from app.dialogs.sheet import Sheet
from app.services import format as fmt
from app.services.theme import theme
from app.widgets.labels import Label

if TYPE_CHECKING:
    from app.models.gallery import Images
    from app.workers.thumbnails import Thumbnails
    from core.data.duplicates import Duplicates

MOST_ROWS = 500  # pairs to look at one by one; what is beyond is taken or left as a whole
KEPT, FORGOTTEN, ALIKE = range(3)
WHY = (
    "{} almost the same as forget images. While {} the model can go on knowing what you remove. "
    "Take out the tick of what is to stay."
)

INCOMPLETE = "Only the likeliest pairs were compared, so there may be more."


class SimilarSheet(Sheet):
    """`added` carries the positions of the kept images the user takes, an array (m,) int64."""

    added = Signal(object)

    def __init__(
        self, found: Duplicates, images: Images, thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        super().__init__("Similar images kept", "Add", parent, cancel="Keep them")
        self._found, self._images, self._thumbnails = found, images, thumbnails
        one = len(found) == 1
        why = WHY.format(
            f"{fmt.plural(len(found), 'kept image')} {'looks' if one else 'look'}", "it stays" if one else "they stay"
        )
        label = Label(why, wrap=True)
        label.setMinimumWidth(theme.px(520))
        self.body.addWidget(label)
        if not found.complete:
            self.body.addWidget(Label(INCOMPLETE, "caption", "text-2"))
        rows = min(len(found), MOST_ROWS)
        if len(found) > rows:
            rest = fmt.count(len(found) - rows)
            more = f"The {fmt.count(rows)} most alike are shown; the other {rest} are taken, too."
            self.body.addWidget(Label(more, "caption", "text-2"))
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
        self._fill()
        self.body.addWidget(self.table, 1)
        self.table.itemChanged.connect(self._count)
        thumbnails.ready.connect(self._draw)
        self.accepted.connect(self._take)
        self._draw()
        self._count()

    def chosen(self) -> np.ndarray:
        """Positions of the kept images that are ticked, and of those beyond the table."""
        ticked = [row for row in range(self.table.rowCount()) if self._kept(row).checkState() == Qt.CheckState.Checked]
        chosen: np.ndarray = np.concatenate([self._found.kept[ticked], self._found.kept[self.table.rowCount() :]])
        return chosen

    def _fill(self) -> None:
        for row in range(self.table.rowCount()):
            for column, image in ((KEPT, self._found.kept[row]), (FORGOTTEN, self._found.forgotten[row])):
                item = QTableWidgetItem(self._images.name("train", int(image)))
                item.setToolTip(self._images.describe("train", int(image)))
                self.table.setItem(row, column, item)
            kept = self._kept(row)
            kept.setFlags(kept.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            kept.setCheckState(Qt.CheckState.Checked)
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
        self.added.emit(self.chosen())
