"""What the record of a method must hold so that cards, forms, plans and documents can be made of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import get_args

from core.errors import AppError
from core.methods.base import BOTH, GROUPS, Method, Preset, SearchRange
from core.parameters import Kind, Parameter, resolve

STATUSES = ("reference", "control", "baseline", "reconstruction")
STARTS = ("original", "fresh")
NEEDS = ("forget set", "retain set", "forget classes", "teacher", "untrained")
"""What a method can say that it must be given, in the order in which a card names it."""


def faults(method: Method) -> list[str]:
    """Return what is wrong with a method's record, a clause each; empty where nothing is.

    Python checks no types, so those of what others wrote are looked at here.
    """
    return list(_types(method)) or list(_contents(method))


def _types(method: Method) -> Iterator[str]:
    for name in ("id", "title", "summary", "citation"):
        if not isinstance(getattr(method, name), str):
            yield f"{name} must be a text"
    kinds = {"parameters": Parameter, "presets": Preset, "search": SearchRange, "notes": str, "needs": str}
    for name, kind in kinds.items():
        value = getattr(method, name)
        if not isinstance(value, tuple) or not all(isinstance(one, kind) for one in value):
            yield f"{name} must be a tuple of {kind.__name__ if kind is not str else 'texts'}"
    for name in ("suits", "trained_on"):
        value = getattr(method, name)
        if not isinstance(value, frozenset) or not all(isinstance(one, str) for one in value):
            yield f"{name} must be a frozenset of texts"
    for name in ("plan", "layers", "reads_unseen", "copies"):
        if not callable(getattr(method, name)):
            yield f"{name} must be a function"
    if method.explain is not None and not callable(method.explain):
        yield "explain must be a function or None"


def _contents(method: Method) -> Iterator[str]:
    if not method.title.strip():
        yield "it has no title"
    if not method.summary.endswith((".", "!")):
        yield "its summary is no sentence"
    choices = {"status": STATUSES, "group": GROUPS, "starts_from": STARTS}
    for name, allowed in choices.items():
        if getattr(method, name) not in allowed:
            yield f"{name} must be one of {', '.join(allowed)}"
    if unknown := [need for need in method.needs if need not in NEEDS]:
        yield f"needs names {', '.join(unknown)}, and knows {', '.join(NEEDS)}"
    if not method.suits or not method.suits <= BOTH:
        yield f"suits must hold one or both of {', '.join(sorted(BOTH))}"
    names = [parameter.name for parameter in method.parameters]
    if len(set(names)) < len(names):
        yield "two parameters have one name"
    for parameter in method.parameters:
        yield from _of_parameter(parameter)
    if unknown := [searched.name for searched in method.search if searched.name not in names]:
        yield f"search names {', '.join(unknown)}, which is no parameter"
    yield from _of_presets(method)


def _of_parameter(parameter: Parameter) -> Iterator[str]:
    if parameter.kind not in get_args(Kind):
        yield f"the kind of {parameter.name} must be one of {', '.join(get_args(Kind))}"
        return
    if not isinstance(parameter.help, str) or not parameter.help.endswith("."):
        yield f"the help of {parameter.name} is no sentence"
    try:
        if parameter.parse(parameter.default) != parameter.default:
            yield f"the default of {parameter.name} is not of its kind"
    except ValueError as error:
        yield f"by default {error}"


def _of_presets(method: Method) -> Iterator[str]:
    for preset in method.presets:
        if not preset.reason:
            yield f"the preset {preset.name} gives no reason"
        try:
            resolve(method.parameters, preset.values, owner=f"the preset {preset.name}")
        except AppError as error:
            yield error.message.rstrip(".")
    every = [frozenset(some) for count in (1, 2) for some in combinations(sorted(BOTH), count)]
    for kinds in (kinds for kinds in every if method.presets and kinds <= method.suits):
        if method.preset("", kinds) not in method.presets:
            yield f"no preset is for {' and '.join(sorted(kinds))} forgetting"
