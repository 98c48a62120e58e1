"""The card that says what this app still keeps of the forget images, and removes it when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QTableWidget, QTableWidgetItem

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import DestructiveButton
from app.widgets.cards import Card
from app.widgets.labels import caption
from app.widgets.layout import add_to, named, row
from app.widgets.table import NUMBER, set_up_table

if TYPE_CHECKING:
    from core.session.kept import Kept, Traces

TITLE = mark("What this app still keeps of the forget images")
_ROWS = 5  # in sight even where the page scrolls
KIND, HOLDS, FILES, SIZE, WITHOUT = range(5)
_WIDTHS = {KIND: 216, FILES: 52, SIZE: 76}


class KeptCard(Card):
    """A table of kinds and one button. `remove_asked` carries the ticked kinds."""

    remove_asked = Signal(object)  # tuple[Kept, ...]

    def __init__(self) -> None:
        super().__init__(tr(TITLE))
        self._kinds: tuple[Kept, ...] = ()
        self._unticked = ""  # the summary while nothing is ticked
        self.table = named(QTableWidget(0, 5), tr(TITLE))
        self.table.setHorizontalHeaderLabels(
            [tr("Kind"), tr("What it is"), tr("Files"), tr("Size"), tr("If removed")]
        )
        set_up_table(self.table, _WIDTHS, (HOLDS, WITHOUT))
        for column in (FILES, SIZE):
            self.table.model().setHeaderData(
                column, Qt.Orientation.Horizontal, NUMBER, Qt.ItemDataRole.TextAlignmentRole
            )
        self.table.setMinimumHeight(theme.px(t.TABLE_HEADER) + _ROWS * theme.px(t.TABLE_ROW))
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.itemChanged.connect(self._show_summary)
        self.summary = caption(wide=True)
        self.remove = DestructiveButton(tr("Remove…"), lambda: self.remove_asked.emit(self.ticked()))
        self.remove.setAccessibleName(tr("Remove what is ticked"))
        add_to(self.body, (self.table, 1), row((self.summary, 1), self.remove, spacing=t.M))

    def set_traces(self, traces: Traces, done: str = "") -> None:
        """Show what there is; `done` is what was just removed, in words. What was ticked stays so if it can be."""
        said = [done or tr("Tick what to remove.")]
        others = traces.other_runs
        if others:
            said.append(tr("%n other runs on the same images keep lists and checkpoints of their own.", n=len(others)))
        self.summary.setToolTip(fmt.plain(", ".join(others)))
        self._unticked = " ".join(said)
        ticked = {kind.id for kind in self.ticked()}
        self._kinds = ()  # until all their cells are there
        self.table.setRowCount(len(traces.kinds))
        for number, kind in enumerate(traces.kinds):
            for column, text in enumerate(_texts(kind)):
                item = QTableWidgetItem(text)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                files = "" if column in (HOLDS, WITHOUT) else "\n".join(map(str, kind.files[:20]))
                item.setToolTip(fmt.plain(files or text))
                if column in (FILES, SIZE):
                    item.setTextAlignment(NUMBER)
                if column == KIND and kind.removable and kind.files:
                    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                    item.setCheckState(Qt.CheckState.Checked if kind.id in ticked else Qt.CheckState.Unchecked)
                self.table.setItem(number, column, item)
        self._kinds = traces.kinds
        self._show_summary()

    def ticked(self) -> tuple[Kept, ...]:
        """The kinds to remove."""
        items = ((self.table.item(number, KIND), kind) for number, kind in enumerate(self._kinds))
        return tuple(kind for item, kind in items if item is not None and item.checkState() == Qt.CheckState.Checked)

    def _show_summary(self) -> None:
        ticked = self.ticked()
        self.remove.setEnabled(bool(ticked))
        consequences = " ".join(kind.consequence for kind in ticked)
        self.summary.setText(f"{files_words(ticked)}. {consequences}" if ticked else self._unticked)


def _texts(kind: Kept) -> tuple[str, ...]:
    """Return what the cells of a kind say."""
    if not kind.files:
        return kind.title, kind.holds, fmt.DASH, fmt.DASH, tr("Nothing is kept.")
    return (kind.title, kind.holds, fmt.count(kind.count), fmt.size(kind.bytes), kind.consequence or tr("Stays."))


def files_words(kinds: tuple[Kept, ...]) -> str:
    """Return how much is kept of some kinds: "3 files, 2.0 kB"."""
    files, size = sum(kind.count for kind in kinds), sum(kind.bytes for kind in kinds)
    return tr("%n files, {size}", n=files, size=fmt.size(size))
