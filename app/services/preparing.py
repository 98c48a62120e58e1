"""How images are prepared, as a list of transforms in text, as plain values of a form, and as the core says it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from app.services.translation import mark
from core.errors import InputError

if TYPE_CHECKING:
    from core.data.preprocessing import Preprocessing

WHERE = "The list"
Resizing = Literal["none", "short", "exact", "cover"]
Size = tuple[int, int]  # (H, W)


@dataclass(frozen=True)
class Plain:
    """What a form says: `side` is (N,) for the short side and (H, W) otherwise; pad: pixels on every side."""

    resize: Resizing
    side: tuple[int, ...]
    interpolation: str
    crop: Size | None
    pad: int
    grey: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


def written(preparation: Preprocessing) -> str:
    """Return a preparation as a list of transforms, one a line."""
    return "\n".join(preparation.transforms)


def read(text: str, base: Preprocessing) -> Preprocessing:
    """Return the preparation that a text states in any form that --preprocess takes.

    What it does not say is as in `base`. Raises InputError naming what is wrong.
    """
    from core.data.preprocessing import Preprocessing
    from core.data.stated import stated_in

    return Preprocessing.from_dict(stated_in(text, WHERE), base=base, source="file", where=WHERE)


def plain(preparation: Preprocessing) -> Plain | None:
    """Return what a form says of a preparation; None where its steps are others or in another order."""
    from core.data.steps import CenterCrop, Grayscale, Pad, Resize

    mean, std = preparation.mean, preparation.std
    if preparation.steps is None:
        return Plain("cover", preparation.size, preparation.interpolation, None, 0, False, mean, std)
    steps: dict[type, Any] = {type(step): step for step in preparation.steps}
    resize, crop, pad = (steps.get(kind) for kind in (Resize, CenterCrop, Pad))
    kind: Resizing = "none" if resize is None else "short" if len(resize.size) == 1 else "exact"
    shown = resize or Resize(preparation.size)
    said = Plain(kind, shown.size, shown.interpolation, crop and crop.size, pad.padding[0] if pad else 0,
                 Grayscale in steps, mean, std)  # fmt: skip
    return said if from_plain(said, preparation).steps == preparation.steps else None


def from_plain(values: Plain, base: Preprocessing) -> Preprocessing:
    """Return the preparation that a form states. Raises InputError naming every value that is wrong."""
    from core.data.preprocessing import Preprocessing

    stated: dict[str, Any] = {"mean": list(values.mean), "std": list(values.std)}
    if values.resize == "cover":
        stated |= {"size": list(values.side), "interpolation": values.interpolation}
    else:
        resize = {"size": list(values.side), "interpolation": values.interpolation}
        steps: list[dict[str, Any]] = [] if values.resize == "none" else [{"Resize": resize}]
        steps += [{"CenterCrop": list(values.crop)}] if values.crop is not None else []
        steps += [{"Pad": values.pad}] if values.pad else []
        steps += [{"Grayscale": len(values.mean)}] if values.grey else []
        stated["steps"] = steps
    return Preprocessing.from_dict(stated, base=base, source="file", where="The form")


def numbers(text: str, what: str) -> tuple[float, ...]:
    """Return numbers that are separated by commas or spaces. Raises InputError where there are none or other words."""
    try:
        found = tuple(float(word) for word in re.split(r"[,;\s]+", text.strip("[]() \n")) if word)
    except ValueError:
        found = ()
    if not found:
        raise InputError(f"{what} must be one number, or one a channel, separated by commas")
    return found


def known_values(now: Preprocessing) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """Return mean and std by the name they are known by, for images of as many channels as now."""
    from core.data.candidates import BYTES, COLOUR, GREY, HALF, PLAIN

    channels = now.channels
    named = {1: GREY, 3: COLOUR}.get(channels, {})
    ranges = {mark("Values 0 to 1"): PLAIN, mark("Values −1 to 1 (0.5 and 0.5)"): HALF, mark("Values 0 to 255"): BYTES}
    wide = {name: (mean * channels, std * channels) for name, (mean, std) in ranges.items()}
    return {mark("As they are now"): (now.mean, now.std), **named, **wide}
