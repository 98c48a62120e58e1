"""The tabs right of the table: alignment, spectra, confusion, attack, relearning, class damage, embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from app.pages.verify.class_tabs import ConfusionTab, DamageTab
from app.pages.verify.curves import ProfilePlot, RelearningTab, RocTab, SpectraTab
from app.pages.verify.embedding_tab import EmbeddingTab
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.labels import caption
from app.widgets.notices import EmptyState
from core.errors import AppError, StoppedError
from core.verify.table import NO_ALIGNMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.context import AppContext
    from app.pages.verify.presenter import ResultFacts
    from core.events import Tell
    from core.models.trust import Trust
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.feature_maps import Embeddings


_TIPS = {
    "Alignment": "How far the forget features lie inside the retain directions, for every number of directions",
    "Spectra": "Eigenvalues of the features before and after",
    "Confusion": "Which classes unseen forget images are taken for",
    "Attack": "How many forget images an attacker tells from unseen ones",
    "Relearn": "How soon each model learns the forgotten classes again",
    "Damage": "What the other classes lost",
    "Map": "The same images in each model's feature space",
}


GOAL = (
    "Higher: forget features lie more inside the retain space. The goal is the retrained value, not 1. A head-only "
    "edit has the original's features, so it has the original's curve."
)


class AlignmentTab(QStackedWidget):
    """The profile, or the reason why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.plot = ProfilePlot()
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, theme.px(t.S), 0, 0)
        column.addWidget(self.plot, 1)
        words = caption(GOAL, wrap=True)
        words.setMaximumWidth(16_777_215)
        column.addWidget(words)
        self.addWidget(holder)
        self.addWidget(EmptyState("verify", NO_ALIGNMENT))

    def set_report(self, report: dict[str, Any]) -> None:
        """Show a report."""
        models = report.get("models") or {}
        found = {key: (models.get(key) or {}).get("dimensional_alignment") for key in models}
        self.setCurrentIndex(0 if found.get("unlearned") else 1)
        self.plot.set_alignments(found)


class PlotsPanel(QTabWidget):
    """Hands a report to each tab; the pictures of feature spaces are made when first looked at."""

    full_asked = Signal()  # a plot needs the full checks

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDocumentMode(True)
        self.tabBar().setProperty("dense", True)  # seven of them fit beside the table
        for part in (self, self.tabBar()):
            part.setAccessibleName("Plots of the result")
        self.alignment = AlignmentTab()
        self.spectra = SpectraTab()
        self.confusion = ConfusionTab()
        self.attack = RocTab()
        self.relearning = RelearningTab()
        for attack in (self.attack, self.relearning):
            attack.full_asked.connect(self.full_asked)
        self.damage = DamageTab()
        self.embedding = EmbeddingTab()
        for title, tab in (
            ("Alignment", self.alignment), ("Spectra", self.spectra), ("Confusion", self.confusion),
            ("Attack", self.attack), ("Relearn", self.relearning), ("Damage", self.damage), ("Map", self.embedding),
        ):  # fmt: skip
            self.setTabToolTip(self.addTab(tab, title), _TIPS[title])
        self._pictures = Pictures(context, self.embedding, self)

    def set_facts(self, facts: ResultFacts) -> None:
        """Show a run's report."""
        self.set_report(facts)
        self._pictures.set_facts(facts)

    def set_report(self, facts: ResultFacts) -> None:
        """Show what can be drawn from the report alone."""
        self.alignment.set_report(facts.report)
        self.spectra.set_models(facts.report.get("models") or {})
        self.confusion.set_report(facts.report)
        self.attack.set_report(facts.report)
        self.relearning.set_report(facts.report)
        self.damage.set_report(facts.report)
        for plot in (
            self.alignment.plot, *self.spectra.panels.values(), self.attack.plot, self.relearning.plot
        ):  # fmt: skip
            plot.provenance = facts.folder.id
        for figure in (self.confusion, self.damage, self.embedding):
            figure.provenance = facts.folder.id


class Pictures(QObject):
    """Gets the pictures of a run in a worker, once for each report."""

    def __init__(self, context: AppContext, tab: EmbeddingTab, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context, self._tab = context, tab
        self._facts: ResultFacts | None = None
        self._made_for: tuple[Any, ...] = ()
        self._busy = False
        tab.wanted.connect(self._get)
        tab.retry.connect(self._get)

    def set_facts(self, facts: ResultFacts) -> None:
        """Another report: its pictures are made when they are looked at."""
        self._facts = facts
        if self._key() != self._made_for:
            self._context.device_jobs.cancel("verify-pictures")
            self._busy = False
            self._made_for = ()
            self._tab.set_embeddings(None)

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
            _pictures, facts.folder, self._context.project.bench, seed, self._context.trust.of(facts.job),
            key="verify-pictures",
        )  # fmt: skip
        job.progress.connect(self._tab.show_progress)
        job.done.connect(self._got)
        job.failed.connect(self._failed)
        self._tab.show_progress("Opening model and data", 0, 0)

    def _got(self, found: Embeddings) -> None:
        self._busy = False
        self._made_for = self._key()
        self._tab.set_embeddings(found)

    def _failed(self, error: BaseException) -> None:
        self._busy = False
        self._tab.show_problem(error.text if isinstance(error, AppError) else f"{type(error).__name__}: {error}")


def _pictures(
    folder: RunFolder, bench: Bench | None, seed: int | None, trust: Trust, progress: Tell,
    cancelled: Callable[[], bool],
) -> Embeddings:  # fmt: skip
    from core.runs.folder import MODEL
    from core.session.bench import Bench
    from core.session.feature_maps import embeddings
    from core.session.references import trained_references

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            raise StoppedError("The picture was not finished")
        progress(what, done, total)

    reference = trained_references(folder.job()).get(seed) if seed is not None else None
    retrained = reference.file(MODEL) if reference is not None else None
    return embeddings(folder, (bench or Bench()).trusting(trust).telling(tell), retrained=retrained)
