"""The map of the training images: principal components at once, t-SNE when it is ready, and tools to choose with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject

from app.plots.scatter import ScatterPlot, Tool
from app.services import format as fmt
from app.services import tokens as t
from app.services.opening import explain
from app.services.translation import mark, tr
from app.widgets.buttons import IconButton, Segmented
from app.widgets.cards import Card
from app.widgets.layout import STRETCH, column, row, stacked, widget_of
from app.widgets.notices import EmptyState, ProgressLine
from app.workers.thumbnails import Thumbnails

if TYPE_CHECKING:
    from app.context import AppContext
    from core.events import Tell
    from core.session.baseline import Baseline

PCA, TSNE = "pca", "tsne"
NOT_YET = mark("A map of the images appears here once the model was measured on them.")
TOOLS: tuple[tuple[Tool, str, str, str], ...] = (
    ("lasso", "lasso", mark("Lasso"), mark("Draw around images to take them, with Ctrl to take them out.")),
    ("rectangle", "rectangle", mark("Rectangle"), mark("Drag over images to take them, with Ctrl to take them out.")),
    ("pan", "point", mark("Pointer"), mark("Drag to move the map; a click marks an image or takes it out.")),
)
EVERY_TOOL = mark("The wheel zooms, a double click opens an image or shows the whole map.")
KEYS = mark("Arrow keys move the map, + and - zoom, 0 shows all of it. Ctrl+A takes the images in view.")
KEY = "tsne"


class MapCard(Card):
    """A card around the map, or what is said where there is none."""

    def __init__(self) -> None:
        super().__init__(tr("Map"), padding=t.S)
        self.scatter = ScatterPlot(tr("Map of the training images"), legend=True)
        self.scatter.legend.setToolTip(tr(KEYS))
        self.projection = Segmented([(PCA, "PCA"), (TSNE, "t-SNE")], tr("Projection"))
        self.add_action(self.projection)
        self.empty = EmptyState("point", tr(NOT_YET))
        self.progress = ProgressLine(tr("Progress of the map"))
        self.progress.hide()
        self.tool_buttons: dict[str, IconButton] = {}
        for tool, icon, name, hint in TOOLS:
            button = self.tool_buttons[tool] = IconButton(
                icon, tr(name), partial(self.scatter.set_tool, tool), checkable=True
            )
            button.setToolTip(f"{tr(name)}: {tr(hint)} {tr(EVERY_TOOL)}")
            button.setAutoExclusive(True)
        self.tool_buttons["lasso"].click()
        fit = IconButton("reset", tr("Show the whole map"), self.scatter.fit)
        self.enlarge_button = IconButton("enlarge", tr("Enlarge the map"), checkable=True)
        tools = row(*self.tool_buttons.values(), STRETCH, self.scatter.said, fit, self.enlarge_button,
                    self.scatter.export_button(), spacing=t.XS)  # fmt: skip
        self._map = widget_of(column((self.scatter, 1), self.progress, tools, spacing=t.XS))
        self.stack = stacked(self.empty, self._map)
        self.body.addWidget(self.stack, 1)
        self.say(tr(NOT_YET))

    def say(self, text: str) -> None:
        """Say why there is no map; an empty text shows it."""
        self.empty.set(text)
        self.stack.setCurrentWidget(self.empty if text else self._map)
        self.projection.setVisible(not text)
        if text:
            self.enlarge_button.setChecked(False)

    def show_progress(self, text: str, done: int = 0, total: int = 0) -> None:
        """Say how far the map is; an empty text takes it away."""
        self.progress.setVisible(bool(text))
        self.progress.set(done, total, text)


class MapPresenter(QObject):
    """Keeps the map on the measured features.

    `mark_images(images, how)` takes positions of training images, and "toggle", "add", "remove" or "back", which undoes
    the click before.
    """

    def __init__(
        self, context: AppContext, card: MapCard, thumbnails: Thumbnails,
        mark_images: Callable[[np.ndarray, str], None],
    ) -> None:  # fmt: skip
        super().__init__(card)
        self._context, self._card = context, card
        self._baseline: Baseline | None = None  # what was measured of the model that is drawn
        self._maps: dict[str, tuple[np.ndarray, str]] = {}  # those made of it: places of all images (n, 2), and words
        self.shown = ""  # PCA, TSNE, or nothing
        card.projection.changed.connect(self._show)
        scatter = card.scatter
        # An outline adds: replacing would throw away what was chosen image by image.
        scatter.selection_drawn.connect(lambda images, how: mark_images(images, "remove" if how == "remove" else "add"))
        scatter.clicked.connect(lambda image, how: mark_images(np.array([image]), how if how == "back" else "toggle"))
        scatter.thumbnail = lambda image: thumbnails.get(("train", image))
        thumbnails.ready.connect(scatter.refresh_thumbnail)

    def refresh(self) -> None:
        """Draw what was measured last, where that is not what is drawn."""
        project, card = self._context.project, self._card
        found = project.evaluation.get("baseline")
        if found is self._baseline and found is not None:
            return
        self._baseline, self._maps, self.shown = found, {}, ""
        card.projection.set_value(PCA)
        self._stop()
        if found is None:
            card.say(tr(NOT_YET) if project.ready else tr("Open the model to see how it arranges the images."))
        elif not found.explained > 0:
            card.say(tr("The model's features hold values that are not finite, so there is no map."))
        else:
            card.say("")
            said = tr("Two principal components · {share} of the variance", share=fmt.percent(found.explained))
            self._maps[PCA] = found.coordinates, said
            self._show(PCA)

    def show_selection(self) -> None:
        """Mark the forget set; a map that is not drawn yet does so when it is."""
        project, selection = self._context.project, self._context.project.selection
        if selection is not None and self.shown and self._baseline is project.evaluation.get("baseline"):
            self._card.scatter.set_forget(selection.mask)

    def show_image(self, image: int) -> None:
        """Ring a training image on the map."""
        if self.shown:
            self._card.scatter.point_at(image)
            self._card.scatter.canvas.setFocus()

    def _show(self, which: str) -> None:
        """Draw one of the two maps; t-SNE is made first, and until then the other one stays."""
        self._stop()
        dataset, found = self._context.project.dataset, self._baseline
        if dataset is None or found is None or which == self.shown:
            return
        labels = dataset.train.labels.numpy()
        if which not in self._maps:
            self._card.show_progress(tr("Arranging the map"), 0, 1)
            self._context.jobs.submit(arrange, found.compact, labels, key=KEY).then(
                partial(self._arranged, found), self._not_arranged, progress=self._card.show_progress
            )
            return
        places, said = self._maps[which]
        self.shown = which
        self._card.scatter.set_points(places, labels, dataset.classes)
        self._card.scatter.set_caption(said)
        self.show_selection()

    # -- t-SNE -----------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        self._context.jobs.cancel(KEY)
        self._card.show_progress("")

    def _arranged(self, found: Baseline, result: tuple[int, np.ndarray]) -> None:
        if found is self._baseline:
            made_of, places = result
            said = tr("t-SNE of %n images", n=made_of)
            if made_of < len(places):
                said = tr("t-SNE of {some}; others beside their neighbours", some=fmt.count(made_of))
            self._maps[TSNE] = places, said
            self._show(self._card.projection.value())

    def _not_arranged(self, error: BaseException) -> None:
        self._card.projection.set_value(PCA)
        why = tr("The t-SNE map could not be made. {reason}", reason=explain(error))
        self._context.notifications.caution(why)


def arrange(compact: np.ndarray, labels: np.ndarray, progress: Tell) -> tuple[int, np.ndarray]:
    """Return how many images a t-SNE map was made of, and the places of all on it, (n, 2); runs in a worker."""
    from core.session.feature_maps import place_by_neighbours, tsne_map

    ids, places = tsne_map(compact, labels, progress=progress)
    return len(ids), place_by_neighbours(compact, ids, places)
