"""Before a run: methods, parameters and plan side by side, and the start at the foot."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QTabWidget, QVBoxLayout, QWidget

from app.pages.unlearn.method_list import MethodList
from app.pages.unlearn.parameters_card import ParametersCard
from app.pages.unlearn.plan_card import PlanCard
from app.services import tokens as t
from app.services.doubts import UNANSWERED, UNORDERED
from app.services.theme import theme
from app.widgets.buttons import PrimaryButton, SecondaryButton
from app.widgets.labels import ElidedLabel, Label

METHODS_WIDTH, PLAN_WIDTH = (336, 480), (288, 360)  # at least, at most: texts gain from room, fields do not
PARAMETERS_WIDTH, NARROW = 360, 240  # what fields need; what cards do with where the font is large


class SetupView(QWidget):
    """`start_wanted` when the button is pressed or a card is opened; `answer_wanted` leads to what must be answered."""

    start_wanted = Signal()
    answer_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.methods = MethodList()
        self.parameters = ParametersCard()
        self.plan = PlanCard()
        self.parameters.setMinimumWidth(theme.px(PARAMETERS_WIDTH))
        large = theme.large
        least, most = METHODS_WIDTH
        self.methods.setMinimumWidth(theme.px(NARROW if large else least))
        self.methods.setMaximumWidth(theme.px(most))
        self.summary = ElidedLabel("", "body", "text-2")
        self.missing = Label("", "body", "text-2")
        self.answer = SecondaryButton("Go to Project", self.answer_wanted.emit)
        self.answer.hide()
        self.start = PrimaryButton("Start unlearning", self.start_wanted.emit)
        self.start.setToolTip("Start unlearning (Ctrl+Return)")
        cards = QHBoxLayout()
        cards.setSpacing(theme.px(t.M))
        cards.addWidget(self.methods, 4)
        if large:  # side by side all three would be cut
            tabs = QTabWidget()
            tabs.setAccessibleName("Parameters and plan")
            tabs.addTab(self.parameters, "Parameters")
            tabs.addTab(self.plan, "Plan")
            cards.addWidget(tabs, 5)
        else:
            self.plan.setMinimumWidth(theme.px(PLAN_WIDTH[0]))
            self.plan.setMaximumWidth(theme.px(PLAN_WIDTH[1]))
            cards.addWidget(self.parameters, 5)
            cards.addWidget(self.plan, 3)
        foot = QHBoxLayout()
        foot.setSpacing(theme.px(t.M))
        foot.addWidget(self.summary, 1)
        foot.addWidget(self.missing)
        foot.addWidget(self.answer)
        foot.addWidget(self.start)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.M))
        column.addLayout(cards, 1)
        column.addLayout(foot)

    def set_ready(self, reason: str, text: str = "Start unlearning") -> None:
        """Offer the start, or name beside it what is missing."""
        self.missing.setText(reason)
        self.answer.setVisible(reason in (UNANSWERED, UNORDERED))
        self.start.setEnabled(not reason)
        self.start.setText(text)
        self.start.setAccessibleDescription(reason)
