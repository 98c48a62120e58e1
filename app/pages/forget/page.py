"""What the Forget page shows: classes, images and map side by side, the summary of the forget set below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QSplitter, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from app.models.class_table import ClassTableModel
from app.models.gallery import GalleryModel
from app.pages.forget.additions import EarlierCard, SimilarCard
from app.pages.forget.class_panel import ClassPanel
from app.pages.forget.gallery import GalleryPanel
from app.pages.forget.map_card import MapCard
from app.pages.forget.tools import ToolRow
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import PrimaryButton, SecondaryButton, TextButton
from app.widgets.labels import ElidedLabel, Label
from app.widgets.layout import column, widget_of
from app.widgets.notices import EmptyState
from app.widgets.page import Page
from app.widgets.terms import TermLabel
from app.workers.thumbnails import Thumbnails

if TYPE_CHECKING:
    from app.context import AppContext

NOTHING_OPEN = mark("The images to forget are chosen here. First open the data the model was trained on.")
CLASSES, IMAGES, MAP = 288, 432, 320  # widths in pixels of the design
SPLITTER = "forget"


class ForgetView(Page):
    """Three panels in a splitter, the summary of the forget set always below."""

    next_wanted = Signal()
    project_wanted = Signal()

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
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
        self.empty = EmptyState("forget", tr(NOTHING_OPEN), tr("Open model and data"), self.project_wanted.emit)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(widget_of(self._panels()))
        self.content.addWidget(self.stack, 1)
        self._summary = ElidedLabel("", "body", mode=Qt.TextElideMode.ElideRight)
        self._summary.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._summary.setMinimumWidth(theme.px(360))
        self._confirmed = Label("", "caption", "text-2")
        self.undo_button = TextButton(tr("Undo"))
        self.clear_button = SecondaryButton(tr("Clear"))
        self.next_button = PrimaryButton(tr("Choose a method"), self.next_wanted.emit)
        for widget in (TermLabel("forget_set", tone="text_2"), self._summary, self._confirmed, self.undo_button):
            self.add_action(widget, start=True)
        self.add_action(self.clear_button)
        self.add_action(self.next_button)
        self.map_panel.enlarged.connect(self._enlarge_map)

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

    def _panels(self) -> QVBoxLayout:
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(theme.px(t.M))
        right = widget_of(column((self.map_panel, 1), self.similar_card, spacing=t.M))
        panels: list[tuple[QWidget, int]] = [(self.class_panel, CLASSES)]
        if theme.large:
            tabs = QTabWidget()
            tabs.addTab(self.gallery_panel, tr("Images"))
            tabs.addTab(right, tr("Map"))
            panels.append((tabs, IMAGES))
        else:
            panels += [(self.gallery_panel, IMAGES), (right, MAP)]
        for place, (panel, width) in enumerate(panels):
            panel.setMinimumWidth(theme.px(width) * 3 // 4)
            self.splitter.addWidget(panel)
            self.splitter.setStretchFactor(place, place and 3 - place)  # a third of the room for the map
        self.splitter.setSizes([theme.px(width) for _, width in panels])
        self.context.window_state.restore_splitter(SPLITTER, self.splitter)
        return column(self.earlier_card, self.tools, (self.splitter, 1), spacing=t.M)

    def _enlarge_map(self, on: bool) -> None:
        """Give the map the place of classes and images, or give it back."""
        self.similar_card.setVisible(not on)
        for panel in [self.class_panel] if theme.large else [self.class_panel, self.gallery_panel]:
            panel.setVisible(not on)
