"""What adds to the forget set beside clicks, and what stays out of it: lists, similar images, earlier requests.

Forget lists are read, matched and written in workers, and shown in a sheet before they count. Kept images that look
like forget images are looked for a moment after a change. What the model forgot earlier cannot be chosen again.
"""

from __future__ import annotations

import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.dialogs.selection import ForgetListSheet, SimilarSheet
from app.dialogs.sheet import LISTS, ask_to_open
from app.models.gallery import Images
from app.services import format as fmt
from app.services import tokens as t
from app.services.opening import explain
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label
from app.widgets.layout import row
from app.workers.thumbnails import Thumbnails
from core.likeness import LEVELS, SAME

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.earlier_requests import Earlier
    from core.data.dataset import Dataset
    from core.data.duplicates import Duplicates
    from core.events import Tell
    from core.models.checkpoint import OpenedModel
    from core.selection import Selection
    from core.session.forget_lists import ListMatch

USUAL_NAME = "forget.csv"
PAUSE_MS = 700  # after the last change, until similar images are looked for: whoever is choosing chooses on
MOST_LINES = 3  # earlier requests shown, the newest; all of them are in the tool tip
SIMILAR, EARLIER = "similar", "earlier requests"  # keys of jobs
TIP = mark(
    "Kept images that show the same picture as forget images: resized, recompressed, mirrored, moved, turned or cut. "
    "None is added before you have seen it."
)
STAYS = mark("%n images were forgotten already by this model. They stay forgotten and cannot be chosen again.")


class ForgetLists(QObject):
    """Reads and writes forget lists: `matched` carries a ListMatch the user took, `failed` a sentence."""

    matched = Signal(object)
    failed = Signal(str)

    def __init__(self, context: AppContext, widget: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._widget = context, widget

    def ask_import(self) -> None:
        """Ask for a file to read."""
        ask_to_open(self._context, self._widget.window(), "list")

    def read(self, path: Path | str) -> None:
        """Read a list and show what it matches; nothing is applied yet."""
        dataset = self._context.project.dataset
        if dataset is None:
            return
        handle = self._context.jobs.submit(match_list, Path(path), dataset, key="forget-list")
        handle.done.connect(partial(self._show, Path(path).name))
        handle.failed.connect(partial(self._fail, f"{Path(path).name} was not imported."))

    def ask_export(self) -> None:
        """Ask where to write the forget set to."""
        dialog = QFileDialog(self._widget.window(), "Export the forget list")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilters([tr(kind) for kind in LISTS])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(USUAL_NAME)
        dialog.fileSelected.connect(self.write)
        dialog.open()

    def write(self, path: Path | str) -> None:
        """Write the forget set to a file."""
        project = self._context.project
        if project.dataset is None or project.selection is None:
            return
        handle = self._context.jobs.submit(write_list, Path(path), project.selection, project.dataset.train.paths)
        handle.done.connect(partial(self._written, Path(path), project.selection.count))
        handle.failed.connect(partial(self._fail, f"{Path(path).name} was not written."))

    def _show(self, name: str, match: ListMatch) -> None:
        selection = self._context.project.selection
        if selection is None or (len(match.matched) and int(match.matched[-1]) >= selection.total):
            return  # other data was opened meanwhile
        already = int(selection.mask[match.matched].sum())
        sheet = ForgetListSheet(name, match, already, self._widget.window())
        sheet.added.connect(partial(self.matched.emit, match))
        sheet.open()

    def _written(self, path: Path, count: int, _result: object) -> None:
        self._context.notifications.info(f"{fmt.images(count)} written to {path.name}.")

    def _fail(self, what: str, error: BaseException) -> None:
        self.failed.emit(f"{what} {explain(error)}")


class SimilarCard(Card):
    """Below the map: how many kept images look like forget images; `review_wanted` asks to see the pairs."""

    review_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent, padding=t.S)
        self._text = Label("", "body", wrap=True)
        self.setToolTip(tr(TIP))
        self.setAccessibleName(tr("Similar images kept"))
        self.review = SecondaryButton(tr("Review"), self.review_wanted.emit)
        self.body.addLayout(row((self._text, 1), self.review))
        self.say(tr("Choose images to look for near-duplicates."))

    def text(self) -> str:
        """What is said."""
        return self._text.text()

    def say(self, text: str, review: bool = False) -> None:
        """Say what is known; `review` offers the pairs."""
        self._text.setText(text)
        self.review.setEnabled(review)


class SimilarPresenter(QObject):
    """Looks for kept images that look like forget images; `found` is for the forget set as it stands.

    `added` carries positions of images to take into the forget set, and from which agreement they were shown.
    """

    added = Signal(object, float)

    def __init__(self, context: AppContext, card: SimilarCard, thumbnails: Thumbnails, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._card, self._thumbnails = context, card, thumbnails
        self._found: tuple[Selection, Duplicates] | None = None
        self.earlier: np.ndarray | None = None  # images forgotten before: (n,) bool; they are not kept either
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._look)
        card.review_wanted.connect(self.review)

    @property
    def found(self) -> Duplicates | None:
        """What was found for the forget set as it stands, from the lowest level on; None while it is not known."""
        held = self._found
        return held[1] if held is not None and held[0] == self._context.project.selection else None

    def refresh(self) -> None:
        """The forget set, model or data changed, or the page is shown."""
        selection = self._context.project.selection
        if self.found is not None:
            return
        self._context.jobs.cancel(SIMILAR)
        if selection is None or not selection.count or selection.count == selection.total:
            self._timer.stop()
            self._card.say(tr("Choose images to look for near-duplicates."))
        else:
            self._timer.start()
            self._card.say(tr("Looking for similar images …"))

    def stop(self) -> None:
        """The page is left: nothing is looked for meanwhile."""
        self._timer.stop()
        self._context.jobs.cancel(SIMILAR)

    def review(self) -> None:
        """Show the pairs."""
        found, dataset = self.found, self._context.project.dataset
        if found is None or dataset is None or not len(found):
            return
        images = Images(dataset, self._context.project.evaluation.get("baseline"))
        sheet = SimilarSheet(found, images, self._thumbnails, self._card.window())
        sheet.added.connect(self.added)
        sheet.open()

    def _look(self) -> None:
        project = self._context.project
        selection, dataset = project.selection, project.dataset
        if selection is None or dataset is None:
            return
        mask = selection.mask if self.earlier is None else selection.mask | self.earlier
        handle = self._context.jobs.submit(find_similar, dataset, mask, key=SIMILAR)
        handle.progress.connect(self._progressed)
        handle.done.connect(partial(self._looked, selection))
        handle.failed.connect(self._failed)

    def _progressed(self, _what: str, done: int, total: int) -> None:
        said = tr("Looking for similar images ({done} of {total}) …", done=fmt.count(done), total=fmt.count(total))
        self._card.say(said)

    def _looked(self, selection: Selection, found: Duplicates) -> None:
        self._found = (selection, found)
        same, near = fmt.count(len(found.at(SAME))), fmt.count(len(found))
        if len(found.at(SAME)):
            said = tr("Similar images kept ({same})", same=same)
            said = said if found.complete else tr("Similar images kept ({same} or more)", same=same)
        else:
            said = tr("No similar images kept; nearly the same: {near}", near=near)
            said = said if len(found) else tr("No similar images kept.")
        self._card.say(said, bool(len(found)))

    def _failed(self, error: BaseException) -> None:
        self._card.say(tr("Similar images kept: not known. {reason}", reason=explain(error)))


class EarlierCard(Card):
    """Earlier requests, one a line, oldest first; hidden where the model has forgotten nothing."""

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
        self.words.setText(tr(STAYS, n=earlier.count) if requests else warning)
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
        self._context.jobs.cancel(EARLIER)
        if project.opened_model is not None and project.dataset is not None:
            handle = self._context.jobs.submit(read_earlier, project.opened_model, project.dataset, key=EARLIER)
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
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error


def find_similar(dataset: Any, mask: np.ndarray, progress: Tell) -> Duplicates:
    """Return kept images similar to those in `mask`, from the lowest level on; runs in a worker."""
    from core.session.near import similar_images

    return similar_images(dataset, mask, LEVELS["near"], progress)


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
