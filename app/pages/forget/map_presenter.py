"""Keeps the map on the measured features: principal components at once, t-SNE when it is ready."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QPixmap

from app.pages.forget.map_panel import NOT_YET, PCA, TSNE, MapPanel
from app.services import format as fmt
from app.services.opening import explain
from app.workers.thumbnails import Thumbnails
from core.errors import StoppedError

if TYPE_CHECKING:
    from app.context import AppContext
    from core.session.baseline import Baseline

NO_FEATURES = "The model's features hold values that are not finite, so there is no map."
NO_MODEL = "Open the model to see how it arranges the images."


class MapPresenter(QObject):
    """`mark_wanted(images, how)`: positions of training images, and "toggle", "add" or "remove"."""

    mark_wanted = Signal(object, str)

    def __init__(self, context: AppContext, panel: MapPanel, thumbnails: Thumbnails, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._panel, self._thumbnails = context, panel, thumbnails
        self._baseline: Baseline | None = None  # the one that is drawn
        self._ids: np.ndarray | None = None  # of the points drawn; None: all training images in their order
        self._tsne: tuple[np.ndarray, np.ndarray] | None = None
        panel.projection_chosen.connect(self._projection_chosen)
        panel.scatter.selection_drawn.connect(self._drawn)
        panel.scatter.clicked.connect(self._clicked)
        panel.scatter.set_thumbnail(self._thumbnail)
        thumbnails.ready.connect(self._thumbnails_came)

    def refresh(self) -> None:
        """Draw what was measured last, where that is not what is drawn."""
        project = self._context.project
        found = project.evaluation.get("baseline")
        if found is self._baseline and found is not None:
            return
        self._baseline, self._tsne = found, None
        self._context.jobs.cancel("tsne")
        self._panel.show_progress(None)
        self._panel.projection.set_value(PCA)
        self._panel.set_full(found is not None and found.explained > 0)
        if found is not None and found.explained > 0:
            self._show_pca(found)
        elif found is not None:
            self._panel.say(NO_FEATURES)
        else:
            self._panel.say(NOT_YET if project.ready else NO_MODEL)

    def show_selection(self) -> None:
        """Mark the forget set."""
        selection = self._context.project.selection
        if selection is None or self._baseline is None or self._baseline.explained <= 0:
            return
        mask = selection.mask if self._ids is None else selection.mask[self._ids]
        self._panel.scatter.set_forget(mask)

    def _show_pca(self, found: Baseline) -> None:
        self._show(None, found.coordinates)
        share = fmt.percent(found.explained)
        self._panel.scatter.set_caption(f"Two principal components · {share} of the variance")

    def _show_tsne(self, ids: np.ndarray, places: np.ndarray) -> None:
        self._show(ids, places)
        total = len(self._labels())
        whole = f"{fmt.images(total)}" if len(ids) == total else f"{fmt.count(len(ids))} of {fmt.images(total)}"
        self._panel.scatter.set_caption(f"t-SNE of {whole}")

    def _show(self, ids: np.ndarray | None, places: np.ndarray) -> None:
        dataset = self._context.project.dataset
        assert dataset is not None
        self._ids = ids
        labels = self._labels()
        self._panel.scatter.set_points(places, labels if ids is None else labels[ids], dataset.classes)
        self.show_selection()

    def _labels(self) -> np.ndarray:
        dataset = self._context.project.dataset
        assert dataset is not None
        labels: np.ndarray = dataset.train.labels.numpy()
        return labels

    # -- t-SNE -----------------------------------------------------------------------------------------------------

    def _projection_chosen(self, which: str) -> None:
        found = self._baseline
        if found is None or found.explained <= 0:
            return
        if which == PCA:
            self._context.jobs.cancel("tsne")
            self._panel.show_progress(None)
            if self._ids is not None:
                self._show_pca(found)
        elif self._tsne is not None:
            self._show_tsne(*self._tsne)
        else:
            self._panel.show_progress("Arranging the map", 0, 1)
            handle = self._context.jobs.submit(arrange, found.compact, self._labels(), key="tsne")
            handle.progress.connect(self._panel.show_progress)
            handle.done.connect(partial(self._arranged, found))
            handle.failed.connect(self._not_arranged)

    def _arranged(self, found: Baseline, result: tuple[np.ndarray, np.ndarray]) -> None:
        if found is not self._baseline:
            return
        self._tsne = result
        self._panel.show_progress(None)
        if self._panel.projection.value() == TSNE:
            self._show_tsne(*result)

    def _not_arranged(self, error: BaseException) -> None:
        self._panel.show_progress(None)
        self._panel.projection.set_value(PCA)
        self._context.notifications.caution(f"The t-SNE map could not be made. {explain(error)}")

    # -- what the user does ----------------------------------------------------------------------------------------

    def _drawn(self, points: np.ndarray, how: str) -> None:
        # An outline adds: replacing would throw away what was chosen image by image.
        self.mark_wanted.emit(self._images(points), "remove" if how == "remove" else "add")

    def _clicked(self, point: int, _how: str) -> None:
        self.mark_wanted.emit(self._images(np.array([point])), "toggle")

    def _images(self, points: np.ndarray) -> np.ndarray:
        return points if self._ids is None else self._ids[points]

    def _thumbnail(self, point: int) -> QPixmap | None:
        image = point if self._ids is None else int(self._ids[point])
        return self._thumbnails.get(("train", image))

    def _thumbnails_came(self, _keys: object) -> None:
        self._panel.scatter.refresh_thumbnail()


def arrange(compact: Any, labels: Any, progress: Any, cancelled: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and places of a t-SNE map; runs in a worker. Raises StoppedError where it is not wanted any more."""
    from core.session.feature_maps import tsne_map

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            raise StoppedError("The map is not wanted any more")
        progress(what, done, total)

    return tsne_map(compact, labels, progress=tell)
