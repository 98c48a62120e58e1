"""The tabs right of the table: alignment, spectra, confusion, attacks, single images, class damage, feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from app.pages.verify.class_tabs import ConfusionTab, DamageTab
from app.pages.verify.curves import ProfilePlot, RelearningTab, RocTab, SpectraTab
from app.pages.verify.embedding_tab import EmbeddingTab
from app.pages.verify.images_tab import ImagesTab
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.labels import caption
from app.widgets.notices import EmptyState
from core.verify.table import NO_ALIGNMENT

if TYPE_CHECKING:

    pass


_TIPS = {
    "Alignment": "How far the forget features lie inside the retain directions, for every number of directions",
    "Spectra": "Eigenvalues of the features before and after",
    "Confusion": "Which classes unseen forget images are taken for",
    "Attack": "How many forget images an attacker tells from unseen ones",
    "Relearn": "How soon each model learns the forgotten classes again",
    "Images": "What each model makes of the images that were forgotten",
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
    """Hands a report to each tab; what needs the models is made when it is first looked at (`Pictures`)."""

    full_asked = Signal()  # a plot needs the full checks

    def __init__(self, parent: QWidget | None = None) -> None:
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
        self.images = ImagesTab()
        for title, tab in (
            ("Alignment", self.alignment), ("Spectra", self.spectra), ("Confusion", self.confusion),
            ("Attack", self.attack), ("Images", self.images), ("Relearn", self.relearning), ("Damage", self.damage),
            ("Map", self.embedding),
        ):  # fmt: skip
            self.setTabToolTip(self.addTab(tab, title), _TIPS[title])
        self._single_images: bool | None = None

    def set_report(self, report: dict[str, Any], run: str, single_images: bool) -> None:
        """Show what can be drawn from a report alone; of single images only what says something of them."""
        self.alignment.set_report(report)
        self.spectra.set_models(report.get("models") or {})
        for tab in (self.confusion, self.attack, self.relearning, self.damage):
            tab.set_report(report)
        for plot in (
            self.alignment.plot, *self.spectra.panels.values(), self.attack.plot, self.relearning.plot,
            self.images.plot,
        ):  # fmt: skip
            plot.provenance = run
        for figure in (self.confusion, self.damage, self.embedding):
            figure.provenance = run
        if single_images != self._single_images:
            self._single_images = single_images
            for place in range(self.count()):
                self.setTabVisible(place, self.widget(place) not in self._of(not single_images))
            self.tabBar().moveTab(self.indexOf(self.attack), 0 if single_images else 3)
            self.setCurrentWidget(self.attack if single_images else self.alignment)

    def _of(self, single_images: bool) -> tuple[QWidget, ...]:
        """The tabs that say something of single images alone, or of whole classes alone."""
        return (self.images,) if single_images else (self.alignment, self.confusion, self.relearning)
