"""The Project page: what model and what data are open, and whether they belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.models.class_table import FitTableModel
from app.pages.project.first_run import FirstRunRow
from app.pages.project.fit_card import FitCard
from app.pages.project.open_card import OpenCard
from app.pages.project.presenter import ProjectPresenter
from app.pages.project.proof_card import ProofCard
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import PrimaryButton, TextButton
from app.widgets.page import Page
from app.workers.thumbnails import Thumbnails

if TYPE_CHECKING:
    from app.context import AppContext

MODEL_TEXT = "Drop a checkpoint here, or open one. It is only read, never changed."
ROOM_BESIDE_LIST, ROOM_BESIDE_QUESTION = 860, 630  # heights of the page that leave room for the classes below these
DATA_TEXT = "Drop the folder the model was trained on. Each class is a sub-folder."


class ProjectPage(Page):
    """Two cards side by side over the card that holds them against each other, or one that asks first."""

    next_wanted = Signal(str)  # the step of `set_next`

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.first_run = FirstRunRow()
        self.train_button = TextButton("Train a model here…")
        self.model_card = OpenCard("Model", "model", MODEL_TEXT, self.train_button)
        self.data_card = OpenCard("Data", "data", DATA_TEXT)
        self.thumbnails = Thumbnails(self)
        self.table_model = FitTableModel(self)
        self.fit_card = FitCard(self.table_model, self.thumbnails)
        self.proof_card = ProofCard()
        cards = QHBoxLayout()
        cards.setSpacing(theme.px(t.M))
        cards.addWidget(self.model_card, 1)
        cards.addWidget(self.data_card, 1)
        self.content.addWidget(self.first_run)
        self.content.addLayout(cards)
        self.content.addWidget(self.proof_card)
        self.content.addWidget(self.fit_card, 1)
        self.next_button = PrimaryButton("", self._next)
        self._step = ""
        self.add_action(self.next_button)
        self.presenter = ProjectPresenter(context, self)

    def entered(self) -> None:
        self.presenter.refresh_first_run()
        self.context.recent.look()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # a banner came or went
            self.arrange()
        return super().event(event)

    def arrange(self) -> None:
        """Show what is asked first, and beside it how the classes fare where there is room for both."""
        needed = ROOM_BESIDE_LIST if self.proof_card.rows() else ROOM_BESIDE_QUESTION
        banner = 0 if self.banner.isHidden() else self.banner.height() + theme.px(t.M)
        room = self.height() - banner >= theme.px(needed)
        self.fit_card.setVisible(room or self.proof_card.isHidden())
        self.proof_card.set_beside(room)

    def set_next(self, text: str, step: str, why: str) -> None:
        """Name the next step on the button that takes it, and what is to be known of it beside that."""
        self._step = step
        self.next_button.setText(tr(text))
        self.set_missing(tr(why) if why else "")

    def _next(self) -> None:
        self.next_wanted.emit(self._step)
