"""The search for settings: what to vary, how many tries; then its progress and a table of what was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QHeaderView, QTableView, QWidget

from app.dialogs.sheet import Sheet
from app.models.tables import Column, ColumnTable
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import set_tone, theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.form import add_field, spin_box
from app.widgets.labels import Label
from app.widgets.layout import add_to, form, named
from app.widgets.notices import ProgressLine
from app.widgets.table import set_up_table

if TYPE_CHECKING:
    from core.session.tuning import Try

DEFAULT_TRIES, MOST_TRIES = 12, 1000
ROWS_SHOWN, WIDTH = 7, 740
MEASURES = (
    Column(mark("Retain, %"), mark("Accuracy on the classes to keep, on test images used for nothing else"),
           number=True),
    Column(mark("Forget, %"), mark("Accuracy on the classes to forget, on test images used for nothing else"),
           number=True),
    Column(mark("Forget images, %"), mark("Accuracy on the single images to forget"), number=True),
    Column(mark("Trigger, %"), mark("Share of unseen images of other classes that are called the trigger's class with "
                                    "the patch on them"), number=True),
    Column(mark("Gap"), mark("How far the try is from what is wanted: the smallest is best"), number=True),
)  # fmt: skip

class SearchDialog(Sheet):
    """Stays open while it searches; closing it leaves the search going. Emits what the user wants.

    `varied` says what is varied, and within which bounds.
    """

    search_wanted = Signal()
    stop_wanted = Signal()
    use_wanted = Signal(object)  # a Try

    def __init__(self, parent: QWidget | None = None) -> None:
        text = tr("Tries settings around those of the form, each in a short run, and compares them on half of the test "
                  "images, which are used for nothing else. The best settings are used.")  # fmt: skip
        super().__init__(tr("Search settings"), tr("Search"), parent, text=text, cancel=tr("Close"), width=WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        self.tries = spin_box(tr("Tries"), 1, MOST_TRIES, DEFAULT_TRIES)
        self.varied = Label("", wrap=True)
        lines = form()
        add_field(lines, tr("&Tries"), self.tries)
        lines.addRow(Label(tr("Varied"), "body", "text-2"), self.varied)
        self.progress = ProgressLine(tr("Progress of the search"))
        self.model = TryTableModel(self)
        self.table = named(QTableView(), tr("Settings that were tried, best first"))
        self.table.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.table.setModel(self.model)
        set_up_table(self.table)
        self.table.setMinimumHeight(theme.px(t.TABLE_HEADER + ROWS_SHOWN * t.TABLE_ROW))
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.selectionModel().currentRowChanged.connect(self._update_use)
        self.model.modelReset.connect(self._update_use)
        self.table.hide()
        self.outcome = Label("", wrap=True)
        self.outcome.setMinimumHeight(2 * self.outcome.fontMetrics().lineSpacing())  # whatever it will say
        self.outcome.setAlignment(Qt.AlignmentFlag.AlignTop)
        add_to(self.body, lines, self.progress, (self.table, 1), self.outcome)
        self.stop = SecondaryButton(tr("Stop"), self.stop_wanted.emit)
        self.stop.setToolTip(tr("What was tried is kept: the same search goes on from there."))
        self.use = SecondaryButton(tr("Use these settings"), self._use)
        self.add_foot(self.use)
        self.add_foot(self.stop)
        self.set_going(False)

    # ---- what is shown

    def begin(self, labels: Mapping[str, str], samples: bool, trigger: bool) -> None:
        """Empty the table. `labels` name what is varied; `samples`: whether single images are to be forgotten;
        `trigger`: whether a trigger is to be corrected.
        """  # noqa: D205
        self.model.set_searched(labels)
        self.table.setColumnHidden(len(labels) + 3, not samples)
        self.table.setColumnHidden(len(labels) + 4, not trigger)

    def set_going(self, going: bool) -> None:
        """Offer *Stop* while a search goes or waits, else what to ask of the next one."""
        self.stop.setVisible(going)
        self.progress.setVisible(going)
        self.accept_button.setVisible(not going)
        self.tries.setEnabled(not going)
        if going:
            self.table.show()
        self._update_use()

    def say(self, sentence: str, tone: str = "") -> None:
        """Say what came out, or went wrong."""
        self.outcome.setText(sentence)
        set_tone(self.outcome, tone)

    def accept(self) -> None:
        """*Search* does not close the dialog."""
        if not self.accept_button.isHidden():
            self.search_wanted.emit()

    def _use(self) -> None:
        one = self.model.try_at(self.table.currentIndex().row())
        if one is not None:
            self.use_wanted.emit(one)

    def _update_use(self) -> None:
        one = self.model.try_at(self.table.currentIndex().row())
        self.use.setVisible(not self.table.isHidden() and self.stop.isHidden())
        self.use.setEnabled(one is not None and one.score is not None)


class TryTableModel(ColumnTable):
    """The tries of a search: those within the bound on retain accuracy first, then by their gap."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.set_searched({})

    def set_searched(self, labels: Mapping[str, str]) -> None:
        """Begin anew, with a column for each of these parameters."""
        self.beginResetModel()
        self._tries: list[Try] = []
        self._labels, self._used = labels, -1
        titles = [mark("Try"), *labels.values()]
        self.columns = [*(Column(title, number=True) for title in titles), *MEASURES,
                        Column(mark("Time"), number=True), Column("")]  # fmt: skip
        self.endResetModel()

    def set_tries(self, tries: Sequence[Try]) -> None:
        """Show these tries; those known keep their rows, with what is chosen among them."""
        ordered = sorted(tries, key=lambda one: (one.score is None, not one.allowed, one.score or 0.0, one.number))
        self.replace_rows(self._tries, ordered, lambda one: one.number)

    def set_used(self, number: int) -> None:
        """Mark the try whose settings are used."""
        self._used = number
        self.tell_changed()

    def try_at(self, row: int) -> Try | None:
        return self._tries[row] if 0 <= row < len(self._tries) else None

    def count(self) -> int:
        return len(self._tries)

    def cell(self, row: int, column: int, role: int) -> Any:
        one, last = self._tries[row], column == len(self.columns) - 1
        if role == Qt.ItemDataRole.DisplayRole or (role == Qt.ItemDataRole.ToolTipRole and last):
            return self._texts(one)[column]
        if role == Qt.ItemDataRole.FontRole and one.number == self._used:
            font = theme.font("table")
            font.setWeight(font.Weight.DemiBold)
            return font
        return None

    def _texts(self, one: Try) -> list[str]:
        values = [fmt.brief(one.values[name]) for name in self._labels]
        shares = [fmt.percent(share, unit=False) for share in (one.retain, one.forget, one.samples, one.trigger)]
        rest = [fmt.decimal(one.score, 4), fmt.duration(one.seconds), self._mark(one)]
        return [fmt.count(one.number), *values, *shares, *rest]

    def _mark(self, one: Try) -> str:
        if one.number == self._used:
            return tr("✓ used")
        if one.score is None:
            return one.reason
        if not one.allowed:
            return tr("retain too low")
        return tr("best") if one is self._tries[0] and self._used >= 0 else ""
