"""The card that says what this app still keeps of the forget images, and removes it when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QHeaderView, QTableView

from app.models.tables import Column, ColumnTable, Index
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import DestructiveButton
from app.widgets.cards import Card
from app.widgets.labels import caption
from app.widgets.layout import row
from app.widgets.table import set_up_table

if TYPE_CHECKING:
    from core.session.kept import Kept, Traces

TITLE = mark("What this app still keeps of the forget images")
_SHOWN_RUNS = 2
_ROWS = 5  # in sight even where the page scrolls
KIND, HOLDS, FILES, SIZE, WITHOUT = range(5)
_WIDTHS = {KIND: 216, FILES: 52, SIZE: 76}  # the others share what is left


class KeptCard(Card):
    """A table of kinds and one button. `remove_asked` carries the ticked kinds."""

    remove_asked = Signal(object)  # tuple[Kept, ...]

    def __init__(self) -> None:
        super().__init__(tr(TITLE))
        self.table = KeptTable(self)
        self.view = QTableView(self)
        set_up_table(self.view)
        self.view.setModel(self.table)
        self.view.setAccessibleName(tr(TITLE))
        header = self.view.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for column, width in _WIDTHS.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, max(theme.px(width), header.sectionSizeHint(column)))
        self.view.setMinimumHeight(theme.px(t.TABLE_HEADER) + _ROWS * theme.px(t.TABLE_ROW))
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.summary = caption(wide=True)
        self.remove = DestructiveButton(tr("Remove…"), lambda: self.remove_asked.emit(self.table.ticked()))
        self.remove.setAccessibleName(tr("Remove what is ticked"))
        self.body.addWidget(self.view, 1)
        self.body.addLayout(row((self.summary, 1), self.remove, spacing=t.M))
        self._unticked = ""  # the summary while nothing is ticked
        self.table.modelReset.connect(self._show_summary)
        self.table.dataChanged.connect(self._show_summary)

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

    def _show_summary(self) -> None:
        ticked = self.table.ticked()
        self.remove.setEnabled(bool(ticked))
        consequences = " ".join(kind.consequence for kind in ticked)
        self.summary.setText(f"{files_words(ticked)}. {consequences}" if ticked else self._unticked)


def files_words(kinds: tuple[Kept, ...]) -> str:
    """Return how much is kept of some kinds: "3 files, 2.0 kB"."""
    files, size = sum(kind.count for kind in kinds), sum(kind.bytes for kind in kinds)
    return tr("%n files, {size}", n=files, size=fmt.size(size))


class KeptTable(ColumnTable):
    """Rows of `core.session.kept.Kept`. Ticked kinds are those to remove."""

    columns = (
        Column(mark("Kind")), Column(mark("What it is")), Column(mark("Files"), number=True),
        Column(mark("Size"), number=True), Column(mark("If removed")),
    )  # fmt: skip

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kinds: tuple[Kept, ...] = ()
        self._ticked: set[str] = set()
        theme.changed.connect(self.tell_changed)

    def set_kinds(self, kinds: tuple[Kept, ...]) -> None:
        """Show other kinds; what is gone is no longer ticked."""
        self.beginResetModel()
        self._kinds = kinds
        self._ticked &= {kind.id for kind in kinds if _can_go(kind)}
        self.endResetModel()

    def ticked(self) -> tuple[Kept, ...]:
        """The kinds to remove."""
        return tuple(kind for kind in self._kinds if kind.id in self._ticked)

    def count(self) -> int:
        return len(self._kinds)

    def flags(self, index: Index) -> Qt.ItemFlag:
        can_tick = index.isValid() and index.column() == KIND and _can_go(self._kinds[index.row()])
        return super().flags(index) | (Qt.ItemFlag.ItemIsUserCheckable if can_tick else Qt.ItemFlag.NoItemFlags)

    def cell(self, row: int, column: int, role: int) -> Any:
        kind = self._kinds[row]
        small = column in (HOLDS, WITHOUT)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(kind, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == KIND and _can_go(kind):
            return Qt.CheckState.Checked if kind.id in self._ticked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.FontRole and small:
            return theme.font("caption")
        if role == Qt.ItemDataRole.ForegroundRole and (small or not kind.files):
            return theme.brush("text_2")
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(map(str, kind.files[:20])) or tr("Nothing is kept.")
        if role == Qt.ItemDataRole.AccessibleTextRole and column == KIND:
            return f"{kind.title}, {files_words((kind,))}"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not self.flags(index) & Qt.ItemFlag.ItemIsUserCheckable:
            return False
        change = self._ticked.add if Qt.CheckState(value) == Qt.CheckState.Checked else self._ticked.discard
        change(self._kinds[index.row()].id)
        self.dataChanged.emit(index, index, [role])
        return True

    def _text(self, kind: Kept, column: int) -> str:
        if column == WITHOUT:
            return (kind.consequence or tr("Stays.")) if kind.files else tr("Nothing is kept.")
        files, size = (fmt.count(kind.count), fmt.size(kind.bytes)) if kind.files else (fmt.DASH, fmt.DASH)
        return (kind.title, kind.holds, files, size)[column]


def _can_go(kind: Kept) -> bool:
    return kind.removable and bool(kind.files)
