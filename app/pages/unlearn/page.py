"""The Unlearn page: what is missing, the set-up of a run, or the run in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QWidget

from app.pages.lanes import Lanes
from app.pages.unlearn.run_view import RunView
from app.pages.unlearn.setup_view import SetupView
from app.widgets.frame import RunChips
from app.widgets.notices import EmptyState
from app.widgets.page import Page

if TYPE_CHECKING:
    from app.context import AppContext


class UnlearnView(Page):
    """Three views in one place, by name in `views`: "empty", "setup" and "run"."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.empty, self.setup, self.run_view, self.lanes = EmptyState("unlearn", ""), SetupView(), RunView(), Lanes()
        self.run_view.below_bar.addWidget(self.lanes)
        self.views: dict[str, QWidget] = {"empty": self.empty, "setup": self.setup, "run": self.run_view}
        self.stack = QStackedWidget()
        for view in self.views.values():
            self.stack.addWidget(view)
        self.content.addWidget(self.stack, 1)
        self.header_widget = self.chips = RunChips(context.project)

    @property
    def view(self) -> str:
        """Name of the view that shows."""
        return list(self.views)[self.stack.currentIndex()]

    def show_view(self, name: str) -> None:
        """Show one of the views; the others do not hold the page open."""
        for view in self.views.values():
            policy = QSizePolicy.Policy.Preferred if view is self.views[name] else QSizePolicy.Policy.Ignored
            view.setSizePolicy(policy, policy)
        self.stack.setCurrentWidget(self.views[name])
