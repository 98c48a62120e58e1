"""The Verify page's sentences, made from a report's numbers."""

from __future__ import annotations

from typing import Any

from app.services import format as fmt

NOTHING = "Nothing to check yet. Finish or open a run."
NO_PROOF = "These are measurements, not proof. They show what the attacks tried here could find, on this data."
SUFFERED = " The rest suffered:"
CODES = {
    "close": "Close to retrained",
    "partly": "Partly forgotten",
    "hidden": "Hidden, not forgotten",
    "not": "Not forgotten",
    "nothing": "Nothing to tell",
    "no_reference": "No retrained model yet",
}
CHECKING = "Checking. The numbers below come as they are measured."
CHECKING_LIMITS = "The verdict comes with the last of them."
QUICK_ONLY = "Needs full checks."
NOT_YET = "Not compared yet"
NOT_COMPARED = "Not compared with a retrained model yet, so there is no verdict."
FEW = 30  # below, intervals are wide enough to be worth a word


def offer(seconds: float | None, trained: int = 0) -> str:
    """The offer to train a retrained model, with what it takes, or to take those that were trained before."""
    if trained:
        are, them = ("is", "it") if trained == 1 else ("are", "them")
        models = fmt.plural(trained, "retrained model")
        return f"{models} {are} on disk, and this result was not compared with {them} yet."
    if seconds is None:
        return "No retrained model yet. How long training one takes is not known."
    return f"No retrained model yet. Training one takes {fmt.about(seconds)}, going by the original's training time."


def to_train(number: int, missing: int, seconds: float | None) -> str:
    """A choice of how many retrained models, with how many of them must be trained first and how long that takes."""
    words = fmt.plural(number, "retrained model")
    if not missing:
        return f"{words} · trained"
    left = "to train" if missing == number else f"{fmt.count(missing)} to train"
    return f"{words} · {left}" + (f", {fmt.about(missing * seconds)}" if seconds is not None else "")


def split_verdict(sentence: str) -> tuple[str, str]:
    """Part the verdict from what it says about the rest, so that each has its own line."""
    head, found, tail = sentence.partition(SUFFERED)
    return head, (SUFFERED + tail).strip() if found else ""


def limits(report: dict[str, Any]) -> str:
    """What a verdict must not be read without: how many retrained models, how many images, where they come from."""
    parts = []
    retrained = report.get("retrained") or {}
    if len(retrained) == 1:
        parts.append("One retrained model: how far two differ was not measured")
    elif retrained:
        parts.append(f"Compared with {len(retrained)} retrained models")
    recipe = str((report.get("retrained_notes") or {}).get("recipe") or "")
    if recipe.startswith("the preset"):
        parts.append("retrained with a preset, the original's recipe is not known")
    counts = ((report.get("models") or {}).get("unlearned") or {}).get("counts") or {}
    unseen, forget = counts.get("forget_test"), counts.get("forget_train")
    seen_before = (report.get("dataset") or {}).get("test_origin") == "set aside"
    kind = "forget images the original has seen before" if seen_before else "unseen forget images"
    if unseen:
        few = ", which is few" if unseen < FEW else ""
        parts.append(f"measured on {fmt.count(unseen)} {kind}{few}")
    elif forget:
        parts.append(f"measured on the {fmt.images(forget)} to forget")
    text = " · ".join(parts)
    return text[:1].upper() + text[1:]
