"""Several runs side by side: what weakens the comparison, the table of methods and seeds, and the plots beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSplitter, QVBoxLayout, QWidget

from app.pages.verify.comparison_plots import ComparisonPlots
from app.pages.verify.comparison_tree import ComparisonTree
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import ChipButton, SecondaryButton, TextButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.notices import Banner
from core.verify.table import PUBLISHED

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.window_state import WindowState
    from core.runs.folder import RunFolder
    from core.verify.shown import ShownTable

GOAL = "No value is good for being high or low: the retrained one is the goal. Double-click a run to open it."


@dataclass(frozen=True)
class Compared:
    """What was read of runs held side by side."""

    found: dict[str, Any]  # as core.verify.comparison.compare returns it
    folders: dict[str, RunFolder]  # by the run's name in `found`
    jobs: ShownTable
    agreement: ShownTable


def read_comparison(folders: Sequence[RunFolder]) -> Compared:
    """Read the runs' reports and jobs; runs in a worker. Raises InputError for a run without a report."""
    from core.session.library import runs_of
    from core.verify.comparison import agreement_block, compare, jobs_block

    runs = runs_of(folders)
    found = compare(runs)
    named = {run.name: folder for run, folder in zip(runs, folders, strict=True)}
    return Compared(found, named, jobs_block(found), agreement_block(found))


class GroupMenu(QObject):
    """Which groups of measures are columns, remembered; the field's own are asked for, as they say the same anew."""

    changed = Signal()

    def __init__(self, state: WindowState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.button = ChipButton("Measures", name="Groups of measures")
        self.menu = QMenu(self.button)
        self.button.set_menu(self.menu)
        self.set_groups(())

    def set_groups(self, groups: Sequence[str]) -> None:
        """Offer these groups."""
        self.menu.clear()
        for group in groups:
            action = self.menu.addAction(group)
            action.setData(group)
            action.setCheckable(True)
            action.setChecked(self._state.flag(f"compared/{group}", group != PUBLISHED))
            action.toggled.connect(self._toggled)
        self._say()

    def hidden(self) -> set[str]:
        """The groups that are not shown."""
        return {str(action.data()) for action in self.menu.actions() if not action.isChecked()}

    def _toggled(self, on: bool) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self._state.set_flag(f"compared/{action.data()}", on)
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        hidden, every = len(self.hidden()), len(self.menu.actions())
        words = f"{fmt.count(every - hidden)} of {fmt.count(every)} groups" if hidden else "all groups"
        self.button.set(f"Measures: {words}", "Groups of measures that are columns of the table")


class ComparisonView(QWidget):
    """Shows a comparison; says what the user wants next."""

    left = Signal()  # back to the run in view
    opened = Signal(object)  # RunFolder
    replay_wanted = Signal(object)  # list of two RunFolders

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._compared: Compared | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.M))
        head = QHBoxLayout()
        head.setSpacing(theme.px(t.S))
        self.title = Label("", "section")
        head.addWidget(self.title)
        head.addStretch(1)
        self.groups = GroupMenu(context.window_state, self)
        self.groups.changed.connect(self._show_columns)
        head.addWidget(self.groups.button)
        self.replay_button = SecondaryButton("Replay two…", self._replay)
        head.addWidget(self.replay_button)
        head.addWidget(TextButton("Back to one run", self._leave))
        column.addLayout(head)
        self.banner = Banner()
        column.addWidget(self.banner)
        self.tree = ComparisonTree()
        table = Card("", padding=1)
        table.body.addWidget(self.tree, 1)
        goal = caption(GOAL)
        goal.setContentsMargins(theme.px(t.S), 0, theme.px(t.S), theme.px(t.XS))
        table.body.addWidget(goal)
        self.plots = ComparisonPlots()
        plots = Card("", padding=t.S)
        plots.body.addWidget(self.plots)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(theme.px(t.M))
        splitter.addWidget(table)
        splitter.addWidget(plots)
        splitter.setSizes([theme.px(644), theme.px(408)])
        splitter.setStretchFactor(0, 8)
        splitter.setStretchFactor(1, 5)
        column.addWidget(splitter, 1)
        self.tree.chosen.connect(self._chosen)
        self.tree.activated.connect(self._activated)
        self.plots.scatter.plot.hovered_dot.connect(self.tree.choose)

    def show_compared(self, compared: Compared) -> None:
        """Show a comparison."""
        self._compared = compared
        found = compared.found
        methods = {str(run["title"]) for run in found["runs"]}
        self.title.setText(f"{fmt.plural(len(found['runs']), 'run')} of {fmt.plural(len(methods), 'method')}")
        if found["differences"]:
            self.banner.show_message(" ".join(found["differences"]), "caution", closable=False)
        else:
            self.banner.dismiss()
        self.tree.table.set_comparison(found)
        self.groups.set_groups(self.tree.table.groups())
        self._show_columns()
        self.plots.scatter.set_comparison(found)
        self.plots.scatter.plot.provenance = ", ".join(compared.folders)
        self.plots.agreement.set_table(compared.agreement.header, compared.agreement.rows, compared.agreement.note)
        self._chosen(self.tree.chosen_runs())

    def replayed(self) -> list[RunFolder]:
        """The two runs a replay is of: those chosen, or the only two there are; empty where that is not clear."""
        compared = self._compared
        if compared is None:
            return []
        chosen = [name for name in compared.folders if name in self.tree.chosen_runs()]
        names = chosen if len(chosen) == 2 else list(compared.folders)
        return [compared.folders[name] for name in names] if len(names) == 2 else []

    def _show_columns(self) -> None:
        self.tree.show_columns(self.groups.hidden())

    def _chosen(self, names: set[str]) -> None:
        self.plots.scatter.plot.choose(names)
        self._show_jobs(names)
        two = bool(self.replayed())
        self.replay_button.setEnabled(two)
        self.replay_button.setToolTip("Both runs' curves on one axis" if two else "Choose two runs in the table.")

    def _show_jobs(self, names: set[str]) -> None:
        """What the jobs of all runs differ in; of two chosen ones only what these two differ in."""
        compared = self._compared
        if compared is None:
            return
        block = compared.jobs
        places = [n for n, name in enumerate(block.header) if name in names]
        if len(places) != 2 or len(block.header) <= 3:
            self.plots.jobs.set_table(block.header, block.rows, block.note)
            return
        one, other = places
        rows = [[row[0], row[one], row[other]] for row in block.rows if row[one] != row[other]]
        self.plots.jobs.set_table(["", block.header[one], block.header[other]], rows, block.note)

    def _activated(self, name: str) -> None:
        if self._compared is not None:
            self.opened.emit(self._compared.folders[name])

    def _replay(self) -> None:
        two = self.replayed()
        if two:
            self.replay_wanted.emit(two)

    def _leave(self) -> None:
        self.left.emit()


class Comparing(QObject):
    """Reads the runs that are to be compared, and hands them to the view."""

    shown = Signal()
    failed = Signal(object)

    def __init__(self, context: AppContext, view: ComparisonView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context, self._view = context, view
        context.project.compared_changed.connect(self.refresh)
        view.left.connect(self._leave)
        view.opened.connect(self._open)
        view.replay_wanted.connect(self._replay)

    def refresh(self) -> None:
        """Read the runs again, where there are any to compare."""
        folders = self._context.project.compared
        if not folders:
            self._context.jobs.cancel("compare")
            return
        job = self._context.jobs.submit(read_comparison, folders, key="compare")
        job.done.connect(self._read)
        job.failed.connect(self._not_read)

    def _read(self, compared: Compared) -> None:
        self._view.show_compared(compared)
        self.shown.emit()

    def _not_read(self, error: BaseException) -> None:
        self._context.project.set_compared(())
        self.failed.emit(error)

    def _leave(self) -> None:
        self._context.project.set_compared(())

    def _replay(self, two: list[RunFolder]) -> None:
        first, second = two
        self._context.project.set_beside(second, of=first.path)
        self._context.opening.open_run(first.path)

    def _open(self, folder: RunFolder) -> None:
        self._context.opening.open_run(folder.path)
