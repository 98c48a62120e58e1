"""Preprocessing set by hand: in a form or as a list of transforms, with one image before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.sheet import Sheet
from app.services import format as fmt
from app.services import preparing
from app.services import tokens as t
from app.services.opening import explain
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton
from app.widgets.labels import Label, caption
from app.workers.thumbnails import thumbnail
from core.data.steps import MAX_SIDE
from core.errors import AppError

if TYPE_CHECKING:
    from app.workers.jobs import Jobs
    from core.data.dataset import Dataset
    from core.data.preprocessing import Preprocessing

PREVIEW_SIDE = 176
RESIZE = {
    "none": "Not at all", "short": "Short side to", "exact": "To exactly", "cover": "To cover, rest cut off",
}  # fmt: skip
OWN = "Others"
LISTED = "&As a list of transforms, or what Python prints of it"
BEYOND = "It says more than the form above can."


class PreprocessingDialog(Sheet):
    """`chosen` carries a preparation as plain data, or None to go back to what was found.

    Form and list say the same: changing one changes the other. `by_hand`: the present one was set by hand.
    """

    chosen = Signal(object)

    def __init__(
        self, dataset: Dataset, jobs: Jobs, by_hand: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__("Preprocessing", "Use this", parent)
        self._dataset, self._jobs = dataset, jobs
        self._now = self._prepared = dataset.preprocessing
        self._known = preparing.known_values(self._now)
        self._setting = False  # whether the fields are being filled in
        self._taken_back = False
        self._image = 0
        self.body.addWidget(Label("What an image goes through before the network: as in training, without chance."))
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.XL))
        left = QVBoxLayout()
        left.addWidget(self._form())
        left.addStretch(1)
        row.addLayout(left, 1)
        row.addLayout(self._preview())
        self.body.addLayout(row)
        self.text = QPlainTextEdit()
        self.text.setAccessibleName("List of transforms")
        self.text.setTabChangesFocus(True)
        self.text.setFixedHeight(theme.px(104))
        self._listed = Label(LISTED, "body", "text-2")
        self._listed.setBuddy(self.text)
        self.error = Label("", "caption", "danger", wrap=True)
        self.error.setMaximumWidth(16_777_215)
        for widget in (self._listed, self.text, self.error):
            self.body.addWidget(widget)
        if by_hand:
            self.add_foot(SecondaryButton("Take back", self._take_back))
        self.accepted.connect(self._accepted)
        self.finished.connect(lambda: jobs.cancel("preview"))
        self._fill(self._now)
        self.text.setPlainText(preparing.written(self._now))
        self._check(self._now)
        self._connect()

    def preparation(self) -> Preprocessing:
        """The last one that was right."""
        return self._prepared

    # -- parts -----------------------------------------------------------------------------------------------------

    def _form(self) -> QWidget:
        from core.data.steps import INTERPOLATIONS

        self.form = QWidget()
        self.form.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        grid = QGridLayout(self.form)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.px(t.S))
        grid.setVerticalSpacing(theme.px(t.S))
        self.resize_kind = _combo("Resize", RESIZE)
        self.side_height, self.side_width = _spin("Height in pixels"), _spin("Width in pixels")
        self.by = Label("×", "body", "text-2")
        self.interpolation = _combo("Resize with", {name: name for name in INTERPOLATIONS})
        self.cropped = QCheckBox("Crop at the centre to")
        self.crop_height, self.crop_width = _spin("Height of the crop"), _spin("Width of the crop")
        self.pad = _spin("Pixels of the edge", 0)
        self.grey = QCheckBox("Make grey")
        self.values = _combo("Mean and std", {name: name for name in (*self._known, OWN)})
        self.mean, self.std = QLineEdit(), QLineEdit()
        self.mean.setAccessibleName("Mean of every channel")
        self.std.setAccessibleName("Standard deviation of every channel")
        rows: list[tuple[str, list[QWidget]]] = [
            ("&Resize", [self.resize_kind, self.side_height, self.by, self.side_width]),
            ("&With", [self.interpolation]),
            ("", [self.cropped, self.crop_height, Label("×", "body", "text-2"), self.crop_width]),
            ("Edge on &all sides", [self.pad, self.grey]),
            ("&Values", [self.values]),
            ("&Mean, 0 to 1", [self.mean]),
            ("&Std, 0 to 1", [self.std]),
        ]
        for number, (word, widgets) in enumerate(rows):
            label = Label(word, "body", "text-2")
            label.setBuddy(widgets[0])
            line = QHBoxLayout()
            line.setSpacing(theme.px(t.S))
            wide = isinstance(widgets[0], QLineEdit)
            for widget in widgets:
                line.addWidget(widget, int(wide))
            line.addStretch(int(not wide))
            grid.addWidget(label, number, 0)
            grid.addLayout(line, number, 1)
        return self.form

    def _preview(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(theme.px(t.XS))
        pictures = QHBoxLayout()
        pictures.setSpacing(theme.px(t.M))
        self.pictures, self.sizes = [], []
        for word in ("before", "after"):
            one = QVBoxLayout()
            picture = Label()
            picture.setFixedSize(theme.px(PREVIEW_SIDE), theme.px(PREVIEW_SIDE))
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.setProperty("ground", "sunken")
            size = caption(word)
            one.addWidget(picture)
            one.addWidget(size)
            pictures.addLayout(one)
            self.pictures.append(picture)
            self.sizes.append(size)
        column.addLayout(pictures)
        turn = QHBoxLayout()
        self._which = caption("")
        turn.addWidget(SecondaryButton("Previous image", lambda: self._turn(-1)))
        turn.addWidget(SecondaryButton("Next image", lambda: self._turn(1)))
        turn.addWidget(self._which)
        turn.addStretch(1)
        column.addLayout(turn)
        column.addStretch(1)
        return column

    def _connect(self) -> None:
        self.text.textChanged.connect(self._text_changed)
        for combo in (self.resize_kind, self.interpolation):
            combo.currentIndexChanged.connect(self._form_changed)
        for spin in (self.side_height, self.side_width, self.crop_height, self.crop_width, self.pad):
            spin.valueChanged.connect(self._form_changed)
        for box in (self.cropped, self.grey):
            box.toggled.connect(self._form_changed)
        for field in (self.mean, self.std):
            field.textEdited.connect(self._form_changed)
        self.values.currentIndexChanged.connect(self._values_chosen)

    # -- form and list ---------------------------------------------------------------------------------------------

    def _fill(self, preparation: Preprocessing) -> None:
        """Show a preparation in the form, as far as that can say it."""
        said = preparing.plain(preparation)
        self.form.setEnabled(said is not None)
        self._listed.setText(LISTED if said is not None else f"{LISTED}. {BEYOND}")
        if said is None:
            return
        self._setting = True
        self.resize_kind.setCurrentIndex(self.resize_kind.findData(said.resize))
        for spin, side in zip((self.side_height, self.side_width), (said.side[0], said.side[-1]), strict=True):
            spin.setValue(side)
        self.interpolation.setCurrentIndex(self.interpolation.findData(said.interpolation))
        self.cropped.setChecked(said.crop is not None)
        for spin, side in zip((self.crop_height, self.crop_width), said.crop or said.side[:1] * 2, strict=True):
            spin.setValue(side)
        self.pad.setValue(said.pad)
        self.grey.setChecked(said.grey)
        self.mean.setText(_listed(said.mean))
        self.std.setText(_listed(said.std))
        self._show_values(said.mean, said.std)
        self._setting = False
        self._show_fields()

    def _show_values(self, mean: Any, std: Any) -> None:
        """Show the name that mean and std are known by."""
        name = next((name for name, known in self._known.items() if known == (tuple(mean), tuple(std))), OWN)
        self.values.setCurrentIndex(self.values.findData(name))

    def _show_fields(self) -> None:
        """Show the fields that the kind of resizing and the crop need."""
        kind = self.resize_kind.currentData()
        self.side_height.setVisible(kind != "none")
        for widget in (self.by, self.side_width):
            widget.setVisible(kind not in ("none", "short"))
        self.interpolation.setEnabled(kind != "none")
        for spin in (self.crop_height, self.crop_width):
            spin.setEnabled(kind != "cover" and self.cropped.isChecked())
        for field in (self.cropped, self.pad, self.grey):
            field.setEnabled(kind != "cover")

    def _values_chosen(self) -> None:
        known = self._known.get(self.values.currentData())
        if known is None or self._setting:
            return
        self.mean.setText(_listed(known[0]))
        self.std.setText(_listed(known[1]))
        self._form_changed()

    def _form_changed(self, *_value: object) -> None:
        if self._setting:
            return
        self._show_fields()
        kind = self.resize_kind.currentData()
        side = (self.side_height.value(),) if kind == "short" else (self.side_height.value(), self.side_width.value())
        crop = (self.crop_height.value(), self.crop_width.value()) if self.cropped.isChecked() else None
        try:
            mean, std = preparing.numbers(self.mean.text(), "Mean"), preparing.numbers(self.std.text(), "Std")
            said = preparing.Plain(
                kind, side, self.interpolation.currentData(), crop, self.pad.value(), self.grey.isChecked(), mean, std
            )
            prepared = preparing.from_plain(said, self._now)
        except AppError as error:
            self._wrong(error)
            return
        self._setting = True
        self._show_values(prepared.mean, prepared.std)
        self.text.setPlainText(preparing.written(prepared))
        self._setting = False
        self._check(prepared)

    def _text_changed(self) -> None:
        if self._setting:
            return
        try:
            prepared = preparing.read(self.text.toPlainText(), self._now)
        except AppError as error:
            self._wrong(error)
            return
        self._fill(prepared)
        self._check(prepared)

    def _wrong(self, error: BaseException) -> None:
        """Say beside the list what is wrong."""
        self.error.setText(explain(error))
        self.set_reason("Nothing can be used before this is right.")

    # -- the image -------------------------------------------------------------------------------------------------

    def _check(self, prepared: Preprocessing) -> None:
        """Try a preparation on the image in view."""
        self._prepared = prepared
        self.error.setText("")
        self.set_reason("")
        self._which.setText(f"{fmt.count(self._image + 1)} of {fmt.count(len(self._dataset.train))}")
        handle = self._jobs.submit(self._dataset.preview, self._image, prepared, key="preview")
        handle.done.connect(self._seen)
        handle.failed.connect(self._wrong)

    def _seen(self, found: tuple[Any, Any]) -> None:
        for word, picture, size, pixels in zip(("before", "after"), self.pictures, self.sizes, found, strict=True):
            image = thumbnail(pixels, round(theme.px(PREVIEW_SIDE) * self.devicePixelRatioF()))
            image.setDevicePixelRatio(self.devicePixelRatioF())
            picture.setPixmap(QPixmap.fromImage(image))
            height, width, channels = pixels.shape
            size.setText(f"{word}: {height} × {width}, {fmt.plural(channels, 'channel')}")
            picture.setAccessibleName(f"Image {size.text()}")

    def _turn(self, by: int) -> None:
        self._image = (self._image + by) % len(self._dataset.train)
        self._check(self._prepared)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _take_back(self) -> None:
        self._taken_back = True
        self.accept()

    def _accepted(self) -> None:
        self.chosen.emit(None if self._taken_back else self._prepared.to_dict())


def _combo(name: str, entries: dict[str, str]) -> QComboBox:
    combo = QComboBox()
    combo.setAccessibleName(name)
    for key, words in entries.items():
        combo.addItem(words, key)
    return combo


def _spin(name: str, least: int = 1) -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, MAX_SIDE)
    box.setAccessibleName(name)
    box.setFixedWidth(theme.px(80))
    box.lineEdit().setTextMargins(theme.px(t.XS), 0, 0, 0)
    return box


def _listed(values: Sequence[float]) -> str:
    """Write numbers so that reading them gives the same ones."""
    return ", ".join(repr(value).removesuffix(".0") for value in values)
