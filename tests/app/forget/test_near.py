"""Around the forget set: similar images that stay, found and added in one undoable step; the order by nearness."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt

from app.dialogs.selection import SimilarSheet
from app.pages.forget.additions import Earlier
from core.data.dataset import ImageSet
from core.data.duplicates import Duplicates
from core.likeness import LEVELS, SAME
from tests.app.helpers import assert_accessible
from tests.app.opened import dialog_of


@pytest.fixture
def page(window, open_digits, monkeypatch, tmp_path):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    open_digits()
    window.show_page("forget")
    return window.page("forget")


@pytest.fixture
def twins(page, context, digits):
    """Data with copies of the first five training images at the end."""
    train = digits.train
    copies = ImageSet(torch.cat([train.images, train.images[:5]]), torch.cat([train.labels, train.labels[:5]]))
    same = dataclasses.replace(digits, train=copies, fingerprint="with twins")
    context.project.set_opened(context.project.opened_model, same)
    return len(train)


def looked(page, qtbot):
    qtbot.waitUntil(lambda: page.presenter.similar.found is not None, timeout=20_000)
    return page.presenter.similar.found


def test_before_anything_is_chosen_it_says_so(page):
    assert page.similar_card.text.text() == "Choose images to look for near-duplicates."
    assert not page.similar_card.review.isEnabled()


def test_twins_are_reviewed_and_added_in_one_step(page, context, twins, qtbot):
    context.project.set_selection(context.project.selection.with_samples([0, 1, 2]))
    found = looked(page, qtbot)
    assert set(found.kept[:3].tolist()) == {twins, twins + 1, twins + 2} and found.exact[:3].all()
    same = found.at(SAME)
    assert len(same) < len(found)  # one is nearly the same
    said = f"Similar images kept: {len(same)}, nearly the same: {len(found) - len(same)}"
    assert page.similar_card.text.text() == said
    page.similar_card.review.click()
    sheet = dialog_of(page.window(), SimilarSheet)
    assert_accessible(sheet)
    assert sheet.pairs.topLevelItemCount() == len(found)
    sheet.pairs.headerItem().setText(2, "Übereinstimmung mit ihm")
    sheet.pairs.header().resizeSections()
    assert sheet.pairs.header().sectionSize(2) >= sheet.pairs.header().sectionSizeHint(2)  # no title is cut
    assert sheet.level.currentData() == SAME and sheet.answer().tolist() == same.kept.tolist()  # only what is shown
    sheet.level.setCurrentIndex(sheet.level.findData(LEVELS["near"]))
    assert sheet.answer().tolist() == same.kept.tolist()  # what is only near is shown, and left to whoever looks
    sheet.level.setCurrentIndex(sheet.level.findData(LEVELS["exact"]))
    assert sheet.answer().tolist() == found.kept[:3].tolist()
    last = sheet.pairs.topLevelItem(0)
    last.setCheckState(0, Qt.CheckState.Unchecked)
    assert sheet.accept_button.text() == "Add 2 images"
    last.setCheckState(0, Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: not sheet.pairs.topLevelItem(0).icon(1).isNull(), timeout=10_000)  # both are to be seen
    sheet.accept_button.click()
    assert context.project.selection.count == 6 and "3 added" in page.confirmed.text()
    assert (context.project.selection.similar_count, context.project.selection.similar_from) == (3, 1.0)
    page.undo_button.click()
    assert context.project.selection.indices.tolist() == [0, 1, 2]


def test_pictures_that_are_only_nearly_the_same_are_not_ticked_unasked(page, context):
    context.project.set_selection(context.project.selection.with_samples([0]))
    presenter = page.presenter.similar
    found = Duplicates(np.array([7, 9]), np.array([0, 0]), np.array([0.8, 0.7], np.float32))
    presenter._looked(context.project.selection, None, found)
    assert page.similar_card.text.text() == "Similar images kept: 0, nearly the same: 2"
    page.similar_card.review.click()
    sheet = dialog_of(page.window(), SimilarSheet)
    assert sheet.pairs.topLevelItemCount() == 2 and sheet.answer().tolist() == []
    assert sheet.reason() == "Tick what is to be forgotten as well."
    sheet.pairs.topLevelItem(1).setCheckState(0, Qt.CheckState.Checked)
    sheet.accept_button.click()
    assert context.project.selection.indices.tolist() == [0, 9]


def test_another_forget_set_is_looked_at_anew(page, context, twins, qtbot):
    context.project.set_selection(context.project.selection.with_samples([0]))
    looked(page, qtbot)
    context.project.set_selection(context.project.selection.cleared().with_samples([1]))
    assert page.presenter.similar.found is None and "Looking" in page.similar_card.text.text()
    assert twins + 1 in looked(page, qtbot).kept
    context.project.set_selection(context.project.selection.cleared())
    assert "Choose images to look" in page.similar_card.text.text()


def found_for(page, context, kept):
    """Similar images as a worker found them for the forget set as it stands."""
    found = Duplicates(np.array(kept), np.zeros(len(kept), int), np.ones(len(kept), np.float32))
    page.presenter.similar._looked(context.project.selection, context.project.forgotten_before, found)


def test_after_an_undo_the_number_is_that_of_the_forget_set_in_view(page, context, qtbot):
    similar, looks = page.presenter.similar, []
    context.project.set_selection(context.project.selection.with_samples([0]))
    found_for(page, context, [7, 9])
    said = page.similar_card.text.text()
    similar._timer.timeout.connect(lambda: looks.append("began"))
    context.project.set_selection(context.project.selection.with_samples([1]))
    assert "Looking" in page.similar_card.text.text() and similar._timer.isActive()
    context.project.undo_selection()
    assert page.similar_card.text.text() == said and page.similar_card.review.isEnabled()
    assert not similar._timer.isActive() and not looks


def test_what_the_model_forgot_before_is_not_counted_among_the_similar_kept(page, context, digits):
    context.project.set_selection(context.project.selection.with_samples([0]))
    found_for(page, context, [7, 9])
    gone = np.zeros(len(digits.train), bool)
    gone[7] = True
    page.presenter.earlier._take(Earlier(("1. Image 7",), gone))
    assert page.presenter.similar.found is None and "Looking" in page.similar_card.text.text()


def test_the_gallery_is_ordered_by_nearness(page, context, qtbot):
    qtbot.waitUntil(lambda: "baseline" in context.project.evaluation, timeout=20_000)
    context.project.set_selection(context.project.selection.with_classes([3]))
    page.tools.sort.setCurrentIndex(page.tools.sort.findData("near"))
    qtbot.waitUntil(lambda: page.presenter.gallery.images.near is not None, timeout=20_000)
    near = page.presenter.gallery.images.near
    mask = context.project.selection.mask
    order = page.gallery_model.ids(0, page.gallery_model.count - 1)
    kept = int((~mask).sum())
    qtbot.waitUntil(lambda: not mask[page.gallery_model.ids(0, kept - 1)].any(), timeout=5_000)
    order = page.gallery_model.ids(0, kept - 1)
    assert (np.diff(near.features[order]) <= 0).all()
    page.tools.sort.setCurrentIndex(page.tools.sort.findData("damage"))
    qtbot.waitUntil(lambda: (np.diff(near.gradient[page.gallery_model.ids(0, kept - 1)]) <= 0).all(), timeout=5_000)
