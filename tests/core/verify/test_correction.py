"""The verdict on wrong labels and poisoned images: codes and words on made-up measures."""

from __future__ import annotations

import pytest

from core.verify.correction import NO_YARDSTICK, UNTRIED, decide_correction


def model(given: float, clean: float, trigger: tuple[float, float] | None = None) -> dict:
    """Measures of a model on 2,000 unseen images; trigger: success, and share called so without it."""
    values = {"forget_accuracy": given, "retain_test_accuracy": clean, "counts": {"retain_test": 2000}}
    return values | ({"trigger": {"success": trigger[0], "without": trigger[1]}} if trigger else {})


def judge(before: dict, after: dict, *retrained: dict, trigger: bool = False):
    return decide_correction({"original": before, "unlearned": after}, retrained, 300, trigger)


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (0.05, "corrected", "Corrected:"), (0.5, "partly_corrected", "Partly corrected:"),
        (0.9, "not_corrected", "Not corrected:"),
    ],
)
def test_labels_are_corrected_where_the_model_gives_them_no_more(given, code, words):
    verdict = judge(model(1.0, 0.87), model(given, 0.89))
    assert (verdict.code, verdict.damaged, verdict.purpose) == (code, False, "corrective")
    assert verdict.sentence == (
        f"{words} of 300 images the share that is given the label in the data went from 100.0 to {100 * given:.1f} %. "
        f"Accuracy on unseen images went from 87.0 to 89.0 %."
    )
    assert verdict.as_dict()["purpose"] == "corrective" and verdict.measures == ()


def test_labels_that_a_retrained_model_gives_as_well_need_not_go():
    before, after = model(1.0, 0.9), model(0.32, 0.9)
    assert judge(before, after).code == "partly_corrected"
    judged = judge(before, after, model(0.3, 0.9), model(0.2, 0.9))
    assert judged.code == "corrected" and "(25.0 % by a model retrained without them)" in judged.sentence
    assert judged.sentence.endswith(NO_YARDSTICK)


def test_a_trigger_is_judged_by_its_success_beyond_what_is_called_so_anyway():
    before = model(1.0, 0.9, (0.98, 0.02))
    assert judge(before, model(1.0, 0.9, (0.1, 0.02))).code == "corrected"
    assert judge(before, model(0.0, 0.9, (0.4, 0.02))).code == "partly_corrected"
    sentence = judge(before, model(0.0, 0.9, (0.9, 0.02))).sentence
    assert sentence.startswith("Not corrected: the trigger's success on unseen images of other classes went from 98.0")
    assert "to 90.0 % (2.0 % are called so without it)." in sentence


@pytest.mark.parametrize(
    ("after", "code"),
    [((0.91, 0.9), "not_corrected"), ((0.45, 0.43), "partly_corrected"), ((0.05, 0.3), "corrected")],
)
def test_a_model_that_calls_everything_so_has_not_lost_the_trigger(after, code):
    """The floor is what the original calls so without the patch, and not what the collapsed model does."""
    verdict = judge(model(1.0, 0.9, (0.93, 0.02)), model(1.0, 0.9, after))
    assert verdict.code == code
    assert f"(the share called so without it went from 2.0 to {100 * after[1]:.1f} %)." in verdict.sentence


def test_a_trigger_that_cannot_be_tried_is_said_and_the_labels_judge():
    verdict = judge(model(1.0, 0.9), model(0.0, 0.9), trigger=True)
    assert verdict.code == "corrected" and "of 300 images the share" in verdict.sentence and UNTRIED in verdict.sentence
    assert UNTRIED not in judge(model(1.0, 0.9), model(0.0, 0.9)).sentence
    tried = judge(model(1.0, 0.9, (0.9, 0.0)), model(0.0, 0.9, (0.0, 0.0)), trigger=True)
    assert UNTRIED not in tried.sentence


def test_nothing_to_correct_says_what_a_retrained_model_gives():
    judged = judge(model(0.5, 0.9), model(0.5, 0.9), model(0.48, 0.9))
    assert judged.code == "nothing"
    assert judged.sentence.startswith(
        "Nothing to correct. The original gives 50.0 % of 300 images the label in the data (48.0 % by a model"
    )


def test_what_the_original_hardly_shows_cannot_be_corrected():
    assert judge(model(0.03, 0.9), model(0.0, 0.9)).code == "nothing"
    judged = judge(model(1.0, 0.9, (0.06, 0.02)), model(0.0, 0.9, (0.02, 0.02)))
    assert judged.sentence.startswith("Nothing to correct. In the original the trigger works on only 6.0 %")


def test_accuracy_that_is_lost_beyond_chance_is_damage():
    assert judge(model(1.0, 0.9), model(0.0, 0.88)).damaged  # 1.96 standard errors are 1.96 points
    assert not judge(model(1.0, 0.9), model(0.0, 0.885)).damaged
    assert "The rest suffered: that is 2.0 points less." in judge(model(1.0, 0.9), model(0.0, 0.88)).sentence
