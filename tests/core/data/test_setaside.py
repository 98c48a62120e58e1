"""Setting images aside: stratified, deterministic, and stable when files are added."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.data.setaside import set_aside


@given(st.lists(st.integers(0, 5), max_size=80), st.floats(0.01, 0.99))
def test_every_class_gives_its_share_and_keeps_some(labels, fraction):
    labels = np.array(labels, dtype=np.int64)
    mask = set_aside(labels, fraction)
    assert np.array_equal(mask, set_aside(labels, fraction))
    for cls in set(labels.tolist()):
        count, taken = (labels == cls).sum(), mask[labels == cls].sum()
        assert taken < count
        assert taken == 0 if count == 1 else taken == min(max(1, round(fraction * count)), count - 1)


def test_the_choice_follows_the_name_not_the_position():
    names = tuple(f"cat/{i}.png" for i in range(50))
    labels = np.zeros(50, dtype=np.int64)
    first = {names[i] for i in np.flatnonzero(set_aside(labels, 0.2, names))}
    backwards = names[::-1]
    assert {backwards[i] for i in np.flatnonzero(set_aside(labels, 0.2, backwards))} == first


def test_an_added_file_moves_at_most_a_few_others():
    names = tuple(f"cat/{i}.png" for i in range(100))
    labels = np.zeros(101, dtype=np.int64)
    before = {names[i] for i in np.flatnonzero(set_aside(labels[:100], 0.2, names))}
    more = (*names, "cat/new.png")
    after = {more[i] for i in np.flatnonzero(set_aside(labels, 0.2, more))}
    assert len(before ^ after) <= 2


def test_the_choice_looks_random():
    chosen = np.flatnonzero(set_aside(np.zeros(10_000, dtype=np.int64), 0.5))
    assert abs(chosen.mean() - 5_000) < 150  # three standard errors of the mean position
    assert 4_000 < (np.diff(chosen) > 1).sum() + (np.diff(chosen) == 1).sum() < 5_000
    assert 0.45 < (np.diff(chosen) == 1).mean() < 0.55
