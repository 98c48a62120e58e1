from __future__ import annotations

import math

import pytest

from core.verify.numbers import count, duration, from_to, percent, plural, points, ratio


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"),
        (0.9812, "98.1 %"),
        (1.0, "100 %"),
        (0.9994, "> 99.9 %"),
        (0.99949, "> 99.9 %"),
        (0.999, "99.9 %"),
        (None, "–"),
        (math.nan, "–"),
        (-0.031, "−3.1 %"),
    ],
)
def test_percent(share, text):
    assert percent(share) == text


def test_percent_in_sentences():
    assert percent(1.0, unit=False) == "100.0"
    assert percent(0.98, unit=False, places=0) == "98"
    assert percent(0.9996, places=0) == "> 99 %"
    assert percent(1.0, places=0) == "100 %"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9561, "0.956"), (1.0, "1.000"), (0.99961, "> 0.999"), (None, "–"), (math.inf, "–"), (-0.5, "−0.500")],
)
def test_ratio(value, text):
    assert ratio(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (-0.2, "0 s"), (0, "0 s"), (0.001, "under 1 s"), (0.999, "under 1 s"), (1, "1 s"), (59.4, "59 s"),
     (60, "1 min"), (3599, "59 min 59 s"), (86_400, "1 d"), (90_000, "1 d 1 h"), (math.inf, "–"), (math.nan, "–")],
)  # fmt: skip
def test_times(seconds, text):
    assert duration(seconds) == text


def test_words():
    assert [duration(s) for s in (0.4, 8, 100, 120, 7500, 7200, 97200, None)] == [
        "under 1 s",
        "8 s",
        "1 min 40 s",
        "2 min",
        "2 h 5 min",
        "2 h",
        "1 d 3 h",
        "–",
    ]
    assert count(60000) == "60,000" and count(None) == "–"
    assert plural(1, "class", "classes") == "1 class" and plural(37, "image") == "37 images"
    assert points(-0.124) == "12.4"


def test_both_ends_of_a_change_are_written_alike():
    assert from_to(1.0, 1.0) == "from 100.0 to 100.0 %" and from_to(1.0, 0.9995) == "from 100.0 to > 99.9 %"
    assert from_to(0.98, 1.0, places=0) == "from 98 to 100 %" and from_to(0.5, 0.0004) == "from 50.0 to 0.04 %"
