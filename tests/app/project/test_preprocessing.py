"""Preprocessing set by hand: a list is read and written, an image is shown before and after, errors are words."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication

from app.dialogs.preprocessing import PreprocessingDialog, read
from core.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from core.errors import InputError
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


def choose(dialog: PreprocessingDialog, name: str) -> None:
    next(action for action in dialog.values.actions() if action.text() == name).trigger()


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
    found = read(text, NOW)
    assert found.transforms[:-2] == steps
    again = read("\n".join(found.transforms), NOW)
    assert (again.steps, again.size, again.mean, again.std) == (found.steps, found.size, found.mean, found.std)


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
    with pytest.raises(InputError) as raised:
        read(text, NOW)
    assert said in raised.value.text


def test_known_values_are_put_into_the_list(dialog):
    dialog.text_field.setPlainText("Resize(18)\nCenterCrop(16)\nToTensor()")
    choose(dialog, "Values −1 to 1 (0.5 and 0.5)")
    assert dialog.text_field.toPlainText().splitlines() == [
        "Resize(18, bilinear)", "CenterCrop(16)", "ToTensor()", "Normalize(mean=[0.5], std=[0.5])",
    ]  # fmt: skip
    choose(dialog, "Values 0 to 255")
    assert dialog.answer()["std"] == [1 / 255]
    dialog.text_field.setPlainText("ToTensor()\nNormalize(mean=[0.48145466], std=[0.26862954258])")
    assert (dialog.answer()["mean"], dialog.answer()["std"]) == ([0.48145466], [0.26862954258])
    dialog.reject()


def test_an_image_is_shown_before_and_after(dialog, qtbot, context):
    dialog.text_field.setPlainText("Resize((6, 9))\nToTensor()")
    qtbot.waitUntil(lambda: dialog.sizes[1].text() == "after: 6 × 9, 1 channel")
    assert dialog.sizes[0].text() == "before: 12 × 12, 1 channel"
    first = dialog.pictures[1].pixmap().toImage()
    press(dialog, "Next image")
    qtbot.waitUntil(lambda: dialog.pictures[1].pixmap().toImage() != first)
    assert dialog.place.text() == f"2 of {len(context.project.dataset.train)}"
    dialog.reject()


def test_what_is_wrong_is_said_below_the_list_and_cannot_be_used(dialog):
    dialog.text_field.setPlainText("Resise(36)")
    assert "did you mean Resize?" in dialog.error.text() and not dialog.accept_button.isEnabled()
    dialog.text_field.setPlainText("ToTensor()")
    assert dialog.error.text() == "" and dialog.accept_button.isEnabled()
    dialog.text_field.setPlainText("Normalize(mean=[half], std=[0.5])")
    wrong = dialog.error.text()
    press(dialog, "Next image")  # mends nothing
    assert wrong and dialog.error.text() == wrong and not dialog.accept_button.isEnabled()
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
    choose(again, "Values −1 to 1 (0.5 and 0.5)")
    again.accept()
    idle()
    changed = context.project.dataset.preprocessing
    assert changed.steps == prepared.steps and changed.mean == changed.std == (0.5,)
    page.presenter.questions.ask_preprocessing()
    press(dialog_of(page.window(), PreprocessingDialog), "Reset")
    idle()
    assert context.project.dataset.preprocessing.source == "data set"
