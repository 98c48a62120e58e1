"""The verdict on data that should not have been as they were: wrong labels and poisoned images.

A model retrained without them is no yardstick, for it keeps what was not found. Judged is what they did to the model:
where a trigger is known how often it works on unseen images, else how many of the images the model still gives the
label they had; and the accuracy on unseen images, whose labels are right. The codes:

    nothing           the original hardly shows the fault (EFFECT)
    corrected         at least CLOSED of it is gone: of the trigger's success down to the share that the original calls
                      so without the patch, of the labels down to those that a model retrained without the images
                      gives, or to none
    not_corrected     less than NEAR_ORIGINAL of it is gone
    partly_corrected  everything else

"Damaged" is added where accuracy on unseen images fell, against the original, by more than DAMAGE and chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.verify.closure import CLOSED, NORMAL, look_up
from core.verify.lamps import NEAR_ORIGINAL
from core.verify.numbers import from_to, mean, percent, plural, points
from core.verify.verdict import DAMAGE, Code, Verdict

EFFECT = 0.05
"""Share of images that the fault must reach in the original, beyond what is there without it, to be judged."""

NO_YARDSTICK = "A model retrained without them is no yardstick: it keeps what was not found."

UNTRIED = (
    "The trigger was not tried, for there is no unseen image of another class than its own; the labels judge instead."
)

Measures = Mapping[str, Any] | None
_SUCCESS, _WITHOUT = ("trigger", "success"), ("trigger", "without")
_GIVEN, _CLEAN = ("forget_accuracy",), ("retain_test_accuracy",)


def decide_correction(
    models: Mapping[str, Measures], retrained: Sequence[Measures], images: int, trigger: bool = False
) -> Verdict:
    """Judge `models["unlearned"]` against `models["original"]`; `images` were taken for wrong or poisoned.

    `retrained` are the measures of models retrained without them, which say how many labels are given anyway; trigger:
    the patch that the images carry is known.
    """
    before, after = (models.get(name) for name in ("original", "unlearned"))
    loss = _damage(before, after)
    code, effect = _judged(before, after, retrained, images)
    sentences = [effect, _clean(before, after)]
    if trigger and None in (look_up(before, _SUCCESS), look_up(after, _SUCCESS)):
        sentences.insert(1, UNTRIED)
    if loss is not None:
        sentences.append(f"The rest suffered: that is {points(loss)} points less.")
    if retrained:  # that is shown beside it; without one the report and the window say so below
        sentences.append(NO_YARDSTICK)
    sentence = " ".join(filter(None, sentences))
    thresholds = {"closed": CLOSED, "near_original": NEAR_ORIGINAL, "effect": EFFECT, "damage": DAMAGE}
    return Verdict(code, loss is not None, sentence, thresholds, (), purpose="corrective")


def _judged(before: Measures, after: Measures, retrained: Sequence[Measures], images: int) -> tuple[Code, str]:
    """Return the code, and what became of the fault in a sentence."""
    first, last = look_up(before, _SUCCESS), look_up(after, _SUCCESS)
    if first is not None and last is not None:
        # The original's: a model that calls most images so without the patch has not lost the fault.
        floor, called = (look_up(model, _WITHOUT) or 0.0 for model in (before, after))
        code = _code(first, last, floor)
        what = f"the trigger's success on unseen images of other classes went {from_to(first, last)}"
        nothing = f"In the original the trigger works on only {percent(first)} of unseen images of other classes"
        same = percent(floor) == percent(called)
        beside = f"{percent(floor)} are called so without it"
        beside = beside if same else f"the share called so without it went {from_to(floor, called)}"
    else:
        first, last = look_up(before, _GIVEN), look_up(after, _GIVEN)
        if first is None or last is None:
            return "nothing", "Nothing to tell: the models give no label."
        known = mean(look_up(model, _GIVEN) for model in retrained)
        code = _code(first, last, known or 0.0)
        number = plural(images, "image")
        what = f"of {number} the share that is given the label in the data went {from_to(first, last)}"
        only = "only " if known is None else ""
        nothing = f"The original gives {only}{percent(first)} of {number} the label in the data"
        beside = "" if known is None else f"{percent(known)} by a model retrained without them"
    beside = f" ({beside})" if beside else ""
    if code == "nothing":
        return code, f"Nothing to correct. {nothing}{beside}."
    verdict = code.replace("_", " ").capitalize()
    return code, f"{verdict}: {what}{beside}."


def _code(first: float, last: float, floor: float) -> Code:
    gap = first - floor
    if gap < EFFECT:
        return "nothing"
    gone = (first - last) / gap
    return "corrected" if gone >= CLOSED else "not_corrected" if gone < NEAR_ORIGINAL else "partly_corrected"


def _clean(before: Measures, after: Measures) -> str:
    first, last = look_up(before, _CLEAN), look_up(after, _CLEAN)
    return "" if first is None or last is None else f"Accuracy on unseen images went {from_to(first, last)}."


def _damage(before: Measures, after: Measures) -> float | None:
    """Return how far accuracy on unseen images fell, 0..1; None where that is no damage."""
    first, last = look_up(before, _CLEAN), look_up(after, _CLEAN)
    if first is None or last is None:
        return None
    images = look_up(after, ("counts", "retain_test"))
    chance = NORMAL * math.sqrt((first * (1 - first) + last * (1 - last)) / images) if images else 0.0
    loss = round(first - last, 9)
    return loss if loss > max(DAMAGE, chance) else None
