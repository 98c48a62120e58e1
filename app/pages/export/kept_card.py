"""The card that says what this app still keeps of the forget images, and removes it when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QTableView

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import DestructiveButton
from app.widgets.cards import Card
from app.widgets.labels import caption
from app.widgets.layout import add_to, row
from app.widgets.table import NUMBER, set_up_table

if TYPE_CHECKING:
    from core.session.kept import Kept, Traces

TITLE = mark("What this app still keeps of the forget images")
_SHOWN_RUNS = 2
_ROWS = 5  # in sight even where the page scrolls
KIND, HOLDS, FILES, SIZE, WITHOUT = range(5)
_WIDTHS = {KIND: 216, FILES: 52, SIZE: 76}


class KeptCard(Card):
    """A table of kinds and one button. `remove_asked` carries the ticked kinds."""

    remove_asked = Signal(object)  # tuple[Kept, ...]

    def __init__(self) -> None:
        super().__init__(tr(TITLE))
        self.table = KeptTable(self)
        self.view = QTableView(self)
        self.view.setModel(self.table)
        set_up_table(self.view, _WIDTHS, (HOLDS, WITHOUT))
        self.view.setAccessibleName(tr(TITLE))
        self.view.setMinimumHeight(theme.px(t.TABLE_HEADER) + _ROWS * theme.px(t.TABLE_ROW))
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.summary = caption(wide=True)
        self.remove = DestructiveButton(tr("Remove…"), lambda: self.remove_asked.emit(self.table.ticked()))
        self.remove.setAccessibleName(tr("Remove what is ticked"))
        add_to(self.body, (self.view, 1), row((self.summary, 1), self.remove, spacing=t.M))
        self._unticked = ""  # the summary while nothing is ticked
        self.table.itemChanged.connect(self._show_summary)

    def set_traces(self, traces: Traces, done: str = "") -> None:
        """Show what there is; `done` is what was just removed, in words."""
        said = [done or tr("Tick what to remove. The model, its report and the hashes stay.")]
        if others := traces.other_runs:
            names = ", ".join(others[:_SHOWN_RUNS])
            if len(others) > _SHOWN_RUNS:
                names = tr("{names} and %n more", n=len(others) - _SHOWN_RUNS, names=names)
            said.append(tr("Other runs on the same images keep lists and checkpoints of their own: {names}.",
                           names=names))  # fmt: skip
        self._unticked = " ".join(said)
        self.table.set_kinds(traces.kinds)
        self._show_summary()

    def _show_summary(self) -> None:
        ticked = self.table.ticked()
        self.remove.setEnabled(bool(ticked))
        consequences = " ".join(kind.consequence for kind in ticked)
        self.summary.setText(f"{files_words(ticked)}. {consequences}" if ticked else self._unticked)


def files_words(kinds: tuple[Kept, ...]) -> str:
    """Return how much is kept of some kinds: "3 files, 2.0 kB"."""
    files, size = sum(kind.count for kind in kinds), sum(kind.bytes for kind in kinds)
    return tr("%n files, {size}", n=files, size=fmt.size(size))


class KeptTable(QStandardItemModel):
    """Rows of `core.session.kept.Kept`. Ticked kinds are those to remove."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._kinds: tuple[Kept, ...] = ()
        self.setHorizontalHeaderLabels(
            [tr("Kind"), tr("What it is"), tr("Files"), tr("Size"), tr("If removed")]
        )
        for column in (FILES, SIZE):
            self.horizontalHeaderItem(column).setTextAlignment(NUMBER)
        theme.changed.connect(self._restyle)

    def set_kinds(self, kinds: tuple[Kept, ...]) -> None:
        """Show other kinds; those that were ticked stay so as long as they can be removed."""
        ticked = {kind.id for kind in self.ticked()}
        self._kinds = kinds
        self.removeRows(0, self.rowCount())
        for kind in kinds:
            files, size, without = fmt.DASH, fmt.DASH, tr("Nothing is kept.")
            if kind.files:
                files, size, without = fmt.count(kind.count), fmt.size(kind.bytes), kind.consequence or tr("Stays.")
            cells = [QStandardItem(text) for text in (kind.title, kind.holds, files, size, without)]
            for column, cell in enumerate(cells):
                cell.setToolTip("\n".join(map(str, kind.files[:20])) or without)
                if column in (FILES, SIZE):
                    cell.setTextAlignment(NUMBER)
                if column in (HOLDS, WITHOUT):
                    cell.setFont(theme.font("caption"))
                if column in (HOLDS, WITHOUT) or not kind.files:
                    cell.setForeground(theme.brush("text_2"))
            cells[KIND].setAccessibleText(f"{kind.title}, {files_words((kind,))}")
            if kind.removable and kind.files:
                cells[KIND].setCheckable(True)
                cells[KIND].setCheckState(Qt.CheckState.Checked if kind.id in ticked else Qt.CheckState.Unchecked)
            self.appendRow(cells)

    def ticked(self) -> tuple[Kept, ...]:
        """The kinds to remove."""
        return tuple(kind for row, kind in enumerate(self._kinds)
                     if self.item(row).checkState() == Qt.CheckState.Checked)  # fmt: skip

    def _restyle(self) -> None:
        self.set_kinds(self._kinds)
