"""What states how a model's images are prepared, and whether two preparations come to the same."""

from __future__ import annotations

import numpy as np

from core.data.dataset import Dataset
from core.data.preprocessing import Preprocessing, numbers_of
from core.errors import InputError
from core.models.checkpoint import ModelFile

UNDECIDED = "undecided"
"""Source of a preparation that nobody, or only in part, stated: images are not decoded yet."""

PUBLISHED = "timm config"
"""Source of a preparation that belongs to published weights, and not for certain to these."""

HARDLY = 0.05
"""Mean difference of network input, in standard deviations, up to which two preparations are one written otherwise."""

_LOOKED_AT = 8  # images


def stated_in(file: ModelFile) -> Preprocessing | None:
    """Return the preparation of images that what lies beside a model's weights states; None where it does not.

    timm writes that of its published weights into config.json, whatever the network was trained with: no statement.
    """
    stated = file.preprocessing
    return None if stated is None or stated.source == PUBLISHED else stated


def prepared_alike(one: Preprocessing, other: Preprocessing) -> bool:
    """Whether two preparations are the same, whoever says so."""
    return numbers_of(one.to_dict()) == numbers_of(other.to_dict())


def seen_alike(dataset: Dataset, stated: Preprocessing) -> bool:
    """Whether a network gets hardly anything else of a data set's images than it would by a stated preparation."""
    if prepared_alike(dataset.preprocessing, stated):
        return True
    ids = np.arange(min(_LOOKED_AT, len(dataset.train)))
    try:
        here, there = (dataset.prepared(ids, way) for way in (dataset.preprocessing, stated))
    except InputError:  # it is for images of other channels, or leaves these of different sizes
        return False
    return here.shape == there.shape and float((here - there).abs().mean()) <= HARDLY
