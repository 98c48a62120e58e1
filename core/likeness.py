"""Levels of agreement between images: the words users say, and the numbers they stand for."""

from __future__ import annotations

LEVELS = {"exact": 1.0, "same": 0.87, "near": 0.6}
"""Agreements from which an image counts as similar: the same pixels, the same picture, and one that is nearly it.

0 is the difference that an image has to its nearest strangers, 1 none. With "same", other people's pictures stay.
"""

SAME = LEVELS["same"]


def level_words(threshold: float) -> str:
    """Return a threshold in words and number: "same picture (agreement from 0.87)"."""
    words = {1.0: "the same pixels", SAME: "the same picture", LEVELS["near"]: "nearly the same picture"}
    number = f"agreement from {threshold:g}"
    return f"{words[threshold]} ({number})" if threshold in words else number
