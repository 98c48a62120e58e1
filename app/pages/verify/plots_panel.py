"""The tabs right of the table, each made when it is first looked at, and what of them needs the run's models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QTabWidget, QWidget

from app.plots.export import Figure
from app.widgets.layout import column
from core.errors import AppError, StoppedError

if TYPE_CHECKING:
    from app.context import AppContext
    from app.pages.verify.checks import ResultFacts
    from core.events import Tell
    from core.models.trust import Trust
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.feature_maps import Embeddings
    from core.session.single_images import SingleImages


@dataclass(frozen=True)
class Tab:
    """One tab: the module and class it is made from, its tool tip, and whether it speaks of classes or images alone."""

    module: str
    kind: str
    tip: str
    only: str = ""  # "classes", "images", or "" for both


TABS = {
    "Alignment": Tab("curves", "AlignmentTab", "How far the forget features lie inside the retain directions, for "
                     "every number of directions", "classes"),
    "Spectra": Tab("curves", "SpectraTab", "Eigenvalues of the features before and after"),
    "Confusion": Tab("class_tabs", "ConfusionTab", "Which classes unseen forget images are taken for", "classes"),
    "Attack": Tab("curves", "RocTab", "How many forget images an attacker tells from unseen ones"),
    "Images": Tab("image_tabs", "ImagesTab", "What each model makes of the images that were forgotten", "images"),
    "Relearn": Tab("curves", "RelearningTab", "How soon each model learns the forgotten classes again", "classes"),
    "Damage": Tab("class_tabs", "DamageTab", "What the other classes lost"),
    "Map": Tab("image_tabs", "EmbeddingTab", "The same images in each model's feature space"),
}  # fmt: skip
FIRST = {"classes": "Alignment", "images": "Attack"}  # the tab that is shown first


class PlotsPanel(QTabWidget):
    """Hands a report to each tab there is; a tab that was never looked at costs nothing."""

    full_asked = Signal()  # a plot needs the full checks
    looks_wanted = Signal()  # a tab shows what the run's models make of the images, and has nothing of it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDocumentMode(True)
        self.tabBar().setProperty("dense", True)  # seven of them fit beside the table
        for part in (self, self.tabBar()):
            part.setAccessibleName("Plots of the result")
        self._made: dict[str, Any] = {}
        self._holders = {title: QWidget() for title in TABS}
        self._layouts = {title: column(on=holder) for title, holder in self._holders.items()}
        for title, holder in self._holders.items():
            self.setTabToolTip(self.addTab(holder, title), TABS[title].tip)
        self._report: dict[str, Any] = {}
        self._run, self._about = "", ""
        self._looks: Looks | None = None
        self.currentChanged.connect(self._make_current)

    def tab(self, title: str) -> Any:
        """The tab of a title, made where it was not looked at yet."""
        if title not in self._made:
            from importlib import import_module

            made = getattr(import_module(f"app.pages.verify.{TABS[title].module}"), TABS[title].kind)()
            self._made[title] = made
            self._layouts[title].addWidget(made)
            if hasattr(made, "full_asked"):
                made.full_asked.connect(self.full_asked)
            if hasattr(made, "wanted"):
                made.set_looks(self._looks)
                made.wanted.connect(self.looks_wanted)
            self._show(title)
        return self._made[title]

    def choose(self, title: str) -> None:
        """Bring a tab to the front."""
        self.setCurrentWidget(self._holders[title])

    def set_report(self, report: dict[str, Any], run: str, single_images: bool) -> None:
        """Show what can be drawn from a report alone; of single images only what says something of them."""
        self._report, self._run = report, run
        for title in self._made:
            self._show(title)
        about = "images" if single_images else "classes"
        if about != self._about:
            self._about = about
            for title, tab in TABS.items():
                self.setTabVisible(self.indexOf(self._holders[title]), tab.only in ("", about))
            place = 0 if single_images else list(TABS).index("Attack")
            self.tabBar().moveTab(self.indexOf(self._holders["Attack"]), place)
            self.choose(FIRST[about])

    def each_with_looks(self) -> list[Any]:
        """The tabs there are that show what the run's models make of the images."""
        return [tab for tab in self._made.values() if hasattr(tab, "wanted")]

    def set_looks(self, looks: Looks | None) -> None:
        """Show what the run's models make of the images; None: that is not known yet."""
        self._looks = looks
        for tab in self.each_with_looks():
            tab.set_looks(looks)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._make_current()

    def _make_current(self, *_: object) -> None:
        current = next((title for title, holder in self._holders.items() if holder is self.currentWidget()), None)
        if current is not None and self.isVisible():
            self.tab(current)

    def _show(self, title: str) -> None:
        tab = self._made[title]
        if self._report and hasattr(tab, "set_report"):
            tab.set_report(self._report)
        for figure in [tab, *tab.findChildren(Figure)]:
            figure.provenance = self._run


@dataclass(frozen=True)
class Looks:
    """What the models of a run make of its images: pictures of their features, and the single images one by one."""

    embeddings: Embeddings
    images: SingleImages | None  # None: whole classes were forgotten


class Pictures(QObject):
    """Gets what needs a run's models in a worker, once for each report."""

    def __init__(self, context: AppContext, panel: PlotsPanel, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._panel = context, panel
        self._facts: ResultFacts | None = None
        self._made_for: tuple[Any, ...] = ()
        self._busy = False
        panel.looks_wanted.connect(self._get)

    def set_facts(self, facts: ResultFacts) -> None:
        """Another report: its pictures are made when they are looked at."""
        self._facts = facts
        if self._key() != self._made_for:
            self._context.device_jobs.cancel("verify-pictures")
            self._busy = False
            self._made_for = ()
            self._panel.set_looks(None)

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
        job.progress.connect(self._show_progress)
        self._show_progress("Opening model and data", 0, 0)
        job.done.connect(self._got)
        job.failed.connect(self._failed)

    def _show_progress(self, what: str, done: int, total: int) -> None:
        for tab in self._panel.each_with_looks():
            tab.show_progress(what, done, total)

    def _got(self, found: Looks) -> None:
        self._busy = False
        self._made_for = self._key()
        self._panel.set_looks(found)

    def _failed(self, error: BaseException) -> None:
        self._busy = False
        for tab in self._panel.each_with_looks():
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
