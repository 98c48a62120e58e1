"""What the Forget page shows: classes, images and map side by side, the summary of the forget set below."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QSplitter, QTabWidget, QVBoxLayout, QWidget

from app.models.class_table import ClassTableModel
from app.models.gallery import GalleryModel
from app.pages.forget.additions import EarlierCard, SimilarCard
from app.pages.forget.class_panel import ClassPanel
from app.pages.forget.gallery import GalleryPanel
from app.pages.forget.map_card import MapCard
from app.pages.forget.tools import ToolRow
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import PrimaryButton, SecondaryButton, TextButton
from app.widgets.labels import ElidedLabel, Label
from app.widgets.layout import column, stacked, widget_of
from app.widgets.notices import EmptyState
from app.widgets.page import Page
from app.widgets.terms import TermLabel
from app.workers.thumbnails import Thumbnails

if TYPE_CHECKING:
    from app.context import AppContext

CLASSES, IMAGES, MAP = 288, 432, 320  # widths in pixels of the design
SPLITTER = "forget"


class ForgetView(Page):
    """Three panels in a splitter, the summary of the forget set always below."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.thumbnails = Thumbnails(self)
        self.class_model = ClassTableModel(self)
        self.gallery_model = GalleryModel(self)
        self.tools = ToolRow(context.actions)
        self.class_panel = ClassPanel(self.class_model)
        self.gallery_panel = GalleryPanel(self.gallery_model, self.thumbnails)
        self.map_panel = MapCard()
        self.map_panel.enlarge_button.toggled.connect(self._enlarge_map)
        self.similar_card = SimilarCard()
        self.earlier_card = EarlierCard()
        nothing = tr("The images to forget are chosen here. First open the data the model was trained on.")
        self.empty = EmptyState("forget", nothing, tr("Open model and data"), partial(context.show_page, "project"))
        self.stack = stacked(self.empty, widget_of(self._panels()))
        self.content.addWidget(self.stack, 1)
        self.summary = ElidedLabel("", "body", mode=Qt.TextElideMode.ElideRight)
        self.summary.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.summary.setMinimumWidth(theme.px(360))
        self.confirmed = Label("", "caption", "text-2")
        self.undo_button = TextButton(tr("Undo"))
        self.clear_button = SecondaryButton(tr("Clear"))
        self.next_button = PrimaryButton(tr("Choose a method"), partial(context.show_page, "unlearn"))
        for widget in (TermLabel("forget_set", tone="text_2"), self.summary, self.confirmed, self.undo_button):
            self.add_action(widget, start=True)
        self.add_action(self.clear_button)
        self.add_action(self.next_button)

    def confirm(self, text: str, undoable: bool = False) -> None:
        """Say what was just done, beside the summary; an empty text takes it away."""
        self.confirmed.setText(text)
        self.confirmed.setVisible(bool(text))
        self.undo_button.setVisible(undoable)

    def _panels(self) -> QVBoxLayout:
        self.splitter = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False, handleWidth=theme.px(t.M))
        right = widget_of(column((self.map_panel, 1), self.similar_card, spacing=t.M))
        panels: list[tuple[QWidget, int]] = [(self.class_panel, CLASSES), (self.gallery_panel, IMAGES), (right, MAP)]
        if theme.large:
            tabs = QTabWidget()
            tabs.addTab(self.gallery_panel, tr("Images"))
            tabs.addTab(right, tr("Map"))
            panels[1:] = [(tabs, IMAGES)]
        for place, (panel, width) in enumerate(panels):
            panel.setMinimumWidth(theme.px(width) * 3 // 4)
            self.splitter.addWidget(panel)
            self.splitter.setStretchFactor(place, place and 3 - place)  # a third of the room for the map
        self.splitter.setSizes([theme.px(width) for _, width in panels])
        self.context.window_state.restore_splitter(SPLITTER, self.splitter)
        return column(self.earlier_card, self.tools, (self.splitter, 1), spacing=t.M)

    def _enlarge_map(self, on: bool) -> None:
        """Give the map the place of classes and images, or give it back."""
        beside = [self.similar_card, self.class_panel]
        for panel in beside if theme.large else [*beside, self.gallery_panel]:
            panel.setVisible(not on)
