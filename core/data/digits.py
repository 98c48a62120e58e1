"""The embedded example: scikit-learn's 8x8 handwritten digits with a fixed stratified split."""

from __future__ import annotations

import numpy as np

from core.data.dataset import ImageSet
from core.data.loaded import Loaded
from core.data.setaside import set_aside

TEST_FRACTION = 1 / 3  # enough unseen images of one digit for an interval and an attack score


def load_digits() -> Loaded:
    """Return the 1,797 digits as (n, 8, 8, 1) uint8; their values 0..16 are spread over 0..255."""
    from sklearn import datasets

    source = datasets.load_digits()
    images = np.rint(source.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = source.target.astype(np.int64)
    test = set_aside(labels, TEST_FRACTION, salt="digits")
    parts = ImageSet.of(images, labels)
    return Loaded(
        title="Digits (8×8)",
        classes=tuple(str(d) for d in range(10)),
        train=parts.take(np.flatnonzero(~test)),
        test=parts.take(np.flatnonzero(test)),
    )
