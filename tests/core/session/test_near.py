"""What was found of near-duplicates is kept for the next look, and made anew where the cache is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from core.session.near import image_looks, looks_file, similar_images


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-30], lambda data: data[:40] + b"x" * 40 + data[80:], lambda data: b""]
)
def test_a_damaged_cache_is_made_anew(digits, three, damage):
    whole = image_looks(digits)
    file = looks_file(digits.fingerprint)
    file.write_bytes(damage(file.read_bytes()))
    assert np.array_equal(image_looks(digits).cells, whole.cells)
    found = similar_images(digits, three.mask)
    for kept in file.parent.with_name("similar").iterdir():
        kept.write_bytes(damage(kept.read_bytes()))
    assert similar_images(digits, three.mask).counts() == found.counts()
