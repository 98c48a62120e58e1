"""Further filters of the gallery: bounds, duplicates, and arranging many images in a worker."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from app.pages.forget import gallery_presenter as arranging
from app.pages.forget.gallery_presenter import ARRANGING
from app.pages.forget.tools import FilterPanel


@pytest.fixture
def page(window, open_digits):
    open_digits()
    window.show_page("forget")
    return window.page("forget")


@pytest.fixture
def filters(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    made = FilterPanel(owner)
    made.set_limits({"confidence": (0.25, 1.0), "loss": (0.0, 9.5), "margin": None})
    yield made
    made.close()


def test_bounds_are_read_as_they_are_typed(filters, qtbot):
    low, high = filters.fields["confidence"]
    with qtbot.waitSignal(filters.changed):
        QTest.keyClicks(low, "50")
    QTest.keyClicks(high, "75.5")
    filters.fields["loss"][1].setText("2")
    assert filters.ranges() == (("confidence", 0.5, 0.755), ("loss", -np.inf, 2.0))
    assert (low.placeholderText(), high.placeholderText()) == ("25.000", "100.000")
    filters.clear()
    assert filters.ranges() == ()


def test_what_is_no_number_cannot_be_typed(filters):
    low, _ = filters.fields["loss"]
    QTest.keyClicks(low, "much")
    assert low.text() == "" and filters.ranges() == ()
    QTest.keyClicks(low, "-1")
    assert filters.ranges() == (("loss", -1.0, np.inf),)


def test_a_filter_that_begins_or_ceases_to_hold_is_told(filters, qtbot):
    filters.fields["loss"][0].setText("1")
    with qtbot.waitSignal(filters.changed, timeout=1000):
        filters.set_limits({})
    assert filters.ranges() == ()  # what was not measured cannot be bounded
    assert not filters.fields["loss"][0].isEnabled() and not filters.why.isHidden()
    with qtbot.waitSignal(filters.changed, timeout=1000):
        filters.set_limits({"loss": (0.0, 9.5)})
    assert filters.ranges() == (("loss", 1.0, np.inf),)
    with qtbot.assertNotEmitted(filters.changed):
        filters.set_limits({"loss": (0.0, 9.0)})


def test_the_panel_opens_below_its_button_and_takes_keys(page, qtbot):
    page.tools.filter_button.click()
    panel = page.tools.filters
    qtbot.waitUntil(panel.isVisible)
    assert panel.fields["margin"][0].isEnabled() and panel.why.isHidden()
    assert panel.pos().y() >= page.tools.filter_button.mapToGlobal(page.tools.filter_button.rect().bottomLeft()).y()
    QTest.keyClicks(panel.fields["confidence"][1], "60")
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not panel.isVisible())
    known = page.presenter.gallery.images.baseline.train
    expected = np.flatnonzero(known.answers.confidence <= 0.6)
    qtbot.waitUntil(lambda: page.gallery_model.count == len(expected))
    assert page.tools.filter_button.isChecked()
    assert page.gallery_model.ids(0, page.gallery_model.count).tolist() == expected.tolist()
    page.tools.reset()
    qtbot.waitUntil(lambda: page.gallery_model.count == len(known.answers.loss))
    assert not page.tools.filter_button.isChecked()


def test_images_with_a_duplicate_are_looked_for_once_they_are_asked_for(window, context, insects, idle, qtbot):
    context.opening.open_data(str(insects))
    idle()
    window.show_page("forget")
    page = window.page("forget")
    for name, source in (("copy0.png", "train-ant0.png"), ("copy1.png", "train-cat1.png")):
        held = next((insects / "train").rglob(source)).read_bytes()
        (insects / "train" / "bee" / name).write_bytes(held)
    context.opening.open_data(str(insects))
    idle()
    assert page.presenter.gallery.images.twins is None
    page.tools.filters.twins.setChecked(True)
    page.tools.sort.setCurrentIndex(page.tools.sort.findData("twins"))
    qtbot.waitUntil(lambda: page.gallery_model.count == 4, timeout=10000)
    images = page.presenter.gallery.images
    names = [images.name("train", i).rpartition("/")[2] for i in page.gallery_model.ids(0, 3).tolist()]
    assert names == ["train-ant0.png", "copy0.png", "copy1.png", "train-cat1.png"]
    assert page.gallery_panel.count.text() == "4 of 16"
    page.tools.part.setCurrentIndex(1)  # of test images duplicates are not known
    qtbot.waitUntil(lambda: page.gallery_model.part == "test")
    assert not page.tools.filters.twins.isEnabled() and page.gallery_model.count == 6


def test_many_images_are_arranged_in_a_worker(page, qtbot, monkeypatch):
    monkeypatch.setattr(arranging, "AT_ONCE", 10)
    known = page.presenter.gallery.images.baseline.train
    said = []
    monkeypatch.setattr(page.gallery_panel.count, "setText", said.append)
    page.tools.sort.setCurrentIndex(page.tools.sort.findData("margin"))
    qtbot.waitUntil(lambda: f"{len(known.answers.loss):,}" in said)
    assert said[0] == ARRANGING  # it may be gone before a wait first looks
    order = np.argsort(known.answers.margin, kind="stable")
    assert page.gallery_model.ids(0, len(order)).tolist() == order.tolist()


def test_only_the_latest_order_arrives(page, qtbot, monkeypatch, qapp):
    monkeypatch.setattr(arranging, "AT_ONCE", 10)
    came = []
    gallery = page.presenter.gallery
    monkeypatch.setattr(page.gallery_model, "show", lambda images, part, order, sort: came.append(order.tolist()))
    for sort in ("loss", "name", "confidence"):
        page.tools.sort.setCurrentIndex(page.tools.sort.findData(sort))
        gallery.arrange()
        assert gallery.busy
    qtbot.waitUntil(lambda: not gallery.busy)
    latest = gallery.images.arrange(page.tools.wanted()).tolist()
    assert came and all(order == latest for order in came)
    page.tools.sort.setCurrentIndex(0)
    gallery.arrange()  # at once: nothing to sort
    assert came[-1] == list(range(len(latest)))
