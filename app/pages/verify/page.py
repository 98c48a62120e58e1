"""The Verify page laid out: models, verdict, table of measures and plots of one run, or several runs side by side."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QStackedWidget, QTabWidget, QWidget

from app.pages.lanes import Lanes
from app.pages.verify.measures import MeasuresView, ModelsRow
from app.pages.verify.plots_panel import PlotsPanel
from app.pages.verify.verdict_card import NOTHING, VerdictCard
from app.services import tokens as t
from app.services.theme import set_property, theme
from app.services.translation import tr
from app.widgets.buttons import PrimaryButton, SecondaryButton
from app.widgets.cards import Card
from app.widgets.frame import RunChips
from app.widgets.layout import beside, column, widget_of
from app.widgets.notices import Banner, EmptyState
from app.widgets.page import Page
from app.widgets.terms import TermRow

if TYPE_CHECKING:
    from app.context import AppContext
    from app.pages.verify.comparison_view import ComparisonView

# Words of the table and the verdict, to ask about; "Dimensional alignment" is the title of a plot.
WORDS = ("verdict", "retrained", "head_only", "gap_closed", "probe", "nmi", "membership", "relearning")


class VerifyView(Page):
    """What the page consists of; `presenter.VerifyPresenter` fills it and answers what is asked."""

    runs_asked = Signal()  # the way to a run, where there is none in view

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.header_widget = self.chips = RunChips(context.project)
        self.empty = EmptyState("verify", tr(NOTHING), tr("Open a run"), self.runs_asked.emit)
        self.stack = QStackedWidget()
        self._one = self._result()
        for part in (self.empty, self._one):
            self.stack.addWidget(part)
        self.content.addWidget(self.stack, 1)
        self.words = TermRow(WORDS)
        self.export_button = PrimaryButton(tr("Export checkpoint"))
        self.check_all_button = SecondaryButton("")
        self.run_button = PrimaryButton(tr("Run checks"))
        self.add_action(self.words, start=True)
        for button in (self.export_button, self.check_all_button, self.run_button):
            self.add_action(button)

    @cached_property
    def comparison(self) -> ComparisonView:
        """Several runs side by side; made when there are some."""
        from app.pages.verify.comparison_view import ComparisonView

        made = ComparisonView()
        self.stack.addWidget(made)
        return made

    def show_part(self, part: Literal["empty", "one", "several"]) -> None:
        """Show one run, or several side by side."""
        shown = self.comparison if part == "several" else self._one if part == "one" else self.empty
        self.stack.setCurrentWidget(shown)
        self.words.setVisible(part != "empty")
        self.export_button.setVisible(part == "one")

    def show_next_step(self, *, run_checks: bool, export: bool, check_all: str, says: str) -> None:
        """Make *Run checks* the next step, or the `export`; `check_all` names the button for several, "" for none.

        `says`: what running checks would compare with, or why they cannot be run.
        """
        self.run_button.setVisible(run_checks)
        set_property(self.export_button, "kind", "primary" if export else "secondary")
        self.check_all_button.setText(check_all)
        self.check_all_button.setVisible(bool(check_all))
        self.set_missing(says)

    def _result(self) -> QWidget:
        self.offer, self.models, self.lanes, self.verdict = Banner(), ModelsRow(), Lanes(), VerdictCard()
        self.measures, self.plots = MeasuresView(), PlotsPanel()
        table, plots = Card(padding=1), Card(padding=t.S)
        table.body.addWidget(self.measures)
        plots.body.addWidget(self.plots)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        whole = column(self.offer, self.models, self.lanes, self.verdict, spacing=t.M)
        if theme.large:  # side by side both would be cut
            tabs = QTabWidget()
            tabs.setAccessibleName(tr("Measures and plots"))
            tabs.addTab(table, tr("Measures"))
            tabs.addTab(plots, tr("Plots"))
            whole.addWidget(tabs, 1)
        else:
            beside(self.splitter, table, plots)
            self.context.window_state.keep_splitter("verify", self.splitter)
            whole.addWidget(self.splitter, 1)
        return widget_of(whole)
