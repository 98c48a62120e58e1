"""Thumbnails: newest first, kept up to a number of bytes, small images as squares, nothing of an older source."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PySide6.QtCore import QThread

from app.workers.thumbnails import MOST_WAITING, Thumbnails, picture, thumbnail
from core.errors import InputError


@pytest.fixture
def thumbnails(qapp):
    made = Thumbnails()
    yield made
    made.shutdown()


def grey(value: int, side: int = 8) -> np.ndarray:
    return np.full((side, side, 1), value, np.uint8)


def test_without_a_source_there_is_nothing_to_come_and_a_side_all_the_same(thumbnails):
    assert thumbnails.side == 96 and thumbnails.get(0) is None
    thumbnails.close()
    assert thumbnails.side == 96 and thumbnails.get(0) is None


def test_it_comes_later_and_is_kept(thumbnails, qtbot):
    asked = []

    def pixels(key):
        asked.append(key)
        assert QThread.currentThread() is not thumbnails.thread()
        return grey(key)

    thumbnails.set_source(pixels, 32)
    with qtbot.waitSignal(thumbnails.ready) as signal:
        assert thumbnails.get(7) is None
    assert signal.args == [{7}]
    pixmap = thumbnails.get(7)
    assert pixmap.size().toTuple() == (32, 32)
    assert pixmap.toImage().pixelColor(3, 3).red() == 7
    assert asked == [7]


class Crossing:
    """A key at which workers come in between: they do all they were started for when it is hashed for the n-th time."""

    def __init__(self, moment: int, work) -> None:
        self.moment, self.work, self.hashed = moment, work, 0

    def __hash__(self) -> int:
        self.hashed += 1
        if self.hashed == self.moment:
            self.work()
        return 1


@pytest.mark.parametrize("moment", range(1, 10))
def test_whenever_a_worker_comes_in_between_an_image_that_is_asked_for_comes(thumbnails, qtbot, moment, monkeypatch):
    started = []
    monkeypatch.setattr(thumbnails._pool, "start", started.append)

    def work():
        while started:
            started.pop()()

    thumbnails.set_source(lambda _: grey(7), 32)
    key = Crossing(moment, work)
    thumbnails.get(key)
    thumbnails.get(key)  # drawn again before it has come
    work()
    qtbot.waitUntil(lambda: thumbnails.get(key) is not None, timeout=2000)


def test_a_worker_that_begins_at_once_finds_what_it_was_started_for(thumbnails, qtbot, monkeypatch):
    monkeypatch.setattr(thumbnails._pool, "start", lambda work: work())
    thumbnails.set_source(lambda _: grey(7), 32)
    with qtbot.waitSignal(thumbnails.ready, timeout=2000) as signal:
        thumbnails.get(3)
    assert signal.args == [{3}]


def test_the_newest_request_is_served_first_and_the_oldest_dropped(thumbnails, qtbot):
    go, held, order = threading.Event(), [], []

    def pixels(key):
        if key < 0:
            held.append(key)
            go.wait(60)
        else:
            order.append(key)
        return grey(0)

    thumbnails.set_source(pixels, 16)
    thumbnails.get(-1), thumbnails.get(-2)  # both workers are busy
    qtbot.waitUntil(lambda: len(held) == 2)
    for key in range(MOST_WAITING + 10):
        thumbnails.get(key)
    thumbnails.get(50)  # asked again: newest now
    go.set()
    assert thumbnails.wait(60_000)
    assert order[0] in (50, MOST_WAITING + 9) and not set(order) & set(range(9))
    assert len(order) == len(set(order)) == MOST_WAITING


def test_pixmaps_are_kept_up_to_a_number_of_bytes(qapp, qtbot):
    made = Thumbnails(cache_bytes=10 * 32 * 32 * 4)
    made.set_source(lambda key: grey(1), 32)
    came = set()
    made.ready.connect(came.update)
    for key in range(25):
        made.get(key)
    qtbot.waitUntil(lambda: len(came) == 25)
    kept = [one for one in map(made.get, range(25)) if one is not None]
    assert 0 < sum(one.width() * one.height() * one.depth() // 8 for one in kept) <= 10 * 32 * 32 * 4
    made.shutdown()


def test_nothing_of_an_older_source_arrives(thumbnails, qtbot):
    go, held = threading.Event(), []

    def slow(key):
        held.append(key)
        go.wait(60)
        return grey(1)

    thumbnails.set_source(slow, 16)
    thumbnails.get(0)
    qtbot.waitUntil(lambda: bool(held))
    thumbnails.set_source(lambda key: grey(2), 16)
    go.set()
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.get(0)
    assert thumbnails.get(0).toImage().pixelColor(1, 1).red() == 2


def test_images_that_cannot_be_read_are_told_once_and_asked_for_again_a_while_later(thumbnails, qtbot, caplog):
    asked, failed, recovered, away = [], [], [], [InputError("a.png is gone")]

    def pixels(key):
        asked.append(key)
        if away:
            raise away[0]
        return grey(key)

    thumbnails.failed.connect(failed.append)
    thumbnails.recovered.connect(lambda: recovered.append(True))
    thumbnails.set_source(pixels, 16)
    for key in (0, 1):
        with qtbot.waitSignal(thumbnails.ready):
            thumbnails.get(key)
    assert thumbnails.get(0) is None and thumbnails.wait(60_000)
    assert asked == [0, 1] and failed == away and caplog.text.count("no thumbnail") == 1
    thumbnails._again.setInterval(0)
    failed.clear()
    with qtbot.waitSignal(thumbnails.ready) as signal:
        pass
    assert signal.args == [{0, 1}]  # whoever shows them is to ask anew
    error, away[:] = away[0], []
    with qtbot.waitSignal(thumbnails.ready):
        assert thumbnails.get(1) is None
    assert thumbnails.get(1) is not None and recovered == [True] and not failed
    away.append(error)
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.get(0)
    assert failed == [error]  # it is another time
    thumbnails.set_source(None, 16)
    assert recovered == [True, True] and not thumbnails._again.isActive()


def test_an_image_looked_at_alone_is_there_at_once_or_says_why_not(qapp):
    def gone():
        raise InputError("a.png is gone", "Put it back")

    drawn, why_not = picture(lambda: grey(7), 16, 2.0)
    assert drawn.size().toTuple() == (32, 32) and drawn.devicePixelRatio() == 2 and not why_not
    drawn, why_not = picture(gone, 16)
    assert drawn.isNull() and why_not == "a.png is gone. Put it back."


@pytest.mark.parametrize(
    ("shape", "side", "size"),
    [((8, 8), 96, 96), ((28, 28), 96, 84), ((32, 32), 96, 96), ((64, 64), 96, 96), ((40, 20), 96, 80),
     ((224, 224), 96, 96), ((45, 45), 96, 90)],
)  # fmt: skip
def test_sizes(shape, side, size):
    image = thumbnail(np.zeros((*shape, 1), np.uint8), side)
    assert max(image.width(), image.height()) == size
    assert image.width() / image.height() == pytest.approx(shape[1] / shape[0], rel=0.05)


def test_small_images_keep_their_pixels_as_squares_and_large_ones_are_smoothed():
    board = (np.indices((8, 8)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    image = thumbnail(board, 96)
    assert {image.pixelColor(x, y).red() for x in range(96) for y in range(0, 96, 7)} == {0, 255}
    assert image.pixelColor(11, 0).red() == 0 and image.pixelColor(12, 0).red() == 255
    large = thumbnail(np.kron(board[..., 0], np.ones((40, 40), np.uint8))[..., None], 90)
    assert len({large.pixelColor(x, 20).red() for x in range(90)}) > 2


def test_colours_stay_in_their_order():
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    assert thumbnail(red, 8).pixelColor(0, 0).getRgb()[:3] == (200, 0, 0)
    assert thumbnail(np.full((4, 4, 2), 9, np.uint8), 8).pixelColor(0, 0).red() == 9
    five = np.concatenate([red[:4, :4], np.full((4, 4, 2), 9, np.uint8)], axis=2)
    assert thumbnail(five, 8).pixelColor(0, 0).getRgb()[:3] == (200, 0, 0)
