"""What trying networks and preparations came to: when the best is taken unasked, and what is said of it."""

from __future__ import annotations

import dataclasses

import pytest

from core.data.preprocessing import Preprocessing
from core.models.architectures import ModelSpec
from core.session.attempts import Attempt, Trial
from core.session.proof import Proof, Standing, weigh

STANDING = Standing(accuracy=0.9, test=0.9, chance=0.1, features=0.9, pixels=0.5, gap=0.0, poor=False)


def attempt(shown: float | None, name: str = "net-a", mean: float = 0.5, chosen: float = 0.9, **more) -> Attempt:
    return Attempt(ModelSpec(name, 10, 1, (8, 8)), Preprocessing((8, 8), (mean,), (0.25,)), chosen, 40, shown, **more)


def trial(*attempts: Attempt, networks: int = 1, preparations: int = 4, **more) -> Trial:
    return Trial(attempts, 50, networks, preparations, **more)


A, B = (f"Fit((8, 8), bilinear) → ToTensor() → Normalize(mean=[{mean}], std=[0.25])" for mean in (0.5, 0.1))


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        (trial(attempt(0.88), attempt(0.7, mean=0.1)),
         f"preparation {A} (of 4 usual ones). It is right on 88.0 % of 50 of them; the next, {B}, on 70.0 %."),
        (trial(attempt(0.88), attempt(None, "net-b", chosen=0.6), networks=3, preparations=1),
         "network net-a (of 3 that fit the weights). It is right on 88.0 % of 50 of them; the next, net-b, on 60.0 %."),
        (trial(attempt(0.88), attempt(0.7, "net-b", 0.1), networks=3),
         f"network net-a (of 3 that fit the weights) and preparation {A} (of 4 usual ones). It is right on 88.0 % of "
         f"50 of them; the next, net-b, {B}, on 70.0 %."),
        (trial(attempt(0.88)), f"preparation {A} (of 4 usual ones). It is right on 88.0 % of 50 of them."),
    ],
)  # fmt: skip
def test_what_was_found_is_said_with_what_came_next(tried, said):
    (sentence,) = Proof("found", "data set", STANDING, tried).sentences
    assert sentence == f"Found by trying on training images: {said}"


def test_nothing_is_said_of_what_was_stated_and_a_network_that_never_learned_says_so():
    assert Proof("stated", "data set", STANDING).sentences == ()
    untrained = dataclasses.replace(STANDING, untrained=True)
    (sentence,) = Proof("found", "data set", untrained, trial(attempt(0.1))).sentences
    assert "never trained" in sentence


@pytest.mark.parametrize(
    ("tried", "doubt"),
    [
        (trial(attempt(0.88), attempt(0.87, mean=0.1, rival=True)),
         f"Nothing says how images are prepared, and the training images do not tell these apart: {A}: 88.0 %; "
         f"{B}: 87.0 %."),
        (trial(attempt(0.88), attempt(0.87, "net-b", rival=True), networks=2, preparations=1),
         "Nothing says which network it is, and the training images do not tell these apart: net-a: 88.0 %; "
         "net-b: 87.0 %."),
        (trial(attempt(0.88), attempt(0.7, "net-b"), networks=6),
         f"Nothing says how images are prepared; the best of 6 usual ones, net-a, {A}, is right on 88.0 % of training "
         "images; the next, net-b, on 70.0 %, and one that was not tried may be better."),
    ],
)  # fmt: skip
def test_what_is_not_told_apart_is_a_doubt(bench, tried, doubt):
    asked = dataclasses.replace(bench, trial=tried)
    proof = weigh(asked, bench.model, bench.outputs(bench.model))
    assert proof.doubts[0] == doubt
    partly = dataclasses.replace(asked.options, preprocess_file="some/own.json")
    named = weigh(dataclasses.replace(asked, options=partly), bench.model, bench.outputs(bench.model)).doubts[0]
    said = "Nothing says" if tried.stated else "own.json does not say in full"
    assert named == doubt.replace("Nothing says", said)


def test_a_sure_trial_is_no_doubt(bench):
    sure = dataclasses.replace(bench, trial=trial(attempt(0.99, chosen=0.99), attempt(0.98, mean=0.1)))
    assert weigh(sure, bench.model, bench.outputs(bench.model)).doubts == ()


def test_the_best_is_taken_unasked_where_nothing_else_can_be_meant():
    confirmed, stored = attempt(0.8, misfit=0.15), attempt(0.8)
    assert trial(confirmed).sure and not trial(attempt(0.8, misfit=0.16)).sure and not trial(stored).sure
    assert trial(stored, preparations=1).sure  # it was stated
    assert not trial(confirmed, attempt(0.79, rival=True)).sure
    nearly = attempt(0.99, chosen=0.995)
    assert (
        trial(nearly).sure and not trial(attempt(0.99, chosen=0.98)).sure and not trial(attempt(0.98, chosen=1.0)).sure
    )
    several = {"networks": 2, "preparations": 1}
    assert trial(attempt(0.5, chosen=0.5), **several).sure and not trial(attempt(0.49, chosen=0.9), **several).sure
    assert not trial(attempt(0.8), **several, seldom=True).sure and trial(attempt(0.49), preparations=1).sure
