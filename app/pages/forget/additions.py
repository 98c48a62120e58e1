"""What adds to the forget set beside clicks, and what stays out of it: lists, similar images, earlier requests.

Forget lists are read, matched and written in workers, and shown in a sheet before they count. Kept images that look
like forget images are looked for a moment after a change. What the model forgot earlier cannot be chosen again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.dialogs.selection import ForgetListSheet, SimilarSheet
from app.dialogs.sheet import ALL_FILES, ask_save
from app.models.gallery import Images
from app.services import format as fmt
from app.services import tokens as t
from app.services.opening import explain
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import Label
from app.widgets.layout import row
from app.widgets.page import Page
from app.workers.thumbnails import Thumbnails
from core.errors import ForgetSetError
from core.likeness import LEVELS, SAME

if TYPE_CHECKING:
    from app.context import AppContext
    from core.data.dataset import Dataset
    from core.data.duplicates import Duplicates
    from core.events import Tell
    from core.models.checkpoint import OpenedModel
    from core.selection import Selection
    from core.session.chains import Chain
    from core.session.forget_lists import ListMatch

USUAL_NAME = "forget.csv"
PAUSE_MS = 700  # after the last change, until similar images are looked for: whoever is choosing chooses on
MOST_LINES = 3  # earlier requests shown, the newest; all of them are in the tool tip
SIMILAR, EARLIER = "similar", "earlier requests"  # keys of jobs
TIP = mark(
    "Kept images that show the same picture as forget images: resized, recompressed, mirrored, moved, turned or cut. "
    "None is added before you have seen it."
)
NOTHING_CHOSEN = mark("Choose images to look for near-duplicates.")


class ForgetLists(QObject):
    """Reads and writes forget lists; `add` takes what a list matched, once the user took it."""

    def __init__(self, context: AppContext, page: Page, add: Callable[[ListMatch], None]) -> None:
        super().__init__(page)
        self._context, self._page, self._add = context, page, add

    def read(self, path: Path) -> None:
        """Read a list and show what it matches; nothing is applied yet."""
        if (dataset := self._context.project.dataset) is not None:
            self._context.jobs.submit(match_list, path, dataset, key="forget-list").then(
                partial(self._show, path.name, dataset),
                partial(self._fail, tr("{file} was not imported.", file=path.name)),
            )

    def ask_export(self) -> None:
        """Ask where to write the forget set to."""
        kinds = (mark("Forget lists (*.csv)"), ALL_FILES)
        ask_save(self._page.window(), tr("Export the forget list"), self.write, kinds, USUAL_NAME)

    def write(self, path: Path | str) -> None:
        """Write the forget set to a file."""
        project, path = self._context.project, Path(path)
        if project.dataset is not None and (selection := project.selection) is not None:
            written = tr("{images} written to {file}.", images=fmt.images(selection.count), file=path.name)
            self._context.jobs.submit(write_list, path, selection, project.dataset.train.paths).then(
                lambda _: self._context.notifications.info(written),
                partial(self._fail, tr("{file} was not written.", file=path.name)),
            )

    def _show(self, name: str, dataset: Dataset, match: ListMatch) -> None:
        project, selection = self._context.project, self._context.project.selection
        if selection is None or project.dataset is not dataset:
            return  # other data was opened meanwhile
        already = int(selection.mask[match.matched].sum())
        sheet = ForgetListSheet(name, match, already, self._page.window())
        sheet.accepted.connect(partial(self._add, match))
        project.dataset_changed.connect(sheet.reject)
        sheet.open()

    def _fail(self, what: str, error: BaseException) -> None:
        self._page.show_error(f"{what} {explain(error)}")


class SimilarCard(Card):
    """Below the map: how many kept images look like forget images, and the button that shows the pairs."""

    def __init__(self) -> None:
        super().__init__(padding=t.S)
        self.text = Label("", wrap=True)
        self.setToolTip(tr(TIP))
        self.setAccessibleName(tr("Similar images kept"))
        self.review = SecondaryButton(tr("Review"))
        self.body.addLayout(row((self.text, 1), self.review))
        self.say(tr(NOTHING_CHOSEN))

    def say(self, text: str, review: bool = False) -> None:
        """Say what is known; `review` offers the pairs."""
        self.text.setText(text)
        self.review.setEnabled(review)


class SimilarPresenter(QObject):
    """Looks for kept images that look like forget images; `found` is for the forget set as it stands.

    `add` takes positions of images for the forget set, and from which agreement they were shown.
    """

    def __init__(
        self, context: AppContext, card: SimilarCard, thumbnails: Thumbnails, add: Callable[[np.ndarray, float], None]
    ) -> None:
        super().__init__(card)
        self._context, self._card, self._thumbnails, self._add = context, card, thumbnails, add
        # For which forget set, and beside what had been forgotten before.
        self._found: tuple[Selection, np.ndarray | None, Duplicates] | None = None
        self._timer = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._timer.timeout.connect(self._look)
        card.review.clicked.connect(self._review)

    @property
    def found(self) -> Duplicates | None:
        """What was found for the forget set as it stands, from the lowest level on; None while it is not known."""
        held, project = self._found, self._context.project
        if held is None or held[0] != project.selection or held[1] is not project.forgotten_before:
            return None
        return held[2]

    def refresh(self) -> None:
        """The forget set, model or data changed, or the page is shown."""
        self.stop()  # what is looked for is of the forget set before
        if self.found is not None:
            self._say(self.found)
            return
        selection = self._context.project.selection
        chosen = selection is not None and 0 < selection.count < selection.total
        self._card.say(tr("Looking for similar images …") if chosen else tr(NOTHING_CHOSEN))
        if chosen:
            self._timer.start()

    def stop(self) -> None:
        """The page is left: nothing is looked for meanwhile."""
        self._timer.stop()
        self._context.jobs.cancel(SIMILAR)

    def _review(self) -> None:
        found, dataset = self.found, self._context.project.dataset
        if found is not None and dataset is not None:
            images = Images(dataset, self._context.project.evaluation.get("baseline"))
            sheet = SimilarSheet(found, images, self._thumbnails, self._card.window())
            sheet.chosen.connect(lambda taken: self._add(taken, sheet.level.currentData()))
            self._context.project.dataset_changed.connect(sheet.reject)
            sheet.open()

    def _look(self) -> None:
        project = self._context.project
        selection, dataset, gone = project.selection, project.dataset, project.forgotten_before
        if selection is None or dataset is None:
            return
        mask = selection.mask if gone is None else selection.mask | gone
        self._context.jobs.submit(find_similar, dataset, mask, key=SIMILAR).then(
            partial(self._looked, selection, gone), self._failed, progress=self._progressed
        )

    def _progressed(self, _what: str, done: int, total: int) -> None:
        said = tr("Looking for similar images ({done} of {total}) …", done=fmt.count(done), total=fmt.count(total))
        self._card.say(said)

    def _looked(self, selection: Selection, gone: np.ndarray | None, found: Duplicates) -> None:
        self._found = (selection, gone, found)
        self._say(found)

    def _say(self, found: Duplicates) -> None:
        same, all_of_them = len(found.at(SAME)), len(found)
        said = tr("Similar images kept: {same}, nearly the same: {near}",
                  same=fmt.count(same), near=fmt.count(all_of_them - same))  # fmt: skip
        self._card.say(said if all_of_them else tr("No similar images kept."), bool(all_of_them))

    def _failed(self, error: BaseException) -> None:
        self._card.say(tr("Similar images kept: not known. {reason}", reason=explain(error)))


class Earlier(NamedTuple):
    """All requests before the next one in words, oldest first; `mask`: (n,) bool, the training images they forgot.

    `warning` says where images were forgotten that nobody can name.
    """

    requests: tuple[str, ...] = ()
    mask: np.ndarray | None = None
    warning: str = ""
    chain: Chain | None = None


class EarlierCard(Card):
    """Earlier requests, one a line, oldest first; hidden where the model has forgotten nothing."""

    def __init__(self) -> None:
        super().__init__(tr("Earlier requests"), padding=t.S)
        self.words = Label(wide=True)
        self.body.addWidget(self.words)
        self.hide()

    def show_earlier(self, earlier: Earlier | None) -> None:
        """Show what was forgotten before; None or nothing hides the card."""
        requests, mask, said, _ = earlier or Earlier()
        if mask is not None:
            said = tr("%n images were forgotten already by this model. They stay forgotten and cannot be chosen again.",
                      n=int(np.count_nonzero(mask)))  # fmt: skip
        self.setToolTip(fmt.plain("\n".join(requests)))
        self.words.setText("\n".join([said, *requests[-MOST_LINES:]]))
        self.setVisible(bool(said))


class EarlierPresenter(QObject):
    """Keeps `forgotten_before` of the project: which training images the open model forgot in earlier requests.

    `changed` where these are others.
    """

    changed = Signal()

    def __init__(self, context: AppContext, card: EarlierCard) -> None:
        super().__init__(card)
        self._context, self._card = context, card
        self.found: Earlier | None = None
        context.project.model_changed.connect(self.refresh)
        context.project.dataset_changed.connect(self.refresh)

    @property
    def mask(self) -> np.ndarray | None:
        """Which training images were forgotten before: (n,) bool; None where none was."""
        return self._context.project.forgotten_before

    def without(self, selection: Selection) -> Selection:
        """Return a forget set without what was forgotten before."""
        again = np.flatnonzero(selection.mask & self.mask) if self.mask is not None else ()
        return selection.with_samples(again, False) if len(again) else selection

    def joined(self, selection: Selection) -> Selection:
        """Return the forget set of all requests together."""
        mask = self.mask
        return selection if mask is None else selection.with_samples(np.flatnonzero(mask & ~selection.mask))

    def conflict(self, selection: Selection) -> str:
        """Return why a forget set cannot follow the earlier requests; empty where it can."""
        chain = None if self.found is None else self.found.chain
        try:
            if chain is not None and selection.count:
                chain.require_same_purpose(selection)
        except ForgetSetError as error:
            return error.message
        return ""

    def refresh(self) -> None:
        """The model or the data changed."""
        project, jobs = self._context.project, self._context.jobs
        self._take(None)
        jobs.cancel(EARLIER)
        if project.opened_model is not None and project.dataset is not None:
            jobs.submit(read_earlier, project.opened_model, project.dataset, key=EARLIER).then(self._take, self._failed)

    def _take(self, found: Earlier | None) -> None:
        before, self.found = self.mask, found
        self._context.project.forgotten_before = found.mask if found is not None else None
        self._card.show_earlier(found)
        if before is not self.mask:
            self.changed.emit()

    def _failed(self, error: BaseException) -> None:
        self._context.notifications.caution(tr("No later request can start from this model."), explain(error))


def match_list(path: Path, dataset: Dataset) -> ListMatch:
    """Read a list and match it against the training images; runs in a worker."""
    from core.session.forget_lists import match_forget_list, read_list_text

    return match_forget_list(read_list_text(path), dataset)


def write_list(path: Path, selection: Selection, paths: Any) -> None:
    """Write a forget list; runs in a worker. Raises InputError where it cannot be written."""
    from core.errors import InputError
    from core.session.forget_lists import write_forget_list

    try:
        write_forget_list(path, selection, paths)
    except OSError as error:
        why = error.strerror or error
        raise InputError(tr("{file} cannot be written: {reason}", file=path, reason=why)) from error


def find_similar(dataset: Any, mask: np.ndarray, progress: Tell) -> Duplicates:
    """Return kept images similar to those in `mask`, from the lowest level on; runs in a worker."""
    from core.session.near import similar_images

    return similar_images(dataset, mask, LEVELS["near"], progress)


def read_earlier(model: OpenedModel, dataset: Dataset) -> Earlier:
    """Return what a model has forgotten in earlier runs; nothing for an original. Runs in a worker.

    Raises the AppErrors of `core.session.chains.chain_of`: a later request cannot be made from such a model.
    """
    from core.session.chains import chain_of, unknown_requests
    from core.session.library import request_text

    path = Path(model.path)
    chain = chain_of(path, dataset)
    if chain is None:
        return Earlier(warning=unknown_requests(model.card, path))
    told = (f"{number}. {request_text(asdict(request))}" for number, request in enumerate(chain.requests, start=1))
    return Earlier(tuple(told), chain.mask, chain=chain)
