"""The Forget page: classes, images and map side by side, all choosing into one forget set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QSplitter, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from app.models.class_table import ClassTableModel
from app.models.gallery import GalleryModel
from app.pages.forget.class_panel import ClassPanel
from app.pages.forget.earlier import EarlierCard
from app.pages.forget.gallery import GalleryPanel
from app.pages.forget.map_card import MapCard
from app.pages.forget.presenter import ForgetPresenter
from app.pages.forget.similar_card import SimilarCard
from app.pages.forget.tool_row import ToolRow
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import PrimaryButton, SecondaryButton, TextButton
from app.widgets.labels import ElidedLabel, Label
from app.widgets.notices import EmptyState
from app.widgets.page import Page
from app.widgets.terms import TermLabel
from app.workers.thumbnails import Thumbnails

if TYPE_CHECKING:
    from app.context import AppContext

NOTHING_OPEN = "The images to forget are chosen here. First open the data the model was trained on."
CLASSES, IMAGES, MAP = 288, 432, 320
SPLITTER = "forget"


class ForgetPage(Page):
    """Three panels in a splitter, the summary of the forget set always below."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.thumbnails = Thumbnails(self)
        self.class_model = ClassTableModel(self)
        self.gallery_model = GalleryModel(self)
        self.tools = ToolRow(context.actions)
        self.class_panel = ClassPanel(self.class_model)
        self.gallery_panel = GalleryPanel(self.gallery_model, self.thumbnails)
        self.map_panel = MapCard()
        self.similar_card = SimilarCard()
        self.earlier_card = EarlierCard()
        self.stack = QStackedWidget()
        self.empty = EmptyState("forget", NOTHING_OPEN, "Open model and data", self._open_project)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self._full())
        self.content.addWidget(self.stack, 1)
        self._summary = ElidedLabel("", "body", mode=Qt.TextElideMode.ElideRight)
        self._summary.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._summary.setMinimumWidth(theme.px(360))
        self._confirmed = Label("", "caption", "text-2")
        self.undo_button = TextButton("Undo")
        self.clear_button = SecondaryButton("Clear")
        self.next_button = PrimaryButton("Choose a method", self._next)
        for widget in (TermLabel("forget_set", tone="text_2"), self._summary, self._confirmed, self.undo_button):
            self.add_action(widget, start=True)
        self.add_action(self.clear_button)
        self.add_action(self.next_button)
        self.map_panel.enlarged.connect(self._enlarge_map)
        self.presenter = ForgetPresenter(context, self)

    def entered(self) -> None:
        self.presenter.entered()

    def left(self) -> None:
        self.presenter.left()
        self.context.window_state.save_splitter(SPLITTER, self.splitter)

    def set_usable(self, usable: bool) -> None:
        """Show the panels, or what is missing."""
        self.stack.setCurrentIndex(1 if usable else 0)

    def set_summary(self, text: str) -> None:
        """Say what is in the forget set."""
        self._summary.setText(text)

    def summary(self) -> str:
        """What is said of the forget set."""
        return self._summary.text()

    def confirm(self, text: str, undoable: bool) -> None:
        """Say what was just done, beside the summary; an empty text takes it away."""
        self._confirmed.setText(text)
        self._confirmed.setVisible(bool(text))
        self.undo_button.setVisible(bool(text) and undoable)

    def confirmed(self) -> str:
        """What is said to have been done."""
        return self._confirmed.text()

    def _full(self) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.M))
        column.addWidget(self.earlier_card)
        column.addWidget(self.tools)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(theme.px(t.M))
        right = QWidget()
        beside = QVBoxLayout(right)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(theme.px(t.M))
        beside.addWidget(self.map_panel, 1)
        beside.addWidget(self.similar_card)
        panels: list[tuple[QWidget, int]] = [(self.class_panel, CLASSES)]
        if theme.large:
            tabs = QTabWidget()
            tabs.addTab(self.gallery_panel, "Images")
            tabs.addTab(right, "Map")
            panels.append((tabs, IMAGES))
        else:
            panels += [(self.gallery_panel, IMAGES), (right, MAP)]
        for place, (panel, width) in enumerate(panels):
            panel.setMinimumWidth(theme.px(width) * 3 // 4)
            self.splitter.addWidget(panel)
            self.splitter.setStretchFactor(place, int(place == 1))
        self.splitter.setSizes([theme.px(width) for _, width in panels])
        self.context.window_state.restore_splitter(SPLITTER, self.splitter)
        column.addWidget(self.splitter, 1)
        return whole

    def _enlarge_map(self, on: bool) -> None:
        """Give the map the place of classes and images, or give it back."""
        for panel in (self.class_panel, self.gallery_panel, self.similar_card):
            panel.setVisible(not on)

    def _next(self) -> None:
        self.context.show_page("unlearn")

    def _open_project(self) -> None:
        self.context.show_page("project")
