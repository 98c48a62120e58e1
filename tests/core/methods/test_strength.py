"""The search for a strength against a network whose accuracies are known functions of it."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from core.errors import RunError
from core.methods import get_method
from core.methods.base import Facts
from core.methods.strength import ROUNDS, search_strength
from core.parameters import resolve


class Judge:
    """A context whose accuracies follow from the strength that is on trial; 0: the network as it is."""

    def __init__(self, retain, classes=None, singles=None, max_drop=0.05, unseen=0.9, purpose="") -> None:
        self.values = SimpleNamespace(max_drop=max_drop)
        self.facts = Facts(50 * (classes is not None), 50 * (singles is not None), 900, 10, 0, purpose)
        self.of = {"retain": retain, "classes": classes, "singles": singles, "unseen": lambda s: unseen}
        self.model = self
        self.now, self.tried = 0.0, []

    @contextmanager
    def trying(self, weights):
        self.now = float(weights["w"])
        self.tried.append(self.now)
        yield
        self.now = 0.0

    def accuracy(self, which, limit=None):
        return self.of[which](self.now)

    def search(self, weakest=1e-3, strongest=1e3):
        return search_strength(self, lambda s: {"w": torch.tensor(s, dtype=torch.float64)}, weakest, strongest)


def falling(at):
    """Full accuracy up to a strength, none from there on."""
    return lambda s: 1.0 if s < at else 0.0


def test_finds_the_strongest_that_images_to_keep_survive():
    judge = Judge(retain=lambda s: 1 - s / 100, classes=lambda s: 1 / (1 + s))
    found = judge.search()
    assert 4.9 < found.strength <= 5.0  # the fall is 0.05 at 5
    assert found.retain >= 0.95
    assert len(judge.tried) <= ROUNDS + 2
    assert judge.now == 0.0


def test_takes_the_weakest_that_forgets_a_class():
    found = Judge(retain=falling(100), classes=falling(2)).search()
    assert 2.0 <= found.strength < 2.05
    assert found.excess == 0.0


def test_single_images_are_forgotten_where_they_are_like_unseen_ones():
    found = Judge(retain=lambda s: 1.0, singles=lambda s: 1 - s / 10, unseen=0.8).search()
    assert 2.0 <= found.strength < 2.05


@pytest.mark.parametrize("purpose", ["labels", "trigger"])
def test_in_a_correction_no_image_is_to_be_given_its_label(purpose):
    judge = Judge(retain=lambda s: 1.0, singles=lambda s: max(0.0, 1 - s / 10), unseen=0.8, purpose=purpose)
    assert 10.0 <= judge.search().strength < 10.05
    borne = Judge(retain=lambda s: 1 - s / 100, singles=lambda s: 1 - s / 10, unseen=0.8, purpose=purpose)
    assert 4.9 < borne.search().strength <= 5.0


def test_classes_and_single_images_together_have_a_goal_each():
    judge = Judge(retain=lambda s: 1.0, classes=falling(3), singles=lambda s: 1 - s / 10, unseen=0.8)
    assert 3.0 <= judge.search().strength < 3.05  # by the class; single images were at their goal from 2 on
    judge = Judge(retain=lambda s: 1.0, classes=falling(1), singles=lambda s: 1 - s / 10, unseen=0.8)
    assert 2.0 <= judge.search().strength < 2.05


def test_ends_are_taken_where_they_are_best():
    assert Judge(retain=lambda s: 1.0, classes=lambda s: 1.0).search().strength == pytest.approx(1e3)
    assert Judge(retain=lambda s: 1.0, classes=lambda s: 0.0).search().strength == pytest.approx(1e-3)
    assert Judge(retain=falling(1e-2), classes=lambda s: 1.0).search().strength == pytest.approx(1e-2, rel=0.01)


def test_a_threshold_falls_from_weak_to_strong():
    found = Judge(retain=lambda s: 1.0 if s == 0 or s > 3 else 0.5, classes=lambda s: s / 10).search(10, 1)
    assert 3.0 < found.strength < 3.01


def test_says_where_nothing_keeps_within_the_bound():
    with pytest.raises(RunError) as caught:
        Judge(retain=lambda s: 1.0 if s == 0 else 0.1, classes=lambda s: 0.0).search()
    assert "keeps the fall of retain accuracy below 0.05" in str(caught.value) and "max_drop" in caught.value.hint


@pytest.mark.parametrize("name", ["fisher", "influence", "lfssd", "ssd"])
def test_unseen_images_are_looked_at_where_single_images_decide_a_search(name):
    method = get_method(name)
    for search in (True, False):
        values = resolve(method.parameters, {"search": search})
        assert method.reads_unseen(values, Facts(50, 5, 900, 10)) is search
        assert not method.reads_unseen(values, Facts(50, 0, 900, 10))
        assert not method.reads_unseen(values, Facts(0, 5, 900, 10, 0, "labels"))
        told = [method.explain(values, Facts(50, 5, 900, 10, 0, purpose)) for purpose in ("", "trigger")]
        assert all(told) is search and (not search or "as often as unseen ones" in told[0][0])
        assert not search or "no image of the classes is recognised and no image is given its label" in told[1][0]
