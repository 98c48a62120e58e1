"""The table of a report: every number where it belongs, every gap with its reason."""

from __future__ import annotations

import itertools

import pytest

from core.verify.closure import Yardstick
from core.verify.table import (
    COLUMNS,
    NO_HEAD_ONLY,
    NO_OTHER,
    NO_RETRAINED,
    OF_CORRECTION,
    TRAINED_ON,
    TableRow,
    alignment_caption,
    attack_rows,
    measure_rows,
    verdict_rows,
)
from core.verify.verdict import decide

HALF_WIDTHS = {name: {"probe": 0.01} for name in ("original", "unlearned")}


def measures(forget: float, probe: float, alignment: float, **more) -> dict:
    return {
        "forget_test_accuracy": forget,
        "forget_accuracy": forget,
        "retain_test_accuracy": 0.95,
        "retain_accuracy": 0.99,
        "probe": {"forget": probe, "f1": probe, "retain": 0.96},
        "nmi": 0.8,
        "class_means": {"forget": probe, "retain": 0.9},
        "dimensional_alignment": {"value": alignment, "k": 9, "energy": 0.964, "centred": False},
        "membership": {"population": {"auc": 0.6, "tpr_at_fpr_1e-2": None, "reason": ""}},
        "spectra": {"retain_rank": 7.5, "forget_rank": 2.0, "retain_norm": 3.0, "forget_norm": 4.0},
        **more,
    }


@pytest.fixture
def report() -> dict:
    models = {
        "original": measures(0.98, 0.98, 0.7, distances={"forget_test": {"js_to_retrained": 0.5}}),
        "head_only": measures(0.0, 0.98, 0.7, distances={"forget_test": {"js_to_retrained": 0.3}}),
        "unlearned": measures(0.0, 0.9, 0.95, distances={"forget_test": {"js_to_retrained": 0.1}}),
    }
    retrained = {"seed 1": measures(0.0, 0.908, 0.9), "seed 2": measures(0.0, 0.912, 0.92)}
    models["retrained"] = retrained["seed 1"]
    verdict = decide(models, list(retrained.values()), {"dimensional_alignment"}, half_widths=HALF_WIDTHS)
    return {
        "forget_classes": ["3"],
        "models": models,
        "retrained": retrained,
        "retrained_notes": {"seconds": 20.0},
        "verdict": verdict.as_dict(),
        "cost": {"seconds": 5.0, "steps": 100, "samples_seen": 6400, "share_of_retraining": 0.25},
    }


def row(report: dict, key: str) -> TableRow:
    return next(row for row in measure_rows(report) if row.key == key)


def without_retrained(report: dict) -> dict:
    models = {name: found for name, found in report["models"].items() if name != "retrained"}
    for found in models.values():
        found.pop("distances", None)
    return {**report, "models": models, "retrained": {}, "retrained_notes": {}, "verdict": decide(models, []).as_dict()}


def test_rows_come_in_groups_and_each_has_all_columns(report):
    rows = measure_rows(report)
    groups = [group for group, _ in itertools.groupby(rows, key=lambda row: row.group)]
    assert groups == ["Outputs", "Features", "Attacks", "Spectra", "Cost"]
    for each in rows:
        assert tuple(each.values) == COLUMNS
        assert each.explanation
        assert set(each.missing) == {model for model, value in each.values.items() if value is None}


def test_the_retrained_value_is_the_mean_and_keeps_each(report):
    probe = row(report, "probe")
    assert probe.values["retrained"] == pytest.approx(0.91)
    assert probe.retrained == (0.908, 0.912)
    assert probe.values["original"] == 0.98


def test_a_measure_the_method_was_trained_on_is_marked(report):
    alignment = row(report, "dimensional_alignment")
    assert alignment.trained_on
    assert alignment.note == f"k = 9 · 96 % of retain energy · not centred · {TRAINED_ON}"
    assert not row(report, "probe").trained_on


def test_an_attack_on_a_correction_says_that_it_finds_what_is_wrong_and_not_what_is_remembered(report):
    notes = {row.key: row.note for row in measure_rows({**report, "forget_purpose": "corrective"}) if row.note}
    assert {key for key, note in notes.items() if OF_CORRECTION in note} == {
        row.key for row in measure_rows(report) if row.group == "Attacks"
    } != set()  # fmt: skip
    assert not any(OF_CORRECTION in row.note for row in measure_rows(report))


def test_the_interval_is_given_in_shares_of_the_gap(report):
    probe = row(report, "probe")
    position = probe.verdict["position"]
    assert position == pytest.approx(0.08 / 0.07)
    half = Yardstick("value", (0.908, 0.912)).half_width(0.01)  # of images and of seeds
    assert probe.whisker == pytest.approx((position - half / 0.07, position + half / 0.07))
    assert row(report, "nmi").whisker is None


def test_the_gap_of_a_distance_is_the_originals_distance(report):
    """What retrained models are apart from each other is no end of the scale: none of them is at 0."""
    for model, distance in zip(report["retrained"].values(), (0.10, 0.12), strict=True):
        model["distances"] = {"forget_test": {"js_to_retrained": distance}}
    half_widths = {name: {"output_distance": 0.01} for name in ("original", "unlearned")}
    models, retrained = report["models"], list(report["retrained"].values())
    verdict = decide(models, retrained, half_widths=half_widths).as_dict()
    low, high = row({**report, "verdict": verdict}, "js_forget").whisker
    half = next(row["half_width"] for row in verdict["measures"] if row["key"] == "output_distance")
    assert (high - low) / 2 == pytest.approx(half / 0.5)


def test_without_a_retrained_model_every_gap_says_so(report):
    bare = without_retrained(report)
    for each in measure_rows(bare):
        assert each.missing["retrained"] == NO_RETRAINED
    distance = row(bare, "js_forget")
    assert distance.missing["unlearned"] == NO_RETRAINED
    assert row(bare, "share_of_retraining").missing["retrained"] == NO_RETRAINED


def test_a_single_retrained_model_has_no_distance_to_another(report):
    assert row(report, "js_forget").missing["retrained"] == NO_OTHER
    assert row(report, "js_forget").values["unlearned"] == 0.1


def test_single_images_have_no_rows_of_class_measures(report):
    samples = {**report, "forget_classes": []}
    samples["models"] = {
        name: {
            **found, "forget_test_accuracy": None, "dimensional_alignment": None,
            "probe": {"forget": None, "f1": None, "retain": 0.96},
            "distances": {"forget": {"js_to_retrained": 0.2}},
        }
        for name, found in report["models"].items()
        if name != "head_only"
    }  # fmt: skip
    samples["retrained"] = {"seed 1": samples["models"]["retrained"]}
    shown = {one.key for one in measure_rows(samples)}
    assert not shown & {"dimensional_alignment", "forget_test_accuracy", "probe"}
    assert {"forget_accuracy", "js_forget", "probe_retain"} <= shown
    assert row(samples, "forget_accuracy").missing == {"head_only": NO_HEAD_ONLY}
    assert row(samples, "js_forget").values["unlearned"] == 0.2
    samples["verdict"] = decide(samples["models"], list(samples["retrained"].values())).as_dict()
    assert row(samples, "forget_accuracy").verdict["key"] == "forget_accuracy"  # it rests on the images themselves
    assert row(samples, "js_forget").verdict["key"] == "output_distance"


def test_images_set_aside_are_not_called_unseen(report):
    report["dataset"] = {"test_origin": "set aside"}
    assert row(report, "forget_test_accuracy").title == "Forget accuracy, seen before, %"


def test_cost_is_held_against_retraining(report):
    share = row(report, "share_of_retraining")
    assert share.values["unlearned"] == 0.25 and share.values["retrained"] == 1.0
    assert row(report, "seconds").values["retrained"] == 20.0


def test_alignment_is_never_shown_bare():
    assert alignment_caption({"k": 3, "energy": None, "centred": True}) == "k = 3 · energy share not known · centred"
    assert alignment_caption(None) == ""


def test_a_report_without_models_has_no_rows():
    assert measure_rows({}) == ()


def test_every_measure_of_the_verdict_has_a_row_also_on_single_images_beside_classes(report):
    for name, accuracy in (("original", 1.0), ("head_only", 1.0), ("unlearned", 0.75), ("retrained", 0.5)):
        report["models"][name]["forget_single_accuracy"] = accuracy
    retrained = list(report["retrained"].values())
    for measured in retrained:
        measured["forget_single_accuracy"] = 0.5
    report["verdict"] = decide(report["models"], retrained, {"dimensional_alignment"}).as_dict()
    rows = verdict_rows(report)
    assert [row.key for row in rows if row.verdict["key"] == "forget_accuracy_single"] == ["forget_accuracy_single"]
    assert [row.verdict["key"] for row in rows] == [judged["key"] for judged in report["verdict"]["measures"]]
    assert row(report, "forget_accuracy_single") in measure_rows(report)  # page and window have it, too
    single = rows[1]
    assert single.title == "Accuracy on single images, %"
    assert single.values == {"original": 1.0, "head_only": 1.0, "unlearned": 0.75, "retrained": 0.5}


def test_single_images_beside_classes_have_rows_of_every_output_measure(report):
    keys = {"js_single", "agreement_single", "membership_single", "forget_accuracy_single"}
    assert not keys & {each.key for each in measure_rows(report)}
    for found in report["models"].values():
        single = {"js_to_retrained": 0.2, "agreement_with_retrained": 0.7}
        found["distances"] = {**found.get("distances", {}), "forget": single}
        found["membership"] = {**found.get("membership", {}), "population_single": {"auc": 0.6}}
        found["forget_single_accuracy"] = 0.9
    shown = {each.key: each for each in measure_rows(report)}
    assert keys <= shown.keys()
    assert shown["js_single"].values["unlearned"] == 0.2 and shown["js_forget"].values["unlearned"] == 0.1
    for found in report["models"].values():
        found["distances"] = {"forget": {"js_to_retrained": 0.2}}
    assert "js_single" not in {each.key for each in measure_rows(report)}


def attacked(report: dict, original: float, half: float, retrained: tuple[float, float] = (0.5, 0.51)) -> dict:
    """The report with an attack whose interval is `half` wide on both sides."""

    def with_attack(model: dict, auc: float) -> dict:
        found = {"auc": auc, "low": auc - half, "high": auc + half, "reason": ""}
        return {**model, "membership": {**model["membership"], "rmia": found}}

    values = {"original": original, "head_only": 0.5, "unlearned": 0.55}
    models = {name: with_attack(report["models"][name], value) for name, value in values.items()}
    others = {name: with_attack(model, auc) for (name, model), auc in
              zip(report["retrained"].items(), retrained, strict=True)}  # fmt: skip
    return {**report, "models": {**models, "retrained": others["seed 1"]}, "retrained": others}


def test_an_attack_that_finds_something_on_the_original_says_how_far_the_model_is(report):
    told = row(attacked(report, 0.75, 0.03), "rmia")
    assert told.verdict is None and told.standing["informative"] and not told.standing["decides"]
    assert told.standing["closure"] == pytest.approx(1 - (0.55 - 0.505) / (0.75 - 0.505))
    low, high = told.whisker
    assert low < told.standing["position"] < high
    assert [each.key for each in attack_rows(attacked(report, 0.75, 0.03))] == ["rmia"]


@pytest.mark.parametrize(("original", "half", "retrained"), [(0.54, 0.04, (0.5, 0.51)), (0.75, 0.2, (0.5, 0.51)),
                                                             (0.75, 0.03, (0.45, 0.74))])  # fmt: skip
def test_an_attack_that_cannot_tell_the_original_from_retraining_says_so(report, original, half, retrained):
    told = row(attacked(report, original, half, retrained), "rmia")
    assert told.standing["informative"] is False and told.standing["closure"] is None
    assert told.standing["note"] == "original and retrained differ no more than chance explains"


def test_without_retrained_models_no_attack_says_what_it_can_tell(report):
    assert attack_rows(without_retrained(attacked(report, 0.75, 0.03))) == ()


def test_an_attack_without_a_value_has_its_own_reason(report):
    refused = attacked(report, 0.75, 0.03)
    refused["models"]["unlearned"]["membership"]["rmia"] = {"auc": None, "reason": "12 images are too few."}
    assert row(refused, "rmia").missing["unlearned"] == "12 images are too few."
