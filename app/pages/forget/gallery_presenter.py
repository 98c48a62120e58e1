"""Fills the gallery as its filters and order say; what they need of all images is found in workers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, QTimer

from app.models.gallery import AT_ONCE, NEEDS_FORGET, VALUES, GalleryModel, Images, Wanted
from app.pages.forget.gallery import GalleryPanel
from app.pages.forget.tools import ToolRow
from app.services import format as fmt
from app.services.opening import explain
from app.services.translation import mark, tr
from app.workers.jobs import Jobs

if TYPE_CHECKING:
    from app.services.shell import Services
    from core.data.dataset import Dataset
    from core.data.duplicates import Twins
    from core.events import Tell
    from core.selection import Selection
    from core.session.baseline import Baseline
    from core.session.bench import Bench
    from core.session.near import Near

    NearKey = tuple[Selection, np.ndarray | None, Baseline]  # forget set, what was forgotten before, model measured

ARRANGING = mark("Arranging…")
PAUSE_MS = 400  # after the last change of the forget set: while it is chosen, an order around it stays
ORDER, NEAR, TWINS = "arrange", "near", "twins"  # keys of jobs


class GalleryPresenter(QObject):
    """Holds the images of the data with what is known of them.

    What lies around the forget set and which images have a duplicate is looked for where an order or a filter needs it.
    """

    def __init__(self, context: Services, tools: ToolRow, panel: GalleryPanel, model: GalleryModel) -> None:
        super().__init__(panel)
        self._context, self._tools, self._panel, self._model = context, tools, panel, model
        self.images: Images | None = None
        # A worker of its own: the gallery answers also while data is opened and similar images are looked for.
        self._jobs = Jobs(1, self, name="order of the gallery")
        self._near_of: NearKey | None = None  # of what the nearness is that is known or being measured
        self._twins_asked = False
        self._typed = QTimer(self, singleShot=True, interval=0)  # typing searches once it pauses
        self._typed.timeout.connect(self.arrange)
        self._changed = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._changed.timeout.connect(self._measure_near)
        self._tools.changed.connect(self._typed.start)
        self._tools.filters.opening.connect(self.say_limits)

    def show(self, dataset: Dataset | None) -> None:
        """Hold the images of other data; `set_baseline` fills the gallery."""
        self.images = Images(dataset) if dataset is not None else None
        self._near_of, self._twins_asked = None, False

    def set_baseline(self, found: Baseline | None) -> None:
        """What was measured of the model on the images."""
        if self.images is not None and found is not self.images.baseline:
            self.images.baseline, self.images.near, self._near_of = found, None, None
        self.arrange()

    @property
    def busy(self) -> bool:
        """Whether an order is being made."""
        return self._jobs.active() > 0

    def arrange(self) -> None:
        """Fill the gallery: at once where that takes no time, else in the worker; the latest call counts."""
        self._jobs.cancel(ORDER)
        images, tools, selection = self.images, self._tools, self._context.project.selection
        if images is None or selection is None:
            self._model.show(None, "train", np.zeros(0, np.int64), None)
            return
        wanted = tools.wanted()
        self.refresh_near()
        self._want_twins(images, wanted.needs_twins)
        tools.set_names(images.has_names(wanted.part), tuple(images.dataset.train.columns))
        tools.filters.panel.twins.setEnabled(wanted.part == "train")  # of test images they are not known
        if wanted.needs_twins and images.twins is None:
            self._say_looking()
        elif wanted.is_plain or len(images.labels(wanted.part)) <= AT_ONCE:
            self._show(images, wanted, images.arrange(wanted, selection.mask))
        else:
            self._panel.count.setText(tr(ARRANGING))
            self._jobs.submit(images.arrange, wanted, selection.mask, key=ORDER).then(
                partial(self._show, images, wanted), self._not_arranged
            )

    def say_limits(self) -> None:
        """Say in the filters how far the values reach."""
        if self.images is not None:
            part = self._tools.wanted().part
            self._tools.filters.panel.set_limits({value: self.images.limits(part, value) for value in VALUES})

    def _show(self, images: Images, wanted: Wanted, order: np.ndarray) -> None:
        panel, selection = self._panel, self._context.project.selection
        if images is not self.images:
            return
        self._model.show(images, wanted.part, order, selection.mask if selection is not None else None)
        panel.view.scrollToTop()
        some, total = len(order), len(images.labels(wanted.part))
        count = tr("{some} of {all}", some=fmt.count(some), all=fmt.count(total))
        panel.count.setText(fmt.count(total) if some == total else count)
        if total:
            panel.empty.set(tr("No image matches the search and filters."), tr("Show all images"), self._tools.reset)
        else:
            panel.empty.set(tr("There are no images in this part."))
        panel.stack.setCurrentWidget(panel.view if some else panel.empty)

    def _not_arranged(self, error: BaseException) -> None:
        self._context.notifications.error(error, tr("The images could not be arranged"))

    # -- what lies around the forget set ---------------------------------------------------------------------------

    def refresh_near(self) -> None:
        """The forget set, the model or the order changed: measure, a moment later, where the order needs it."""
        now = self._near_now()
        if now is None or self._tools.wanted().sort not in NEEDS_FORGET:
            self._changed.stop()
        elif self._near_of is None or any(one is not other for one, other in zip(now, self._near_of, strict=True)):
            self._changed.start()

    def _near_now(self) -> NearKey | None:
        project, images = self._context.project, self.images
        selection, baseline = project.selection, images.baseline if images is not None else None
        if selection is None or baseline is None or not 0 < selection.count < selection.total:
            return None
        return selection, project.forgotten_before, baseline

    def _measure_near(self) -> None:
        bench, now = self._context.project.bench, self._near_now()
        if bench is not None and now is not None:
            self._near_of = now
            self._context.jobs.submit(measure_near, bench, now[0], now[1], key=NEAR).then(
                partial(self._near_came, now), self._near_failed
            )

    def _near_came(self, of: NearKey, near: Near) -> None:
        if self.images is not None and of is self._near_of:
            self.images.near = near
            if self._tools.wanted().sort in NEEDS_FORGET:
                self.arrange()

    def _near_failed(self, error: BaseException) -> None:
        self._near_of = None
        said = tr("What lies near the forget set is not known. {reason}", reason=explain(error))
        self._context.notifications.caution(said)

    # -- duplicates ------------------------------------------------------------------------------------------------

    def _want_twins(self, images: Images, wanted: bool) -> None:
        """Look for them where that is wanted and was not done yet; else stop looking."""
        if not wanted:
            self._twins_asked = False
            self._context.jobs.cancel(TWINS)
        elif images.twins is None and not self._twins_asked:
            self._twins_asked = True
            self._context.jobs.submit(find_twins, images.dataset, key=TWINS).then(
                partial(self._twins_came, images), self._twins_failed, progress=self._say_looking
            )

    def _say_looking(self, _what: str = "", done: int = 0, total: int = 0) -> None:
        self._jobs.cancel(ORDER)
        said = tr("Looking for duplicates ({done} of {total}) …", done=fmt.count(done), total=fmt.count(total))
        self._panel.count.setText(said if total else tr("Looking for duplicates …"))

    def _twins_came(self, images: Images, twins: Twins) -> None:
        images.twins, self._twins_asked = twins, False
        self.arrange()

    def _twins_failed(self, error: BaseException) -> None:
        self._twins_asked = False
        self._panel.count.setText(tr("Duplicates are not known."))
        said = tr("Duplicates could not be looked for. {reason}", reason=explain(error))
        self._context.notifications.caution(said)


def measure_near(bench: Bench, selection: Selection, gone: Any, progress: Tell) -> Near:
    """Return what lies near a forget set; runs in a worker. The model's outputs come from the cache.

    gone: (n,) bool, what was forgotten in earlier requests; None: nothing.
    """
    from core.session.near import near_forget_set

    return near_forget_set(bench.on("cpu").telling(progress).outputs(bench.model), selection.mask, gone)


def find_twins(dataset: Dataset, progress: Tell) -> Twins:
    """Return which training images have a duplicate; runs in a worker."""
    from core.session.near import image_twins

    return image_twins(dataset, progress)
