"""Earlier requests on the Forget page: what the opened model has forgotten already, and that it stays forgotten."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.opening import explain
from app.services.theme import theme
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.earlier_requests import Earlier
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel
    from core.selection import Selection

MOST_LINES = 3  # the newest; all of them are in the tool tip
STAYS = "{images} {were} forgotten already by this model. They stay forgotten and cannot be chosen again."
KEY = "earlier requests"


class EarlierCard(Card):
    """One line a request, oldest first; hidden where the model has forgotten nothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Earlier requests", parent, padding=t.S)
        self.words = Label("", "body", wrap=True)
        self.words.setMaximumWidth(16_777_215)
        self.body.addWidget(self.words)
        self.body.setSpacing(theme.px(t.XS))
        self._lines: list[ElidedLabel] = []
        self.hide()

    def lines(self) -> list[str]:
        """The requests shown."""
        return [line.text() for line in self._lines]

    def show_earlier(self, earlier: Earlier | None) -> None:
        """Show what was forgotten before; None or nothing hides the card."""
        for line in self._lines:
            self.body.removeWidget(line)
            line.deleteLater()
        self._lines = []
        requests = earlier.requests if earlier is not None else ()
        warning = earlier.warning if earlier is not None else ""
        self.setVisible(bool(requests or warning))
        if earlier is None:
            return
        were = "was" if earlier.count == 1 else "were"
        self.words.setText(STAYS.format(images=fmt.images(earlier.count), were=were) if requests else warning)
        told = [f"{number}. {one.text}{_day(one.when)}" for number, one in enumerate(requests, start=1)]
        before = len(told) - MOST_LINES
        short = [f"{fmt.count(before + 1)} before those below", *told[before + 1 :]] if before > 0 else told
        for text in short:
            line = ElidedLabel(text, "body", "text-2")
            self.body.addWidget(line)
            self._lines.append(line)
        self.setToolTip("\n".join(told))


class EarlierPresenter(QObject):
    """`changed` where the images that were forgotten before are others."""

    changed = Signal()

    def __init__(self, context: AppContext, card: EarlierCard, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._card = context, card
        self.found: Earlier | None = None
        context.project.model_changed.connect(self.refresh)
        context.project.dataset_changed.connect(self.refresh)

    @property
    def mask(self) -> np.ndarray | None:
        """Which training images were forgotten before: (n,) bool; None where none was."""
        dataset, found = self._context.project.dataset, self.found
        if found is None or not found.requests or dataset is None or len(found.mask) != len(dataset.train):
            return None
        return found.mask

    def without(self, selection: Selection) -> Selection:
        """Return a forget set without what was forgotten before."""
        mask = self.mask
        if mask is None or not bool((selection.mask & mask).any()):
            return selection
        return selection.with_samples(np.flatnonzero(selection.mask & mask), False)

    def joined(self, selection: Selection) -> Selection:
        """Return the forget set of all requests together."""
        mask = self.mask
        return selection if mask is None else selection.with_samples(np.flatnonzero(mask & ~selection.mask))

    def refresh(self) -> None:
        """The model or the data changed."""
        project = self._context.project
        self._take(None)
        self._context.jobs.cancel(KEY)
        if project.opened_model is not None and project.dataset is not None:
            handle = self._context.jobs.submit(read_earlier, project.opened_model, project.dataset, key=KEY)
            handle.done.connect(self._take)
            handle.failed.connect(self._failed)

    def _take(self, found: Earlier | None) -> None:
        before, self.found = self.mask, found
        self._context.project.forgotten_before = self.mask
        self._card.show_earlier(found)
        if before is not self.mask:
            self.changed.emit()

    def _failed(self, error: BaseException) -> None:
        self._context.notifications.caution("No later request can start from this model.", explain(error))


def read_earlier(model: OpenedModel, dataset: Dataset) -> Earlier:
    """Return what a model has forgotten before; runs in a worker."""
    from app.services.earlier_requests import earlier_requests

    return earlier_requests(model, dataset)


def _day(when: float | None) -> str:
    return f", on {datetime.datetime.fromtimestamp(when):%Y-%m-%d}" if when is not None else ""


def counts(mask: np.ndarray | None, dataset: Any) -> np.ndarray:
    """Return how many images of each class a mask holds: (K,) int."""
    many = dataset.num_classes if dataset is not None else 0
    if mask is None or dataset is None:
        return np.zeros(many, np.int64)
    return np.bincount(dataset.train.labels.numpy()[mask], minlength=many)
