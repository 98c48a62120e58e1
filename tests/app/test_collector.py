"""Python searches for garbage where the window says, and nowhere else: inside a call of Qt it may never end."""

from __future__ import annotations

import gc
import weakref

import pytest
from PySide6.QtCore import QObject

from app.services.collector import Collector


class Ring:
    """An object that only holds itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def collector(qapp):
    gc.enable()
    parent = QObject()
    made = Collector(parent)
    yield made
    made.close()
    assert gc.isenabled()
    gc.disable()


def test_only_the_window_searches(collector):
    gc.collect()
    ring = weakref.ref(Ring())
    kept = [[] for _ in range(20 * gc.get_threshold()[0])]  # as many objects as have Python search many times
    assert ring() is not None
    collector.collect()
    assert ring() is None and kept


def test_an_old_generation_is_searched_in_its_turn(collector):
    ring = Ring()
    gone = weakref.ref(ring)
    gc.collect(1)  # it lives through this, and is of the oldest generation from then on
    del ring
    young, middle, old = gc.get_threshold()
    kept = []
    for _ in range((middle + 2) * (old + 2)):
        kept += [[] for _ in range(young + 100)]
        collector.collect()
    assert gone() is None


def test_what_is_there_when_all_is_loaded_is_left_alone(collector):
    gc.collect()
    before = gc.get_freeze_count()
    collector.settle()
    assert gc.get_freeze_count() > before and not gc.get_objects(generation=2)
    gc.unfreeze()
