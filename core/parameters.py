"""Parameters declared once: option of the command line, form field, validation message and documentation row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.errors import ParameterError, nearest

Kind = Literal["int", "float", "choice", "bool"]
Value = int | float | str | bool

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True)
class Parameter:
    """One knob of a method or recipe: type, default, rule, unit and a line of help."""

    name: str
    kind: Kind
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False  # the lower bound itself is not allowed
    log: bool = False  # a slider or search should move on a log scale
    unit: str = ""
    choices: tuple[str, ...] = ()
    group: str = ""  # heading in the form
    title: str = ""  # label in the form; made from the name where empty

    @property
    def label(self) -> str:
        """The label shown beside the field."""
        return self.title or self.name.replace("_", " ").capitalize()

    @property
    def rule(self) -> str:
        """What a value must be, in words: "a number above 0 and at most 1"."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "bool":
            return "true or false"
        noun = "a whole number" if self.kind == "int" else "a number"
        parts = []
        if self.low is not None:
            parts.append(f"{'above' if self.low_open else 'at least'} {self.low:g}")
        if self.high is not None:
            parts.append(f"at most {self.high:g}")
        return " ".join([noun, " and ".join(parts)]).strip()

    def parse(self, value: Any) -> Value:
        """Return `value` (text, or already typed) as this parameter's type.

        Raises ValueError with the rule and the value where it does not fit.
        """
        parsed = self._convert(value)
        if parsed is None or not self._allows(parsed):
            raise ValueError(f"{self.name} must be {self.rule}, got {value!r}")
        return parsed

    def _convert(self, value: Any) -> Value | None:
        """Return `value` as this parameter's type; None where it is of none."""
        if self.kind == "choice":
            return value if isinstance(value, str) else None
        if self.kind == "bool":
            if isinstance(value, bool):
                return value
            text = str(value).strip().lower()
            return True if text in _TRUE else False if text in _FALSE else None
        if isinstance(value, bool) or value is None:
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        if not math.isfinite(number):
            return None
        if self.kind == "int":
            return int(number) if number == int(number) else None
        return number

    def _allows(self, value: Value) -> bool:
        """Whether a value of the right type is a choice, or within the bounds."""
        if self.kind == "choice":
            return value in self.choices
        if self.kind == "bool":
            return True
        number = float(value)
        above = self.low is None or (number > self.low if self.low_open else number >= self.low)
        return above and (self.high is None or number <= self.high)


class Values(Mapping[str, Value]):
    """Validated parameter values, read as attributes (`values.lr`) or as a mapping; constant."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        vars(self).update(values)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __getitem__(self, name: str) -> Value:
        return vars(self)[name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("parameter values are constant")

    def __iter__(self) -> Iterator[str]:
        return iter(vars(self))

    def __len__(self) -> int:
        return len(vars(self))

    def __repr__(self) -> str:
        return f"Values({vars(self)!r})"


def resolve(declared: Iterable[Parameter], *layers: Mapping[str, Any], owner: str = "this method") -> Values:
    """Merge `layers` (later ones win) over the declared defaults and validate everything at once.

    Raises ParameterError naming every unknown name (with the nearest, or all there are) and every wrong value.
    """
    by_name = {p.name: p for p in declared}
    values: dict[str, Value] = {name: p.default for name, p in by_name.items()}
    problems: list[str] = []
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(layer)
    for name, raw in merged.items():
        parameter = by_name.get(name)
        if parameter is None:
            alike = nearest(name, by_name)
            meant = f"did you mean {' or '.join(alike)}?" if alike else f"it has {', '.join(by_name) or 'none'}"
            problems.append(f"{owner} has no parameter {name!r} ({meant})")
            continue
        try:
            values[name] = parameter.parse(raw)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ParameterError(problems)
    return Values(values)


def parse_assignments(texts: Iterable[str], option: str) -> dict[str, str]:
    """Read `name=value` texts as given to --set and --recipe; raises ParameterError for any other form."""
    pairs: dict[str, str] = {}
    problems = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            problems.append(f"{option} takes name=value, got {text!r}")
        else:
            pairs[name.strip().replace("-", "_")] = value.strip()
    if problems:
        raise ParameterError(problems)
    return pairs
