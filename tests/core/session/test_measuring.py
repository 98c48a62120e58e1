"""All models of a report measured together: who is compared with whom, and what a kept measure depends on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch

from core.models.tap import TappedModel
from core.session.measuring import FULL, Candidate, Measurements, Measuring
from core.verify import reference_attacks, relations
from core.verify.measure_log import MeasureLog
from tests.core.verify.hand_made import outputs, poisoned, splits

torch.set_num_threads(1)
SPLITS = splits()
NAMES = ("original", "unlearned", "seed 1", "seed 2", "seed 1001", "seed 1002")
MODELS = {name: Candidate(name, f"hash of {name}", partial(outputs, SPLITS, seed)) for seed, name in enumerate(NAMES)}


def measured(log: MeasureLog | None = None, which: str = FULL, **changed: Candidate) -> Measurements:
    original, unlearned, *others = (MODELS | changed).values()
    return Measuring(original, unlearned, others[:2], SPLITS, which=which, references=others[2:], log=log).run()


@pytest.fixture(scope="module")
def found() -> Measurements:
    return measured()


def attack(name: str, *references: str) -> dict:
    used = [MODELS[each].outputs for each in references]
    return reference_attacks.reference_attack(MODELS[name].outputs, used, SPLITS)


def test_a_model_is_never_its_own_reference(found):
    """Every model is attacked with as many references: as many as a retrained one has besides itself."""
    pool = NAMES[2:]
    assert found.models["unlearned"]["membership"]["rmia"] == attack("unlearned", *pool[:3])
    assert found.retrained["seed 1"]["membership"]["rmia"] == attack("seed 1", *pool[1:])
    assert found.retrained["seed 2"]["membership"]["rmia"] == attack("seed 2", pool[0], *pool[2:])


def test_no_model_chooses_the_neighbour_class_it_is_judged_by(found):
    pool = NAMES[2:]
    for name, values in {"unlearned": found.models["unlearned"], **found.retrained}.items():
        known = [MODELS[other].outputs for other in pool if other != name]
        expected = reference_attacks.neighbour_attack(MODELS[name].outputs, known, SPLITS)
        assert values["neighbour_class"] == expected and expected["references"] == len(known), name


def test_a_retrained_model_is_compared_with_the_others(found):
    for name, other in (("seed 1", "seed 2"), ("seed 2", "seed 1")):
        known = relations.Others(MODELS["original"].outputs, [MODELS[other].outputs])
        expected = relations.distances(MODELS[name].outputs, known, SPLITS).values["distances"]
        assert found.retrained[name]["distances"] == expected
    both = relations.Others(MODELS["original"].outputs, [MODELS[name].outputs for name in NAMES[2:4]])
    expected = relations.distances(MODELS["unlearned"].outputs, both, SPLITS).values["distances"]
    assert found.models["unlearned"]["distances"] == expected


def test_no_measure_of_any_model_depends_on_the_half_that_is_set_aside(found):
    taken = {name: partial(poisoned, each.outputs, ~SPLITS.evaluation) for name, each in MODELS.items()}
    changed = {name: replace(each, take=taken[name]) for name, each in MODELS.items()}
    other = measured(**changed)
    assert other.half_widths == found.half_widths
    for name, values in found.models.items():
        assert {**other.models[name], "prototype": None} == {**values, "prototype": None}, name
    assert other.retrained == found.retrained


def test_condition_numbers_stand_beside_the_original_s_and_a_silenced_head_has_none():
    def network(singular: float) -> TappedModel:
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 3))
        for layer, smallest in ((net[1], 1.0), (net[2], singular)):
            layer.weight.data = torch.diag(torch.tensor([1.0, 1.0, 1.0, smallest]))[-len(layer.weight) :]
        return TappedModel(net, 3, input_shape=(1, 2, 2))

    made = {name: replace(each, network=partial(network, 1 / (number + 2)))
            for number, (name, each) in enumerate(MODELS.items())}  # fmt: skip
    found = measured(which="quick", **made)
    told = {name: model["conditioning"] for name, model in {**found.models, **found.retrained}.items()}
    assert told["original"]["value"] == pytest.approx(2) and told["original"]["to_original"] == 1
    assert told["unlearned"]["value"] == pytest.approx(3) and told["unlearned"]["to_original"] == pytest.approx(1.5)
    assert told["seed 2"]["value"] == pytest.approx(5) and told["seed 2"]["to_original"] == pytest.approx(2.5)
    assert [layer["name"] for layer in told["original"]["layers"]] == ["1.weight", "2.weight"]
    assert told["head_only"]["value"] is told["head_only"]["to_original"] is None and told["head_only"]["reason"]
    assert "conditioning" not in measured(which="quick").models["original"]  # there is no network to look at


def test_kept_measures_belong_to_an_original(tmp_path):
    """Neighbours are found in the original: with another one they are other images."""
    other = Candidate("original", "hash of another original", partial(outputs, SPLITS, 77))
    log = lambda: MeasureLog(tmp_path / "verify.jsonl", ("data",), tmp_path / "shared")  # noqa: E731
    first, kept = measured(log(), which="quick"), measured(log(), which="quick")
    again, anew = measured(log(), which="quick", original=other), measured(which="quick", original=other)
    for name in ("unlearned", "seed 1"):
        near = [{**each.models, **each.retrained}[name]["neighbours"] for each in (first, kept, again, anew)]
        assert near[0] == near[1] != near[2] == near[3], name


@pytest.mark.parametrize(("retrained", "references", "most", "used"),
                         [(1, 0, 9, 1), (2, 0, 9, 1), (0, 3, 9, 3), (2, 2, 9, 3), (1, 3, 2, 2)])  # fmt: skip
def test_a_result_is_attacked_with_as_many_references_as_a_retrained_model_has(
    monkeypatch, retrained, references, most, used
):
    monkeypatch.setattr(reference_attacks, "MOST_REFERENCES", most)
    others = [MODELS[name] for name in NAMES[2:]]
    original, unlearned = MODELS["original"], MODELS["unlearned"]
    pool = Measuring(original, unlearned, others[:retrained], SPLITS, FULL, others[retrained : retrained + references])
    assert pool._attackers() == used
