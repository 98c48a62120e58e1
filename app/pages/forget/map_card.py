"""The map of the training images: principal components at once, t-SNE when it is ready, and tools to choose with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPixmap
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.plots.scatter import ScatterPlot, Tool
from app.services import format as fmt
from app.services import tokens as t
from app.services.opening import explain
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import IconButton, Segmented
from app.widgets.cards import Card
from app.widgets.notices import EmptyState, ProgressLine
from app.workers.thumbnails import Thumbnails

if TYPE_CHECKING:
    from app.context import AppContext
    from core.events import Tell
    from core.session.baseline import Baseline

PCA, TSNE = "pca", "tsne"
NOT_YET = mark("A map of the images appears here once the model was measured on them.")
NO_FEATURES = mark("The model's features hold values that are not finite, so there is no map.")
NO_MODEL = mark("Open the model to see how it arranges the images.")
TOOLS: tuple[tuple[Tool, str, str, str], ...] = (
    ("lasso", "lasso", mark("Lasso"), mark("Draw around images to take them, with Ctrl to take them out.")),
    ("rectangle", "rectangle", mark("Rectangle"), mark("Drag over images to take them, with Ctrl to take them out.")),
    ("pan", "point", mark("Pointer"), mark("Drag to move the map; a click marks an image or takes it out.")),
)
EVERY_TOOL = mark("The wheel zooms, a double click opens an image or shows the whole map.")
KEYS = mark(
    "Arrow keys go from image to image, Space marks one, Return opens it. + and - zoom, Ctrl and an arrow key move the "
    "map, 0 shows all of it. Ctrl+A takes the images in view, Ctrl+Shift+A takes them out."
)
KEY = "tsne"


class MapCard(Card):
    """A card around the map; `projection_chosen` carries "pca" or "tsne", `enlarged` whether it is to fill the page."""

    projection_chosen = Signal(str)
    enlarged = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Map"), parent, padding=t.S)
        self.scatter = ScatterPlot(tr("Map of the training images"), legend=True)
        self.scatter.legend.setToolTip(tr(KEYS))
        self.projection = Segmented([(PCA, "PCA"), (TSNE, "t-SNE")], tr("Projection"))
        self.projection.changed.connect(self.projection_chosen)
        self.add_action(self.projection)
        self.empty = EmptyState("point", tr(NOT_YET))
        self.progress = ProgressLine(tr("Progress of the map"))
        self.progress.hide()
        shown = QWidget()
        column = QVBoxLayout(shown)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.XS))
        column.addWidget(self.scatter, 1)
        column.addWidget(self.progress)
        column.addLayout(self._tools())
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(shown)
        self.body.addWidget(self.stack, 1)
        self.set_full(False)
        self.scatter.set_tool("lasso")

    def set_full(self, full: bool) -> None:
        """Show the map, or the text of what will be here."""
        self.stack.setCurrentIndex(1 if full else 0)
        self.projection.setVisible(full)
        if not full:
            self.enlarge_button.setChecked(False)

    def say(self, text: str) -> None:
        """Say why there is no map."""
        self.empty.set(text)

    def show_progress(self, text: str | None, done: int = 0, total: int = 0) -> None:
        """Say how far the map is; None takes it away."""
        self.progress.setVisible(text is not None)
        if text is not None:
            self.progress.set(done, total, text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.enlarge_button.isChecked():
            self.enlarge_button.setChecked(False)
        else:
            super().keyPressEvent(event)

    def _tools(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.XS))
        self._group = QButtonGroup(self)
        self.tool_buttons: dict[str, IconButton] = {}
        for number, (tool, icon, name, hint) in enumerate(TOOLS):
            button = IconButton(icon, tr(name), checkable=True)
            button.setToolTip(f"{tr(name)}: {tr(hint)} {tr(EVERY_TOOL)}")
            button.setChecked(number == 0)
            self._group.addButton(button, number)
            self.tool_buttons[tool] = button
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.scatter.said)
        self.fit_button = IconButton("reset", tr("Show the whole map"), self.scatter.fit)
        self.enlarge_button = IconButton("enlarge", tr("Enlarge the map"), checkable=True)
        self.enlarge_button.toggled.connect(self.enlarged)
        for widget in (self.fit_button, self.enlarge_button, self.scatter.export_button()):
            row.addWidget(widget)
        self._group.idToggled.connect(self._tool_chosen)
        return row

    def _tool_chosen(self, number: int, on: bool) -> None:
        if on:
            self.scatter.set_tool(TOOLS[number][0])


class MapPresenter(QObject):
    """Keeps the map on the measured features. `mark_wanted(images, how)`: positions of training images, and "toggle",
    "add", "remove" or "back", which undoes the click before; `inspect_wanted(image)`.
    """  # noqa: D205

    mark_wanted = Signal(object, str)
    inspect_wanted = Signal(int)

    def __init__(self, context: AppContext, card: MapCard, thumbnails: Thumbnails, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._card, self._thumbnails = context, card, thumbnails
        self._baseline: Baseline | None = None  # what was measured of the model that is drawn
        self._tsne: tuple[int, np.ndarray] | None = None  # how many images it was made of, and places of all (n, 2)
        self._shows = ""  # PCA, TSNE, or nothing
        card.projection_chosen.connect(self._projection_chosen)
        card.scatter.selection_drawn.connect(self._drawn)
        card.scatter.clicked.connect(self._clicked)
        card.scatter.activated.connect(self.inspect_wanted)
        card.scatter.set_thumbnail(self._thumbnail)
        thumbnails.ready.connect(self._thumbnails_came)

    def refresh(self) -> None:
        """Draw what was measured last, where that is not what is drawn."""
        project = self._context.project
        found = project.evaluation.get("baseline")
        if found is self._baseline and found is not None:
            return
        self._baseline, self._tsne, self._shows = found, None, ""
        self._context.jobs.cancel(KEY)
        self._card.show_progress(None)
        self._card.projection.set_value(PCA)
        self._card.set_full(self._has_map)
        if self._has_map:
            self._show_pca()
        elif found is not None:
            self._card.say(tr(NO_FEATURES))
        else:
            self._card.say(tr(NOT_YET) if project.ready else tr(NO_MODEL))

    @property
    def _has_map(self) -> bool:
        return self._baseline is not None and self._baseline.explained > 0

    @property
    def shown(self) -> bool:
        """Whether there is a map."""
        return bool(self._shows)

    def show_selection(self) -> None:
        """Mark the forget set."""
        selection = self._context.project.selection
        if selection is not None and self._shows:
            self._card.scatter.set_forget(selection.mask)

    def show_image(self, image: int) -> None:
        """Ring a training image on the map."""
        if self._shows:
            self._card.scatter.point_at(image)
            self._card.scatter.canvas.setFocus()

    def _show_pca(self) -> None:
        assert self._baseline is not None
        self._show(PCA, self._baseline.coordinates)
        share = fmt.percent(self._baseline.explained)
        self._card.scatter.set_caption(tr("Two principal components · {share} of the variance", share=share))

    def _show_tsne(self, made_of: int, places: np.ndarray) -> None:
        self._show(TSNE, places)
        said = tr("t-SNE of %n images", n=made_of)
        if made_of < len(places):
            said = tr("t-SNE of {some}; others beside their neighbours", some=fmt.count(made_of))
        self._card.scatter.set_caption(said)

    def _show(self, which: str, places: np.ndarray) -> None:
        dataset = self._context.project.dataset
        assert dataset is not None
        self._shows = which
        self._card.scatter.set_points(places, dataset.train.labels.numpy(), dataset.classes)
        self.show_selection()

    # -- t-SNE -----------------------------------------------------------------------------------------------------

    def _projection_chosen(self, which: str) -> None:
        dataset = self._context.project.dataset
        if not self._has_map or dataset is None or self._baseline is None:
            return
        if which == PCA:
            self._context.jobs.cancel(KEY)
            self._card.show_progress(None)
            if self._shows != PCA:
                self._show_pca()
        elif self._tsne is not None:
            self._show_tsne(*self._tsne)
        else:
            self._card.show_progress(tr("Arranging the map"), 0, 1)
            labels = dataset.train.labels.numpy()
            handle = self._context.jobs.submit(arrange, self._baseline.compact, labels, key=KEY)
            handle.progress.connect(self._card.show_progress)
            handle.done.connect(partial(self._arranged, self._baseline))
            handle.failed.connect(self._not_arranged)

    def _arranged(self, found: Baseline, result: tuple[int, np.ndarray]) -> None:
        if found is not self._baseline:
            return
        self._tsne = result
        self._card.show_progress(None)
        if self._card.projection.value() == TSNE:
            self._show_tsne(*result)

    def _not_arranged(self, error: BaseException) -> None:
        self._card.show_progress(None)
        self._card.projection.set_value(PCA)
        why = tr("The t-SNE map could not be made. {reason}", reason=explain(error))
        self._context.notifications.caution(why)

    # -- what the user does ----------------------------------------------------------------------------------------

    def _drawn(self, images: np.ndarray, how: str) -> None:
        # An outline adds: replacing would throw away what was chosen image by image.
        self.mark_wanted.emit(images, "remove" if how == "remove" else "add")

    def _clicked(self, image: int, how: str) -> None:
        self.mark_wanted.emit(np.array([image]), how if how == "back" else "toggle")

    def _thumbnail(self, image: int) -> QPixmap | None:
        return self._thumbnails.get(("train", image))

    def _thumbnails_came(self, _keys: object) -> None:
        self._card.scatter.refresh_thumbnail()


def arrange(compact: np.ndarray, labels: np.ndarray, progress: Tell) -> tuple[int, np.ndarray]:
    """Return how many images a t-SNE map was made of, and the places of all on it, (n, 2); runs in a worker."""
    from core.session.feature_maps import place_by_neighbours, tsne_map

    ids, places = tsne_map(compact, labels, progress=progress)
    return len(ids), place_by_neighbours(compact, ids, places)
