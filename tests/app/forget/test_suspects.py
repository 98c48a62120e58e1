"""Orders of suspects: what they show, what is marked among them becomes a correction, and what that is undone by."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt

from core.data.dataset import ImageSet
from core.session.baseline import baseline
from core.session.planning import COMMENDED, choices
from core.suspicion import Trigger

WRONG = list(range(40, 52))


@pytest.fixture
def page(window, open_digits, context, digits, idle):
    """The Forget page with twelve wrong labels in the digits, and one picture with two labels."""
    open_digits()
    train = digits.train
    labels = torch.cat([train.labels, train.labels[:1] + 1])
    labels[WRONG] = (labels[WRONG] + 3) % 10
    wrong = ImageSet(torch.cat([train.images, train.images[:1]]), labels)
    same = dataclasses.replace(digits, train=wrong, fingerprint="with wrong labels")
    context.project.set_opened(context.project.opened_model, same)
    context.project.set_evaluation(baseline=baseline(context.project.bench.on("cpu")))
    idle()
    window.show_page("forget")
    return window.page("forget")


def order_by(page, qtbot, sort: str):
    """Choose an order, wait for it, and return what it found."""
    tools, gallery = page.tools, page.presenter.gallery
    tools.sort.setCurrentIndex(tools.sort.findData(sort))
    qtbot.waitUntil(lambda: gallery.suspects is not None and not gallery.busy, timeout=20_000)
    return gallery.suspects


def test_doubtful_labels_come_first_with_the_suggested_one(page, context, qtbot):
    found = order_by(page, qtbot, "wrong-label")
    model = page.gallery_model
    first = set(model.order[:20].tolist())
    assert len(first & set(WRONG)) >= 10 and len(model.order) == context.project.selection.total
    place = int(np.flatnonzero(np.isin(model.order, WRONG))[0])
    cell = model.cell(model.index_of(place))
    labels = context.project.dataset.train.labels
    image = int(model.order[place])
    assert cell.doubt == f"{int(labels[image])} → {(int(labels[image]) - 3) % 10}"
    told = model.data(model.index_of(place), Qt.ItemDataRole.ToolTipRole)
    assert f"Label, and what is suggested: {cell.doubt}" in told
    panel = page.gallery_panel
    assert f"{found.likely} labels are likely wrong" in panel.said.text() and panel.said.isVisible()
    page.tools.sort.setCurrentIndex(page.tools.sort.findData("data"))
    qtbot.waitUntil(lambda: not panel.said.isVisible())
    assert model.cell(model.index_of(0)).doubt == ""


def test_the_first_are_marked_as_a_correction_in_one_step(page, context, qtbot):
    found = order_by(page, qtbot, "wrong-label")
    assert not page.correct_box.isVisible()
    page.gallery_panel.take_button.click()
    selection = context.project.selection
    assert selection.corrective and selection.indices.tolist() == sorted(found.order[: found.likely].tolist())
    assert page.correct_box.isChecked() and "correction" in page.summary.text()
    page.correct_box.click()
    assert not context.project.selection.corrective and context.project.selection.count == found.likely
    context.project.undo_selection()
    assert context.project.selection.corrective
    context.project.undo_selection()
    assert not context.project.selection.count and not page.correct_box.isVisible()


def test_marking_the_first_beside_other_images_only_adds_them(page, context, qtbot):
    page.presenter.mark(np.array([3]), "toggle")
    found = order_by(page, qtbot, "wrong-label")
    page.gallery_panel.take_button.click()
    selection = context.project.selection
    assert not selection.corrective and selection.indices.tolist() == sorted({3, *found.order[: found.likely].tolist()})
    trigger = Trigger(target=3, target_name="3", pixels=((0, 0, 255),))
    context.project.set_selection(selection.cleared().with_samples([3]).correcting(trigger=trigger))
    page.gallery_panel.take_button.click()
    assert context.project.selection.corrective and context.project.selection.trigger == trigger


def test_a_first_choice_among_suspects_is_a_correction_and_a_later_one_changes_nothing(page, context, qtbot):
    page.presenter.mark(np.array([3]), "toggle")
    assert not context.project.selection.corrective
    order_by(page, qtbot, "wrong-label")
    page.presenter.mark(np.array([4]), "toggle")
    assert not context.project.selection.corrective
    page.clear_button.click()
    page.presenter.mark(np.array([40, 41]), "add")
    assert context.project.selection.corrective


def test_only_pictures_with_two_labels_are_shown_as_such(page, context, qtbot):
    found = order_by(page, qtbot, "wrong-twin")
    last = context.project.selection.total - 1
    assert sorted(page.gallery_model.order.tolist()) == [0, last] == sorted(found.order.tolist())


def test_a_trigger_that_was_found_goes_with_the_correction(page, context, qtbot):
    found = order_by(page, qtbot, "trigger")
    assert found.trigger is None and "No patch was found" in page.gallery_panel.said.text()
    assert not page.gallery_panel.take_button.isVisible()
    images, trigger = page.presenter.gallery.images, Trigger(target=3, target_name="3", pixels=((0, 0, 255),))
    images.suspects["trigger"] = images.baseline, dataclasses.replace(found, trigger=trigger, likely=5)
    page.presenter.gallery.arrange()
    assert page.gallery_panel.said.text() == "5 images carry a patch that makes the model name 3."
    page.gallery_panel.take_button.click()
    assert context.project.selection.trigger == trigger and context.project.selection.count == 5


def test_methods_for_corrections_come_first_where_the_forget_set_is_one(page, context):
    selection = context.project.selection.with_samples([1, 2])
    trigger = Trigger(target=3, target_name="3", pixels=((0, 0, 255),))
    bench = context.project.bench
    for asked, purpose in ((selection.correcting(), "labels"), (selection.correcting(trigger=trigger), "trigger")):
        shown, expected = choices(bench, asked), COMMENDED[purpose]
        assert tuple(choice.method.id for choice in shown if choice.corrects) == expected
        assert tuple(choice.method.id for choice in shown[: len(expected)]) == expected
    assert not any(choice.corrects for choice in choices(bench, selection))
