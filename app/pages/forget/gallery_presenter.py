"""Fills the gallery as its filters and order say; what they need of all images is found in a worker."""

from __future__ import annotations

from functools import partial
from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, QTimer

from app.models.gallery import AT_ONCE, NEEDS_FORGET, SUSPECTED, GalleryModel, Images, Wanted
from app.pages.forget.gallery import GalleryPanel
from app.pages.forget.tools import ToolRow
from app.services import format as fmt
from app.services.translation import mark, tr
from app.workers.jobs import Jobs

if TYPE_CHECKING:
    from app.services.shell import Services
    from core.events import Tell
    from core.session.bench import Bench
    from core.session.suspects import Suspects

ARRANGING = mark("Arranging…")
PAUSE_MS = 400  # after the last change of the forget set: while it is chosen, an order around it stays
ORDER = "arrange"  # key of a job


class GalleryPresenter(QObject):
    """Holds the images of the data with what is known of them."""

    def __init__(self, context: Services, tools: ToolRow, panel: GalleryPanel, model: GalleryModel) -> None:
        super().__init__(panel)
        self._context, self._tools, self._panel, self._model = context, tools, panel, model
        self.images: Images | None = None
        # A worker of its own: the gallery answers also while data is opened and similar images are looked for.
        self._jobs = Jobs(1, self, name="order of the gallery")
        self._later = QTimer(self, singleShot=True)
        self._later.timeout.connect(self.arrange)
        tools.changed.connect(lambda: self._later.start(0))  # typing searches once it pauses
        tools.filters.opening.connect(self.say_limits)

    @property
    def suspects(self) -> Suspects | None:
        """What the order in view found of suspects; None in another order."""
        images, model = self.images, self._model
        return images.suspects_in(model.sorted_by) if images is not None and model.part == "train" else None

    @property
    def busy(self) -> bool:
        """Whether an order is being made."""
        return self._jobs.active() > 0

    def arrange(self) -> None:
        """Fill the gallery: at once where that takes no time, else in the worker; the latest call counts."""
        self._jobs.cancel(ORDER)
        project, tools = self._context.project, self._tools
        dataset, selection, wanted = project.dataset, project.selection, tools.wanted()
        if dataset is None or selection is None:
            self.images = None
            self._model.show(None, "train", np.zeros(0, np.int64))
            return
        if self.images is None or self.images.dataset is not dataset:
            self.images = Images(dataset)
        images = self.images
        images.baseline = project.evaluation.get("baseline")
        tools.set_names(getattr(dataset, wanted.part).paths is not None)
        tools.filters.twins.setEnabled(wanted.part == "train")  # of test images they are not known
        around = wanted.sort in NEEDS_FORGET and images.baseline is not None and 0 < selection.count < selection.total
        suspected = wanted.part == "train" and wanted.sort in SUSPECTED and images.baseline is not None
        bench = project.bench if around or (suspected and images.suspects_in(wanted.sort) is None) else None
        simple = wanted.is_plain or len(images.labels(wanted.part)) <= AT_ONCE
        if simple and bench is None and not wanted.needs_twins:
            self._show(images, wanted, images.arrange(wanted, selection.mask))
        else:
            self._panel.count.setText(tr(ARRANGING))
            self._jobs.submit(
                arrange, images, wanted, selection.mask, project.forgotten_before, bench, key=ORDER
            ).then(partial(self._show, images, wanted), self._not_arranged, progress=self._say_how_far)

    def show_forget_set(self) -> None:
        """The forget set changed, or what was forgotten before: mark it, and a moment later order anew around it."""
        project = self._context.project
        self._model.earlier = project.forgotten_before
        self._model.mask = project.selection.mask if project.selection is not None else None
        self._panel.view.redraw()
        if self._tools.wanted().sort in NEEDS_FORGET:
            self._later.start(PAUSE_MS)

    def say_limits(self) -> None:
        """Say in the filters how far the values reach."""
        if self.images is not None:
            part, filters = self._tools.wanted().part, self._tools.filters
            filters.set_limits({value: self.images.limits(part, value) for value in filters.fields})

    def _show(self, images: Images, wanted: Wanted, order: np.ndarray) -> None:
        if images is not self.images:
            return
        panel, found = self._panel, images.suspects_in(wanted.sort) if wanted.part == "train" else None
        self._model.show(images, wanted.part, order, wanted.sort)
        panel.show_suspects(said_of(found) if found is not None else "", found)
        panel.view.scrollToTop()
        some, total = len(order), len(images.labels(wanted.part))
        count = tr("{some} of {all}", some=fmt.count(some), all=fmt.count(total))
        panel.count.setText(fmt.count(total) if some == total else count)
        if total:
            panel.empty.set(tr("No image matches the search and filters."), tr("Show all images"), self._tools.reset)
        else:
            panel.empty.set(tr("There are no images in this part."))
        panel.stack.setCurrentWidget(panel.view if some else panel.empty)

    def _say_how_far(self, _what: str, done: int, total: int) -> None:
        said = tr("Arranging… ({done} of {total})", done=fmt.count(done), total=fmt.count(total))
        self._panel.count.setText(said if total else tr(ARRANGING))

    def _not_arranged(self, error: BaseException) -> None:
        self._panel.count.setText("")
        self._context.notifications.error(error, tr("The images could not be arranged"))


def said_of(found: Suspects) -> str:
    """What an order of suspects found, in a sentence."""
    if found.by == "label":
        return tr("%n labels are likely wrong: like images have another one.", n=found.likely)
    if found.by == "twins":
        return tr("%n images show the same picture as one of another label.", n=found.likely)
    if found.trigger is None:
        return tr("No patch was found that makes the model name a class. What stands out in its class comes first.")
    return tr("%n images carry a patch that makes the model name {name}.", n=found.likely,
              name=found.trigger.target_name)  # fmt: skip


def arrange(
    images: Images, wanted: Wanted, mask: np.ndarray, gone: np.ndarray | None, bench: Bench | None, progress: Tell
) -> np.ndarray:
    """Return the order of the images, (m,) int64, and find out before what it needs; runs in a worker.

    mask, gone: (n,) bool, the forget set, and what was forgotten in earlier requests. bench: with the model that an
    order around them is asked of; the model's outputs come from the cache.
    """
    from core.session.near import image_twins, near_forget_set
    from core.session.suspects import find_suspects

    if wanted.needs_twins and images.twins is None:
        images.twins = image_twins(images.dataset, progress)
    of: tuple[Any, ...] = mask, gone, images.baseline
    if bench is not None and wanted.sort in SUSPECTED:
        found = find_suspects(bench.on("cpu").telling(progress), SUSPECTED[wanted.sort])
        images.suspects[wanted.sort] = images.baseline, found
    elif bench is not None and not all(map(is_, of, images.near_of)):
        images.near = near_forget_set(bench.on("cpu").telling(progress).outputs(bench.model), mask, gone)
        images.near_of = of
    return images.arrange(wanted, mask)
