"""What must hold for every method of the program: the conformance checks, on class and on sample forgetting."""

from __future__ import annotations

import pytest
import torch

import core.methods
from core.conformance.checks import CHECKS, RECORD_CHECKS, NoWaiting, Trial
from core.errors import ParameterError
from core.methods import METHODS
from core.parameters import resolve
from tests.core.methods.cases import case_id, cases

TRIALS = [Trial(case) for case in cases()]


@pytest.mark.parametrize("number", range(len(TRIALS)), ids=[case_id(trial.case) for trial in TRIALS])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_case(check, number):
    check(TRIALS[number])
    if why := TRIALS[number].seen.get(check.__name__):
        pytest.skip(why)


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.id)
@pytest.mark.parametrize("check", RECORD_CHECKS, ids=lambda check: check.__name__)
def test_a_record(check, method):
    check(method)


def test_the_watch_sees_what_waits():
    rows, chosen = torch.rand(4), torch.tensor([True, False, True, False])
    for waits in (lambda: bool(chosen.all()), lambda: rows[chosen], lambda: rows.sum().item(), chosen.nonzero):
        with NoWaiting() as watch:
            waits()
        assert watch.found


def test_no_id_is_registered_twice():
    assert list(METHODS) == [method.id for method in core.methods._ALL]


def test_reports_all_wrong_parameters_at_once_with_the_nearest_name():
    with pytest.raises(ParameterError) as caught:
        resolve(METHODS["muda"].parameters, {"lrr": 1, "rounds": -1, "mask": "none of them"}, owner="muda")
    text = str(caught.value)
    assert "did you mean lr" in text and "rounds must be" in text and "mask must be" in text
