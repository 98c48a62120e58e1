"""Writes docs/reference.md from what the program declares: methods, data sets, architectures and events.

`python -m scripts.reference` writes the page; a test fails where the page and the program disagree.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from core.data.named import SOURCES
from core.events import Event, Progress, StagePart
from core.methods import methods, plugged
from core.methods.base import Method
from core.models.architectures import architectures
from core.models.settings import SETTINGS
from core.parameters import Parameter

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"

HEAD = """\
# Reference

Made by `make docs` from what the program declares. `unlearn-studio methods`, `datasets` and `architectures` print the
same.
"""

SETTINGS_TEXT = """\
A changed network is named with what was changed: `resnet18:stem=3,stride=2,pool=max` is a ResNet-18 with a 3×3 stem of
stride 2 that keeps the max-pooling. An architecture has those settings that mean something in it; others are refused.
"""


def render() -> str:
    """Return the whole page."""
    parts: list[str] = [HEAD]
    parts += ["## Methods\n", _table(("id", "method", "what it does"), (
        (f"[`{m.id}`](#{m.id})", m.title, m.summary) for m in methods().values()
    ))]
    for method in methods().values():
        parts += _method(method)
    parts += ["## Data sets\n", _table(("name", "data set", "images", "channels", "classes"), (
        (f"`{s.id}`", f"{s.title}. {s.summary}", _size(s.size), str(s.channels), str(_count(s.classes)))
        for s in SOURCES
    ))]
    parts += ["## Architectures\n", _table(("name", "architecture", "input it is made for"), (
        (f"`{a.id}`", f"{a.title}. {a.summary}", _size(a.default_size)) for a in architectures()
    ))]
    parts += ["## Settings of architectures\n", SETTINGS_TEXT, _table(("setting", "what it is", "must be"), (
        (f"`{s.name}`", s.help, s.rule) for s in SETTINGS.values()
    ))]
    parts += ["## Events\n", "Every event also has `type`, `run`, `step` and `time`.\n"]
    for event in Event.__subclasses__():
        if event is not Progress:  # for screens only
            name, what = event.__struct_config__.tag, _sentence(inspect.getdoc(event))
            parts += [f"### `{name}`\n", what, _table(("field", "type"), _fields(event))]
    return "\n".join(parts)


def _method(method: Method) -> Iterator[str]:
    yield f"### {method.id}\n"
    yield f"**{method.title}** ({method.status}). {method.summary}\n"
    facts = []
    if package := plugged().origins.get(method.id):
        facts.append(f"From the package {package}.")
    if method.citation:
        facts.append(f"Source: {method.citation}.")
    facts.append(f"For {_words(method.suits)} forgetting.")
    if method.needs:
        facts.append(f"Needs: {_words(method.needs)}.")
    if method.trained_on:
        facts.append(f"Trained on {_words(n.replace('_', ' ') for n in method.trained_on)}, so never judged by it.")
    if method.honours_weights:
        facts.append("Uses the weights of a forget list.")
    if not method.shared:
        facts.append("Runs in one process only.")
    if method.searched:
        facts.append(f"`--tune` varies {_words(f'`{searched.name}`' for searched in method.searched)}.")
    yield " ".join(facts) + "\n"
    if method.notes:
        yield "".join(f"- {note}\n" for note in method.notes)
    if method.presets:
        yield _table(("preset", "why", "values"), (
            (f"`{p.name}`", p.reason, ", ".join(f"`{k}={_value(v)}`" for k, v in p.values.items()) or "the defaults")
            for p in method.presets
        ))
    if method.parameters:
        yield _table(("parameter", "default", "must be", "what it does"), map(_parameter, method.parameters))


def _parameter(parameter: Parameter) -> Sequence[str]:
    rule = f"{parameter.rule} ({parameter.unit})" if parameter.unit else parameter.rule
    return f"`{parameter.name}`", _value(parameter.default), rule, parameter.help


_KINDS = {"Number": "float", "Count": "int", "StagePart": f"{{{', '.join(StagePart.__annotations__)}}}"}


def _fields(event: type[Event]) -> Iterator[Sequence[str]]:
    for name, kind in event.__annotations__.items():
        yield f"`{name}`", f"`{re.sub('|'.join(_KINDS), lambda found: _KINDS[found[0]], kind)}`"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    cells = ((str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()) + "\n"


def _words(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _size(size: tuple[int, int] | None) -> str:
    return f"{size[0]} × {size[1]}" if size else ""


def _count(classes: int | Sequence[str]) -> int:
    return classes if isinstance(classes, int) else len(classes)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"Wrote {PAGE.name}.\n")
