"""Single images that were forgotten: their losses beside those of unseen images, and what each model makes of them.

The pictures of feature spaces and this list need the run's models: a worker makes both when one is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QHeaderView, QStackedWidget, QTableView, QWidget

from app.models.tables import TextTableModel
from app.plots.alignment import HistogramPlot
from app.services import format as fmt
from app.services import tokens as t
from app.services.tokens import model_style
from app.services.translation import tr
from app.widgets.buttons import Segmented
from app.widgets.labels import caption
from app.widgets.layout import STRETCH, column, widget_of
from app.widgets.notices import EmptyState, ProgressLine
from app.widgets.table import set_up_table
from core.errors import AppError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QShowEvent

    from app.context import AppContext
    from app.pages.verify.checks import ResultFacts
    from app.pages.verify.embedding_tab import EmbeddingTab
    from core.events import Tell
    from core.models.trust import Trust
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.feature_maps import Embeddings
    from core.session.single_images import SingleImages

MODELS_SHOWN = ("original", "unlearned", "retrained")
_LEAST_LOSS = 1e-6  # of a logarithmic axis: below, a model is certain


class ImagesTab(QStackedWidget):
    """Losses of one model at a time on a logarithmic axis, and below them a row an image."""

    wanted = Signal()  # it is looked at and there is nothing to show yet

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.progress = ProgressLine("Images that were forgotten")
        self.plot = HistogramPlot()
        self.plot.set_title(tr("Loss"))
        self.switch = Segmented([(key, model_style(key).title) for key in MODELS_SHOWN], tr("Model"))
        self.switch.changed.connect(self._show_losses)
        self.plot.add_head_widget(self.switch)
        self.model = TextTableModel(self)
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setAccessibleName(tr("Images that were forgotten, before and after"))
        set_up_table(self.view)
        words = caption(
            tr("Each model's answer and the probability it gives the image's own class. What a retrained model says, "
               "it says without having seen the image."), wrap=True,
        )  # fmt: skip
        self.empty = EmptyState("verify", "", tr("Try again"), self.wanted.emit)
        self.addWidget(widget_of(column(STRETCH, self.progress, STRETCH)))
        self.addWidget(widget_of(column((self.plot, 1), (self.view, 1), words, margins=(0, t.S, 0, 0))))
        self.addWidget(self.empty)
        self._found: SingleImages | None = None

    def set_images(self, found: SingleImages | None) -> None:
        """Show what the models make of the images; None: that is not known yet."""
        self._found = found
        if found is None:
            self.progress.set(0, 0, "")
            self.setCurrentIndex(0)
            if self.isVisible():
                self.wanted.emit()
            return
        shown = [key for key in MODELS_SHOWN if key in found.losses]
        for key in MODELS_SHOWN:
            self.switch.set_enabled(key, key in shown, "" if key in shown else tr("No retrained model yet."))
        self.switch.set_value("unlearned")
        self._show_losses("unlearned")
        header = [tr("Image"), tr("Class"), *(model_style(key).title for key in shown)]
        rows = [
            [found.names[n] or fmt.count(int(found.ids[n])), found.labels[n], *(
                f"{found.called[key][n]}, {fmt.percent(float(found.confidence[key][n]))}" for key in shown
            )]
            for n in range(len(found.ids))
        ]  # fmt: skip
        self.model.set_table(header, rows)
        head = self.view.horizontalHeader()
        for place in range(len(header)):
            head.setSectionResizeMode(place, QHeaderView.ResizeMode.Stretch)
        self.setCurrentIndex(1)

    def show_progress(self, what: str, done: int, total: int) -> None:
        """Show how far it is."""
        self.setCurrentIndex(0)
        self.progress.set(done, total, what)

    def show_problem(self, sentence: str) -> None:
        """Say why there is nothing."""
        self.empty.set(sentence, tr("Try again"), self.wanted.emit)
        self.setCurrentIndex(2)

    def showEvent(self, event: QShowEvent) -> None:
        if self._found is None and self.currentIndex() == 0:
            self.wanted.emit()

    def _show_losses(self, model: str) -> None:
        if self._found is not None and model in self._found.losses:
            forget, unseen = self._found.losses[model], self._found.unseen_losses[model]
            self.plot.set_losses(*(np.log10(losses + _LEAST_LOSS).tolist() for losses in (forget, unseen)))
            overlap = self.plot.overlap()
            share = "" if overlap is None else fmt.percent(overlap)
            self.plot.set_caption(
                tr("Logarithm to base 10 · the two overlap by {share}", share=share)
            )  # fmt: skip


@dataclass(frozen=True)
class Looks:
    """What the models of a run make of its images: pictures of their features, and the single images one by one."""

    embeddings: Embeddings
    images: SingleImages | None  # None: whole classes were forgotten


class Pictures(QObject):
    """Gets what needs a run's models in a worker, once for each report."""

    def __init__(self, context: AppContext, maps: EmbeddingTab, images: ImagesTab, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._tabs = context, (maps, images)
        self._facts: ResultFacts | None = None
        self._made_for: tuple[Any, ...] = ()
        self._busy = False
        for tab in self._tabs:
            tab.wanted.connect(self._get)

    def set_facts(self, facts: ResultFacts) -> None:
        """Another report: its pictures are made when they are looked at."""
        self._facts = facts
        if self._key() != self._made_for:
            self._context.device_jobs.cancel("verify-pictures")
            self._busy = False
            self._made_for = ()
            self._show(None)

    def _key(self) -> tuple[Any, ...]:
        facts = self._facts
        return (facts.folder.path, facts.report.get("created"), facts.seeds) if facts is not None else ()

    def _get(self) -> None:
        facts = self._facts
        if facts is None or self._busy:
            return
        self._busy = True
        seed = facts.seeds[0] if facts.seeds else None
        job = self._context.device_jobs.submit(
            _looks, facts.folder, self._context.project.bench, seed, self._context.trust.of(facts.job),
            facts.single_images, key="verify-pictures",
        )  # fmt: skip
        for tab in self._tabs:
            job.progress.connect(tab.show_progress)
            tab.show_progress("Opening model and data", 0, 0)
        job.done.connect(self._got)
        job.failed.connect(self._failed)

    def _got(self, found: Looks) -> None:
        self._busy = False
        self._made_for = self._key()
        self._show(found)

    def _show(self, found: Looks | None) -> None:
        maps, images = self._tabs
        maps.set_embeddings(found.embeddings if found is not None else None)
        images.set_images(found.images if found is not None else None)

    def _failed(self, error: BaseException) -> None:
        self._busy = False
        for tab in self._tabs:
            tab.show_problem(error.text if isinstance(error, AppError) else f"{type(error).__name__}: {error}")


def _looks(
    folder: RunFolder, bench: Bench | None, seed: int | None, trust: Trust, single: bool, progress: Tell,
    cancelled: Callable[[], bool],
) -> Looks:  # fmt: skip
    from core.runs.folder import MODEL
    from core.session.bench import Bench
    from core.session.feature_maps import embeddings
    from core.session.references import trained_references
    from core.session.single_images import single_images

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            raise StoppedError("The picture was not finished")
        progress(what, done, total)

    reference = trained_references(folder.job()).get(seed) if seed is not None else None
    retrained = reference.file(MODEL) if reference is not None else None
    own = (bench or Bench()).trusting(trust).telling(tell)
    maps = embeddings(folder, own, retrained=retrained)
    return Looks(maps, single_images(folder, own, retrained=retrained) if single else None)
