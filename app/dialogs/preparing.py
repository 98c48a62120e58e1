"""How images are prepared, as a list of transforms in text, as plain values of a form, and as the core says it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.services.translation import mark, tr
from core.errors import InputError

if TYPE_CHECKING:
    from core.data.preprocessing import Preprocessing

WHERE = "The list"


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


def plain(preparation: Preprocessing) -> dict[str, Any] | None:
    """Return what the fields of a form hold for a preparation; None where its steps are others or in another order.

    resize: "none", "short" (its height is the short side), "exact" or "cover"; pad: pixels on every side.
    """
    from core.data.steps import CenterCrop, Grayscale, Pad, Resize

    steps: dict[type, Any] = {type(step): step for step in preparation.steps or ()}
    resize, crop, pad = (steps.get(kind) for kind in (Resize, CenterCrop, Pad))
    kind = "none" if resize is None else "short" if len(resize.size) == 1 else "exact"
    size = resize.size if resize is not None else preparation.size
    cut = crop.size if crop is not None else size[:1] * 2
    values = {
        "resize": kind if preparation.steps is not None else "cover", "height": size[0], "width": size[-1],
        "interpolation": (resize or preparation).interpolation,
        "cropped": crop is not None, "crop_height": cut[0], "crop_width": cut[1],
        "pad": pad.padding[0] if pad is not None else 0, "grey": Grayscale in steps,
        "mean": listed(preparation.mean), "std": listed(preparation.std),
    }  # fmt: skip
    return values if from_plain(values, preparation).steps == preparation.steps else None


def from_plain(values: Mapping[str, Any], base: Preprocessing) -> Preprocessing:
    """Return the preparation that a form states. Raises InputError naming every value that is wrong."""
    from core.data.preprocessing import Preprocessing

    mean, std = numbers(values["mean"], tr("Mean")), numbers(values["std"], tr("Std"))
    size = [values["height"]] if values["resize"] == "short" else [values["height"], values["width"]]
    resize = {"size": size, "interpolation": values["interpolation"]}
    stated: dict[str, Any] = {"mean": list(mean), "std": list(std)}
    if values["resize"] == "cover":
        stated |= resize
    else:
        stated["steps"] = [
            *([] if values["resize"] == "none" else [{"Resize": resize}]),
            *([{"CenterCrop": [values["crop_height"], values["crop_width"]]}] if values["cropped"] else []),
            *([{"Pad": values["pad"]}] if values["pad"] else []),
            *([{"Grayscale": len(mean)}] if values["grey"] else []),
        ]
    return Preprocessing.from_dict(stated, base=base, source="file", where="The form")


def listed(values: Sequence[float]) -> str:
    """Write numbers so that reading them gives the same ones."""
    return ", ".join(repr(value).removesuffix(".0") for value in values)


def numbers(text: str, what: str) -> tuple[float, ...]:
    """Return numbers that are separated by commas or spaces. Raises InputError where there are none or other words."""
    try:
        found = tuple(float(word) for word in re.split(r"[,;\s]+", text.strip("[]() \n")) if word)
    except ValueError:
        found = ()
    if not found:
        raise InputError(tr("{what} must be one number, or one for each channel, separated by commas", what=what))
    return found


def known_values(now: Preprocessing) -> dict[str, tuple[str, str]]:
    """Return mean and std, as text, by the name they are known by, for images of as many channels as now."""
    from core.data.candidates import BYTES, COLOUR, GREY, HALF, PLAIN

    named = {1: GREY, 3: COLOUR}.get(now.channels, {})
    ranges = {mark("Values 0 to 1"): PLAIN, mark("Values −1 to 1 (0.5 and 0.5)"): HALF, mark("Values 0 to 255"): BYTES}
    wide = {name: (mean * now.channels, std * now.channels) for name, (mean, std) in ranges.items()}
    found = {mark("As they are now"): (now.mean, now.std), **named, **wide}
    return {name: (listed(mean), listed(std)) for name, (mean, std) in found.items()}
