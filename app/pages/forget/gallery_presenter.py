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
    from core.session.bench import Bench
    from core.session.near import Near

    NearKey = tuple[Selection, str, int]  # forget set, model, and how many images were forgotten before

ARRANGING = mark("Arranging…")
PAUSE_MS = 400  # after the last change of the forget set: while it is chosen, an order around it stays
ORDER, NEAR, TWINS = "arrange", "near", "twins"  # keys of jobs


class GalleryPresenter(QObject):
    """Holds the images of the data with what is known of them.

    `near` is what lies around the forget set, `twins` which images have a duplicate; both are looked for where an order
    or a filter needs them.
    """

    def __init__(self, context: Services, tools: ToolRow, panel: GalleryPanel, model: GalleryModel) -> None:
        super().__init__(panel)
        self._context, self._tools, self._panel, self._model = context, tools, panel, model
        self.images: Images | None = None
        # A worker of its own: the gallery answers also while data is opened and similar images are looked for.
        self._jobs = Jobs(1, self, name="order of the gallery")
        self._near: tuple[NearKey, Near] | None = None
        self._near_asked: NearKey | None = None
        self._twins: tuple[str, Twins] | None = None  # of the data with which fingerprint
        self._twins_asked = ""
        self._typed = QTimer(self, singleShot=True, interval=0)  # typing searches once it pauses
        self._typed.timeout.connect(self.arrange)
        self._changed = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._changed.timeout.connect(self._measure_near)
        self._tools.changed.connect(self._typed.start)
        self._tools.filters.opening.connect(self.say_limits)

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
        images.near, images.twins = self.near, self.twins
        self.refresh_near()
        self._want_twins(images.dataset, wanted.needs_twins)
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

    @property
    def near(self) -> Near | None:
        """What is near the forget set; while another one is measured, of the one before."""
        project, held = self._context.project, self._near
        if held is None or project.selection is None or project.opened_model is None:
            return None
        (selection, model, _), near = held
        same = len(selection.mask) == project.selection.total and model == project.opened_model.weights_id
        return near if same else None

    def refresh_near(self) -> None:
        """The forget set, the model or the order changed: measure, a moment later, where the order needs it."""
        now = self._near_key() if self._tools.wanted().sort in NEEDS_FORGET else None
        if now is None:
            self._changed.stop()
        elif 0 < now[0].count < now[0].total and now not in (self._near_asked, self._near and self._near[0]):
            self._changed.start()

    def _near_key(self) -> NearKey | None:
        project = self._context.project
        bench, selection, gone = project.bench, project.selection, project.forgotten_before
        if bench is None or selection is None or "baseline" not in project.evaluation:
            return None
        return selection, bench.model.weights_id, 0 if gone is None else int(gone.sum())

    def _measure_near(self) -> None:
        project, self._near_asked = self._context.project, self._near_key()
        if project.bench is not None and self._near_asked is not None:
            selection, gone = self._near_asked[0], project.forgotten_before
            self._context.jobs.submit(measure_near, project.bench, selection, gone, key=NEAR).then(
                partial(self._near_came, self._near_asked), self._near_failed
            )

    def _near_came(self, asked: NearKey, near: Near) -> None:
        self._near, self._near_asked = (asked, near), None
        if self._tools.wanted().sort in NEEDS_FORGET:
            self.arrange()

    def _near_failed(self, error: BaseException) -> None:
        self._near_asked = None
        said = tr("What lies near the forget set is not known. {reason}", reason=explain(error))
        self._context.notifications.caution(said)

    # -- duplicates ------------------------------------------------------------------------------------------------

    @property
    def twins(self) -> Twins | None:
        """Which training images have a duplicate; None where it is not known."""
        dataset = self._context.project.dataset
        return self._twins[1] if self._twins and dataset and self._twins[0] == dataset.fingerprint else None

    def _want_twins(self, dataset: Dataset, wanted: bool) -> None:
        """Look for them where that is wanted and was not done yet; else stop looking."""
        if not wanted:
            self._twins_asked = ""
            self._context.jobs.cancel(TWINS)
        elif self.twins is None and self._twins_asked != dataset.fingerprint:
            self._twins_asked = dataset.fingerprint
            self._context.jobs.submit(find_twins, dataset, key=TWINS).then(
                partial(self._twins_came, dataset.fingerprint), self._twins_failed, progress=self._say_looking
            )

    def _say_looking(self, _what: str = "", done: int = 0, total: int = 0) -> None:
        self._jobs.cancel(ORDER)
        said = tr("Looking for duplicates ({done} of {total}) …", done=fmt.count(done), total=fmt.count(total))
        self._panel.count.setText(said if total else tr("Looking for duplicates …"))

    def _twins_came(self, fingerprint: str, twins: Twins) -> None:
        self._twins, self._twins_asked = (fingerprint, twins), ""
        self.arrange()

    def _twins_failed(self, error: BaseException) -> None:
        self._twins_asked = ""
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
