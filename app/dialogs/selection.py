"""Sheets that add to the forget set: what a list names, and kept images that look like forget images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QComboBox, QHeaderView, QPlainTextEdit, QTreeWidget, QTreeWidgetItem, QWidget

from app.dialogs.sheet import Sheet
from app.services import format as fmt
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.labels import Label, caption
from app.widgets.layout import named
from core.likeness import LEVELS, SAME

if TYPE_CHECKING:
    from app.models.gallery import Images
    from app.workers.thumbnails import Thumbnails
    from core.data.duplicates import Duplicates
    from core.session.forget_lists import ListMatch, Unmatched


_SHOWN = 200  # lines written out; more would not be read


class ForgetListSheet(Sheet):
    """Accepted where the user takes the matched images, of which `already` are chosen as it is."""

    def __init__(self, name: str, match: ListMatch, already: int, parent: QWidget | None = None) -> None:
        new = len(match.matched) - already
        super().__init__(tr("Forget list {file}", file=name), tr("Add %n images", n=new), parent)
        for sentence in sentences(match, already):
            label = Label(sentence, wrap=True)
            label.setMinimumWidth(theme.px(460))
            self.body.addWidget(label)
        if left_out := details(match):
            listed = named(QPlainTextEdit("\n".join(left_out), readOnly=True), tr("Entries that were not taken"))
            listed.setFont(theme.font("caption"))
            listed.setFixedHeight(theme.px(min(220, 24 + 18 * len(left_out))))
            self.body.addWidget(listed)
        self.set_reason("" if new else tr("There is nothing to add."))


def sentences(match: ListMatch, already: int = 0) -> list[str]:
    """Return what a list came to: found, not found, in several folders, in the test part."""
    missing, several, test = len(match.unmatched), len(match.several), len(match.in_test)
    found = match.entries - missing - several - test
    result = [tr("{found} of %n names found.", n=match.entries, found=fmt.count(found))]
    if found != len(match.matched):
        result.append(tr("They name %n images.", n=len(match.matched)))
    if missing:
        result.append(tr("%n names were not found.", n=missing))
    if several:
        result.append(tr("%n names are in several folders, so they were not taken. Write the folder before the name.",
                         n=several))  # fmt: skip
    if test:
        result.append(tr("%n names mean images of the test part. The model was not trained on them, so there is "
                         "nothing to remove.", n=test))  # fmt: skip
    if already:
        result.append(tr("%n images are chosen already.", n=already))
    return result


def details(match: ListMatch) -> list[str]:
    """Return the entries that were not taken, one a line, with the names nearest to those that were not found."""
    lines = [_unmatched(entry) for entry in match.unmatched]
    lines += [tr("{name}: in several folders", name=name) for name in match.several]
    lines += [tr("{name}: in the test part", name=name) for name in match.in_test]
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], tr("and %n more", n=more)] if more > 0 else lines


def _unmatched(entry: Unmatched) -> str:
    line, names = fmt.count(entry.line), ", ".join(entry.nearest)
    if not names:
        return tr("Line {line}: {entry}: {reason}", line=line, entry=entry.text, reason=entry.reason)
    return tr("Line {line}: {entry}: {reason}; nearest names: {names}", n=len(entry.nearest), line=line,
              entry=entry.text, reason=entry.reason, names=names)  # fmt: skip


MOST_ROWS = 500  # pairs to look at one by one; what is beyond is found again once these were added
KEPT, FORGOTTEN, ALIKE = range(3)
SHOWN = {
    "exact": mark("The same pixels only"), "same": mark("The same picture: moved, cut, turned, mirrored, saved anew"),
    "near": mark("Nearly the same picture, other people's among them"),
}  # fmt: skip


class SimilarSheet(Sheet):
    """The answer: positions of the kept images the user takes, (m,) int64; `level` says from which agreement."""

    def __init__(
        self, found: Duplicates, images: Images, thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        why = tr("While kept images show the same picture as forget images, the model can go on knowing what you "
                 "remove. Take out the tick of what is to stay.")  # fmt: skip
        super().__init__(tr("Similar images kept"), tr("Add"), parent, text=why, cancel=tr("Keep them"), width=520)
        self._found, self._thumbnails = found, thumbnails
        rows, same, side = min(len(found), MOST_ROWS), len(found.at(SAME)), thumbnails.side
        if not found.complete:
            self.body.addWidget(caption(tr("Only the likeliest pairs were compared, so there may be more.")))
        if len(found) > rows:
            more = tr("The %n most alike pairs are shown. Once they are added, the others are found again.", n=rows)
            self.body.addWidget(caption(more))
        self.level = named(QComboBox(), tr("Which images are shown"))
        for word, least in LEVELS.items():
            count = fmt.count(len(found.at(least)))
            self.level.addItem(tr("{which} (agreement from {least}): {count}", which=tr(SHOWN[word]),
                                  least=fmt.brief(least), count=count), least)  # fmt: skip
        self.level.setCurrentIndex(self.level.findData(SAME if same else LEVELS["near"]))
        self.level.currentIndexChanged.connect(self._show_level)
        self.pairs = named(QTreeWidget(), tr("Kept images and the forget images they look like"))
        self.pairs.setHeaderLabels([tr("Kept"), tr("Forget image it looks like"), tr("Agreement")])
        self.pairs.setRootIsDecorated(False)
        self.pairs.setIconSize(QSize(side, side))
        self.pairs.setMinimumHeight(theme.px(min(420, 60 + rows * (side + 8))))
        header, sizes = self.pairs.header(), QHeaderView.ResizeMode
        header.setStretchLastSection(False)
        for column, size in ((KEPT, sizes.Stretch), (FORGOTTEN, sizes.Stretch), (ALIKE, sizes.ResizeToContents)):
            header.setSectionResizeMode(column, size)
        self._items = [QTreeWidgetItem(self.pairs) for _ in range(rows)]
        self._shown = list(zip(found.kept.tolist(), found.forgotten.tolist(), strict=True))[:rows]  # KEPT, FORGOTTEN
        for row, item in enumerate(self._items):  # the best agreement stands first
            alike = fmt.decimal(float(found.agreement[row]))
            item.setSizeHint(KEPT, QSize(side, side + theme.px(8)))
            item.setText(ALIKE, tr("same pixels") if found.exact[row] else alike)
            for column, image in enumerate(self._shown[row]):
                item.setText(column, images.name("train", image))
                item.setToolTip(column, fmt.plain(images.describe("train", image)))
            # What is only near may be of other people, until somebody has looked.
            item.setCheckState(KEPT, Qt.CheckState.Checked if row < same else Qt.CheckState.Unchecked)
        self.body.addWidget(self.level)
        self.body.addWidget(self.pairs, 1)
        self.pairs.itemChanged.connect(self._count)
        thumbnails.ready.connect(self._draw)
        self._draw()
        self._show_level()

    def answer(self) -> np.ndarray:
        """Positions of the kept images that are shown and ticked."""
        ticked = [not item.isHidden() and item.checkState(KEPT) == Qt.CheckState.Checked for item in self._items]
        answer: np.ndarray = self._found.kept[: len(ticked)][ticked]
        return answer

    def _show_level(self, *_: object) -> None:
        shown = len(self._found.at(self.level.currentData()))
        for row, item in enumerate(self._items):
            item.setHidden(row >= shown)
        self._count()

    def _draw(self, *_: object) -> None:
        """Show the thumbnails that are there, and ask for the others."""
        with QSignalBlocker(self.pairs):
            for item, images in zip(self._items, self._shown, strict=True):
                for column, image in enumerate(images):
                    pixmap = self._thumbnails.get(("train", image)) if item.icon(column).isNull() else None
                    if pixmap is not None:
                        item.setIcon(column, QIcon(pixmap))
        self.pairs.viewport().update()

    def _count(self, *_: object) -> None:
        number = len(self.answer())
        self.accept_button.setText(tr("Add %n images", n=number))
        self.set_reason("" if number else tr("Tick what is to be forgotten as well."))
