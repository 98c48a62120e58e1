"""Three lamps: what outputs, features and attacks say of a model and of the head-only edit."""

from __future__ import annotations

import re

import pytest

from core.files import dumps, loads
from core.verify.lamps import LAMPS, found_again, lamp_measures, lamps_of, report_lamps
from core.verify.report import render_report
from tests.core.verify.sample_report import sample_report
from tests.core.verify.test_verdict import FURTHER, HALFWAY, HEAD_ONLY, ORIGINAL, judge, measures, widths

CONTROL = {"outputs": "between", "features": "original", "attacks": "retrained"}


@pytest.mark.parametrize(
    ("model", "lamps"),
    [
        (FURTHER, ("retrained", "retrained", "retrained")),
        (ORIGINAL, ("original", "original", "original")),
        (HALFWAY, ("between", "between", "between")),
        (HEAD_ONLY, tuple(CONTROL.values())),
    ],
)
def test_a_lamp_says_what_all_its_measures_say_else_between(model, lamps):
    found = judge(model).lamps
    assert tuple(found["unlearned"].values()) == lamps and tuple(found["unlearned"]) == tuple(LAMPS)
    assert found["head_only"] == CONTROL  # beneath, whatever the model is: it edits one layer


def test_a_lamp_no_measure_counts_for_cannot_tell():
    found = judge(FURTHER, half_widths=widths(membership=0.2)).lamps
    assert found["unlearned"]["attacks"] == "unknown" and found["head_only"]["attacks"] == "unknown"
    assert set(judge(FURTHER, []).lamps["unlearned"].values()) == {"unknown"}


def test_what_the_method_was_trained_on_lights_no_lamp():
    features = {"probe", "nmi", "class_means", "dimensional_alignment"}
    assert judge(FURTHER, trained_on=features).lamps["unlearned"]["features"] == "unknown"
    only = judge(measures(0.0, 0.91, 0.03, 0.5, 0.98, 0.82, 0.96, 0.991), trained_on={"dimensional_alignment"})
    assert only.lamps["unlearned"]["features"] == "original"


def test_what_moved_away_from_retraining_is_not_like_it():
    away = judge(measures(0.0, 0.91, 0.9, 0.5, 0.8, 0.765, 0.71, 0.991))  # output distance: original 0.6
    assert away.lamps["unlearned"]["outputs"] == "between" and away.code != "close"
    report = {"verdict": away.as_dict()}
    assert ("output distance", "moved away from retraining") in lamp_measures(report, "outputs")
    assert ("forget accuracy", "matches retraining") in lamp_measures(report, "outputs")


def test_a_report_holds_its_lamps_and_an_earlier_one_gets_those_of_the_model():
    verdict = loads(dumps(judge(HALFWAY).as_dict()))
    assert report_lamps({"verdict": verdict}) == verdict["lamps"]
    del verdict["lamps"]
    for row in verdict["measures"]:
        del row["light"], row["control_light"]
    assert report_lamps({"verdict": verdict}) == {"unlearned": judge(HALFWAY).lamps["unlearned"]}
    assert report_lamps({"verdict": judge(HALFWAY, []).as_dict()}) == {} == report_lamps({})
    assert lamps_of([]) == {"unlearned": dict.fromkeys(LAMPS, "unknown")}


def test_single_images_have_no_lamps_of_a_head_only_edit():
    rows = [{**row.as_dict(), "head_only": None} for row in judge(FURTHER).measures]
    assert set(lamps_of(rows)) == {"unlearned"}


def test_accuracy_zero_is_said_beside_what_the_features_still_hold():
    assert found_again(sample_report()) == (
        "0.0 % of unseen forget images are still recognised; 93.0 % of them are found again in the model's features "
        "(98.0 % in the original, 80.0 % in a retrained model)."
    )
    assert found_again(sample_report(forget_classes=[])) == ""


def test_the_page_shows_the_lamps_with_the_control_beneath():
    page = render_report(sample_report(), [])
    lamps = re.search(r'<table class="lamps">.*?</table>', page, re.DOTALL)[0]
    said = re.findall(r"<t[hd](?: [^>]*)?>(?:<svg.*?</svg>)?([^<]*)", lamps, re.DOTALL)
    assert said == [
        "", "Outputs", "Features", "Attacks", "Unlearned", "between", "between", "like retrained",
        "Head-only edit (control)", "between", "like the original", "like retrained",
    ]  # fmt: skip
    assert '<table class="lamps">' not in render_report(sample_report(verdict={"code": "no_reference"}), [])
