"""The inspector: one image large, and what original, unlearned and retrained model say of it, side by side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPixmap
from PySide6.QtWidgets import QDialog, QFrame, QLabel, QListWidget, QListWidgetItem, QStackedWidget, QWidget

from app.models.gallery import Images
from app.services import format as fmt
from app.services import tokens as t
from app.services.opening import explain
from app.services.theme import theme
from app.services.tokens import model_style
from app.services.translation import tr
from app.widgets.buttons import IconButton, SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label, caption
from app.widgets.layout import STRETCH, column, row, widget_of
from app.widgets.notices import ProgressLine
from app.workers.thumbnails import Thumbnails, thumbnail

if TYPE_CHECKING:
    from app.services.shell import Services
    from app.services.trust import TrustedFiles
    from core.events import Tell
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.one_image import Part, SeenImage, Which

MODELS: tuple[Which, ...] = ("original", "unlearned", "retrained")
WIDE, LARGE, SMALL, NEIGHBOURS = 1120, 272, 64, 9
KEY = "inspect "


class ModelColumn(Card):
    """What one model says of the image: a sentence or progress until it is known, then figures and neighbours."""

    opened = Signal(int)

    def __init__(self, model: str) -> None:
        style = model_style(model)
        super().__init__(f"{style.glyph} {style.title}", padding=t.M)
        self.facts = Label("", "body", wrap=True)
        self.reason = Label("", "body", "text-2", wrap=True)
        self.progress = ProgressLine(style.title)
        self.neighbours = QListWidget()
        self.neighbours.setViewMode(QListWidget.ViewMode.IconMode)
        self.neighbours.setMovement(QListWidget.Movement.Static)
        self.neighbours.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.neighbours.setFrameShape(QFrame.Shape.NoFrame)
        self.neighbours.setIconSize(QSize(theme.px(SMALL), theme.px(SMALL)))
        self.neighbours.setGridSize(QSize(theme.px(SMALL + t.XL), theme.px(SMALL + t.XL)))
        self.neighbours.setMinimumSize(theme.px(SMALL + t.XL + t.L), theme.px(2 * (SMALL + t.XL)))
        self.neighbours.setAccessibleName(tr("Nearest training images, by features"))
        self.neighbours.itemClicked.connect(self._open)
        self.neighbours.itemActivated.connect(self._open)
        near = caption(tr("Nearest training images, by features"), wrap=True)
        known = column(self.facts, near, (self.neighbours, 1))
        waiting = column(self.reason, self.progress, STRETCH)
        self.stack = QStackedWidget()
        for layout in (waiting, known):
            self.stack.addWidget(widget_of(layout))
        self.body.addWidget(self.stack)

    def show_reason(self, sentence: str) -> None:
        """Say why nothing is known of this model."""
        self.reason.setText(sentence)
        self.progress.hide()
        self.stack.setCurrentIndex(0)

    def show_progress(self, what: str, done: int, total: int) -> None:
        """Say how far the model is."""
        self.reason.setText("")
        self.progress.show()
        self.progress.set(done, total, what)
        self.stack.setCurrentIndex(0)

    def show_facts(self, sentences: list[str], neighbours: list[tuple[int, str, str]]) -> None:
        """Show what the model says, and neighbours: position, class and tip of each."""
        self.facts.setText("\n".join(sentences))
        self.neighbours.clear()
        for image, words, told in neighbours:
            item = QListWidgetItem(words, self.neighbours)
            item.setData(Qt.ItemDataRole.UserRole, image)
            item.setToolTip(told)
        self.stack.setCurrentIndex(1)

    def draw(self, thumbnail_of: Callable[[int], QPixmap | None]) -> None:
        """Show the thumbnails of the neighbours that are there."""
        for place in range(self.neighbours.count()):
            item = self.neighbours.item(place)
            pixmap = thumbnail_of(item.data(Qt.ItemDataRole.UserRole)) if item.icon().isNull() else None
            if pixmap is not None:
                item.setIcon(QIcon(pixmap))

    def _open(self, item: QListWidgetItem) -> None:
        self.opened.emit(item.data(Qt.ItemDataRole.UserRole))


class ImageInspector(QDialog):
    """The window. `stepped(by)` asks for another image, `opened(image)` for a neighbour, `marked` to change whether
    it is to be forgotten, `map_wanted` to see it on the map.
    """  # noqa: D205

    stepped = Signal(int)
    opened = Signal(int)
    marked = Signal()
    map_wanted = Signal()

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        theme.dress(self)
        self.setWindowTitle(tr("Image"))
        self.setProperty("ground", "window")
        self._side = theme.px(LARGE) // (2 if theme.large else 1)  # else a small screen does not hold it
        self.picture = QLabel()
        self.picture.setFixedSize(self._side, self._side)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.name = ElidedLabel("", "section")
        self.facts = Label("", "body", wrap=True)
        self.badge = Label("", "body", "forget")
        self.change = Label("", "body", wrap=True)
        self.columns = {model: ModelColumn(model) for model in MODELS}
        for one in self.columns.values():
            one.opened.connect(self.opened)
        self.previous = IconButton("chevron-left", tr("Previous image"), partial(self.stepped.emit, -1))
        self.next = IconButton("chevron-right", tr("Next image"), partial(self.stepped.emit, 1))
        self.place = caption()
        self.mark_button = SecondaryButton("", self.marked.emit)
        self.map_button = SecondaryButton(tr("Show on the map"), self.map_wanted.emit)
        left = column(self.picture, self.name, self.facts, self.badge, self.change, STRETCH, spacing=t.S)
        middle = row((left, 0), *((one, 1) for one in self.columns.values()), spacing=t.M)
        close = SecondaryButton(tr("Close"), self.close)
        foot = row(self.previous, self.next, self.place, STRETCH, self.mark_button, self.map_button, close)
        column((middle, 1), foot, on=self, spacing=t.M, margins=t.L)
        self.next.setFocus()  # a list would take the arrow keys
        self.name.setFixedWidth(self._side)
        line = self.facts.fontMetrics().lineSpacing()
        for label, lines in ((self.facts, 2), (self.change, 9)):  # the window keeps its size from image to image
            label.setFixedWidth(self._side)
            label.setMinimumHeight(lines * line)
            label.setAlignment(Qt.AlignmentFlag.AlignTop)
        room = parent.width() if parent is not None else theme.px(WIDE)
        self.resize(min(theme.px(WIDE), room), self.sizeHint().height())

    def show_image(self, pixels: np.ndarray, name: str, facts: list[str], place: str) -> None:
        """Show an image (H, W, C) uint8 with what is known of it, and where it stands among those stepped through."""
        shown = thumbnail(pixels, round(self._side * self.devicePixelRatioF()))
        shown.setDevicePixelRatio(self.devicePixelRatioF())
        self.picture.setPixmap(QPixmap.fromImage(shown))
        self.picture.setAccessibleName(", ".join([name, *facts]))
        self.name.setText(name)
        self.setWindowTitle(name)
        self.facts.setText("\n".join(facts))
        self.place.setText(place)
        self.change.setText("")

    def show_mark(self, words: str, forget: bool) -> None:
        """Offer to forget or to keep it; no words where that cannot be chosen."""
        self.mark_button.setText(words)
        self.mark_button.setVisible(bool(words))
        self.badge.setText(tr("▲ To be forgotten") if forget else "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Up: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: 1}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.stepped.emit(step)


class Inspector(QObject):
    """Opens the window and fills it; any page may make one.

    `mark_wanted(images, how)` and `map_wanted(image)` ask for training images; `moved(part, image)` says which is shown
    now. `set_order` says in which order arrow keys lead through a part.
    """

    mark_wanted = Signal(object, str)
    map_wanted = Signal(int)
    moved = Signal(str, int)

    def __init__(self, context: Services, widget: QWidget) -> None:
        super().__init__(widget)
        self._context, self._widget = context, widget
        self._window: ImageInspector | None = None
        self._images: Images | None = None
        self._order: tuple[str, np.ndarray] = ("", np.empty(0, np.int64))
        self._part: Part = "train"
        self._image = -1
        self._seen: dict[Which, SeenImage] = {}
        self._thumbnails = Thumbnails(self)
        self._thumbnails.ready.connect(self._draw_neighbours)
        context.project.dataset_changed.connect(self.close)
        context.project.model_changed.connect(self.close)
        context.project.selection_changed.connect(self._show_mark)

    @property
    def window(self) -> ImageInspector | None:
        """The window while it is open."""
        return self._window if self._window is not None and self._window.isVisible() else None

    def set_order(self, part: str, images: np.ndarray) -> None:
        """Lead through these images of a part, (m,) int64."""
        self._order = (part, images)

    def open(self, part: str, image: int) -> None:
        """Show an image of a part of the data, by its position."""
        project = self._context.project
        dataset = project.dataset
        if dataset is None:
            return
        if self._window is None:
            self._window = self._make()
            self._thumbnails.set_source(
                lambda key: dataset.train.images[key].numpy(), theme.px(SMALL), self._window.devicePixelRatioF()
            )
        self._images = Images(dataset, project.evaluation.get("baseline"))
        self._part, self._image, self._seen = cast("Part", part), image, {}
        self._show()
        self._window.show()
        self._window.raise_()
        self._window.activateWindow()
        self.moved.emit(part, image)
        self._ask()

    def close(self) -> None:
        """Close the window: what it shows is of other data or another model."""
        if self._window is not None:
            self._window.close()
            self._window.deleteLater()
            self._window = None
            self._thumbnails.set_source(None, SMALL)
        self._cancel()

    def _make(self) -> ImageInspector:
        made = ImageInspector(self._widget.window())
        made.stepped.connect(self._step)
        made.opened.connect(partial(self.open, "train"))
        made.marked.connect(self._mark)
        made.map_wanted.connect(self._show_on_map)
        made.finished.connect(self._cancel)
        return made

    # -- the image itself ------------------------------------------------------------------------------------------

    def _show(self) -> None:
        window, images, part, image = self._window, self._images, self._part, self._image
        assert window is not None and images is not None
        dataset = images.dataset
        label = dataset.classes[int(images.labels(part)[image])]
        where = tr("Training image {number}", number=fmt.count(image))
        if part == "test":
            where = tr("Test image {number}: never trained on", number=fmt.count(image))
        pixels = (dataset.train if part == "train" else dataset.test).images[image].numpy()
        at, count = self._place(), fmt.count(len(self._order[1]))
        place = tr("{place} of {count}", place=fmt.count(at + 1), count=count) if at >= 0 else ""
        window.show_image(pixels, images.name(part, image), [tr("Class {name}", name=label), where], place)
        window.map_button.setVisible(part == "train")
        self._show_mark()

    def _show_mark(self) -> None:
        if self._window is None or self._images is None:
            return
        forget = self._is_forgotten(self._image) and self._part == "train"
        words = tr("Keep this image") if forget else tr("Forget this image")
        self._window.show_mark(words if self._part == "train" else "", forget)

    def _is_forgotten(self, image: int) -> bool:
        selection = self._context.project.selection
        return selection is not None and image < selection.total and bool(selection.mask[image])

    def _place(self) -> int:
        """Where the image stands in the order that is led through; -1: not in it."""
        part, order = self._order
        found = np.flatnonzero(order == self._image) if part == self._part else order[:0]
        return int(found[0]) if len(found) else -1

    def _step(self, by: int) -> None:
        at, order = self._place(), self._order[1]
        if at >= 0 and 0 <= at + by < len(order):
            self.open(self._part, int(order[at + by]))

    def _mark(self) -> None:
        self.mark_wanted.emit(np.array([self._image]), "toggle")

    def _show_on_map(self) -> None:
        self.map_wanted.emit(self._image)

    # -- what models say -------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Have each model asked in a worker: the original's outputs are kept, others' may have to be taken first."""
        context, project = self._context, self._context.project
        run = project.run.folder if project.run is not None else None
        for model in MODELS:
            view = self._columns[model]
            if project.bench is None:
                view.show_reason(tr("Open a model first."))
                continue
            jobs = context.jobs if model == "original" else context.device_jobs
            bench = project.bench.on(context.settings.values.device, threads=context.settings.values.threads)
            handle = jobs.submit(look, bench, self._part, self._image, model, run, context.trust, key=KEY + model)
            view.show_progress(tr("Looking at the image"), 0, 0)
            handle.progress.connect(view.show_progress)
            handle.done.connect(partial(self._came, model))
            handle.failed.connect(partial(self._failed, model))

    @property
    def _columns(self) -> dict[Which, ModelColumn]:
        assert self._window is not None
        return self._window.columns

    def _cancel(self, *_: object) -> None:
        for model in MODELS:
            self._context.jobs.cancel(KEY + model)
            self._context.device_jobs.cancel(KEY + model)

    def _came(self, model: Which, seen: SeenImage) -> None:
        if self._window is None or self._images is None:
            return
        self._seen[model] = seen
        classes, label = self._images.dataset.classes, int(self._images.labels(self._part)[self._image])
        says = tr("Says {name}, {share} sure", name=classes[seen.predicted], share=fmt.percent(seen.confidence))
        own = tr("{name}: {share}", name=classes[label], share=fmt.percent(seen.own))
        loss = tr("Loss {value}", value=fmt.decimal(seen.loss))
        known = zip(seen.neighbours.tolist(), seen.likeness.tolist(), strict=True)
        near = [self._named(image, likeness) for image, likeness in known]
        self._columns[model].show_facts([says, loss] if seen.predicted == label else [says, own, loss], near)
        self._draw_neighbours()
        self._show_change()

    def _failed(self, model: Which, error: BaseException) -> None:
        if self._window is not None:
            self._columns[model].show_reason(explain(error))

    def _draw_neighbours(self, _keys: object = None) -> None:
        for model in self._seen if self._window is not None else ():
            self._columns[model].draw(self._thumbnails.get)

    def _named(self, image: int, likeness: float) -> tuple[int, str, str]:
        """A neighbour's position, class and tip."""
        assert self._images is not None
        name = self._images.dataset.classes[int(self._images.labels("train")[image])]
        told = self._images.describe("train", image)
        told = tr("{image}\nCosine of the features {value}", image=told, value=fmt.decimal(likeness))
        return image, f"▲ {name}" if self._is_forgotten(image) else name, told

    def _show_change(self) -> None:
        """Say what became of the image: before and after unlearning, beside retraining."""
        before, after = self._seen.get("original"), self._seen.get("unlearned")
        if self._window is None or self._images is None or before is None or after is None:
            return
        name = self._images.dataset.classes[int(self._images.labels(self._part)[self._image])]
        said = tr(
            "Unlearning took the probability of {name} from {before} to {after} and the loss from {first} to {last}.",
            name=name, before=fmt.percent(before.own), after=fmt.percent(after.own),
            first=fmt.decimal(before.loss), last=fmt.decimal(after.loss),
        )  # fmt: skip
        retrained = self._seen.get("retrained")
        if retrained is not None:
            share, loss = fmt.percent(retrained.own), fmt.decimal(retrained.loss)
            said += "\n" + tr("A model retrained without the forget set: {share}, loss {loss}.", share=share, loss=loss)
        self._window.change.setText(said)


def look(
    bench: Bench, part: Part, image: int, model: Which, run: RunFolder | None, trust: TrustedFiles, progress: Tell
) -> SeenImage:
    """Return what a model says of an image; runs in a worker."""
    from core.session.one_image import inspect_image

    if run is not None:
        bench = bench.trusting(trust.of(run.job()))
    return inspect_image(bench.telling(progress), part, image, model, run, NEIGHBOURS)
