"""The card that says what this app still keeps of the forget images, and removes it when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QTableView, QWidget

from app.models.tables import Column, ColumnTable, Index
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import DestructiveButton
from app.widgets.cards import Card
from app.widgets.labels import caption
from app.widgets.table import set_up_table

if TYPE_CHECKING:
    from core.session.kept import Kept, Removed, Traces

TITLE = "What this app still keeps of the forget images"
TICK_FIRST = "Tick what to remove. The model, its report and the hashes stay."
_SHOWN_RUNS = 2
_ROWS = 5  # in sight even where the page scrolls


class KeptCard(Card):
    """A table of kinds and one button. `remove_asked` carries the ids of the ticked kinds."""

    remove_asked = Signal(object)  # tuple[Kept, ...]

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(TITLE, parent)
        self.table = KeptTable(self)
        self.view = QTableView(self)
        set_up_table(self.view)
        self.view.setModel(self.table)
        self.view.setAccessibleName(TITLE)
        header = self.view.horizontalHeader()
        header.setStretchLastSection(False)
        for column, width in ((KIND, 216), (FILES, 52), (SIZE, 76)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, theme.px(width))
        for column in (HOLDS, WITHOUT):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.view.setMinimumHeight(theme.px(t.TABLE_HEADER) + _ROWS * theme.px(t.TABLE_ROW))
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.body.addWidget(self.view, 1)
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.M))
        self.summary = caption("", wrap=True)
        self.summary.setMaximumWidth(16_777_215)
        row.addWidget(self.summary, 1)
        self.remove = DestructiveButton("Remove…", self._ask)
        self.remove.setAccessibleName("Remove what is ticked")
        row.addWidget(self.remove)
        self.body.addLayout(row)
        self._other_runs: tuple[str, ...] = ()
        self._done = ""
        self.table.ticked_changed.connect(self._show_summary)
        self._show_summary()

    def set_traces(self, traces: Traces | None, done: str = "") -> None:
        """Show what there is; `done` is what was just removed, in words."""
        self._other_runs = traces.other_runs if traces else ()
        self._done = done
        self.table.set_kinds(traces.kinds if traces else ())
        self._show_summary()

    def _ask(self) -> None:
        self.remove_asked.emit(self.table.ticked())

    def _show_summary(self) -> None:
        ticked = self.table.ticked()
        self.remove.setEnabled(bool(ticked))
        if ticked:
            files, size = sum(kind.count for kind in ticked), sum(kind.bytes for kind in ticked)
            text = f"{fmt.plural(files, 'file')}, {fmt.size(size)}. " + " ".join(kind.consequence for kind in ticked)
        else:
            text = self._done or TICK_FIRST
        if self._other_runs and not ticked:
            names = ", ".join(self._other_runs[:_SHOWN_RUNS])
            more = f" and {len(self._other_runs) - _SHOWN_RUNS} more" if len(self._other_runs) > _SHOWN_RUNS else ""
            text += f" Other runs on the same images keep lists and checkpoints of their own: {names}{more}."
        self.summary.setText(text)


def removed_words(removed: Removed) -> str:
    """Say what a removal did."""
    words = f"Removed {fmt.plural(removed.files, 'file')}, {fmt.size(removed.bytes)}."
    if removed.failed:
        words += f" {fmt.plural(len(removed.failed), 'file')} could not be removed: {removed.failed[0]}."
    return words


KIND, HOLDS, FILES, SIZE, WITHOUT = range(5)
STAYS = "Stays."
NOTHING = "Nothing is kept."


class KeptTable(ColumnTable):
    """Rows of `core.session.kept.Kept`. Ticked kinds are those to remove."""

    columns = (Column("Kind"), Column("What it is"), Column("Files", number=True), Column("Size", number=True),
               Column("If removed"))  # fmt: skip

    ticked_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kinds: tuple[Kept, ...] = ()
        self._ticked: set[str] = set()
        theme.changed.connect(self._restyle)

    def set_kinds(self, kinds: tuple[Kept, ...]) -> None:
        """Show other kinds; what is gone is no longer ticked."""
        self.beginResetModel()
        self._kinds = tuple(kinds)
        self._ticked &= {kind.id for kind in kinds if _can_go(kind)}
        self.endResetModel()
        self.ticked_changed.emit()

    def ticked(self) -> tuple[Kept, ...]:
        """The kinds to remove."""
        return tuple(kind for kind in self._kinds if kind.id in self._ticked)

    def count(self) -> int:
        return len(self._kinds)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        if index.column() == KIND and _can_go(self._kinds[index.row()]):
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def cell(self, row: int, column: int, role: int) -> Any:
        kind = self._kinds[row]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(kind, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == KIND and _can_go(kind):
            return Qt.CheckState.Checked if kind.id in self._ticked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.FontRole and column in (HOLDS, WITHOUT):
            return theme.font("caption")
        if role == Qt.ItemDataRole.ForegroundRole and (column in (HOLDS, WITHOUT) or not kind.files):
            return theme.brush("text_2")
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(str(path) for path in kind.files[:20]) or NOTHING
        if role == Qt.ItemDataRole.AccessibleTextRole and column == KIND:
            return f"{kind.title}, {fmt.plural(kind.count, 'file')}, {fmt.size(kind.bytes)}"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid() or index.column() != KIND:
            return False
        kind = self._kinds[index.row()]
        if not _can_go(kind):
            return False
        if Qt.CheckState(value) == Qt.CheckState.Checked:
            self._ticked.add(kind.id)
        else:
            self._ticked.discard(kind.id)
        self.dataChanged.emit(index, index, [role])
        self.ticked_changed.emit()
        return True

    def _text(self, kind: Kept, column: int) -> str:
        if column == KIND:
            return kind.title
        if column == HOLDS:
            return kind.holds
        if column == FILES:
            return fmt.count(kind.count) if kind.files else fmt.DASH
        if column == SIZE:
            return fmt.size(kind.bytes) if kind.files else fmt.DASH
        if not kind.files:
            return NOTHING
        return kind.consequence or STAYS

    def _restyle(self) -> None:
        self.tell_changed()


def _can_go(kind: Kept) -> bool:
    return kind.removable and bool(kind.files)
