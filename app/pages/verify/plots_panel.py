"""The tabs right of the table, each made when it is first looked at, and what of them needs the run's models."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QStackedWidget, QTabWidget

from app.plots.export import Figure
from app.services import tokens as t
from app.services.translation import mark, tr
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, Part, column, widget_of
from app.widgets.notices import EmptyState, ProgressLine
from core.errors import AppError
from core.verify.table import model_measures

if TYPE_CHECKING:
    from app.context import AppContext
    from app.pages.verify.checks import ResultFacts
    from core.events import Tell
    from core.models.trust import Trust
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.feature_maps import Embeddings
    from core.session.single_images import SingleImages


QUICK_ONLY = mark("Needs full checks.")
SAME_CURVE = mark("A head-only edit has the original's features, so it has the original's curve.")
CURVES = ("original", "unlearned", "retrained")  # a head-only edit has the original's features, bit for bit
CONTENT, MISSING, WAITING = range(3)


class Tab(QStackedWidget):
    """Shows CONTENT with its words, or what is MISSING."""

    full_asked = Signal()  # the full checks would get it

    def __init__(self, *parts: Part, words: str = "", missing: str = "") -> None:
        super().__init__()
        self.words, self.empty = caption(words, wide=True), EmptyState("verify", missing)
        self.addWidget(widget_of(column(*parts, self.words, margins=(0, t.S, 0, 0), spacing=t.XS)))
        self.addWidget(self.empty)

    def show_content(self, words: str) -> None:
        """Show what there is, and what must be said of it."""
        self.words.say(words)
        self.setCurrentIndex(CONTENT)

    def show_missing(self, sentence: str, button: str = "", act: Callable[[], object] | None = None) -> None:
        """Say why there is nothing, with a button for what can be done about it."""
        self.empty.set(sentence, button, act)
        self.setCurrentIndex(MISSING)


class LooksTab(Tab):
    """What the run's models make of its images: asked for when it is looked at, as a worker takes a while for it."""

    wanted = Signal()

    def __init__(self, *parts: Part, words: str) -> None:
        super().__init__(*parts, words=words)
        waiting = tr("The pictures need what each model says of the images.")
        self.progress, text = ProgressLine(waiting), Label(waiting, "body", "text-2")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.addWidget(widget_of(column(STRETCH, text, self.progress, STRETCH)))
        self.setCurrentIndex(WAITING)

    def set_looks(self, embeddings: Embeddings | None, images: SingleImages | None) -> None:
        """Show them; None: they are not there yet. `images` are of single ones that were forgotten."""
        if embeddings is not None:
            self.show_looks(embeddings, images)
            self.setCurrentIndex(CONTENT)
            return
        self.show_progress("", 0, 0)
        if self.isVisible():
            self.wanted.emit()

    def show_looks(self, embeddings: Embeddings, images: SingleImages | None) -> None:
        """Show what is there now; for subclasses."""
        raise NotImplementedError

    def show_progress(self, what: str, done: int, total: int) -> None:
        """Show how far they are."""
        self.progress.set(done, total, what)
        self.setCurrentIndex(WAITING)

    def show_problem(self, sentence: str) -> None:
        """Say why there are none."""
        reason = tr("The pictures could not be made: {reason}", reason=sentence)
        self.show_missing(reason, tr("Try again"), self.wanted.emit)

    def showEvent(self, event: QShowEvent) -> None:
        if self.currentIndex() == WAITING:
            self.wanted.emit()


class TabSpec(NamedTuple):
    """One tab: the module and class it is made from, its tool tip, and the reports that it speaks of.

    A report is about "classes", single "images" or, of an encoder, "features" of classes alone.
    """

    module: str
    kind: str
    tip: str
    about: frozenset[str] = frozenset(("classes", "images", "features"))


ANSWERS = frozenset(("classes", "images"))
TABS = {  # in their order; of single images the attack comes first
    mark("Alignment"): TabSpec("curves", "AlignmentTab", mark(
        "How far the forget features lie inside the retain directions, for every number of directions"),
        frozenset(("classes", "features"))),
    mark("Attack"): TabSpec("curves", "RocTab", mark(
        "How many forget images an attacker tells from unseen ones"), ANSWERS),
    mark("Spectra"): TabSpec("curves", "SpectraTab", mark("Eigenvalues of the features before and after")),
    mark("Confusion"): TabSpec("class_tabs", "ConfusionTab", mark(
        "Which classes the model takes unseen forget images for"), frozenset(("classes",))),
    mark("Images"): TabSpec("image_tabs", "ImagesTab", mark(
        "What each model makes of the images that were forgotten"), frozenset(("images",))),
    mark("Relearn"): TabSpec("curves", "RelearningTab", mark(
        "How soon each model learns the forgotten classes again"), frozenset(("classes",))),
    mark("Damage"): TabSpec("class_tabs", "DamageTab", mark("What the other classes lost"), ANSWERS),
    mark("Map"): TabSpec("image_tabs", "EmbeddingTab", mark("The same images in each model's feature space")),
}  # fmt: skip
FIRST = {"classes": "Alignment", "features": "Alignment", "images": "Attack"}  # the tab that is shown first
Looks = tuple["Embeddings | None", "SingleImages | None"]  # images: None where whole classes were forgotten


class PlotsPanel(QTabWidget):
    """Hands a report to each tab there is; a tab that was never looked at costs nothing."""

    full_asked = Signal()  # a plot needs the full checks
    looks_wanted = Signal()  # a tab shows what the run's models make of the images, and has nothing of it

    def __init__(self) -> None:
        super().__init__()
        self.setDocumentMode(True)
        self.tabBar().setProperty("dense", True)  # seven of them fit beside the table
        for part in (self, self.tabBar()):
            part.setAccessibleName(tr("Plots of the result"))
        self._made: dict[str, Any] = {}
        for title, tab in TABS.items():
            self.setTabToolTip(self.addTab(QStackedWidget(), tr(title)), tr(tab.tip))
        self._stale = set(TABS)  # those that do not show the report yet
        self._report: dict[str, Any] = {}
        self._run, self._about = "", ""
        self._looks: Looks = (None, None)
        self.currentChanged.connect(self._make_current)

    def tab(self, title: str) -> Any:
        """The tab of a title with the report, made where it was not looked at yet."""
        made = self._made.get(title)
        if made is None:
            made = getattr(import_module(f"{__package__}.{TABS[title].module}"), TABS[title].kind)()
            self._made[title] = made
            made.full_asked.connect(self.full_asked)
            if isinstance(made, LooksTab):
                made.wanted.connect(self.looks_wanted)
                made.set_looks(*self._looks)
            self._holder(title).addWidget(made)
        if title in self._stale and self._report:
            self._stale.discard(title)
            if not isinstance(made, LooksTab):
                made.set_report(self._report)
            for figure in made.findChildren(Figure):
                figure.provenance = self._run
        return made

    def choose(self, title: str) -> None:
        """Bring a tab to the front."""
        self.setCurrentWidget(self._holder(title))

    def set_report(self, report: dict[str, Any], run: str, about: str) -> None:
        """Show what can be drawn from a report alone, in the tabs that say something of what it is about."""
        self._report, self._run, self._stale = report, run, set(TABS)
        if about != self._about:
            self._about = about
            for place, tab in enumerate(TABS.values()):
                self.setTabVisible(place, about in tab.about)
            attacks = model_measures(report, "unlearned").get("membership") or {}
            too_few = about == "images" and (attacks.get("population") or {}).get("reason")
            self.choose("Images" if too_few else FIRST[about])
        self._make_current()

    def looks_tabs(self) -> list[LooksTab]:
        """The tabs there are that show what the run's models make of the images."""
        return [tab for tab in self._made.values() if isinstance(tab, LooksTab)]

    def set_looks(self, looks: Looks) -> None:
        """Show what the run's models make of the images, as far as it is known."""
        self._looks = looks
        for tab in self.looks_tabs():
            tab.set_looks(*looks)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._make_current()

    def _make_current(self, *_: object) -> None:
        if self.isVisible():
            self.tab(list(TABS)[self.currentIndex()])

    def _holder(self, title: str) -> QStackedWidget:
        holder = self.widget(list(TABS).index(title))
        assert isinstance(holder, QStackedWidget)
        return holder


class Pictures(QObject):
    """Gets what needs a run's models in a worker, once for each report."""

    def __init__(self, context: AppContext, panel: PlotsPanel, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._panel = context, panel
        self._facts: ResultFacts | None = None
        self._report: tuple[Any, ...] = ()  # which one it is
        self._asked = False
        panel.looks_wanted.connect(self._get)

    def set_facts(self, facts: ResultFacts) -> None:
        """Another report: its pictures are made when they are looked at."""
        self._facts, before = facts, self._report
        self._report = (facts.folder.path, facts.report.get("created"), facts.seeds)
        if self._report != before:
            self._context.device_jobs.cancel("verify-pictures")
            self._asked = False
            self._panel.set_looks((None, None))

    def _get(self) -> None:
        facts = self._facts
        if facts is None or self._asked:
            return
        self._asked = True
        job = self._context.device_jobs.submit(
            _looks, facts.folder, self._context.project.bench, next(iter(facts.seeds), None),
            self._context.trust.of(facts.job), facts.single_images, key="verify-pictures",
        )  # fmt: skip
        job.then(self._panel.set_looks, self._failed, self._show_progress)
        self._show_progress(tr("Opening model and data"), 0, 0)

    def _show_progress(self, what: str, done: int, total: int) -> None:
        for tab in self._panel.looks_tabs():
            tab.show_progress(what, done, total)

    def _failed(self, error: BaseException) -> None:
        self._asked = False
        for tab in self._panel.looks_tabs():
            tab.show_problem(error.text if isinstance(error, AppError) else f"{type(error).__name__}: {error}")


def _looks(
    folder: RunFolder, bench: Bench | None, seed: int | None, trust: Trust, single: bool, progress: Tell
) -> Looks:
    from core.runs.folder import MODEL
    from core.session.bench import Bench
    from core.session.feature_maps import embeddings
    from core.session.references import trained_references
    from core.session.single_images import single_images

    reference = trained_references(folder.job()).get(seed) if seed is not None else None
    retrained = reference.file(MODEL) if reference is not None else None
    own = (bench or Bench()).trusting(trust).telling(progress)
    maps = embeddings(folder, own, retrained=retrained)
    return maps, single_images(folder, own, retrained=retrained) if single else None
