"""Where in a checkpoint the network's state dict stands, found or named with --key, and what stands beside it.

A place is written as the names of the entries on the way to it with dots between them: "model", "ema.model"; places
whose state dicts are parts of one network stand with a plus between them: "backbone+head". A dot or plus in an entry's
own name has a backslash before it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from core.errors import AmbiguousEntryError, InputError, NotFoundError, did_you_mean, first_few
from core.models.plain import is_plain

CONTAINERS = ("state_dict", "model_state_dict", "model")
"""What most training programs call the network; the first of these names that is there is taken."""
SAVE_IT = "Save the network's state dict by itself: torch.save(network.state_dict(), FILE)"
"""What to do with a file whose form is not read."""
AVERAGED = re.compile(r"(^|[^a-z])ema([^a-z]|$)|averag", re.IGNORECASE)
"""Names of averaged weights, which are taken where there are no others."""
_OPTIMISER = re.compile(r"optim", re.IGNORECASE)
_GROUPS = "param_groups"  # in the state of every optimiser of PyTorch
_DEEPEST = 6

_DOT, _PLUS = r"(?<!\\)\.", r"(?<!\\)\+"  # not after a backslash

Place = tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """The state dict that is the network."""

    content: Mapping[Any, Any]
    places: tuple[Place, ...]  # several where it is in parts; none where it is the file's whole content
    inside: str  # the name in front of the keys that --key chose of them; "" for all of them
    entries: dict[str, int]  # every state dict of the file: by its --key, how many tensors it has

    @property
    def container(self) -> str | None:
        """Its places as --key and jobs write them; None where it is the whole content."""
        return "+".join(map(place_name, self.places)) or None


def locate(file: str, content: Mapping[Any, Any], key: str | None = None) -> Found:
    """Find the network's state dict in what a checkpoint called `file` holds.

    key: its place, that of a part of it, or those of its parts. Without one: under one of CONTAINERS, else bare, else
    wherever exactly one state dict is that is not averaged or an optimiser's. Raises AmbiguousEntryError where there
    are several, InputError where there is none, NotFoundError where `key` names nothing.
    """
    found = dict(_state_dicts(content))
    entries = _entries(found)
    parts = re.split(_PLUS, key or "")
    if len(parts) > 1 and key not in content:
        places = tuple(_named(file, content, part, found)[0] for part in parts)
        state = {
            f"{front}{name}": value
            for place, front in zip(places, _fronts(places), strict=True)
            for name, value in found[place].items()
        }
        return Found(state, places, "", entries)
    place, inside = _named(file, content, key, found) if key else (_chosen(file, content, found), "")
    return Found(found[place], (place,) if place else (), inside, entries)


def beside(content: Mapping[Any, Any], places: Collection[Place]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the plain entries beside the state dicts at places, those of inner levels under the level's name, and the
    names of all other entries.
    """  # noqa: D205
    own = {place[0] for place in places} or {name for name, value in content.items() if isinstance(value, Tensor)}
    others = {str(name): value for name, value in content.items() if name not in own}
    plain = {name: value for name, value in others.items() if not _holds_weights(name) and is_plain(value)}
    dropped = tuple(name for name in others if name not in plain)
    for outer in dict.fromkeys(place[0] for place in places if len(place) > 1):
        inner, lost = beside(content[outer], [place[1:] for place in places if place[0] == outer])
        plain |= {outer: inner} if inner else {}
        dropped += tuple(place_name((outer, name)) for name in lost)
    return plain, dropped


def wrapped(state: Mapping[str, Any], container: str | None, plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint with a state dict, or a network, in its place and plain entries beside it.

    These are as `beside` gives them.
    """
    if container is None:
        return {**state, **plain}
    content = dict(plain)
    places = _places(container)
    for (*outer, last), front in zip(places, _fronts(places), strict=True):
        level = content
        for name in outer:
            level[name] = level = dict(level.get(name) or {})
        parts = {key[len(front) :]: value for key, value in state.items() if key.startswith(front)} if front else state
        level[last] = parts
    return content


def placed(content: Any, container: str | None) -> Any:
    """Return what stands at the one place that is written in `container`; all content without one, or with several."""
    places = _places(container)
    for name in places[0] if len(places) == 1 else ():
        content = next(value for key, value in content.items() if str(key) == name)
    return content


def place_name(place: Place) -> str:
    """Return a place as --key and jobs write it."""
    return ".".join(re.sub(r"([.+])", r"\\\1", name) for name in place)


def listed(entries: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return state dicts with their number of tensors in words."""
    return [(name, f"{number} keys") for name, number in entries.items()]


def _holds_weights(name: str) -> bool:
    """Whether an entry of that name is weights, or made of them, whatever it holds at the moment."""
    return bool(_OPTIMISER.search(name) or AVERAGED.search(name))


def _state_dicts(content: Any, place: Place = ()) -> Iterator[tuple[Place, Mapping[Any, Any]]]:
    """Yield every state dict in a checkpoint: what has tensors, one of them with two dimensions or more."""
    if isinstance(content, nn.Module):
        content = content.state_dict()
    if not isinstance(content, Mapping) or _GROUPS in content or len(place) > _DEEPEST:
        return
    tensors = [value for value in content.values() if isinstance(value, Tensor)]
    matrices = sum(value.ndim >= 2 for value in tensors)
    inner = [
        found
        for name, value in content.items()
        if isinstance(name, str) and not _OPTIMISER.search(name)
        for found in _state_dicts(value, (*place, name))
    ]
    usual = not place or (len(place) == 1 and place[0] in CONTAINERS)
    if matrices > 1 or (not inner and (matrices or (tensors and usual))):
        yield place, content
    yield from inner


def _chosen(file: str, content: Mapping[Any, Any], found: Mapping[Place, Any]) -> Place:
    """Return the place of the network's state dict where nobody names it."""
    usual = next(((name,) for name in CONTAINERS if (name,) in found), None)
    if usual:
        return usual
    plain = [place for place in found if not any(map(AVERAGED.search, place))] or list(found)
    if () in plain:  # bare, unless these are single tensors beside a network
        return max(plain, key=lambda place: _tensors(found[place]))
    if len(plain) == 1:
        return plain[0]
    if plain:
        raise _ambiguous(file, _entries(found))
    if _GROUPS in content or any(_OPTIMISER.search(str(name)) for name in content):
        raise InputError(
            f"{file} holds the state of an optimiser and no weights", "Open the file the network itself was saved in"
        )
    entries = f"; its entries are {first_few(map(str, content), 5)}" if content else ""
    raise InputError(f"{file} holds no state dict: no tensors were found in it{entries}", SAVE_IT)


def _named(file: str, content: Mapping[Any, Any], key: str, found: Mapping[Place, Any]) -> tuple[Place, str]:
    """Return the place that a --key means, and the name in front of keys where it means a part of the state dict."""
    place: Place = ()
    level: Any = content
    rest = key
    while rest and isinstance(level, Mapping):
        names = {written: name for name in map(str, level) for written in (name, place_name((name,)))}
        fitting = [written for written in names if rest == written or rest.startswith(f"{written}.")]
        step = max(fitting, key=len, default="")
        if not step or isinstance(level[names[step]], Tensor):
            break
        place, level, rest = (*place, names[step]), level[names[step]], rest[len(step) + 1 :]
    if rest and place in found and any(str(name).startswith(f"{rest}.") for name in found[place]):
        return place, f"{rest}."
    below = [other for other in found if other[: len(place)] == place and (other != () or not found)]
    if rest or not below:
        there = _entries(found)
        could = "; ".join(f"{name} ({words})" for name, words in listed(there))
        hint = did_you_mean(key, there) or (f"--key may be {could}" if could else "Leave out --key")
        raise NotFoundError(f"{file} has no weights under {key!r}", hint)
    if place not in below and len(below) > 1:
        raise _ambiguous(file, _entries({other: found[other] for other in below}))
    return place if place in below else below[0], ""


def _ambiguous(file: str, entries: Mapping[str, int]) -> AmbiguousEntryError:
    return AmbiguousEntryError(f"{file} holds {len(entries)} state dicts", listed(entries), parts=True)


def _entries(found: Mapping[Place, Mapping[Any, Any]]) -> dict[str, int]:
    """Return how many tensors each state dict has that is not the whole content, by its --key."""
    return {place_name(place): _tensors(inner) for place, inner in found.items() if place}


def _tensors(content: Mapping[Any, Any]) -> int:
    return sum(isinstance(value, Tensor) for value in content.values())


def _places(container: str | None) -> list[Place]:
    """Return the places that a container's text names."""
    parts = re.split(_PLUS, container) if container else []
    return [tuple(map(_unescaped, re.split(_DOT, part))) for part in parts]


def _fronts(places: Sequence[Place]) -> list[str]:
    """Return what stands in front of the keys of each part of a network: its last name, nothing where it is whole."""
    last = [place[-1] for place in places]
    if len(places) == 1:
        return [""]
    return [f"{name}." for name in (last if len(set(last)) == len(last) else map(".".join, places))]


def _unescaped(name: str) -> str:
    return re.sub(r"\\([.+])", r"\1", name)
