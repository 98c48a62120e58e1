"""Where a training begins that does not begin with fresh weights alone: with those of a file, as far as they fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.errors import AmbiguousEntryError, InputError, MismatchError, first_few
from core.job import StartPart
from core.models.architectures import CARRIED_ALONG, Shapes
from core.models.checkpoint import ModelFile, read_model
from core.models.recognise import OPTIONAL
from core.models.tap import TappedModel
from core.models.trust import Trust
from core.received import located

_SHOWN = 4  # entries that a message names


@dataclass(frozen=True)
class Begun:
    """What became of a file's weights: `taken` are the network's entries that have them, `fresh` those that have not.

    unused: entries of the file that this network has no place for.
    """

    name: str
    taken: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What the training begins with, in a sentence or two."""
        said = f"It begins with the weights of {self.name}"
        said += f", but for {first_few(self.fresh, _SHOWN)}, which are fresh." if self.fresh else "."
        if self.unused:
            said += f" That file's {first_few(self.unused, _SHOWN)} have no place in this network."
        return said


def read_start(start: StartPart, trust: Trust) -> ModelFile:
    """Read the weights that a training begins with.

    Raises InputError where only a card tells of them or their file is gone, MismatchError where it holds others now,
    and the AppErrors of reading a model.
    """
    named = located(start.path, start.sha256)
    if not Path(named).is_absolute() or not Path(named).exists():  # a card tells its name alone
        what = start.path or f"a file whose SHA-256 begins with {start.sha256[:12]}"
        raise InputError(
            f"The original began with the pretrained weights of {what}, which are not there",
            "Name the file with --started-from, or bring models that were retrained from it (--retrained)",
        )
    with _entry_of_start():
        file = read_model(named, trust, start.key or None)
    if start.sha256 and file.sha256 != start.sha256:
        raise MismatchError(
            f"{named} does not hold the weights that the original began with: their SHA-256 begins with "
            f"{start.sha256[:12]}, the file's with {file.sha256[:12]}",
            "Put back the file as it was, or bring models that were retrained from it (--retrained)",
        )
    return file


def begin_from(network: TappedModel, file: ModelFile) -> Begun:
    """Write a file's weights over those of a network, whose head stays as it was drawn where the file has no such.

    The file may be an encoder without a head, or hold other layers beside it. Raises MismatchError where any other
    weight of the network is not in it.
    """
    own = network.module.state_dict()
    loose = _loose(network)
    with _entry_of_start():
        found, weights = file.read(lambda shapes: _placed(own, loose, shapes, file.path.name))
    with torch.no_grad():
        for name, source in found.items():
            own[name].copy_(weights.tensors[source])
    fresh = tuple(name for name in own if name not in found and not name.endswith(OPTIONAL))
    unused = tuple(name for name in weights.tensors if name not in set(found.values()))
    return Begun(file.path.name, tuple(found), fresh, unused)


@contextlib.contextmanager
def _entry_of_start() -> Iterator[None]:
    """Name the option that chooses one of several networks in a file that training begins with."""
    try:
        yield
    except AmbiguousEntryError as error:
        raise AmbiguousEntryError(error.message, error.candidates, option="--start-key") from None


def _loose(network: TappedModel) -> set[str]:
    """Return the entries that a file need not have: of the head, and of auxiliary ones that are carried along."""
    parts = [network.head_name, *(
        name for name, part in network.module.named_modules() if getattr(part, CARRIED_ALONG, False)
    )]  # fmt: skip
    return {
        name for name in network.module.state_dict()
        if name.endswith(OPTIONAL) or any(name.startswith(f"{part}.") for part in parts)
    }  # fmt: skip


def _placed(own: Mapping[str, Tensor], loose: set[str], shapes: Shapes, file: str) -> dict[str, str]:
    """Return for each entry of a network the one of a file with these shapes that it takes.

    A file of the network's body alone lacks the name that the body has in the network. Raises MismatchError.
    """
    bodies = ["", *dict.fromkeys(f"{name.split('.')[0]}." for name in own if name not in loose)]
    best: list[str] | None = None
    for body in bodies:
        found = {
            name: name.removeprefix(body)
            for name, value in own.items()
            if name.startswith(body) and shapes.get(name.removeprefix(body)) == tuple(value.shape)
        }
        missing = [name for name in own if name not in loose and name not in found]
        if not missing:
            return found
        if best is None or len(missing) < len(best):
            best = missing
    raise MismatchError(
        f"{file} does not hold the weights of this network: it has no {first_few(best or (), _SHOWN)} of that shape",
        "Name the architecture of the file (--arch), or a file of this network's weights",
    )
