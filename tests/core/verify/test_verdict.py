from __future__ import annotations

from typing import Any

import pytest

from core.files import dumps, loads
from core.verify import verdict as module
from core.verify.closure import MEASURES
from core.verify.verdict import Forgotten, Verdict, decide


def measures(
    forget=0.98, retain=0.91, js=0.6, auc=0.62, probe=0.98, nmi=0.82, means=0.96, alignment=0.80, count=500
) -> dict[str, Any]:
    return {
        "forget_accuracy": forget,
        "forget_test_accuracy": forget,
        "retain_accuracy": retain,
        "retain_test_accuracy": retain,
        "distances": {"forget_test": {"js_to_retrained": js}},
        "membership": {"population": {"auc": auc}},
        "probe": {"forget": probe, "retain": 0.9, "f1": 0.95},
        "nmi": nmi,
        "class_means": {"forget": means},
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


KEYS = [measure.key for measure in MEASURES]


def widths(value: float = 0.005, **changes: float) -> dict[str, dict[str, float]]:
    """The same half-widths over images for every model."""
    return {name: {**dict.fromkeys(KEYS, value), **changes} for name in ("original", "unlearned", "head_only")}


def judge(unlearned: dict, retrained: list[dict] = RETRAINED, trained_on: set[str] = frozenset(), **more) -> Verdict:
    models = {"original": ORIGINAL, "unlearned": unlearned, "head_only": HEAD_ONLY}
    return decide(models, retrained, trained_on, **{"half_widths": widths(), **more})


def row_of(result: Verdict, key: str):
    return next(row for row in result.measures if row.key == key)


def test_the_head_only_control_is_hidden_not_forgotten():
    result = judge(HEAD_ONLY)
    assert result.code == "hidden"
    assert result.sentence == (
        "Hidden, not forgotten. Outputs no longer name the class, but the features are as in the original: at most 0 % "
        "of any feature gap is closed."
    )


@pytest.mark.parametrize("references", [1, 3])
def test_a_further_retrained_model_is_close(references):
    result = judge(FURTHER, RETRAINED[:references])
    assert (result.code, result.damaged) == ("close", False)
    assert result.sentence == "Close to retrained on all 7 usable measures."


def test_the_original_is_not_forgotten():
    result = judge(ORIGINAL)
    assert result.code == "not"
    assert result.sentence == "Not forgotten. Like the original on all 7 usable measures."


def test_halfway_is_partly_and_names_the_measure_farthest_from_retraining():
    """In units of what images and seeds move it by; class means lie farther off in points, but are less sure."""
    result = judge(measures(0.0, 0.91, 0.3, 0.56, 0.89, 0.79, 0.84, 0.895), half_widths=widths(class_means=0.06))
    assert result.code == "partly"
    assert result.sentence == (
        "Partly forgotten. 1 of 7 usable measures matches retraining; output distance is 50 % of the way."
    )
    farthest = max((row for row in result.measures if not row.closed), key=lambda row: row.deviation)
    assert farthest.key == "output_distance"


def test_what_moved_away_from_retraining_says_so():
    result = judge(measures(0.0, 0.91, 0.03, 0.5, 0.8, 0.9, 0.71, 0.991))  # clustering: 0.82, retrained 0.765
    assert result.code == "partly"
    assert result.sentence == (
        "Partly forgotten. 6 of 7 usable measures match retraining; clustering moved away from retraining."
    )


@pytest.mark.parametrize("model", [HEAD_ONLY, FURTHER, ORIGINAL, HALFWAY])
def test_the_same_holds_with_one_reference(model):
    assert judge(model, RETRAINED[:1]).code == judge(model).code


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
        "No retrained model, so no verdict. Forget accuracy went from 100.0 to > 99.9 %."
    )
    assert decide(models, [], forgotten=Forgotten(0, 30)).sentence == (
        "No retrained model, so no verdict. Accuracy on these 30 images went from 100.0 to > 99.9 %; a model that "
        "never saw them may name many of them rightly as well."
    )
    models["unlearned"]["forget_accuracy"] = 1.0  # one number, one form
    assert (
        "on this image went from 100.0 to 100.0 %; a model that never saw it may name it rightly"
        in decide(models, [], forgotten=Forgotten(0, 1)).sentence
    )
    assert decide({"original": {}, "unlearned": {}}, []).sentence == "No retrained model, so no verdict."


def test_where_nothing_tells_them_apart_it_is_never_a_pass():
    reference = {"forget_accuracy": 0.95, "retain_test_accuracy": 0.9, "probe": None}
    unlearned = {**reference, "counts": {"forget_train": 37}}
    result = decide({"original": {"forget_accuracy": 0.955}, "unlearned": unlearned}, [reference])
    assert result.code == "nothing"
    assert result.sentence == (
        "Nothing to tell: on these 37 images no measure can tell the original from a retrained model."
    )
    one = {"counts": {"forget_train": 1}}
    assert "on this 1 image" in decide({"original": {}, "unlearned": one}, [reference]).sentence


def singles(accuracy: float, js: float, auc: float, nmi: float, unseen: float = 0.004) -> dict[str, Any]:
    return {
        "forget_accuracy": accuracy, "forget_test_accuracy": None, "nmi": nmi,
        "distances": {"forget": {"js_to_retrained": js}, "retain_test": {"js_to_retrained": unseen}},
        "membership": {"population": {"auc": auc}}, "counts": {"forget_train": 30},
    }  # fmt: skip


def test_thirty_random_images_and_one_retrained_model_are_nothing_to_tell():
    """Seen: "close", from clustering and an attack whose interval was 0.36 to 0.55."""
    models = {"original": singles(0.967, 0.003, 0.451, 0.828), "unlearned": singles(0.933, 0.018, 0.466, 0.814)}
    reference = {**singles(0.967, 0.0, 0.477, 0.816), "distances": {}}
    half = {"forget_accuracy": 0.05, "output_distance": 0.02, "membership": 0.08, "nmi": 0.01}
    result = decide(models, [reference], half_widths={"original": half, "unlearned": half})
    assert result.code == "nothing" and not any(row.decides for row in result.measures)
    assert "clustering" not in {row.title for row in result.measures}  # it says nothing of single images
    assert result.sentence == (
        "Nothing to tell: on these 30 images no measure can tell the original from a retrained model."
    )
    sure = {**half, "output_distance": 0.004}
    moved = decide(models, [reference], half_widths={"original": sure, "unlearned": sure})
    assert moved.code == "nothing"
    assert moved.sentence.endswith(" But output distance moved away from retraining.")


SINGLES = {
    "close": (singles(0.90, 0.02, 0.50, 0.8), "Close to retrained on all 3 usable measures: these 30 images are "
              "treated as images that were never trained on."),
    "not": (singles(1.0, 0.30, 0.80, 0.8), "Not forgotten. These 30 images are still treated as training images: like "
            "the original on all 3 usable measures."),
    "partly": (singles(0.90, 0.02, 0.65, 0.8), "Partly forgotten. On these 30 images 2 of 3 usable measures match "
               "retraining; membership attack is 50 % of the way."),
    "nothing": (singles(1.0, 0.004, 0.80, 0.8), "Nothing to tell: on these 30 images no measure can tell the original "
                "from a retrained model."),
}  # fmt: skip


@pytest.mark.parametrize("code", SINGLES)
def test_single_images_have_words_of_their_own(code):
    """Features of another kind of image, however they lie, make nothing "hidden" of outputs that forgot."""
    unlearned, sentence = SINGLES[code]
    original = singles(1.0, 0.30, 0.80, 0.8)
    reference = {**(singles(0.90, 0.0, 0.50, 0.5) if code != "nothing" else original), "distances": {}}
    if code == "nothing":
        original["distances"]["forget"]["js_to_retrained"] = 0.004
    models = {"original": original, "unlearned": {**unlearned, "probe": {"forget": None, "retain": 0.9}}}
    half = widths(0.005, output_distance=0.02)
    found = decide(models, [reference], forgotten=Forgotten(0, 30), half_widths=half)
    assert (found.code, found.sentence) == (code, sentence)
    assert "class" not in sentence and not any(row.group == "feature" for row in found.measures)


def test_hidden_needs_a_class_and_a_feature_gap_that_was_there_to_be_closed():
    assert judge(HEAD_ONLY).code == "hidden"
    assert judge(HEAD_ONLY, forgotten=Forgotten(0, 30)).code != "hidden"
    flat = {"probe": {"forget": 0.9}, "nmi": 0.8, "class_means": {"forget": 0.9}}
    flat["dimensional_alignment"] = {"value": 0.9}
    models = {"original": {**ORIGINAL, **flat}, "unlearned": {**HEAD_ONLY, **flat}}
    assert decide(models, [{**each, **flat} for each in RETRAINED], half_widths=widths()).code == "partly"
    several = judge(HEAD_ONLY, forgotten=Forgotten(3))
    assert "Outputs no longer name the 3 classes, but" in several.sentence


@pytest.mark.parametrize(
    ("accuracy", "auc", "words"),
    [
        (0.9, 0.5, "On the 20 single images both usable measures match retraining."),
        (0.9, 0.8, "On the 20 single images 1 of 2 usable measures matches retraining."),
        (1.0, 0.8, "On the 20 single images 0 of 2 usable measures match retraining."),
        (None, None, "On the 20 single images no measure could tell."),
    ],
)
def test_single_images_beside_a_class_have_a_sentence_of_their_own(accuracy, auc, words):
    def beside(found, accuracy, auc):
        single = {"forget_single_accuracy": accuracy} if accuracy is not None else {}
        attack = {**found["membership"], **({"population_single": {"auc": auc}} if auc is not None else {})}
        return {**found, **single, "membership": attack}

    told = accuracy is not None
    models = {
        "original": beside(ORIGINAL, 1.0, 0.8) if told else ORIGINAL, "unlearned": beside(FURTHER, accuracy, auc),
    }  # fmt: skip
    retrained = [beside(each, 0.9, 0.5) if told else each for each in RETRAINED]
    found = decide(models, retrained, forgotten=Forgotten(1, 20), half_widths=widths())
    assert found.sentence.endswith(words), found.sentence


def test_what_moved_away_is_never_close_even_where_there_was_no_gap():
    """Outputs below what retraining needs, on images that the retrained model still gets right."""
    spoiled = singles(0.60, 0.02, 0.50, 0.8)
    models = {"original": singles(1.0, 0.003, 0.70, 0.8), "unlearned": spoiled}
    reference = {**singles(1.0, 0.0, 0.50, 0.8), "distances": {}}
    result = decide(models, [reference], half_widths=widths(0.03, output_distance=0.05))
    assert result.code == "partly"
    assert result.sentence == (
        "Partly forgotten. The one usable measure matches retraining, but forget accuracy moved away from retraining. "
        "No feature measure could tell."
    )
    kept = {**models, "unlearned": {**spoiled, "forget_accuracy": 1.0}}
    assert decide(kept, [reference], half_widths=widths(0.03, output_distance=0.05)).sentence == (
        "Close to retrained on the one usable measure. No feature measure could tell."
    )


def test_a_verdict_that_the_head_only_edit_would_pass_is_none():
    """Features cannot tell, and by its outputs the edit lies among the retrained models."""
    outputs = {"forget_test_accuracy": 0.98, "distances": {"forget_test": {"js_to_retrained": 0.6}}}
    edited = {"forget_test_accuracy": 0.0, "distances": {"forget_test": {"js_to_retrained": 0.2}}}
    references = [
        {"forget_test_accuracy": 0.0, "distances": {"forget_test": {"js_to_retrained": js}}} for js in (0.2, 0.17, 0.21)
    ]
    models = {"original": outputs, "unlearned": references[0], "head_only": edited}
    result = decide(models, references, half_widths=widths(0.03))
    assert result.code == "nothing"
    assert result.sentence == (
        "Nothing to tell: on the usable measures a head-only edit, which forgets nothing, does as well."
    )
    edited["distances"]["forget_test"]["js_to_retrained"] = 0.5
    assert decide(models, references, half_widths=widths(0.03)).code == "close"


def test_a_model_that_chance_alone_tells_from_the_head_only_edit_is_not_close():
    """The bundled example with three retrained models: 53 % of the gap of output distance closed, by the edit 49 %."""
    outputs = {"forget_test_accuracy": 1.0, "distances": {"forget_test": {"js_to_retrained": 0.655}}}
    edited = {"forget_test_accuracy": 0.0, "distances": {"forget_test": {"js_to_retrained": 0.328}}}
    unlearned = {"forget_test_accuracy": 0.0, "distances": {"forget_test": {"js_to_retrained": 0.307}}}
    references = [
        {"forget_test_accuracy": 0.0, "distances": {"forget_test": {"js_to_retrained": distance}}}
        for distance in (0.15, 0.16, 0.18)
    ]
    models = {"original": outputs, "unlearned": unlearned, "head_only": edited}
    result = decide(models, references, half_widths=widths(0.1))
    assert row_of(result, "output_distance").closed and row_of(result, "output_distance").like_control
    assert result.code == "nothing"
    unlearned["distances"]["forget_test"]["js_to_retrained"] = 0.42  # less of the way than the edit
    assert decide(models, references, half_widths=widths(0.1)).code == "nothing"
    unlearned["distances"]["forget_test"]["js_to_retrained"] = 0.307
    edited["distances"]["forget_test"]["js_to_retrained"] = 0.6
    assert decide(models, references, half_widths=widths(0.1)).code == "close"


def test_from_the_head_only_edit_a_model_is_told_by_what_chance_moves_the_model_by():
    outputs, edited, unlearned, reference = (
        {"forget_test_accuracy": 0.0, "probe": {"forget": value}} for value in (0.95, 0.70, 0.55, 0.50)
    )
    models = {"original": outputs, "unlearned": unlearned, "head_only": edited}
    for name, alike in (("unlearned", True), ("head_only", False)):
        half_widths = {**widths(0.01), name: dict.fromkeys(KEYS, 0.08)}
        assert row_of(decide(models, [reference], half_widths=half_widths), "probe").like_control == alike, name


def reviewed(forget, js, nmi, means, probe, alignment) -> dict[str, Any]:
    return {
        "forget_test_accuracy": forget, "distances": {"forget_test": {"js_to_retrained": js}}, "nmi": nmi,
        "class_means": {"forget": means}, "probe": {"forget": probe}, "dimensional_alignment": {"value": alignment},
    }  # fmt: skip


def test_no_measure_is_both_within_the_spread_and_the_weakest():
    """A run on Fashion-MNIST, two retrained models. Seen: clustering, within what retrained models differ by, was
    called the weakest; the output distance, ten times theirs, was not named; class means were called uninformative.
    """
    models = {
        "original": reviewed(0.94, 0.632, 0.743, 0.942, 0.957, 0.934),
        "head_only": reviewed(0.0, 0.226, 0.743, 0.942, 0.957, 0.934),
        "unlearned": reviewed(0.0, 0.115, 0.678, 0.855, 0.942, 0.990),
    }
    references = [
        reviewed(0.0, 0.011, 0.704, 0.475, 0.957, 0.997), reviewed(0.0, 0.011, 0.696, 0.395, 0.935, 0.997),
    ]  # fmt: skip
    half = widths(0.01, output_distance=0.012, nmi=0.012, class_means=0.05, probe=0.025)
    result = decide(models, references, {"dimensional_alignment"}, half_widths=half)
    assert row_of(result, "class_means").informative and not row_of(result, "class_means").closed
    assert not row_of(result, "probe").informative
    assert result.code == "partly"
    assert result.sentence == (
        "Partly forgotten. 2 of 4 usable measures match retraining, 1 of them within chance; output distance is 81 % "
        "of the way."
    )
    for row in result.measures:
        assert not (row.closed and row.title in result.sentence), row


CLOSE = measures(0.0, 0.91, 0.030, 0.50, 0.80, 0.765, 0.71, 0.991)
FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "forget_accuracy": ({"forget_test_accuracy": 0.98}, "forget accuracy is 0 % of the way"),
    "output_distance": ({"distances": {"forget_test": {"js_to_retrained": 0.6}}}, "output distance is 0 % of the way"),
    "membership": ({"membership": {"population": {"auc": 0.62}}}, "membership attack is 0 % of the way"),
    "probe": ({"probe": {"forget": 0.98}}, "linear probe is 0 % of the way"),
    "nmi": ({"nmi": 0.82}, "clustering is 0 % of the way"),
    "class_means": ({"class_means": {"forget": 0.96}}, "nearest class mean is 0 % of the way"),
    "dimensional_alignment": ({"dimensional_alignment": {"value": 0.80}}, "alignment is 0 % of the way"),
    "relearn": ({"relearn": {"accuracy": 0.9}}, "relearning is 0 % of the way"),
    "prototype": ({"prototype": {"forget": 0.9}}, "prototype attack is 0 % of the way"),
}


@pytest.mark.parametrize("references", [1, 2, 3])
@pytest.mark.parametrize("key", FAILURES)
def test_a_planted_failure_of_any_measure_changes_the_verdict(key, references):
    attacks = {"relearn": {"accuracy": 0.4}, "prototype": {"forget": 0.3}}
    full = {**ORIGINAL, "relearn": {"accuracy": 0.9}, "prototype": {"forget": 0.9}}
    retrained = [{**each, **attacks} for each in RETRAINED[:references]]
    models = {"original": full, "head_only": {**full, "forget_test_accuracy": 0.0}, "unlearned": {**CLOSE, **attacks}}
    assert decide(models, retrained, half_widths=widths()).code == "close"
    changes, words = FAILURES[key]
    failed = decide({**models, "unlearned": {**models["unlearned"], **changes}}, retrained, half_widths=widths())
    assert failed.code == "partly" and words in failed.sentence


@pytest.mark.parametrize(
    ("key", "far"),
    [("membership", {"membership": {"population": {"auc": 0.30}}}), ("probe", {"probe": {"forget": 0.55}}),
     ("nmi", {"nmi": 0.65}), ("class_means", {"class_means": {"forget": 0.40}})],
)  # fmt: skip
def test_a_measure_far_beyond_retraining_forbids_close_too(key, far):
    result = judge({**CLOSE, **far})
    assert result.code == "partly" and row_of(result, key).moved_away


def closures(values: dict[str, float]) -> dict[str, Any]:
    """A model whose gap on each named measure is closed to the given share, all others fully."""
    between = {key: values.get(key, 1.0) for key in ("forget", "auc", "probe", "nmi", "means", "alignment")}
    ends = {
        "forget": (0.98, 0.0),
        "auc": (0.62, 0.5),
        "probe": (0.98, 0.8),
        "nmi": (0.82, 0.765),
        "means": (0.96, 0.71),
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
    overshot = closures({"nmi": 1.9, "probe": 1.95, "means": 1.9, "alignment": 1.0})
    result = judge(overshot, REFERENCE, {"dimensional_alignment"})
    assert result.code == "partly"
    assert result.sentence == (
        "Partly forgotten. 3 of 6 usable measures match retraining; linear probe lies beyond retraining by 95 % "
        "of the gap."
    )


def test_without_feature_measures_the_sentence_says_so():
    models = {"original": {"forget_accuracy": 1.0}, "unlearned": {"forget_accuracy": 0.95}}
    references = [{"forget_accuracy": value} for value in (0.94, 0.95, 0.96)]
    half = {name: {"forget_accuracy": 0.01} for name in models}
    assert decide(models, references, half_widths=half).sentence == (
        "Close to retrained on the one usable measure. No feature measure could tell."
    )
    models["unlearned"] = {"forget_accuracy": 1.0}
    result = decide(models, references, half_widths=half)
    assert result.code == "not"
    assert result.sentence == (
        "Not forgotten. Like the original on the one usable measure. No feature measure could tell."
    )
    models["unlearned"] = {"forget_accuracy": 0.98}
    assert decide(models, references[1:2], half_widths=half).sentence == (
        "Partly forgotten. The one usable measure, forget accuracy, is 40 % of the way. No feature measure could tell."
    )


def test_with_one_retrained_model_what_was_not_resampled_does_not_decide():
    models = {"original": {"forget_accuracy": 1.0}, "unlearned": {"forget_accuracy": 0.5}}
    assert decide(models, [{"forget_accuracy": 0.5}]).code == "nothing"
    assert decide(models, [{"forget_accuracy": 0.5}] * 2).code == "close"


def test_chance_can_close_a_measure_but_not_one_less_than_half_the_way():
    nearly = closures({"probe": 0.85})
    assert judge(nearly, REFERENCE).code == "partly"
    result = judge(nearly, REFERENCE, half_widths=widths(probe=0.05))
    assert result.code == "close"
    assert result.sentence == "Close to retrained on all 7 usable measures."
    wide = widths()
    wide["unlearned"] = {**wide["unlearned"], "probe": 0.5}  # its own answers are all over the place
    floored = judge(closures({"probe": 0.4}), REFERENCE, half_widths=wide)
    assert floored.code == "partly"
    assert floored.sentence == (
        "Partly forgotten. 6 of 7 usable measures match retraining; linear probe is 40 % of the way."
    )


def test_what_matches_by_chance_alone_is_not_said_to_match_without_more():
    """Seen: "1 of 2 usable measures matches retraining" beside a forget accuracy of 16.7 %, retrained 0.0 %."""
    one = judge(closures({"probe": 0.85, "nmi": 0.6}), REFERENCE, half_widths=widths(probe=0.05))
    assert one.sentence == (
        "Partly forgotten. 6 of 7 usable measures match retraining, 1 of them within chance; clustering is 60 % of the "
        "way."
    )
    models = {
        "original": {"forget_test_accuracy": 1.0, "nmi": 0.95},
        "unlearned": {"forget_test_accuracy": 1 / 6, "nmi": 0.84},
    }
    half = {"forget_accuracy": 0.12, "nmi": 0.01}
    reference = {"forget_test_accuracy": 0.0, "nmi": 0.75}
    result = decide(models, [reference], half_widths=dict.fromkeys(models, half))
    assert result.sentence == (
        "Partly forgotten. 1 of 2 usable measures matches retraining within chance; clustering is 55 % of the way."
    )


def test_a_rest_within_what_retrained_models_vary_by_is_closed():
    scattered = [{**model, "nmi": value} for model, value in zip(RETRAINED, (0.76, 0.77, 0.75), strict=True)]
    row = row_of(judge({**FURTHER, "nmi": 0.77}, scattered), "nmi")
    assert row.closure < 0.9 and row.closed and row.half_width > 0.01


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
    assert set(data) == {"code", "damaged", "sentence", "thresholds", "lamps", "measures"}
    assert data["thresholds"]["closed"] == 0.9 and data["thresholds"]["retrained_models"] == 3
    assert {row["key"] for row in data["measures"]} == {
        "forget_accuracy",
        "output_distance",
        "membership",
        "probe",
        "nmi",
        "class_means",
        "dimensional_alignment",
    }
    probe = next(row for row in data["measures"] if row["key"] == "probe")
    assert (probe["original"], probe["head_only"], probe["retrained"]) == (0.98, 0.98, pytest.approx(0.80))


def test_nearer_to_retrained_models_than_they_are_to_each_other_is_closed():
    apart = [measures(0.0, 0.91, js, 0.5, 0.8, 0.765, 0.71, 0.99) for js in (0.050, 0.051, 0.049)]
    original = {**ORIGINAL, "distances": {"forget_test": {"js_to_retrained": 0.2}}}
    found = decide({"original": original, "unlearned": measures(js=0.03)}, apart, half_widths=widths())
    row = row_of(found, "output_distance")
    assert row.closure == pytest.approx(0.85) and row.closed


def test_beyond_retraining_within_chance_does_not_forbid_close_and_before_it_does():
    wide = widths(membership=0.036)
    beyond = judge({**closures({}), "membership": {"population": {"auc": 0.43}}}, REFERENCE, half_widths=wide)
    before = judge({**closures({}), "membership": {"population": {"auc": 0.57}}}, REFERENCE, half_widths=wide)
    assert row_of(beyond, "membership").closure < 0.5
    assert (beyond.code, before.code) == ("close", "partly")


def test_a_loss_that_few_images_show_by_chance_is_no_damage():
    """99.3 against 97.6 % of 289 unseen images are five images; of 3,000 they are fifty."""
    for images, damaged in ((289, False), (3000, True)):
        unlearned = {**measures(0.0, 0.976, 0.03, 0.5, 0.8, 0.765, 0.71, 0.991)}
        unlearned["counts"] = {"forget_train": 500, "retain_test": images}
        assert judge(unlearned, [measures(0.0, 0.993, 0.03, 0.5, 0.8, 0.765, 0.71, 0.991)]).damaged == damaged
