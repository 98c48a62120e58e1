"""Which settings a search tries: the job's own first, then even cover of the ranges, the same for a seed."""

from __future__ import annotations

import itertools
import math

import pytest

from core.methods import METHODS
from core.methods.base import Facts, Method, SearchRange
from core.parameters import Parameter, resolve
from core.session.tuning import axes, candidates

PARAMETERS = (
    Parameter("lr", "float", 0.02, "Step size.", low=0, high=0.1),
    Parameter("rounds", "int", 4, "Rounds.", low=1, high=100),
    Parameter("weight", "float", 0.0, "Weight.", low=0, high=10),
    Parameter("kind", "choice", "a", "Kind.", choices=("a", "b")),
)


def method(*search: SearchRange, parameters=PARAMETERS) -> Method:
    return Method("m", "M", "M.", "", parameters, lambda values, facts: [], search=search)


def some(chosen: Method, count: int, seed: int = 0, **given):
    values = resolve(chosen.parameters, given)
    return list(itertools.islice(candidates(axes(chosen, values), values, seed), count))


def test_the_step_size_is_searched_where_nothing_is_named_and_there_is_one():
    (axis,) = axes(method(), resolve(PARAMETERS, {"lr": 0.004}))
    assert (axis.parameter.name, axis.low, axis.high) == ("lr", pytest.approx(0.0004), pytest.approx(0.04))
    assert axes(method(parameters=PARAMETERS[1:]), resolve(PARAMETERS[1:])) == ()


def test_bounds_are_cut_to_the_rule_and_what_is_fixed_or_switched_off_stays():
    chosen = method(SearchRange("lr", 0.1, 10, relative=True), SearchRange("weight", 0.1, 10, relative=True))
    values = resolve(PARAMETERS)
    (axis,) = axes(chosen, values)  # weight is 0
    assert axis.high == 0.1  # ten times 0.02, cut
    assert [a.parameter.name for a in axes(chosen, resolve(PARAMETERS, {"weight": 2}), {"lr"})] == ["weight"]


def test_the_first_is_the_start_a_longer_search_begins_with_a_shorter_one_and_seeds_differ():
    chosen = method(SearchRange("lr", 1e-4, 0.1), SearchRange("rounds", 1, 20, log=False))
    short, long = some(chosen, 5), some(chosen, 12)
    assert short[0] == {"lr": 0.02, "rounds": 4} and long[:5] == short
    assert len({tuple(found.values()) for found in long}) == 12
    other = some(chosen, 12, seed=1)
    assert other[0] == long[0] and not {tuple(f.values()) for f in other[1:]} & {tuple(f.values()) for f in long[1:]}


@pytest.mark.parametrize("seed", range(5))
def test_points_cover_the_range_evenly_in_its_logarithm(seed):
    """Of 16 points of the golden-ratio sequence no gap is longer than 1/8 of the range (three-distance theorem)."""
    found = some(method(SearchRange("lr", 1e-4, 0.1)), 17, seed)[1:]
    shares = sorted(math.log(one["lr"] / 1e-4) / math.log(1e3) for one in found)
    gaps = [b - a for a, b in itertools.pairwise([0.0, *shares, 1.0])]
    assert max(gaps) < 1 / 8 + 0.01 and shares[0] >= 0 and shares[-1] <= 1
    assert all(float(f"{one['lr']:.3g}") == one["lr"] for one in found)


def test_whole_numbers_are_tried_once_each_until_there_are_no_more():
    found = some(method(SearchRange("rounds", 1, 5, log=False), parameters=PARAMETERS[1:]), 50)
    assert found[0] == {"rounds": 4} and sorted(one["rounds"] for one in found) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("chosen", METHODS.values(), ids=lambda m: m.id)
def test_every_method_can_be_searched_from_each_of_its_presets(chosen):
    by_name = {parameter.name: parameter for parameter in chosen.parameters}
    for searched in chosen.searched:
        assert by_name[searched.name].kind in ("int", "float")
        assert 0 <= searched.low < searched.high and (searched.low > 0 or not searched.log)
    for preset in chosen.presets:
        values = resolve(chosen.parameters, preset.values)
        for found in itertools.islice(candidates(axes(chosen, values), values, 0), 6):
            tried = resolve(chosen.parameters, preset.values, found)
            for mode in chosen.suits:
                assert chosen.plan(tried, Facts(100 * (mode == "class"), 100 * (mode == "sample"), 900, 10))
