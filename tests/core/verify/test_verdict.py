from __future__ import annotations

import copy
from typing import Any

import pytest

from core.jsonio import dumps, loads
from core.verify import verdict as module
from core.verify.closure import closure_of
from core.verify.verdict import Verdict, decide


def measures(
    forget=0.98, retain=0.91, js=0.6, auc=0.62, probe=0.98, nmi=0.82, means=0.96, alignment=0.80, count=500
) -> dict[str, Any]:
    return {
        "forget_accuracy": forget, "forget_test_accuracy": forget,
        "retain_accuracy": retain, "retain_test_accuracy": retain,
        "distances": {"forget_test": {"js_to_retrained": js}},
        "membership": {"population": {"auc": auc}},
        "probe": {"forget": probe, "retain": 0.9, "f1": 0.95}, "nmi": nmi, "class_means": {"forget": means},
        "dimensional_alignment": {"value": alignment, "k": 9, "energy": 0.96, "centred": False, "profile": []},
        "counts": {"forget_train": count},
    }


ORIGINAL = measures()
HEAD_ONLY = measures(forget=0.0, js=0.35, auc=0.5)
RETRAINED = [
    measures(0.0, 0.910, 0.030, 0.50, 0.80, 0.765, 0.70, 0.990),
    measures(0.0, 0.912, 0.034, 0.51, 0.81, 0.760, 0.72, 0.993),
    measures(0.0, 0.908, 0.028, 0.49, 0.79, 0.770, 0.71, 0.991),
]
FURTHER = measures(0.0, 0.911, 0.031, 0.505, 0.805, 0.764, 0.715, 0.992)
HALFWAY = measures(0.0, 0.91, 0.3, 0.56, 0.89, 0.79, 0.835, 0.895)


def judge(unlearned: dict, retrained: list[dict] = RETRAINED, trained_on: set[str] = frozenset(), **more) -> Verdict:
    models = {"original": ORIGINAL, "unlearned": unlearned, "head_only": HEAD_ONLY}
    return decide(models, retrained, trained_on, **more)


def test_the_head_only_control_is_hidden_not_forgotten():
    result = judge(HEAD_ONLY)
    assert result.code == "hidden"
    assert result.sentence == (
        "Hidden, not forgotten. Outputs no longer name the class, but its features still hold it: at most 0 % of any "
        "feature gap is closed."
    )


def test_a_further_retrained_model_is_close():
    result = judge(FURTHER)
    assert (result.code, result.damaged) == ("close", False)
    assert result.sentence == (
        "On 7 of 7 informative measures this model is as close to retrained models as they are to each other."
    )


def test_the_original_is_not_forgotten():
    result = judge(ORIGINAL)
    assert result.code == "not"
    assert result.sentence == "Not forgotten. On 7 of 7 measures the model is still close to the original."


def test_halfway_is_partly_and_names_the_weakest():
    result = judge(measures(0.0, 0.91, 0.3, 0.56, 0.89, 0.79, 0.84, 0.895))
    assert result.code == "partly"
    assert result.sentence == (
        "Partly forgotten. 1 of 7 measures are where retraining puts them; the weakest, class means, has closed "
        "48 % of its gap."
    )


def test_what_moved_away_from_retraining_is_not_called_closed_by_nothing():
    result = judge(measures(0.0, 0.91, 0.3, 0.56, 0.89, 0.9, 0.84, 0.895))  # clustering: 0.82, retrained 0.765
    assert result.code == "partly"
    assert result.sentence.endswith("the weakest, clustering, lies further from retraining than the original does.")


@pytest.mark.parametrize("model", [HEAD_ONLY, FURTHER, ORIGINAL, HALFWAY])
def test_the_same_holds_with_one_reference(model):
    assert judge(model, RETRAINED[:1]).code == judge(model).code


def test_close_with_one_reference_says_that_the_spread_is_unknown():
    reference = copy.deepcopy(RETRAINED[0])
    reference["distances"] = {}
    result = judge({**FURTHER, "distances": {"forget_test": {"js_to_retrained": 0.03}}}, [reference])
    assert result.sentence == (
        "On 7 of 7 informative measures at least 90 % of the gap to a retrained model is closed. How far two "
        "retrained models differ was not measured."
    )


def test_no_retrained_model_gives_the_facts_and_no_verdict():
    result = judge(measures(forget=0.0, probe=0.81), [])
    assert result.code == "no_reference"
    assert result.sentence == (
        "No retrained model, so no verdict. Forget accuracy went from 98.0 to 0.0 %, the linear probe from 98 to 81 %. "
        "A head-only edit gets 0.0 and 98 %."
    )
    assert all(row.closure is None and not row.decides for row in result.measures)


def test_no_retrained_model_and_single_samples():
    models = {"original": {"forget_accuracy": 1.0}, "unlearned": {"forget_accuracy": 0.9995}}
    assert decide(models, []).sentence == (
        "No retrained model, so no verdict. Forget accuracy went from 100.0 to over 99.9 %."
    )
    assert decide({"original": {}, "unlearned": {}}, []).sentence == "No retrained model, so no verdict."


def test_where_nothing_tells_them_apart_it_is_never_a_pass():
    reference = {"forget_accuracy": 0.95, "retain_test_accuracy": 0.9, "probe": None}
    unlearned = {**reference, "counts": {"forget_train": 37}}
    result = decide({"original": {"forget_accuracy": 0.955}, "unlearned": unlearned}, [reference])
    assert result.code == "nothing"
    assert result.sentence == (
        "None of the measures can tell the original from a retrained model on these 37 images. They show no trace of "
        "them, and cannot show that one was removed."
    )
    assert "on this 1 image." in decide({"original": {}, "unlearned": {}}, [reference], forget_count=1).sentence


def closures(values: dict[str, float]) -> dict[str, Any]:
    """A model whose gap on each named measure is closed to the given share, all others fully."""
    between = {key: values.get(key, 1.0) for key in ("forget", "auc", "probe", "nmi", "means", "alignment")}
    ends = {
        "forget": (0.98, 0.0), "auc": (0.62, 0.5), "probe": (0.98, 0.8), "nmi": (0.82, 0.765), "means": (0.96, 0.71),
        "alignment": (0.8, 0.991),
    }
    mixed = {key: o + share * (ends[key][1] - o) for key, share in between.items() for o in (ends[key][0],)}
    return measures(js=0.6 * (1 - values.get("js", 1.0)), **mixed)


REFERENCE = [closures({})]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, "close"),
        ({"probe": 0.91}, "close"),
        ({"probe": 0.89}, "partly"),  # 6 of 7 is below nine tenths
        ({"js": 0.0, "auc": 0.0, "probe": 0.0, "nmi": 0.0}, "not"),  # 4 of 7
        ({"js": 0.0, "auc": 0.0, "probe": 0.0}, "partly"),  # 3 of 7
        ({"probe": 0.24, "nmi": 0.24, "means": 0.24, "alignment": 0.24}, "hidden"),
        ({"probe": 0.26, "nmi": 0.24, "means": 0.24, "alignment": 0.24}, "partly"),  # one feature moved, 3 of 7 near
        ({"probe": 0.24, "nmi": 0.24, "means": 0.24, "alignment": 0.24, "forget": 0.89}, "not"),
        ({"forget": -0.1, "js": 0.0, "auc": 0.0, "probe": 0.0, "nmi": 0.0, "means": 0.0, "alignment": 0.0}, "not"),
    ],
)
def test_edges_of_the_rules(values, code):
    assert judge(closures(values), REFERENCE).code == code


def test_one_measure_below_the_floor_prevents_close(monkeypatch):
    monkeypatch.setattr(module, "CLOSE_SHARE", 0.8)  # with seven measures nine tenths already means all
    assert judge(closures({"probe": 0.51}), REFERENCE).code == "close"
    assert judge(closures({"probe": 0.49}), REFERENCE).code == "partly"


def test_a_measure_the_method_was_trained_on_is_shown_and_never_decides():
    gaming = closures({"probe": 0.0, "nmi": 0.0, "means": 0.0, "alignment": 1.0})
    assert judge(gaming, REFERENCE).code == "partly"
    result = judge(gaming, REFERENCE, {"dimensional_alignment"})
    assert result.code == "hidden"
    row = next(row for row in result.measures if row.key == "dimensional_alignment")
    assert row.closure == pytest.approx(1.0) and not row.decides and row.note == "the method was trained on it"
    everything = {row.key for row in result.measures}
    assert judge(gaming, REFERENCE, everything).code == "nothing"


def test_beyond_retraining_is_not_called_near_the_original():
    overshot = closures({"nmi": 1.9, "probe": 2.0, "means": 1.9, "alignment": 1.0})
    result = judge(overshot, REFERENCE, {"dimensional_alignment"})
    assert result.code == "partly"
    assert result.sentence == (
        "Partly forgotten. 3 of 6 measures are where retraining puts them; the weakest, linear probe, lies beyond "
        "retraining by 100 % of its gap."
    )


def test_without_feature_measures_the_sentence_says_so():
    models = {"original": {"forget_accuracy": 1.0}, "unlearned": {"forget_accuracy": 0.95}}
    references = [{"forget_accuracy": value} for value in (0.94, 0.95, 0.96)]
    assert decide(models, references).sentence == (
        "On 1 of 1 informative measures this model is as close to retrained models as they are to each other, judged "
        "by outputs only."
    )
    models["unlearned"] = {"forget_accuracy": 1.0}
    result = decide(models, references)
    assert result.code == "not"
    assert result.sentence.endswith("still close to the original, judged by outputs only.")
    models["unlearned"] = {"forget_accuracy": 0.955}
    assert decide(models, references[1:2]).sentence == (
        "On 1 of 1 informative measures at least 90 % of the gap to a retrained model is closed, judged by outputs "
        "only. How far two retrained models differ was not measured."
    )
    models["unlearned"] = {"forget_accuracy": 0.96}
    assert decide(models, references[1:2], intervals={"forget_accuracy": 0.02}).sentence == (
        "On 1 of 1 informative measures what is left of the gap to a retrained model is within sampling error, judged "
        "by outputs only. How far two retrained models differ was not measured."
    )


def test_sampling_error_can_close_a_measure_and_is_said():
    nearly = closures({"probe": 0.85})
    assert judge(nearly, REFERENCE).code == "partly"
    result = judge(nearly, REFERENCE, intervals={"probe": 0.05})
    assert result.code == "close"
    assert result.sentence.startswith(
        "On 6 of 7 informative measures at least 90 % of the gap to a retrained model is closed. On 1 more the rest is "
        "within sampling error."
    )
    floored = judge(closures({"probe": 0.4}), REFERENCE, intervals={"probe": 0.5})  # which error does not excuse
    assert floored.code == "partly"
    assert floored.sentence == (
        "Partly forgotten. 7 of 7 measures are where retraining puts them within sampling error, but the weakest, "
        "linear probe, has closed 40 % of its gap."
    )


def test_a_rest_within_the_retrained_spread_is_closed():
    row = next(row for row in judge({**FURTHER, "nmi": 0.7755}).measures if row.key == "nmi")
    assert row.closure < 0.9 and row.closed
    assert closure_of("value", 0.82, 0.7755, [m["nmi"] for m in RETRAINED]).spread > abs(0.7755 - 0.765)


def test_damage_is_added_to_any_verdict():
    spared = judge({**FURTHER, "retain_test_accuracy": 0.9})
    assert not spared.damaged  # a point exactly
    result = judge({**FURTHER, "retain_test_accuracy": 0.786})
    assert (result.code, result.damaged) == ("close", True)
    assert result.sentence.endswith("The rest suffered: retain accuracy is 12.4 points below retraining.")
    scattered = [{**m, "retain_test_accuracy": value} for m, value in zip(RETRAINED, (0.85, 0.91, 0.97), strict=True)]
    assert not judge({**FURTHER, "retain_test_accuracy": 0.80}, scattered).damaged  # within two deviations
    assert judge({**FURTHER, "retain_test_accuracy": 0.78}, scattered).damaged
    assert not judge({**FURTHER, "retain_test_accuracy": 0.5}, []).damaged


def test_the_verdict_is_strict_data_with_its_thresholds():
    data = loads(dumps(judge(FURTHER).as_dict()))
    assert set(data) == {"code", "damaged", "sentence", "thresholds", "measures"}
    assert data["thresholds"]["closed"] == 0.9 and data["thresholds"]["retrained_models"] == 3
    assert {row["key"] for row in data["measures"]} == {
        "forget_accuracy", "output_distance", "membership", "probe", "nmi", "class_means", "dimensional_alignment"
    }
    probe = next(row for row in data["measures"] if row["key"] == "probe")
    assert (probe["original"], probe["head_only"], probe["retrained"]) == (0.98, 0.98, pytest.approx(0.80))


def test_nearer_to_retrained_models_than_they_are_to_each_other_is_closed():
    apart = [measures(0.0, 0.91, js, 0.5, 0.8, 0.765, 0.71, 0.99) for js in (0.050, 0.051, 0.049)]
    original = {**ORIGINAL, "distances": {"forget_test": {"js_to_retrained": 0.2}}}
    found = decide({"original": original, "unlearned": measures(js=0.03)}, apart)
    row = next(row for row in found.measures if row.key == "output_distance")
    assert row.closure == pytest.approx(0.85) and row.closed


def test_beyond_retraining_within_chance_does_not_forbid_close_and_before_it_does():
    wide = {"intervals": {"membership": 0.2}}
    beyond = judge({**closures({}), "membership": {"population": {"auc": 0.40}}}, REFERENCE, **wide)
    before = judge({**closures({}), "membership": {"population": {"auc": 0.60}}}, REFERENCE, **wide)
    assert next(row.closure for row in beyond.measures if row.key == "membership") < 0.5
    assert (beyond.code, before.code) == ("close", "partly")
