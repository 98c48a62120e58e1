"""Further filters of the gallery: bounds, duplicates, and arranging many images in a worker."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.pages.forget import gallery_presenter as arranging
from app.pages.forget.gallery_presenter import ARRANGING
from app.pages.forget.tools import Filters


@pytest.fixture
def page(window, open_digits):
    open_digits()
    window.show_page("forget")
    return window.page("forget")


@pytest.fixture
def filters(qtbot) -> Filters:
    made = Filters()
    qtbot.addWidget(made)
    made.panel.set_limits({"confidence": (0.25, 1.0), "loss": (0.0, 9.5), "margin": None})
    return made


def test_bounds_are_read_as_they_are_typed(filters, qtbot):
    low, high = filters.panel.fields["confidence"]
    with qtbot.waitSignal(filters.changed):
        low.setText("50")
    high.setText("75,5")
    filters.panel.fields["loss"][1].setText("2")
    assert filters.panel.ranges() == (("confidence", 0.5, 0.755), ("loss", None, 2.0))
    assert filters.isChecked()
    assert filters.toolTip() == "More filters: Confidence (%) from 50 to 75,5; Loss from 0.000 to 2"
    assert (low.placeholderText(), high.placeholderText()) == ("25.000", "100.000")
    filters.panel.clear()
    assert filters.panel.ranges() == () and not filters.isChecked()


def test_what_is_no_number_bounds_nothing_and_is_marked(filters):
    low, _ = filters.panel.fields["loss"]
    low.setText("much")
    assert filters.panel.ranges() == () and low.property("invalid") is True
    low.setText("-1")
    assert filters.panel.ranges() == (("loss", -1.0, None),) and low.property("invalid") is False


def test_what_was_not_measured_cannot_be_bounded(filters):
    filters.panel.fields["loss"][0].setText("1")
    filters.panel.set_limits({})
    assert filters.panel.ranges() == () and filters.panel.told() == []
    assert not filters.panel.fields["loss"][0].isEnabled() and not filters.panel.why.isHidden()


def test_a_filter_that_begins_or_ceases_to_hold_is_told(filters, qtbot):
    filters.panel.fields["loss"][0].setText("1")
    with qtbot.waitSignal(filters.changed, timeout=1000):
        filters.panel.set_limits({})
    assert not filters.isChecked() and filters.toolTip() == "More filters"
    with qtbot.waitSignal(filters.changed, timeout=1000):
        filters.panel.set_limits({"loss": (0.0, 9.5)})
    assert filters.isChecked() and filters.panel.ranges() == (("loss", 1.0, None),)
    with qtbot.assertNotEmitted(filters.changed):
        filters.panel.set_limits({"loss": (0.0, 9.0)})


def test_the_panel_opens_below_its_button_and_takes_keys(page, qtbot):
    page.tools.filters.click()
    panel = page.tools.filters.panel
    qtbot.waitUntil(panel.isVisible)
    assert panel.fields["margin"][0].isEnabled() and panel.why.isHidden()
    assert panel.pos().y() >= page.tools.filters.mapToGlobal(page.tools.filters.rect().bottomLeft()).y()
    QTest.keyClicks(panel.fields["confidence"][1], "60")
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not panel.isVisible())
    known = page.presenter.gallery.images.baseline.train
    expected = np.flatnonzero(known.confidence <= 0.6)
    qtbot.waitUntil(lambda: page.gallery_model.count == len(expected))
    assert page.gallery_model.ids(0, page.gallery_model.count).tolist() == expected.tolist()
    page.tools.reset()
    qtbot.waitUntil(lambda: page.gallery_model.count == len(known.loss))


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
    page.tools.filters.panel.twins.setChecked(True)
    page.tools.sort.setCurrentIndex(page.tools.sort.findData("twins"))
    qtbot.waitUntil(lambda: page.gallery_model.count == 4, timeout=10000)
    images = page.presenter.gallery.images
    names = [images.name("train", i).rpartition("/")[2] for i in page.gallery_model.ids(0, 3).tolist()]
    assert names == ["train-ant0.png", "copy0.png", "copy1.png", "train-cat1.png"]
    assert page.gallery_panel.count.text() == "4 of 16"
    page.tools.part.setCurrentIndex(1)  # of test images duplicates are not known
    qtbot.waitUntil(lambda: page.gallery_model.part == "test")
    assert not page.tools.filters.panel.twins.isEnabled() and page.gallery_model.count == 6


def test_many_images_are_arranged_in_a_worker(page, qtbot, monkeypatch):
    monkeypatch.setattr(arranging, "AT_ONCE", 10)
    known = page.presenter.gallery.images.baseline.train
    said = []
    monkeypatch.setattr(page.gallery_panel.count, "setText", said.append)
    page.tools.sort.setCurrentIndex(page.tools.sort.findData("margin"))
    qtbot.waitUntil(lambda: f"{len(known.loss):,}" in said)
    assert said[0] == ARRANGING  # it may be gone before a wait first looks
    order = np.argsort(known.margin, kind="stable")
    assert page.gallery_model.ids(0, len(order)).tolist() == order.tolist()


def test_only_the_latest_order_arrives(page, qtbot, monkeypatch, qapp):
    monkeypatch.setattr(arranging, "AT_ONCE", 10)
    came = []
    gallery = page.presenter.gallery
    monkeypatch.setattr(page.gallery_model, "show", lambda images, part, order: came.append(order.tolist()))
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
