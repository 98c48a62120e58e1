"""RMIA: a planted example with a known answer, and what it must do on a network that remembers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.datasets import load_digits
from torch.nn import functional as F

from core.metrics.membership import attack_from_scores, population_attack, rmia, rmia_scores

torch.set_num_threads(1)
SIZE = 300


def test_planted_gaussian_ratios_have_a_known_auc():
    """With a = 1 the score orders by p_u / p_out; its logarithm is N(d, 1) for members and N(0, 1) for others."""
    generator, distance = np.random.default_rng(0), 1.2
    out = np.exp(generator.normal(-9, 2, 40_000))  # samples differ a lot in difficulty
    lead = generator.normal(0, 1, 40_000) + np.repeat([distance, 0], 20_000)
    own = out * np.exp(lead)
    scored = rmia_scores(own[:20_000], out[:20_000], own[20_000:], out[20_000:], offset=1.0)
    assert attack_from_scores(*scored).auc == pytest.approx(norm.cdf(distance / math.sqrt(2)), abs=0.006)
    assert attack_from_scores(own[:20_000], own[20_000:]).auc < 0.68  # the probability alone hardly tells


def test_score_is_the_share_of_the_population_that_a_sample_beats():
    population, out = np.array([0.1, 0.2, 0.4]), np.full(3, 0.5)
    members, others = rmia_scores(np.array([0.3, 0.05, 0.4]), out, population, out)
    assert members.tolist() == pytest.approx([2 / 3, 0.0, 1.0])
    assert others.tolist() == pytest.approx([0.0, 0.5, 1.0])  # without itself
    stricter, _ = rmia_scores(np.array([0.3]), out[:1], population, out, threshold=2.0)
    assert stricter.tolist() == pytest.approx([1 / 3])


def test_equal_ratios_are_chance():
    same = np.full(50, 0.2)
    assert attack_from_scores(*rmia_scores(same, same, same, same)).auc == 0.5


@pytest.mark.parametrize(("offset", "first"), [(0.0, 1.0), (0.25, 1.0), (0.35, 0.0), (1.0, 0.0)])
def test_the_offset_enters_as_published(offset, first):
    """By hand: 0.30 / (0.75 − a/4) and 0.2278 / (0.625 − 3a/8) are equal at a = 0.3."""
    own, out = np.array([0.30, 0.2278]), np.array([0.5, 0.25])
    assert rmia_scores(own[:1], out[:1], own[1:], out[1:], offset=offset)[0] == [first]


@pytest.fixture(scope="module")
def remembered():
    """A small network on 300 noisy digits, which it knows by heart, and four references that saw other ones."""
    data = load_digits()
    generator = torch.Generator().manual_seed(0)
    images = torch.tensor(data.data / 16).float()
    images += 0.5 * torch.randn(images.shape, generator=generator)
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=generator)
    members, others, pool = order[:SIZE], order[SIZE : 2 * SIZE], order[2 * SIZE :]

    def logits_of(ids: torch.Tensor, seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
        optimiser = torch.optim.Adam(net.parameters(), 1e-2)
        for _ in range(20):
            optimiser.zero_grad()
            F.cross_entropy(net(images[ids]), labels[ids]).backward()
            optimiser.step()
        return net(images).detach()

    judged = logits_of(members, 0)
    drawn = [pool[torch.randperm(len(pool), generator=generator)[:SIZE]] for _ in range(4)]
    return judged, [logits_of(ids, 10 + i) for i, ids in enumerate(drawn)], labels, members, others


def attack(remembered, members, others, references: int = 4):
    judged, known, labels, _, _ = remembered
    used = known[:references]
    return rmia(
        judged[members], labels[members], [each[members] for each in used],
        judged[others], labels[others], [each[others] for each in used],
    )  # fmt: skip


@pytest.mark.parametrize("references", [2, 4])
def test_on_a_network_that_remembers_it_clearly_beats_the_population_attack(remembered, references):
    judged, _, labels, members, others = remembered
    population = population_attack(judged[members], labels[members], judged[others], labels[others])
    found = attack(remembered, members, others, references)
    assert population.auc > 0.7
    assert found.auc > population.auc + 0.03
    assert found.low > population.auc


def test_on_members_drawn_at_random_it_is_chance(remembered):
    _, _, _, members, others = remembered
    every = torch.cat([members, others])
    shuffled = every[torch.randperm(len(every), generator=torch.Generator().manual_seed(3))]
    found = attack(remembered, shuffled[:SIZE], shuffled[SIZE:])
    assert found.low < 0.5 < found.high


def test_few_samples_and_no_references_are_refused(remembered):
    assert "too few" in attack(remembered, torch.arange(12), torch.arange(20, 80)).reason
    with pytest.raises(ValueError, match="at least one reference"):
        attack(remembered, torch.arange(40), torch.arange(40, 80), references=0)
