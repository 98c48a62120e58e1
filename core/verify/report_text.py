"""What a report says in words: title, what was asked, what a verdict means, and the limits that apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.verify import numbers
from core.verify.closure import CLOSED, look_up
from core.verify.table import model_measures, retrained_models, seen_before

Report = Mapping[str, Any]

PROOF = "These are measurements, not proof. They show what the attacks tried here could find, on this data."

MEANING = {
    "close": "On what was measured, the model behaves like one that was trained without these images.",
    "partly": "The model moved towards one that was trained without these images. Measurable traces remain.",
    "hidden": "The answers changed, the inner features hardly did: whoever has the file can find the class again.",
    "not": "Most measures still look as if these images were part of the training.",
    "nothing": "On this data the original and a model that never saw these images look alike.",
    "no_reference": "Only a model trained without these images shows what each number should be. Here there is none, "
    "so the numbers can be compared with the original only.",
}
"""What each verdict means to someone who does not know the measures."""

RECONSTRUCTION = (
    "MUDA (reconstruction): the measure and the losses follow the paper; schedule and settings are ours. No number "
    "here is the paper's."
)
CIRCULAR = "The method was trained on {names}. That measure is shown and does not count in the verdict."
NECESSARY = (
    "Dimensional alignment near the retrained value is necessary, not sufficient: collapsed features reach it as well. "
    "It depends on k, and on whether features are centred."
)
SAMPLES = "Alignment compares whole classes. For single images it says nothing."
NO_REFERENCE = "There was no retrained model, so nothing says which value each measure should have."
ONE_REFERENCE = "There was one retrained model. How far two retrained models differ was not measured."
SEEN_BEFORE = (
    "The test images were set aside from the training images. The original has already seen them, so results on them "
    "look better than they are."
)
FEW = "{count} forget images are few: values on them can move by several points by chance."
NO_ATTACK = "No membership attack was run."
BOTH_MODELS = (
    "Anyone who has both the original and this model can compare them and may learn what was removed. Withdraw the "
    "original where you can."
)
PRESET_RECIPE = (
    "How the original was trained is not known, so retraining followed a preset of this program. Part of what they "
    "differ by may come from that."
)
HATCHED = (
    "Hatched: not informative here. Original and retrained models differ by no more than chance in images and training "
    "explains, or by less than a point. Arrow: beyond the retrained value, or further from it than the original. Thin "
    "line: the 95 % interval over both. A measure matches retraining when {closed} % of its gap is closed, or when "
    "what is left is within that interval and less than half the gap."
)
CONTROL = (
    "The head-only edit is a control: it changes only the last layer so that the class is never named. Its outputs "
    "forget, its features don't. A result that looks like it has hidden the class, not forgotten it."
)

PUBLISHED = (
    "Measures as papers and their code define them, so that numbers compare with published tables. None is good "
    "for being high or low: the retrained value is the goal, and how far single retrained models lie apart is the "
    "noise. Definitions in the left column; u is the model, r the retrained one."
)

FEW_IMAGES = 100
"""Below this one image is more than a point of accuracy on the forget set."""

TITLE_CLASSES = 3
"""Classes that the title names; the sentence of what was asked names all."""


def limits(report: Report) -> list[str]:
    """Return the limits that apply to this report, most general first, as they stand on the page."""
    rows = (report.get("verdict") or {}).get("measures") or []
    trained = [row.get("title", row.get("key")) for row in rows if row.get("trained_on")]
    references, singles = reference_count(report), report.get("forget_mode") == "sample"
    unlearned, forget_count = model_measures(report, "unlearned"), report.get("forget_count") or 0
    attack = (unlearned.get("membership") or {}).get("population") or {}
    similar = similar_kept(report)
    sentences = (
        (True, PROOF),
        (not references, NO_REFERENCE),
        (references == 1, ONE_REFERENCE),
        (references and _by_preset(report), PRESET_RECIPE),
        ("muda" in str(report.get("method", "")), RECONSTRUCTION),
        (trained, CIRCULAR.format(names=" and ".join(trained))),
        (singles, SAMPLES),
        (not singles and look_up(unlearned, ("dimensional_alignment", "value")) is not None, NECESSARY),
        (seen_before(report), SEEN_BEFORE),
        (0 < forget_count < FEW_IMAGES, FEW.format(count=numbers.count(forget_count))),
        (attack.get("auc") is None, attack.get("reason") or NO_ATTACK),
        (similar, similar),
        (True, BOTH_MODELS),
    )
    return [sentence for applies, sentence in sentences if applies]


def similar_kept(report: Report) -> str:
    """Say how many kept images look like forget images; empty where nobody looked."""
    similar = report.get("similar_kept") or {}
    number = similar.get("count")
    if not isinstance(number, int):
        return ""
    more = "" if similar.get("complete", True) else " Only the likeliest were compared, so there may be more."
    if not number:
        return f"No kept image looks almost the same as a forget image.{more}"
    one = number == 1
    exact = int(similar.get("exact") or 0)
    same = f", {numbers.count(exact)} of them pixel by pixel" if exact else ""
    return (
        f"{numbers.plural(number, 'kept image')} {'looks' if one else 'look'} almost the same as forget images{same}. "
        f"While {'it stays' if one else 'they stay'}, the model can go on knowing what was to be removed.{more}"
    )


def title(report: Report) -> str:
    """Return the page's title: "Forgetting class “sandal”"."""
    names = list(report.get("forget_classes") or ())
    count = report.get("forget_count")
    if names and report.get("forget_mode") != "mixed":
        more = f" and {len(names) - TITLE_CLASSES} more" if len(names) > TITLE_CLASSES else ""
        return f"Forgetting {_quoted(names[:TITLE_CLASSES])}{more}"
    return f"Forgetting {numbers.plural(count, 'image')}" if isinstance(count, int) else "Forgetting"


def asked(report: Report) -> str:
    """Return what was asked, in a sentence with its size."""
    names = list(report.get("forget_classes") or ())
    count, total = report.get("forget_count"), report.get("total")
    what = f"the {_quoted(names)}" if names else "single images"
    if names and report.get("forget_mode") == "mixed":
        what += " and single images of other classes"
    text = f"Remove {what} from the model"
    if isinstance(count, int) and isinstance(total, int) and total:
        share = numbers.percent(count / total)
        text += f": {numbers.count(count)} of {numbers.count(total)} training images ({share})"
    return text + "."


def chain(report: Report) -> list[str]:
    """Return one sentence a request, oldest first, where several are judged together; empty otherwise."""
    requests = []
    for request in report.get("chain") or ():
        names = list(request.get("class_names") or ())
        what = f"the {_quoted(names)}" if names else "single images"
        run = f"run {request['run']}" if request.get("run") else "this run"
        images = numbers.plural(int(request.get("count") or 0), "image")
        requests.append(f"{what}: {images}, by {request['method']}, {run}")
    return requests


def reference_count(report: Report) -> int:
    """Return how many retrained models the report holds."""
    return len(retrained_models(report))


def hatched(report: Report) -> str:
    """Return how to read the bars of the table; empty where nothing was retrained."""
    count = reference_count(report)
    if not count:
        return ""
    closed = look_up(report.get("verdict"), ("thresholds", "closed"))
    share = numbers.whole_percent(CLOSED if closed is None else closed)
    return HATCHED.format(closed=share)


def retrained_how(report: Report) -> str:
    """Return how many retrained models there are and whose recipe they were trained with; empty for none."""
    count, notes = reference_count(report), report.get("retrained_notes") or {}
    if not count:
        return ""
    brought, recipe = len(notes.get("brought") or ()), str(notes.get("recipe") or "")
    ways = []
    if recipe and count > brought:
        ways.append("trained with a preset of this program" if _by_preset(report) else f"trained as {recipe} says")
    if brought:
        ways.append("brought along" if brought == count else f"{numbers.count(brought)} of them brought along")
    return ", ".join([numbers.plural(count, "model"), *ways])


def _by_preset(report: Report) -> bool:
    return str((report.get("retrained_notes") or {}).get("recipe") or "").startswith("the preset")


def _quoted(names: list[str]) -> str:
    return f"{'class' if len(names) == 1 else 'classes'} " + ", ".join(f"“{name}”" for name in names)
