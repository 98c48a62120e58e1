"""Item model of what is still kept of the forget images: a kind a row, with a check box where it can be removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

from app.models.tables import Column, ColumnTable, Index
from app.services import format as fmt
from app.services.theme import theme

if TYPE_CHECKING:
    from core.session.kept import Kept

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
