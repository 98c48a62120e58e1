"""Preprocessing set by hand: a list of transforms, with one image before and after it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QBoxLayout, QMenu, QPlainTextEdit, QWidget

from app.dialogs.sheet import Sheet
from app.services import format as fmt
from app.services import tokens as t
from app.services.opening import explain
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, add_to, column, named, row
from app.workers.thumbnails import thumbnail
from core.errors import AppError

if TYPE_CHECKING:
    from app.workers.jobs import Jobs
    from core.data.dataset import Dataset
    from core.data.preprocessing import Preprocessing

PREVIEW_SIDE = 176
WHERE = "The list"
LISTED = mark("&One transform a line (Resize, CenterCrop, Pad, Grayscale, ToTensor, Normalize), or what Python prints "
              "of a Compose")


class PreprocessingDialog(Sheet):
    """`chosen` carries a preparation as plain data, or None to go back to what was found.

    `by_hand`: the present one was set by hand.
    """

    def __init__(
        self, dataset: Dataset, jobs: Jobs, by_hand: bool = False, parent: QWidget | None = None
    ) -> None:
        text = tr("What is done to an image before the network sees it: as in training, without random steps.")
        super().__init__(tr("Preprocessing"), tr("Use this"), parent, text=text)
        self._dataset, self._jobs = dataset, jobs
        self._now = self._prepared = dataset.preprocessing
        self._taken_back = False
        self._image = 0
        self.text_field = named(QPlainTextEdit(tabChangesFocus=True), tr("List of transforms"))
        self.text_field.setMinimumWidth(theme.px(400))
        listed = Label(tr(LISTED), "caption", "text-2", wide=True)
        listed.setBuddy(self.text_field)
        self.values = QMenu(self)
        for name, values in known_values(self._now.channels).items():
            self.values.addAction(tr(name), partial(self._set_values, *values))
        values_button = SecondaryButton(tr("Mean and std"))
        values_button.set_menu(self.values)
        self.error = Label("", "caption", "danger", wide=True)
        stated = column(listed, (self.text_field, 1), row(values_button, STRETCH))
        add_to(self.body, row((stated, 1), self._preview(), spacing=t.XL), self.error)
        if by_hand:
            self.add_foot(SecondaryButton(tr("Reset"), self._take_back))
        self.finished.connect(lambda: jobs.cancel("preview"))
        self._write(self._now)
        self._try()
        self.text_field.textChanged.connect(self._text_changed)

    def answer(self) -> dict[str, Any] | None:
        return None if self._taken_back else self._prepared.to_dict()

    def _preview(self) -> QBoxLayout:
        self.pictures, self.sizes = [Label(), Label()], [caption(), caption()]
        for name, picture in zip((tr("The image before"), tr("The image after")), self.pictures, strict=True):
            picture.setFixedSize(theme.px(PREVIEW_SIDE), theme.px(PREVIEW_SIDE))
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.setProperty("ground", "sunken")
            picture.setAccessibleName(name)
        pairs = zip(self.pictures, self.sizes, strict=True)
        self.place = caption()
        turn = row(SecondaryButton(tr("Next image"), self._turn), self.place, STRETCH)
        return column(row(*(column(*pair) for pair in pairs), spacing=t.M), turn, STRETCH, spacing=t.XS)

    # -- the list --------------------------------------------------------------------------------------------------

    def _write(self, prepared: Preprocessing) -> None:
        self.text_field.setPlainText("\n".join(prepared.transforms))

    def _set_values(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self._write(replace(self._prepared, mean=mean, std=std))

    def _text_changed(self) -> None:
        try:
            self._prepared = read(self.text_field.toPlainText(), self._now)
        except AppError as error:
            self._wrong(error)
        else:
            self._try()

    def _wrong(self, error: BaseException) -> None:
        """Say below the list what is wrong."""
        self.error.setText(explain(error))
        self.set_reason(tr("First correct what is wrong."))

    # -- the image -------------------------------------------------------------------------------------------------

    def _try(self) -> None:
        """Prepare the image in view."""
        self.error.setText("")
        self.set_reason("")
        number = len(self._dataset.train)
        self.place.setText(tr("{place} of {all}", place=fmt.count(self._image + 1), all=fmt.count(number)))
        self._jobs.submit(self._dataset.preview, self._image, self._prepared, key="preview").then(
            self._seen, self._wrong
        )

    def _seen(self, found: tuple[Any, Any]) -> None:
        ratio = self.devicePixelRatioF()
        for picture, pixels in zip(self.pictures, found, strict=True):
            image = thumbnail(pixels, round(theme.px(PREVIEW_SIDE) * ratio))
            image.setDevicePixelRatio(ratio)
            picture.setPixmap(QPixmap.fromImage(image))
        (height, width, channels), (tall, wide, kept) = (pixels.shape for pixels in found)
        self.sizes[0].setText(tr("before: {height} × {width}, %n channels", n=channels, height=height, width=width))
        self.sizes[1].setText(tr("after: {height} × {width}, %n channels", n=kept, height=tall, width=wide))

    def _turn(self) -> None:
        self._image = (self._image + 1) % len(self._dataset.train)
        self._text_changed()  # what is wrong stays so

    def _take_back(self) -> None:
        self._taken_back = True
        self.accept()


def read(text: str, base: Preprocessing) -> Preprocessing:
    """Return the preparation that a text states in any form that --preprocess takes.

    What it does not say is as in `base`. Raises InputError naming what is wrong.
    """
    from core.data.preprocessing import Preprocessing
    from core.data.stated import stated_in

    return Preprocessing.from_dict(stated_in(text, WHERE), base=base, source="file", where=WHERE)


def known_values(channels: int) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Return mean and std by the name they are known by, for images of so many channels."""
    from core.data.candidates import BYTES, COLOUR, GREY, HALF, PLAIN

    named = {1: GREY, 3: COLOUR}.get(channels, {})
    ranges = {mark("Values 0 to 1"): PLAIN, mark("Values −1 to 1 (0.5 and 0.5)"): HALF, mark("Values 0 to 255"): BYTES}
    return {**named, **{name: (mean * channels, std * channels) for name, (mean, std) in ranges.items()}}
