"""The map of the features: which projection, the tools to choose with, and what stands there before it is known."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.plots.scatter import ScatterPlot, Tool
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import IconButton, Segmented
from app.widgets.cards import Card
from app.widgets.notices import EmptyState, ProgressLine

PCA, TSNE = "pca", "tsne"
NOT_YET = "A map of the images appears here once the model was measured on them."
TOOLS: tuple[tuple[Tool, str, str], ...] = (
    ("lasso", "lasso", "Lasso: draw around images to take them; with Ctrl take them out"),
    ("rectangle", "rectangle", "Rectangle: drag over images to take them; with Ctrl take them out"),
    ("pan", "point", "Move the map; a click marks or unmarks an image"),
)


class MapPanel(Card):
    """A card around the scatter plot; `projection_chosen` carries "pca" or "tsne"."""

    projection_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Map", parent, padding=t.S)
        self.scatter = ScatterPlot("Map of the training images")
        self.projection = Segmented([(PCA, "PCA"), (TSNE, "t-SNE")], "Projection")
        self.projection.changed.connect(self.projection_chosen)
        self.add_action(self.projection)
        self.empty = EmptyState("point", NOT_YET)
        self.progress = ProgressLine("Progress of the map")
        self.progress.hide()
        held = QWidget()
        column = QVBoxLayout(held)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.XS))
        column.addWidget(self.scatter, 1)
        column.addWidget(self.progress)
        column.addLayout(self._tools())
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(held)
        self.body.addWidget(self.stack, 1)
        self.set_full(False)
        self.scatter.set_tool("lasso")

    def set_full(self, full: bool) -> None:
        """Show the map, or the text of what will be here."""
        self.stack.setCurrentIndex(1 if full else 0)
        self.projection.setVisible(full)

    def say(self, text: str) -> None:
        """Say why there is no map."""
        self.empty.set(text)

    def show_progress(self, text: str | None, done: int = 0, total: int = 0) -> None:
        """Say how far the map is; None takes it away."""
        self.progress.setVisible(text is not None)
        if text is not None:
            self.progress.set(done, total, text)

    def _tools(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.XS))
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self.tool_buttons: dict[str, IconButton] = {}
        for number, (tool, icon, tip) in enumerate(TOOLS):
            button = IconButton(icon, tip.partition(":")[0] if ":" in tip else "Move", checkable=True)
            button.setToolTip(tip)
            button.setChecked(number == 0)
            self._group.addButton(button, number)
            self.tool_buttons[tool] = button
            row.addWidget(button)
        row.addStretch(1)
        self.fit_button = IconButton("enlarge", "Show the whole map", self.scatter.fit)
        row.addWidget(self.scatter.said_label())
        row.addWidget(self.fit_button)
        row.addWidget(self.scatter.export_button())
        self._group.idToggled.connect(self._tool_chosen)
        return row

    def _tool_chosen(self, number: int, on: bool) -> None:
        if on:
            self.scatter.set_tool(TOOLS[number][0])
