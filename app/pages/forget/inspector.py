"""The inspector: one image large, and what original, unlearned and retrained model say of it, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QListWidget, QListWidgetItem, QWidget

from app.dialogs.sheet import Dialog
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
from app.widgets.layout import STRETCH, column, named, row
from app.workers.thumbnails import Thumbnails, picture, pixels_of

if TYPE_CHECKING:
    from app.services.shell import Services
    from app.services.trust import TrustedFiles
    from core.events import Tell
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.one_image import Answer, Part, SeenImage, Which

MODELS: tuple[Which, ...] = ("original", "unlearned", "retrained")
WIDE, LARGE, SMALL, NEIGHBOURS = 1120, 272, 64, 9
KEY = "inspect "
IMAGE = Qt.ItemDataRole.UserRole  # of a neighbour: its position


class ModelColumn(Card):
    """What one model says of the image, or why that is not known, and the image's neighbours in its features."""

    opened = Signal(int)

    def __init__(self, model: str) -> None:
        style = model_style(model)
        super().__init__(f"{style.glyph} {style.title}", padding=t.M)
        self.says = Label("", wrap=True)
        title, cell = tr("Nearest training images, by features"), theme.px(SMALL + t.XL)
        self.neighbours = named(QListWidget(), title)
        self.neighbours.setViewMode(QListWidget.ViewMode.IconMode)
        self.neighbours.setMovement(QListWidget.Movement.Static)
        self.neighbours.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.neighbours.setFrameShape(QFrame.Shape.NoFrame)
        self.neighbours.setIconSize(QSize(theme.px(SMALL), theme.px(SMALL)))
        self.neighbours.setGridSize(QSize(cell, cell))
        self.neighbours.setMinimumSize(cell + theme.px(t.L), 2 * cell)
        for signal in (self.neighbours.itemClicked, self.neighbours.itemActivated):
            signal.connect(lambda item: self.opened.emit(item.data(IMAGE)))
        self.body.addLayout(column(self.says, caption(title, wrap=True), (self.neighbours, 1)))

    def say(self, text: str) -> None:
        """Say what is known, without any neighbours."""
        self.says.setText(text)
        self.neighbours.clear()

    def say_how_far(self, _what: str, done: int, total: int) -> None:
        """Say how far the model is."""
        far = tr("Looking at the image ({done} of {total})", done=fmt.count(done), total=fmt.count(total))
        self.say(far if total else tr("Looking at the image"))

    def show_seen(self, seen: SeenImage, images: Images, label: str, forget: np.ndarray) -> None:
        """Show what the model says of an image of class `label`; `forget` (n,) bool marks neighbours."""
        self.say("\n".join(_answer_words(seen.answer, images.dataset.classes, label)))
        for image, likeness in zip(seen.neighbours.tolist(), seen.likeness.tolist(), strict=True):
            name, told, cosine = images.class_of("train", image), images.describe("train", image), fmt.decimal(likeness)
            item = QListWidgetItem(f"▲ {name}" if forget[image] else name, self.neighbours)
            item.setToolTip(fmt.plain(tr("{image}\nCosine of the features {value}", image=told, value=cosine)))
            item.setData(IMAGE, image)

    def draw(self, thumbnails: Thumbnails) -> None:
        """Show the thumbnails of the neighbours that are there."""
        for item in map(self.neighbours.item, range(self.neighbours.count())):
            pixmap = thumbnails.get(("train", item.data(IMAGE))) if item.icon().isNull() else None
            if pixmap is not None:
                item.setIcon(QIcon(pixmap))



def _answer_words(answer: Answer | None, classes: Sequence[str], label: str) -> list[str]:
    """Say in lines what a model says of an image of class `label`."""
    if answer is None:
        return [tr("Features alone: an encoder names no class.")]
    says = classes[answer.predicted]
    facts = [tr("Says {name}, {share} sure", name=says, share=fmt.percent(answer.confidence))]
    if says != label:
        facts.append(tr("{name}: {share}", name=label, share=fmt.percent(answer.own)))
    return [*facts, tr("Loss {value}", value=fmt.decimal(answer.loss))]


class ImageInspector(Dialog):
    """The window. `stepped(by)` asks for another image."""

    stepped = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(tr("Image"), parent)
        self.setProperty("ground", "window")
        self._side = theme.px(LARGE) // (2 if theme.large else 1)  # else a small screen does not hold it
        self.picture = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.picture.setFixedSize(self._side, self._side)
        self.name = ElidedLabel("", "section")
        self.facts, self.badge = Label("", wrap=True), Label("", "body", "forget")
        for label in (self.name, self.facts):
            label.setFixedWidth(self._side)
        self.columns = {model: ModelColumn(model) for model in MODELS}
        previous = IconButton("chevron-left", tr("Previous image"), partial(self.stepped.emit, -1))
        following = IconButton("chevron-right", tr("Next image"), partial(self.stepped.emit, 1))
        self.mark_button = SecondaryButton("")
        left = column(self.picture, self.name, self.facts, self.badge, STRETCH)
        middle = row((left, 0), *((one, 1) for one in self.columns.values()), spacing=t.M)
        foot = row(previous, following, STRETCH, self.mark_button, SecondaryButton(tr("Close"), self.close))
        column((middle, 1), foot, on=self, spacing=t.M, margins=t.L)
        following.setFocus()  # a list would take the arrow keys
        self.resize(min(theme.px(WIDE), parent.width()), self.sizeHint().height())

    def show_image(self, images: Images, part: str, image: int) -> None:
        """Show an image with what is known of it."""
        train, number, name = part == "train", fmt.count(image), images.name(part, image)
        where = tr("Training image {number}", number=number)
        facts = [tr("Class {name}", name=images.class_of(part, image)),
                 where if train else tr("Test image {number}: never trained on", number=number)]  # fmt: skip
        pixels = partial(pixels_of(images.dataset), (part, image))
        shown, why_not = picture(pixels, self._side, self.devicePixelRatioF())
        self.picture.setPixmap(shown)
        self.picture.setAccessibleName(", ".join([name, *facts]))
        facts += [why_not] if why_not else []
        self.name.setText(name)
        self.setWindowTitle(name)
        self.facts.setText("\n".join(facts))
        self.mark_button.setVisible(train)

    def show_mark(self, forget: bool) -> None:
        """Say whether the image is to be forgotten, and offer the other."""
        self.mark_button.setText(tr("Keep this image") if forget else tr("Forget this image"))
        self.badge.setText(tr("▲ To be forgotten") if forget else "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Up: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: 1}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.stepped.emit(step)


class Inspector(QObject):
    """Opens the window and fills it. `stepped(by)` asks for an image further on.

    `mark(images, how)` is what its button does with training images.
    """

    stepped = Signal(int)

    def __init__(
        self, context: Services, widget: QWidget, thumbnails: Thumbnails, mark: Callable[[np.ndarray, str], None]
    ) -> None:
        super().__init__(widget)
        self._context, self._widget, self._thumbnails, self._mark = context, widget, thumbnails, mark
        self.window: ImageInspector | None = None  # while it is open
        self._part: Part = "train"
        self._image = -1
        thumbnails.ready.connect(self._draw_neighbours)
        context.project.dataset_changed.connect(self.close)
        context.project.model_changed.connect(self.close)
        context.project.selection_changed.connect(self._show_mark)

    def open(self, part: str, image: int) -> None:
        """Show an image of a part of the data, by its position."""
        project = self._context.project
        if project.dataset is None:
            return
        images = Images(project.dataset, project.evaluation.get("baseline"))
        self._part, self._image = cast("Part", part), image
        window = self.window = self.window or self._make()
        window.show_image(images, part, image)
        self._show_mark()
        window.show()
        window.raise_()
        window.activateWindow()
        self._ask(window, images)

    def close(self) -> None:
        """Close the window: what it shows is of other data or another model."""
        if self.window is not None:
            self.window.close()

    def _make(self) -> ImageInspector:
        made = ImageInspector(self._widget.window())
        made.stepped.connect(self.stepped)
        made.mark_button.clicked.connect(lambda: self._mark(np.array([self._image]), "toggle"))
        made.finished.connect(self._closed)
        for one in made.columns.values():
            one.opened.connect(partial(self.open, "train"))
        return made

    def _closed(self) -> None:
        self.window = None
        for model in MODELS:
            self._context.jobs.cancel(KEY + model)
            self._context.device_jobs.cancel(KEY + model)

    def _show_mark(self) -> None:
        if self.window is not None:
            self.window.show_mark(self._part == "train" and bool(self._forget()[self._image]))

    def _forget(self) -> np.ndarray:
        selection = self._context.project.selection
        assert selection is not None  # with data there is one
        return selection.mask

    def _ask(self, window: ImageInspector, images: Images) -> None:
        """Have each model asked in a worker: the original's outputs are kept, others' may have to be taken first."""
        context, project = self._context, self._context.project
        run = project.run.folder if project.run is not None else None
        for model, view in window.columns.items():
            if project.bench is None:
                view.say(tr("Open a model first."))
                continue
            view.say(tr("Looking at the image"))
            jobs = context.jobs if model == "original" else context.device_jobs
            bench = project.bench.on(context.settings.values.device, threads=context.settings.values.threads)
            jobs.submit(look, bench, self._part, self._image, model, run, context.trust, key=KEY + model).then(
                partial(self._came, view, images), lambda error, view=view: view.say(explain(error)),
                progress=view.say_how_far,
            )  # fmt: skip

    def _came(self, view: ModelColumn, images: Images, seen: SeenImage) -> None:
        view.show_seen(seen, images, images.class_of(self._part, self._image), self._forget())
        view.draw(self._thumbnails)

    def _draw_neighbours(self) -> None:
        for one in self.window.columns.values() if self.window is not None else ():
            one.draw(self._thumbnails)


def look(
    bench: Bench, part: Part, image: int, model: Which, run: RunFolder | None, trust: TrustedFiles, progress: Tell
) -> SeenImage:
    """Return what a model says of an image; runs in a worker."""
    from core.session.one_image import inspect_image

    if run is not None:
        bench = bench.trusting(trust.of(run.job()))
    return inspect_image(bench.telling(progress), part, image, model, run, NEIGHBOURS)
