"""Sheets that add to the forget set: what a list names, and kept images that look like forget images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QPlainTextEdit,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from app.dialogs.sheet import Sheet
from app.services import format as fmt
from app.services.theme import theme
from app.widgets.labels import Label
from core.likeness import LEVELS, SAME

if TYPE_CHECKING:
    from app.models.gallery import Images
    from app.workers.thumbnails import Thumbnails
    from core.data.duplicates import Duplicates
    from core.session.forget_lists import ListMatch, Unmatched


_SHOWN = 200  # lines written out; more would not be read
_NAMED = 3  # entries named in a sentence


class ForgetListSheet(Sheet):
    """`added` is emitted where the user takes the matched images."""

    added = Signal()

    def __init__(self, name: str, match: ListMatch, already: int, parent: QWidget | None = None) -> None:
        """`already`: how many of the matched images are chosen as it is."""
        new = len(match.matched) - already
        super().__init__(f"Forget list {name}", f"Add {fmt.images(new)}", parent)
        for sentence in sentences(match, already):
            label = Label(sentence, wrap=True)
            label.setMinimumWidth(theme.px(460))
            self.body.addWidget(label)
        left_out = details(match)
        if left_out:
            self._list = QPlainTextEdit("\n".join(left_out))
            self._list.setReadOnly(True)
            self._list.setAccessibleName("Entries that were not taken")
            self._list.setFont(theme.font("caption"))
            self._list.setFixedHeight(theme.px(min(220, 24 + 18 * len(left_out))))
            self.body.addWidget(self._list)
        self.set_reason("" if new else "There is nothing to add.")
        self.accepted.connect(self.added)


def sentences(match: ListMatch, already: int = 0) -> list[str]:
    """Return what a list came to: found, not found with the nearest names, in several folders, in the test part."""
    missing, several, test = len(match.unmatched), len(match.several), len(match.in_test)
    found = match.entries - missing - several - test
    first = f"{fmt.count(found)} of {fmt.plural(match.entries, 'name')} found."
    if missing:
        first += f" {fmt.count(missing)} not found: {_not_found(match.unmatched)}."
    result = [first]
    if found > len(match.matched):
        result.append(f"They name {fmt.images(len(match.matched))}: some are named more than once.")
    elif found < len(match.matched):
        result.append(f"They name {fmt.images(len(match.matched))}: some name many.")
    if several:
        which = "is in several folders, so it was" if several == 1 else "are in several folders, so they were"
        names = f"{fmt.plural(several, 'name')} {which} not taken: {_some(match.several)}."
        result.append(f"{names} Write the folder before the name.")
    if test:
        result.append(
            f"{fmt.plural(test, 'name')} {'means' if test == 1 else 'mean'} images of the test part. "
            "The model was not trained on them, so there is nothing to remove."
        )
    if already:
        result.append(f"{fmt.images(already)} {'is' if already == 1 else 'are'} chosen already.")
    return result


def details(match: ListMatch) -> list[str]:
    """Return the entries that were not taken, one a line, where a sentence could not name them all."""
    lines = [f"Line {fmt.count(u.line)}: {u.text}: {u.reason}{_nearest(u)}" for u in match.unmatched]
    lines += [f"{name}: in several folders" for name in match.several]
    lines += [f"{name}: in the test part" for name in match.in_test]
    if len(match.unmatched) <= 1 and len(match.several) <= _NAMED and not match.in_test:
        return []
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"and {fmt.count(more)} more"] if more > 0 else lines


def _not_found(unmatched: Sequence[Unmatched]) -> str:
    if len(unmatched) == 1:
        one = unmatched[0]
        text = f"{one.text}"
        if one.nearest:
            return f"{text}; nearest name: {one.nearest[0]}"
        return text if one.reason == "not found" else f"{text} ({one.reason})"
    return _some([u.text for u in unmatched])


def _nearest(entry: Unmatched) -> str:
    if not entry.nearest:
        return ""
    return f"; nearest name{'s' if len(entry.nearest) > 1 else ''}: {', '.join(entry.nearest)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {fmt.count(more)} more" if more > 0 else "")


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
        self._fill()
        self.body.addWidget(self.table, 1)
        self.table.itemChanged.connect(self._count)
        self.level.currentIndexChanged.connect(self._show_level)
        thumbnails.ready.connect(self._draw)
        self.accepted.connect(self._take)
        self._draw()
        self._show_level()

    def answer(self) -> np.ndarray:
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

    def _fill(self) -> None:
        """Tick what shows the same picture; what is only near may be of other people, until somebody has looked."""
        same = len(self._found.at(SAME))  # they stand first
        for row in range(self.table.rowCount()):
            for column, image in ((KEPT, self._found.kept[row]), (FORGOTTEN, self._found.forgotten[row])):
                item = QTableWidgetItem(self._images.name("train", int(image)))
                item.setToolTip(self._images.describe("train", int(image)))
                self.table.setItem(row, column, item)
            kept = self._kept(row)
            kept.setFlags(kept.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            kept.setCheckState(Qt.CheckState.Checked if row < same else Qt.CheckState.Unchecked)
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
        number = len(self.answer())
        self.accept_button.setText(f"Add {fmt.images(number)}")
        self.set_reason("" if number else "Tick what is to be forgotten as well.")

    def _take(self) -> None:
        self.added.emit(self.answer(), self.level.currentData())
