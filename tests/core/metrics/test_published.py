"""The field's measures against their definitions, computed another way or by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from sklearn.svm import SVC

from core.metrics.published import (
    activation_distance,
    adaptive_unlearning_score,
    anamnesis_index,
    average_gap,
    svc_confidence,
    tug_of_war,
    zrf,
    zrf_paper_code,
)
from core.metrics.rows import stratified_subset

RETRAINED = {"ua": 0.0524, "ra": 1.0, "ta": 0.9426, "mia": 0.1288}


def logits(n: int, seed: int, k: int = 5) -> torch.Tensor:
    return 3 * torch.randn(n, k, generator=torch.Generator().manual_seed(seed))


def test_average_gap_of_a_published_row():
    """SalUn, Table 1, CIFAR-10: fine-tuning has UA 0.63, RA 99.88, TA 94.06, MIA 2.70, and an average gap of 3.78."""
    finetuned = {"ua": 0.0063, "ra": 0.9988, "ta": 0.9406, "mia": 0.0270}
    assert 100 * average_gap(finetuned, RETRAINED) == pytest.approx(3.78, abs=0.01)
    assert average_gap(RETRAINED, RETRAINED) == 0
    assert average_gap({**finetuned, "mia": None}, RETRAINED) is None


def test_tug_of_war_by_hand():
    model = {"ua": 0.1524, "ra": 0.9, "ta": 0.9926, "mia": 0.6288}
    assert tug_of_war(model, RETRAINED) == pytest.approx(0.9 * 0.9 * 0.95)
    assert tug_of_war(model, RETRAINED, "mia") == pytest.approx(0.5 * 0.9 * 0.95)
    assert tug_of_war(RETRAINED, RETRAINED) == 1
    assert tug_of_war({**model, "ta": None}, RETRAINED) is None


def test_confidence_attack_is_the_svc_of_the_published_code():
    parts = [(logits(n, seed), torch.arange(n) % 5) for n, seed in ((90, 1), (60, 2), (40, 3))]
    parts[0] = (parts[0][0] + 4 * torch.nn.functional.one_hot(parts[0][1], 5), parts[0][1])  # members are confident
    p = [part.softmax(1)[torch.arange(len(y)), y].double().numpy()[:, None] for part, y in parts]
    members = p[0][stratified_subset(parts[0][1].numpy(), 60)]
    model = SVC(C=3, gamma="auto", kernel="rbf").fit(np.concatenate([members, p[1]]), [1] * 60 + [0] * 60)
    assert svc_confidence(*parts) == pytest.approx(1 - model.predict(p[2]).mean())
    assert svc_confidence(parts[0], parts[1], (torch.zeros(0, 5), torch.zeros(0, dtype=torch.int64))) is None


def test_confidence_attack_has_as_many_members_as_others_where_fewer_are_kept():
    retain, test, forget = ((logits(n, seed), torch.arange(n) % 5) for n, seed in ((30, 1), (90, 2), (40, 3)))
    retain = (retain[0] + 4 * torch.nn.functional.one_hot(retain[1], 5), retain[1])
    drawn = stratified_subset(test[1].numpy(), 30)
    assert svc_confidence(retain, test, forget) == svc_confidence(retain, (test[0][drawn], test[1][drawn]), forget)


def test_zrf_is_one_minus_the_scaled_divergence_and_the_paper_code_is_something_else():
    one, other = logits(20, 1), logits(20, 2)
    p, q = one.double().softmax(1).numpy(), other.double().softmax(1).numpy()
    js = np.array([jensenshannon(a, b) ** 2 for a, b in zip(p, q, strict=True)])
    assert zrf(one, other) == pytest.approx(1 - js.mean() / math.log(2))
    assert zrf(one, one) == pytest.approx(1.0)
    middle = (p + q) / 2
    code = ((middle * np.log(middle / p)).mean() + (middle * np.log(middle / q)).mean()) / 2
    assert zrf_paper_code(one, other) == pytest.approx(1 - code)
    silenced = one.clone()
    silenced[:, 0] = -1e4
    assert zrf_paper_code(silenced, other) is None and zrf(silenced, other) is not None


def test_activation_distance():
    one, other = logits(30, 4), logits(30, 5)
    difference = (one.double().softmax(1) - other.double().softmax(1)).numpy()
    assert activation_distance(one, other) == pytest.approx(np.sqrt((difference**2).sum(1)).mean())
    assert activation_distance(one, one) == 0
    assert activation_distance(one[:0], one[:0]) is None


def test_anamnesis_index_counts_batches_with_the_published_offset():
    assert anamnesis_index(20, 20) == 1
    assert anamnesis_index(0, 4) == pytest.approx(0.01 / 4.01)
    assert anamnesis_index(8, 0) == pytest.approx(801)
    assert anamnesis_index(None, 4) is None and anamnesis_index(4, None) is None


def test_adaptive_unlearning_score_for_classes_and_samples():
    assert adaptive_unlearning_score(0.9, 0.9, 0.0, by_class=True) == pytest.approx(1.0)
    assert adaptive_unlearning_score(0.9, 0.8, 0.5, by_class=True) == pytest.approx(0.9 / 1.5)
    assert adaptive_unlearning_score(0.9, 0.8, 0.8, by_class=False) == pytest.approx(0.9)
    assert adaptive_unlearning_score(None, 0.8, 0.8, by_class=False) is None


@pytest.mark.parametrize("counts", [(1500, 500, 200), (500, 1500, 200)])  # members, then non-members, are drawn
def test_confidence_attack_does_not_depend_on_the_order_of_images(counts):
    """Some classes are easier than others: which images come first, those of one class in a folder, must not count."""

    def part(n: int, seed: int, memory: float) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(5).repeat_interleave(n // 5)
        own = torch.nn.functional.one_hot(labels, 5)
        return logits(len(labels), seed) + (memory + 1.5 * labels[:, None]) * own, labels

    in_order, mixed = [], []
    for seed in range(8):
        members, others, forget = (part(n, 10 * seed + i, (3.0, 0.0, 1.5)[i]) for i, n in enumerate(counts))
        in_order.append(svc_confidence(members, others, forget))
        order = [torch.randperm(n, generator=torch.Generator().manual_seed(seed)) for n in counts[:2]]
        shuffled = ((x[i], y[i]) for (x, y), i in zip((members, others), order, strict=True))
        mixed.append(svc_confidence(*shuffled, forget))
    assert np.mean(in_order) == pytest.approx(np.mean(mixed), abs=0.04)
