"""What the window says about a method: group titles, what it needs, when it makes sense, what it costs. Text only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.services import format as fmt
from core.verify.numbers import training_cost

if TYPE_CHECKING:
    from core.methods.base import Method
    from core.selection import Selection

GROUP_TITLES = {
    "reference": "References", "alignment": "Alignment", "relabelling": "Relabelling",
    "distillation": "Distillation", "gradient": "Gradient", "closed form": "Closed form",
}  # fmt: skip
GROUP_LINES = {
    "reference": "What results are held against: not ways to forget.",
    "alignment": "Move the features of the forget images into the space of what stays.",
    "relabelling": "Teach the forget images other labels than their own.",
    "distillation": "Let the model follow teachers: one for what stays, another for what goes.",
    "gradient": "Train on along or against the gradient of the usual loss.",
    "closed form": "Change weights in one act, without training steps.",
}
UNSUITABLE = "Not suitable here"
UNWEIGHTED = "This method counts all forget images alike: the weights of the list change nothing."
_NEEDS = {
    "forget set": "forget images", "retain set": "retain images", "teacher": "the original as teacher",
    "forget classes": "whole classes to forget", "untrained": "an untrained network",
}  # fmt: skip
_ORDER = ("forget set", "retain set", "forget classes", "teacher", "untrained")


def group_title(group: str) -> str:
    """The heading over a group's cards."""
    return GROUP_TITLES.get(group, group.capitalize())


def group_line(title: str) -> str:
    """What the methods under a heading have in common; "" for a heading that is no group's."""
    return next((line for group, line in GROUP_LINES.items() if GROUP_TITLES[group] == title), "")


def needs(method: Method) -> str:
    """What a method must be given: "Needs forget images and retain images"."""
    known = [need for need in _ORDER if need in method.needs]
    wanted = [*known, *sorted(set(method.needs) - set(known))]
    words = [_NEEDS.get(need, need) for need in wanted]
    if {"forget set", "retain set"} <= set(wanted):
        words = ["forget and retain images", *words[2:]]
    return f"Needs {_joined(words)}" if words else "Needs nothing but the model"


def suits(method: Method) -> str:
    """When a method makes sense: "For whole classes and single images"."""
    kinds = {"class": "whole classes", "sample": "single images"}
    return f"For {_joined([words for kind, words in kinds.items() if kind in method.suits])}"


def cost(share: float | None, method_id: str = "") -> str:
    """Training cost beside retraining's, `share` as a ratio: "About 9 % of retraining"; "" where it is not known."""
    return training_cost(share, method_id, fmt.decimal)


def haystack(method: Method) -> str:
    """What a search looks in, in lower case."""
    parts = (method.id, method.title, method.summary, method.citation, method.group, group_title(method.group))
    return " ".join(parts).lower()


def matches(text: str, wanted: str) -> bool:
    """Whether every word of `wanted` occurs in `text`; both in lower case."""
    return all(word in text for word in wanted.split())


def chosen(selection: Selection) -> str:
    """How many images are to be forgotten, and whether they count unequally: "37 images, weighted"."""
    weighted = ", weighted" if selection.weights is not None else ""
    return f"{fmt.images(selection.count)}{weighted}"


def described(selection: Selection) -> str:
    """The summary line of a forget set, which also says whether its images count unequally."""
    return f"{selection.describe()} · weighted" if selection.weights is not None else selection.describe()


def _joined(words: Iterable[str]) -> str:
    listed = list(words)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else ""
