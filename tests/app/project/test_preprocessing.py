"""Preprocessing set by hand: form and list say the same, an image is shown before and after, errors are words."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication, QLabel

from app.dialogs import preparing
from app.dialogs.preprocessing import PreprocessingDialog
from core.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from tests.app.helpers import assert_accessible, assert_fits
from tests.app.opened import dialog_of
from tests.app.project.test_page import press

NOW = Preprocessing((32, 32), IMAGENET_MEAN, IMAGENET_STD)


@pytest.fixture
def page(window):
    return window.page("project")


@pytest.fixture
def dialog(page, context, insects, idle) -> PreprocessingDialog:
    context.opening.open_data(str(insects))
    idle()
    page.presenter.questions.ask_preprocessing()
    return dialog_of(page.window(), PreprocessingDialog)


def choose(combo, key: str) -> None:
    combo.setCurrentIndex(combo.findData(key))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Resize(36)\nCenterCrop(32)\nToTensor()\nNormalize(mean=[0.5], std=[0.25])",
         ["Resize(36, bilinear)", "CenterCrop(32)"]),
        ("transforms.Compose([\n    transforms.Resize((36, 48)),  # all\n    transforms.ToTensor(),\n])",
         ["Resize((36, 48), bilinear)"]),
        ("tf = T.Compose([T.Pad(2), T.ToTensor()])", ["Pad(2)"]),
        ("Compose(\n    Resize(size=36, interpolation=bicubic, max_size=None, antialias=True)\n    ToTensor()\n)",
         ["Resize(36, bicubic)"]),
        ('{"resize": 36, "crop": 32}', ["Resize(36, bilinear)", "CenterCrop(32)"]),
        ("Fit((20, 24), bicubic)\nToTensor()\nNormalize(mean=[0.5], std=[0.25])", ["Fit((20, 24), bicubic)"]),
        ("ToTensor()", []),
    ],
)  # fmt: skip
def test_a_list_is_read_as_people_write_it_and_written_so_again(text, steps):
    read = preparing.read(text, NOW)
    assert read.transforms[:-2] == steps
    again = preparing.read(preparing.written(read), NOW)
    assert (again.steps, again.size, again.mean, again.std) == (read.steps, read.size, read.mean, read.std)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The list is empty"),
        ("Resize(36\nToTensor()", "is no transform"),
        ("RandomCrop(32)", "which is for training only"),
        ("Resise(36)", "did you mean Resize?"),
        ('{"resize": }', "is not valid JSON"),
        ("Normalize(mean=[0.5], std=[0.0])", "std"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(text, said):
    with pytest.raises(preparing.InputError) as raised:
        preparing.read(text, NOW)
    assert said in raised.value.text


@pytest.mark.parametrize("text", [
    "Resize(36, bicubic)\nCenterCrop((32, 24))\nPad(2)\nGrayscale(3)\nToTensor()", "Fit((20, 24), nearest)\nToTensor()",
    "Resize((12, 14), lanczos)\nToTensor()", "ToTensor()",
])  # fmt: skip
def test_a_form_says_the_same_as_the_list(text):
    read = preparing.read(text, NOW)
    again = preparing.from_plain(preparing.plain(read), NOW)
    assert (again.transforms, again.size) == (read.transforms, read.size)


@pytest.mark.parametrize("text", [
    "Resize(36, antialias=False)", "Resize(36, max_size=50)", "CenterCrop(32)\nResize(36)", "Pad([1, 2, 3, 4])",
])  # fmt: skip
def test_what_a_form_cannot_say_is_left_to_the_list(text):
    assert preparing.plain(preparing.read(f"{text}\nToTensor()", NOW)) is None


def test_form_and_list_follow_each_other(dialog):
    choose(dialog.fields["resize"], "short")
    dialog.fields["height"].setValue(18)
    dialog.fields["cropped"].setChecked(True)
    dialog.fields["crop_height"].setValue(16)
    dialog.fields["crop_width"].setValue(16)
    choose(dialog.values, "Values −1 to 1 (0.5 and 0.5)")
    assert dialog.text_field.toPlainText().splitlines() == [
        "Resize(18, bilinear)", "CenterCrop(16)", "ToTensor()", "Normalize(mean=[0.5], std=[0.5])",
    ]  # fmt: skip
    dialog.text_field.setPlainText("Resize((14, 20), bicubic)\nToTensor()\nNormalize(mean=[0.1307], std=[0.3081])")
    assert dialog.fields["resize"].currentData() == "exact" and not dialog.fields["cropped"].isChecked()
    assert (dialog.fields["height"].value(), dialog.fields["width"].value()) == (14, 20)
    assert dialog.fields["interpolation"].currentData() == "bicubic" and dialog.values.currentData() == "MNIST"
    dialog.text_field.setPlainText("Pad([1, 2, 3, 4])\nToTensor()")
    assert not dialog.form.isEnabled() and dialog.accept_button.isEnabled()
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    assert any(text.endswith("prints of it. It says more than the form above can.") for text in texts)
    dialog.reject()


def test_numbers_stay_what_they_are_when_the_form_is_used(dialog):
    choose(dialog.values, "Values 0 to 255")
    assert dialog.preparation().std == (1 / 255,) and dialog.values.currentData() == "Values 0 to 255"
    dialog.text_field.setPlainText("ToTensor()\nNormalize(mean=[0.48145466], std=[0.26862954258])")
    dialog.fields["pad"].setValue(2)
    assert (dialog.preparation().mean, dialog.preparation().std) == ((0.48145466,), (0.26862954258,))
    dialog.reject()


def test_an_image_is_shown_before_and_after(dialog, qtbot, context):
    dialog.text_field.setPlainText("Resize((6, 9))\nToTensor()")
    qtbot.waitUntil(lambda: dialog.sizes[1].text() == "after: 6 × 9, 1 channel")
    assert dialog.sizes[0].text() == "before: 12 × 12, 1 channel"
    first = dialog.pictures[1].pixmap().toImage()
    press(dialog, "Next image")
    qtbot.waitUntil(lambda: dialog.pictures[1].pixmap().toImage() != first)
    assert dialog.place.text() == f"2 of {len(context.project.dataset.train)}"
    press(dialog, "Previous image")
    qtbot.waitUntil(lambda: dialog.pictures[1].pixmap().toImage() == first)
    dialog.reject()


def test_what_is_wrong_is_said_beside_the_list_and_cannot_be_used(dialog, qtbot):
    dialog.text_field.setPlainText("Resise(36)")
    assert "did you mean Resize?" in dialog.error.text() and not dialog.accept_button.isEnabled()
    dialog.text_field.setPlainText("ToTensor()")
    assert dialog.error.text() == "" and dialog.accept_button.isEnabled()
    dialog.fields["mean"].clear()
    qtbot.keyClicks(dialog.fields["mean"], "half")
    assert dialog.error.text() == "Mean must be one number, or one for each channel, separated by commas."
    press(dialog, "Next image")  # mends nothing
    assert "Mean must be" in dialog.error.text() and not dialog.accept_button.isEnabled()
    dialog.reject()


def test_it_fits_and_the_keyboard_reaches_all(dialog):
    assert dialog.sizeHint().height() <= 640
    assert_fits(dialog)
    assert_accessible(dialog)
    QApplication.processEvents()
    dialog.reject()


def test_what_was_set_is_used_and_can_be_taken_back(dialog, page, context, idle):
    dialog.text_field.setPlainText("Resize(18)\nCenterCrop(16)\nToTensor()\nNormalize(mean=[0.25], std=[0.5])")
    dialog.accept()
    idle()
    prepared = context.project.dataset.preprocessing
    assert prepared.size == (16, 16) and len(prepared.steps) == 2 and prepared.mean == (0.25,)
    page.presenter.questions.ask_preprocessing()
    again = dialog_of(page.window(), PreprocessingDialog)
    choose(again.values, "Values −1 to 1 (0.5 and 0.5)")
    again.accept()
    idle()
    changed = context.project.dataset.preprocessing
    assert changed.steps == prepared.steps and changed.mean == changed.std == (0.5,)
    page.presenter.questions.ask_preprocessing()
    press(dialog_of(page.window(), PreprocessingDialog), "Reset")
    idle()
    assert context.project.dataset.preprocessing.source == "data set"
