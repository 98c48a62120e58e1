"""Preprocessing set by hand: in a form or as a list of transforms, with one image before and after it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QBoxLayout, QCheckBox, QLineEdit, QPlainTextEdit, QWidget

from app.dialogs import preparing
from app.dialogs.sheet import Sheet
from app.services import format as fmt
from app.services import tokens as t
from app.services.opening import explain
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.form import add_field, combo_box, on_change, show_value, spin_box, value_of
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, add_to, column, form, named, row, widget_of
from app.workers.thumbnails import thumbnail
from core.data.steps import MAX_SIDE
from core.errors import AppError

if TYPE_CHECKING:
    from app.workers.jobs import Jobs
    from core.data.dataset import Dataset
    from core.data.preprocessing import Preprocessing

PREVIEW_SIDE = 176
RESIZE = {
    "none": mark("Not at all"), "short": mark("Short side to"), "exact": mark("To exactly"),
    "cover": mark("Fill, cut off the rest"),
}  # fmt: skip
OTHERS = mark("Others")


class PreprocessingDialog(Sheet):
    """`chosen` carries a preparation as plain data, or None to go back to what was found.

    Form and list say the same: changing one changes the other. `by_hand`: the present one was set by hand.
    """

    def __init__(
        self, dataset: Dataset, jobs: Jobs, by_hand: bool = False, parent: QWidget | None = None
    ) -> None:
        text = tr("What is done to an image before the network sees it: as in training, without random steps.")
        super().__init__(tr("Preprocessing"), tr("Use this"), parent, text=text)
        self._dataset, self._jobs = dataset, jobs
        self._now = self._prepared = dataset.preprocessing
        self._known = preparing.known_values(self._now)
        self._setting = False  # whether the fields are being filled in
        self._right = True  # whether what is written is what is prepared
        self._taken_back = False
        self._image = 0
        self.form = self._make_form()
        self.text_field = named(QPlainTextEdit(tabChangesFocus=True), tr("List of transforms"))
        self.text_field.setFixedHeight(theme.px(104))
        self._listed = Label("", "body", "text-2")
        self._listed.setBuddy(self.text_field)
        self.error = Label("", "caption", "danger", wide=True)
        add_to(self.body, row((column(self.form, STRETCH), 1), self._preview(), spacing=t.XL), self._listed,
               self.text_field, self.error)  # fmt: skip
        if by_hand:
            self.add_foot(SecondaryButton(tr("Reset"), self._take_back))
        self.finished.connect(lambda: jobs.cancel("preview"))
        self._show(self._now)
        self.text_field.textChanged.connect(self._text_changed)

    def answer(self) -> dict[str, Any] | None:
        return None if self._taken_back else self._prepared.to_dict()

    def preparation(self) -> Preprocessing:
        """The last one that was right."""
        return self._prepared

    # -- parts -----------------------------------------------------------------------------------------------------

    def _make_form(self) -> QWidget:
        from core.data.steps import INTERPOLATIONS

        self.values = combo_box(tr("Mean and std"), [(tr(name), name) for name in (*self._known, OTHERS)])
        self.values.currentIndexChanged.connect(self._values_chosen)
        self.by = Label("×", "body", "text-2")
        pixels = partial(spin_box, least=1, most=MAX_SIDE, width=80)
        resize = combo_box(tr("Resize"), [(tr(text), kind) for kind, text in RESIZE.items()])
        height, width = pixels(tr("Height in pixels")), pixels(tr("Width in pixels"))
        interpolation = combo_box(tr("Resize with"), [(name, name) for name in INTERPOLATIONS])
        cropped, grey = QCheckBox(tr("Crop at the centre to")), QCheckBox(tr("Make grey"))
        crop_height, crop_width = pixels(tr("Height of the crop")), pixels(tr("Width of the crop"))
        pad = pixels(tr("Pixels on every side"), least=0)
        mean = named(QLineEdit(), tr("Mean of every channel"))
        std = named(QLineEdit(), tr("Standard deviation of every channel"))
        self.fields: dict[str, QWidget] = {  # as `preparing.plain` names them
            "resize": resize, "height": height, "width": width, "interpolation": interpolation, "cropped": cropped,
            "crop_height": crop_height, "crop_width": crop_width, "pad": pad, "grey": grey, "mean": mean, "std": std,
        }  # fmt: skip
        lines = form()
        for title, *parts in (
            (tr("&Resize"), resize, height, self.by, width, STRETCH),
            (tr("&With", "an interpolation"), interpolation, STRETCH),
            ("", cropped, crop_height, Label("×", "body", "text-2"), crop_width, STRETCH),
            (tr("&Pad all sides by"), pad, grey, STRETCH),
            (tr("&Values"), self.values, STRETCH), (tr("&Mean, 0 to 1"), mean), (tr("&Std, 0 to 1"), std),
        ):  # fmt: skip
            add_field(lines, title, row(*parts), parts[0])
        for field in self.fields.values():
            on_change(field, self._form_changed)
        return widget_of(lines)

    def _preview(self) -> QBoxLayout:
        self.pictures, self.sizes = [Label(), Label()], [caption(), caption()]
        for name, picture in zip((tr("The image before"), tr("The image after")), self.pictures, strict=True):
            picture.setFixedSize(theme.px(PREVIEW_SIDE), theme.px(PREVIEW_SIDE))
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.setProperty("ground", "sunken")
            picture.setAccessibleName(name)
        pairs = zip(self.pictures, self.sizes, strict=True)
        self.place = caption()
        turn = row(SecondaryButton(tr("Previous image"), partial(self._turn, -1)),
                   SecondaryButton(tr("Next image"), partial(self._turn, 1)), self.place, STRETCH)  # fmt: skip
        return column(row(*(column(*pair) for pair in pairs), spacing=t.M), turn, STRETCH, spacing=t.XS)

    # -- form and list ---------------------------------------------------------------------------------------------

    def _show(self, prepared: Preprocessing, source: QWidget | None = None) -> None:
        """Show a preparation everywhere but in `source`, where it comes from, and try it on the image in view."""
        self._setting = True
        if source is not self.text_field:
            self.text_field.setPlainText(preparing.written(prepared))
        if source is not self.form:
            self._fill(preparing.plain(prepared))
        values = preparing.listed(prepared.mean), preparing.listed(prepared.std)
        show_value(self.values, next((name for name, known in self._known.items() if known == values), OTHERS))
        self._setting, self._right = False, True
        self._show_fields()
        self._try(prepared)

    def _fill(self, values: dict[str, Any] | None) -> None:
        """Fill in the form, where a form can say it."""
        listed = tr("&As a list of transforms, or what Python prints of it")
        self.form.setEnabled(values is not None)
        self._listed.setText(listed if values else f"{listed}. {tr('It says more than the form above can.')}")
        for name, value in (values or {}).items():
            show_value(self.fields[name], value)

    def _show_fields(self) -> None:
        """Show the fields that the kind of resizing and the crop need."""
        kind, cropped = value_of(self.fields["resize"]), value_of(self.fields["cropped"])
        self.fields["height"].setVisible(kind != "none")
        for widget in (self.by, self.fields["width"]):
            widget.setVisible(kind not in ("none", "short"))
        self.fields["interpolation"].setEnabled(kind != "none")
        for name in ("cropped", "pad", "grey"):
            self.fields[name].setEnabled(kind != "cover")
        for name in ("crop_height", "crop_width"):
            self.fields[name].setEnabled(kind != "cover" and cropped)

    def _values_chosen(self) -> None:
        known = self._known.get(self.values.currentData())
        if known is not None and not self._setting:
            show_value(self.fields["mean"], known[0])
            show_value(self.fields["std"], known[1])

    def _form_changed(self) -> None:
        if self._setting:
            return
        self._show_fields()
        try:
            prepared = preparing.from_plain({name: value_of(field) for name, field in self.fields.items()}, self._now)
        except AppError as error:
            self._misstated(error)
        else:
            self._show(prepared, self.form)

    def _text_changed(self) -> None:
        if self._setting:
            return
        try:
            prepared = preparing.read(self.text_field.toPlainText(), self._now)
        except AppError as error:
            self._misstated(error)
        else:
            self._show(prepared, self.text_field)

    def _misstated(self, error: BaseException) -> None:
        self._right = False
        self._wrong(error)

    def _wrong(self, error: BaseException) -> None:
        """Say beside the list what is wrong."""
        self.error.setText(explain(error))
        self.set_reason(tr("First correct what is wrong."))

    # -- the image -------------------------------------------------------------------------------------------------

    def _try(self, prepared: Preprocessing) -> None:
        """Try a preparation on the image in view."""
        self._prepared = prepared
        if self._right:  # turning to another image mends nothing that is wrong
            self.error.setText("")
            self.set_reason("")
        number = len(self._dataset.train)
        self.place.setText(tr("{place} of {all}", place=fmt.count(self._image + 1), all=fmt.count(number)))
        self._jobs.submit(self._dataset.preview, self._image, prepared, key="preview").then(self._seen, self._wrong)

    def _seen(self, found: tuple[Any, Any]) -> None:
        ratio = self.devicePixelRatioF()
        for picture, pixels in zip(self.pictures, found, strict=True):
            image = thumbnail(pixels, round(theme.px(PREVIEW_SIDE) * ratio))
            image.setDevicePixelRatio(ratio)
            picture.setPixmap(QPixmap.fromImage(image))
        (height, width, channels), (tall, wide, kept) = (pixels.shape for pixels in found)
        self.sizes[0].setText(tr("before: {height} × {width}, %n channels", n=channels, height=height, width=width))
        self.sizes[1].setText(tr("after: {height} × {width}, %n channels", n=kept, height=tall, width=wide))

    def _turn(self, by: int) -> None:
        self._image = (self._image + by) % len(self._dataset.train)
        self._try(self._prepared)

    def _take_back(self) -> None:
        self._taken_back = True
        self.accept()
