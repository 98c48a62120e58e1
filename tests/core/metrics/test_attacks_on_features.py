"""Prototype attack, neighbours and influences against closed forms and other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import normalized_mutual_info_score

from core.metrics.distances import _nmi, linear_cka, nmi_difference, procrustes_distance
from core.metrics.neighbours import FEWEST, measure_neighbours, nearest_to
from core.metrics.prototype import FALSE_POSITIVES, prototype_attack
from core.metrics.spaces import FeatureSpace, alignment_influence, measure_alignment


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clusters(spread: float, seed: int, classes: int = 4, each: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    centres = 4 * torch.eye(classes, 8)
    labels = torch.arange(classes * each) % classes
    return centres[labels] + spread * torch.randn(len(labels), 8, generator=generator(seed)), labels


def attacked(spread: float):
    """Class 0 was silenced in the head; its features are as far apart from the others as `spread` leaves them."""
    rows = torch.eye(4, 8)
    rows[0] = 0
    shots, shot_labels = clusters(spread, 1)
    unseen, labels = clusters(spread, 2)
    logits = unseen @ rows.T
    logits[:, 0] = -1e4
    forget, kept = labels == 0, labels != 0
    return prototype_attack(
        shots[shot_labels == 0], shot_labels[shot_labels == 0], (logits[forget], unseen[forget], labels[forget]),
        (logits[kept], unseen[kept]), rows, (0,),
    )  # fmt: skip


def test_prototypes_bring_back_what_the_features_still_hold():
    found = attacked(0.3)
    assert found.forget == 1.0
    assert len(found.recovered) == 80 and found.as_dict()["false_positives"] == FALSE_POSITIVES


def test_prototypes_find_no_more_than_false_positives_where_features_hold_nothing():
    assert attacked(60.0).forget < 0.2


def test_prototypes_do_not_depend_on_the_scale_of_head_and_features_together():
    shots, labels = clusters(1.5, 1)
    unseen, truth = clusters(1.5, 2)
    rows = torch.eye(4, 8)
    forget, kept = truth == 0, truth != 0

    def recall(scale: float) -> float:
        logits = scale * unseen @ rows.T
        return prototype_attack(
            shots[labels == 0], labels[labels == 0], (logits[forget], unseen[forget], truth[forget]),
            (logits[kept], unseen[kept]), scale * rows, (0,),
        ).forget  # fmt: skip

    assert recall(1.0) == recall(8.0)


def test_prototypes_need_samples_and_a_head_of_the_features_width():
    empty = torch.zeros(0, 8)
    full, labels = clusters(1.0, 1)
    known = (full @ torch.eye(4, 8).T, full, labels)
    assert prototype_attack(empty, labels[:0], known, known[:2], torch.eye(4, 8), (0,)) is None
    assert prototype_attack(full, labels, known, known[:2], torch.eye(4, 9), (0,)) is None


def test_the_nearest_images_are_those_of_the_neighbouring_class():
    forget = torch.tensor([[1.0, 0.0]]) + 0.01 * torch.randn(50, 2, generator=generator(1))
    near = torch.tensor([[0.9, 0.4]]) + 0.01 * torch.randn(60, 2, generator=generator(2))
    far = torch.tensor([[-0.2, 1.0]]) + 0.01 * torch.randn(540, 2, generator=generator(3))
    mask = nearest_to(forget, torch.cat([near, far]))
    assert mask.sum() == 60 and bool(mask[:60].all())
    logits = torch.eye(2)[torch.cat([torch.ones(60), torch.zeros(540)]).long()]
    found = measure_neighbours(logits, torch.zeros(600, dtype=torch.int64), mask)
    assert (found.accuracy, found.far_accuracy, found.count) == (0.0, 1.0, 60)


def test_neighbours_are_never_a_handful_and_none_of_nothing():
    features = torch.randn(100, 4, generator=generator(1))
    assert nearest_to(features, features).sum() == FEWEST
    assert not nearest_to(features[:0], features).any()
    assert not nearest_to(features, torch.full((5, 4), torch.nan)).any()


def test_influences_are_the_derivative_of_the_alignment():
    forget, retain = torch.randn(30, 6, generator=generator(1)) + 1, torch.randn(200, 6, generator=generator(2))
    space = FeatureSpace(retain)
    influence = alignment_influence(FeatureSpace(forget), space, 2)
    assert influence.sum() == pytest.approx(0, abs=1e-12)  # a weight on all samples changes nothing
    for i in (0, 7, 29):
        weighted = forget.double().clone()
        weighted[i] *= (1 + 1e-6) ** 0.5
        moved = measure_alignment(FeatureSpace(weighted), space, 2).value
        still = measure_alignment(FeatureSpace(forget), space, 2).value
        assert influence[i] == pytest.approx((moved - still) / 1e-6, rel=1e-3, abs=1e-7)


def test_influences_give_the_spread_that_a_bootstrap_has():
    forget, retain = torch.randn(400, 6, generator=generator(3)) + 0.5, torch.randn(400, 6, generator=generator(4))
    space = FeatureSpace(retain)
    error = np.sqrt(np.square(alignment_influence(FeatureSpace(forget), space, 2)).sum())
    drawn = [forget[torch.randint(400, (400,), generator=generator(i))] for i in range(300)]
    draws = [measure_alignment(FeatureSpace(rows), space, 2) for rows in drawn]
    assert error == pytest.approx(np.std([draw.value for draw in draws]), rel=0.15)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_the_fast_mutual_information_agrees_with_scikit_learn(pairs):
    labels, found = np.array(pairs).T
    table = np.zeros((4, 4))
    np.add.at(table, (labels, found), 1)
    if len(set(labels)) > 1 and len(set(found)) > 1:
        assert _nmi(table) == pytest.approx(normalized_mutual_info_score(labels, found), abs=1e-9)


def test_the_interval_of_a_clustering_difference_holds_the_difference():
    labels = np.arange(400) % 4
    random = np.random.default_rng(0)
    good = np.where(random.random(400) < 0.9, labels, random.integers(4, size=400))
    poor = np.where(random.random(400) < 0.5, labels, random.integers(4, size=400))
    low, high = nmi_difference(labels, good, [poor, poor])
    difference = normalized_mutual_info_score(labels, good) - normalized_mutual_info_score(labels, poor)
    assert low < difference < high and low > 0
    assert nmi_difference(labels, good, [good]) == (0, 0)
    assert nmi_difference(labels, good, []) is None


def test_geometry_is_blind_to_rotation_and_scale_and_sees_the_rest():
    features = torch.randn(200, 6, generator=generator(1))
    turned = 3 * features @ torch.linalg.qr(torch.randn(6, 6, generator=generator(2)))[0] + 5
    assert linear_cka(features, turned) == pytest.approx(1) and procrustes_distance(features, turned) < 1e-6
    other = torch.randn(200, 6, generator=generator(3))
    assert linear_cka(features, other) < 0.2 and procrustes_distance(features, other) > 1
    assert linear_cka(features, torch.ones(200, 6)) is None
