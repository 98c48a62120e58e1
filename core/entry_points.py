"""What installed packages add to this program: the entry points of its groups, loaded when they are first asked for.

An entry point's name is the id of what it offers. One that does not load, offers something else than a complete record,
or has a name that is taken is left out with its reason; nothing else breaks. Importing this module loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from importlib import metadata
from typing import Generic, ParamSpec, TypeVar

from core.errors import AppError, RunError, of_system

Kind = TypeVar("Kind")
Given = ParamSpec("Given")

METHODS, MEASURES = "unlearn_studio.methods", "unlearn_studio.measures"
CALLED = {METHODS: "method", MEASURES: "measure"}
_ID = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@dataclass(frozen=True)
class Origin:
    """The installed package that something comes from."""

    distribution: str
    version: str

    def __str__(self) -> str:
        """Return its name and version: "forget-faster 1.2"."""
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True)
class LeftOut:
    """An entry point that cannot be used, and why."""

    group: str
    name: str
    origin: Origin
    reason: str

    @property
    def text(self) -> str:
        """All of it in a sentence."""
        return f"The {CALLED[self.group]} {self.name!r} of the package {self.origin} is left out: {self.reason}."


@dataclass(frozen=True)
class Offered(Generic[Kind]):
    """What the packages offer of one group: records and where they come from, by id, and what is left out."""

    found: Mapping[str, Kind] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

    def why_not(self, name: str) -> str:
        """Say why something of this name is left out; "" where nothing is."""
        return next((one.text for one in self.left_out if one.name == name), "")


def offered(
    group: str, kind: type[Kind], faults: Callable[[Kind], Iterable[str]], taken: Collection[str] = ()
) -> Offered[Kind]:
    """Load the entry points of a group, which lead to records of a `kind` with an `id`.

    faults: what is wrong with a record, a clause each. taken: ids that the program has itself.
    """
    points = sorted(metadata.entry_points(group=group), key=lambda point: (point.name, _origin(point).distribution))
    names = [point.name for point in points]
    found: dict[str, Kind] = {}
    origins: dict[str, Origin] = {}
    left_out = []
    for point in points:
        origin = _origin(point)
        try:
            if not _ID.fullmatch(point.name):
                raise ValueError("its name is no id: small letters and digits, joined by - or _")
            if point.name in taken:
                raise ValueError("the program has one of this name itself")
            if names.count(point.name) > 1:
                raise ValueError("another package has one of this name, too")
            found[point.name] = _record(point.load(), point.name, group, kind, faults)
            origins[point.name] = origin
        except (Exception, SystemExit) as error:  # whatever the code of others does
            said = " ".join(str(error).split()).rstrip(".")
            reason = said if type(error) is ValueError and said else f"{type(error).__name__}: {said}".rstrip(": ")
            left_out.append(LeftOut(group, point.name, origin, reason))
    return Offered(found, origins, tuple(left_out))


def _record(
    found: object, name: str, group: str, kind: type[Kind], faults: Callable[[Kind], Iterable[str]]
) -> Kind:
    """Return what an entry point of this name leads to; raises ValueError where it is no complete record."""
    if not isinstance(found, kind):
        raise ValueError(f"it leads to a {type(found).__name__}, and a {kind.__name__} is wanted")
    if (own := getattr(found, "id", None)) != name:
        raise ValueError(f"the {CALLED[group]} calls itself {own!r}")
    if wrong := list(faults(found)):
        raise ValueError("; ".join(wrong))
    return found


def guarded(call: Callable[Given, Kind], what: str, origin: Origin) -> Callable[Given, Kind]:
    """Return a function of a package that raises a RunError naming the package where its code fails."""

    @wraps(call)
    def named(*given: Given.args, **by_name: Given.kwargs) -> Kind:
        try:
            return call(*given, **by_name)
        except Exception as error:
            if isinstance(error, AppError) or of_system(error) is not None:
                raise
            raise failed(what, origin, error) from error

    return named


def failed(what: str, origin: Origin, error: Exception) -> RunError:
    """Return the error to say where the code of a package failed: not this program is at fault."""
    said = f"{type(error).__name__}: {error}".rstrip(" .:")
    return RunError(f"{what} of the package {origin} failed: {said}", "Ask its authors")


def _origin(point: metadata.EntryPoint) -> Origin:
    """Return the package of an entry point."""
    if point.dist is None:
        return Origin("of unknown name", "")
    return Origin(str(point.dist.metadata["Name"]), point.dist.version)
