"""Geometric steps of a preparation, each exactly what torchvision's transform of that name does to a PIL image.

They are written as torchvision's transforms are: `[{"Resize": 36}, {"CenterCrop": 32}]`. Every step works on uint8
pixels, as these transforms do on images that were opened with Pillow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec
import numpy as np
from msgspec import Meta
from PIL import Image

from core.errors import InputError
from core.files import prepared

Size = tuple[int, int]  # (H, W)

Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)
_CODES = {int(Image.Resampling[name.upper()]): name for name in INTERPOLATIONS}  # Pillow's numbers
_TORCHS = ("bilinear", "bicubic")  # what can be resized without antialiasing

MAX_SIDE = 8192  # a larger side is a typing error, not an input size
Side = Annotated[int, Meta(ge=1, le=MAX_SIDE)]
_Edge = Annotated[int, Meta(ge=0, le=MAX_SIDE)]
_Level = Annotated[int, Meta(ge=0, le=255)]


class Resize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Resize the short side to `size` (N,), or height and width to `size` (H, W).

    max_size: the long side is made shorter where it would be longer. Without `antialias` every new pixel is taken from
    its nearest two or four each way, as OpenCV does, however much smaller the image becomes.
    """

    size: Annotated[tuple[Side, ...], Meta(min_length=1, max_length=2)]
    interpolation: Interpolation = "bilinear"
    max_size: Side | None = None
    antialias: bool = True

    def __post_init__(self) -> None:
        if self.max_size is not None and (len(self.size) == 2 or self.max_size <= self.size[0]):
            raise ValueError("max_size must be above size, which must be one number")

    def size_of(self, size: Size) -> Size:
        """Return the (H, W) that an image of `size` gets."""
        if len(self.size) == 2:
            return self.size[0], self.size[1]
        height, width = size
        short, long = self.size[0], int(self.size[0] * max(size) / min(size))
        if self.max_size is not None and long > self.max_size:
            short, long = int(self.max_size * short / long), self.max_size
        return (long, short) if width <= height else (short, long)

    def done(self, image: Image.Image) -> Image.Image:
        """Return the image resized."""
        height, width = self.size_of((image.height, image.width))
        if self.antialias or self.interpolation not in _TORCHS:
            return image.resize((width, height), Image.Resampling[self.interpolation.upper()])
        return _resized_without_antialias(image, (height, width), self.interpolation)

    @property
    def words(self) -> str:
        """The step as torchvision writes it."""
        size = str(self.size[0]) if len(self.size) == 1 else str(self.size)
        more = f", max_size={self.max_size}" if self.max_size else ""
        return f"Resize({size}, {self.interpolation}{more}{'' if self.antialias else ', antialias=False'})"


class CenterCrop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Crop `size` (H, W) at the centre; a smaller image gets black edges.

    down: where the centre lies between two pixels, the upper left one is taken, as Hugging Face's processors do.
    """

    size: tuple[Side, Side]
    down: bool = False

    def size_of(self, size: Size) -> Size:
        """Return the (H, W) that an image of any size gets."""
        return self.size

    def done(self, image: Image.Image) -> Image.Image:
        """Return the image cropped."""
        height, width = self.size
        tall, wide = max(0, height - image.height), max(0, width - image.width)
        if tall or wide:
            image = Pad((wide // 2, tall // 2, (wide + 1) // 2, (tall + 1) // 2)).done(image)
        if (image.height, image.width) == self.size:
            return image
        tall, wide = image.height - height, image.width - width
        top, left = (tall // 2, wide // 2) if self.down else (round(tall / 2), round(wide / 2))
        return image.crop((left, top, left + width, top + height))

    @property
    def words(self) -> str:
        """The step as torchvision writes it."""
        size = str(self.size[0] if self.size[0] == self.size[1] else self.size)
        return f"CenterCrop({size}{', down=True' if self.down else ''})"


class Pad(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Put edges around an image: padding (left, top, right, bottom) pixels, of a level 0..255 or of its own pixels."""

    padding: tuple[_Edge, _Edge, _Edge, _Edge]
    fill: _Level = 0
    padding_mode: Literal["constant", "edge", "reflect", "symmetric"] = "constant"

    def size_of(self, size: Size) -> Size:
        """Return the (H, W) that an image of `size` gets."""
        left, top, right, bottom = self.padding
        return size[0] + top + bottom, size[1] + left + right

    def done(self, image: Image.Image) -> Image.Image:
        """Return the image with its edges."""
        left, top, right, bottom = self.padding
        pixels = np.asarray(image)
        edges = [(top, bottom), (left, right), (0, 0)][: pixels.ndim]
        more: dict[str, Any] = {"constant_values": self.fill} if self.padding_mode == "constant" else {}
        return Image.fromarray(np.pad(pixels, edges, self.padding_mode, **more))

    @property
    def words(self) -> str:
        """The step as torchvision writes it."""
        left, top, right, bottom = self.padding
        sides = str([left, top] if (left, top) == (right, bottom) else list(self.padding))
        sides = str(left) if len(set(self.padding)) == 1 else sides
        more = f", fill={self.fill}" if self.fill else ""
        more += "" if self.padding_mode == "constant" else f", padding_mode={self.padding_mode}"
        return f"Pad({sides}{more})"


class Grayscale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Make an image grey, of one channel or of three that are the same."""

    num_output_channels: Literal[1, 3] = 1

    def size_of(self, size: Size) -> Size:
        """Return `size`: it stays."""
        return size

    def done(self, image: Image.Image) -> Image.Image:
        """Return the image in grey."""
        grey = image.convert("L")
        return grey if self.num_output_channels == 1 else grey.convert("RGB")

    @property
    def words(self) -> str:
        """The step as torchvision writes it."""
        return f"Grayscale({self.num_output_channels})"


_USUAL = ("down", False)  # what torchvision has no name for is left out

Step = Resize | CenterCrop | Pad | Grayscale
KINDS: dict[str, type[Step]] = {kind.__name__: kind for kind in (Resize, CenterCrop, Pad, Grayscale)}


def size_after(steps: Iterable[Step], size: Size | None) -> Size | None:
    """Return the (H, W) that images of `size` get by the steps; None where it depends on a size that is not known."""
    for step in steps:
        if isinstance(step, CenterCrop) or (isinstance(step, Resize) and len(step.size) == 2):
            size = step.size_of((1, 1))
        elif size is not None:
            size = step.size_of(size)
    return size


def channels_after(steps: Iterable[Step]) -> int | None:
    """Return how many channels the steps leave, None where they say nothing of it."""
    said = [step.num_output_channels for step in steps if isinstance(step, Grayscale)]
    return said[-1] if said else None


def plain(step: Step) -> dict[str, Any]:
    """Return a step as plain data, {name: settings by the names that torchvision's transform gives them}."""
    settings = msgspec.to_builtins(step)
    settings = {name: value for name, value in settings.items() if value is not None and (name, value) != _USUAL}
    for name, value in settings.items():
        if isinstance(value, tuple):
            settings[name] = list(value) if len(value) > 1 else value[0]
    return {type(step).__name__: settings}


def step_of(entry: Any) -> Step:
    """Return the step of an entry {name: settings}; settings: a mapping, or the first setting alone (`{"Resize": 36}`).

    They are taken as torchvision takes them: of sizes and paddings a number or two, for paddings also four. Raises
    InputError naming what is wrong.
    """
    name, settings = next(iter(entry.items())) if isinstance(entry, Mapping) and len(entry) == 1 else (entry, None)
    kind = KINDS.get(str(name))
    if kind is None:
        raise InputError(f"{name!r} is none of the steps {', '.join(KINDS)}")
    first = kind.__struct_fields__[0]
    values = dict(settings) if isinstance(settings, Mapping) else {first: settings}
    values = {key: value for key, value in values.items() if value is not None}
    if first in values:
        values[first] = _as_torchvision_reads(kind, values[first])
    if "interpolation" in values:
        values["interpolation"] = interpolation_of(values["interpolation"]) or values["interpolation"]
    if values.get("antialias") == "warn":  # what some versions of torchvision print for its default
        del values["antialias"]
    try:
        return msgspec.convert(values, prepared(kind))
    except msgspec.ValidationError as error:
        raise InputError(f"{name} is wrong: {_readable(str(error))}") from error


def interpolation_of(stated: Any) -> str | None:
    """Return Pillow's name for an interpolation as torchvision, timm and others write it; None where there is none."""
    if isinstance(stated, int):
        return _CODES.get(stated)
    known = str(stated).lower().rpartition(".")[2].replace("_", "-")
    others = {"nearest-exact": "nearest", "linear": "bilinear", "cubic": "bicubic", "antialias": "lanczos"}
    known = others.get(known, known)
    return known if known in INTERPOLATIONS else None


def _as_torchvision_reads(kind: type[Step], value: Any) -> Any:
    """Return a first setting in the form of the step's field."""
    if kind is Grayscale:
        return int(value) if isinstance(value, bool) else value
    numbers = [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if not isinstance(numbers, (list, tuple)):
        return value
    numbers = [int(n) if isinstance(n, float) and n.is_integer() else n for n in numbers]
    if kind is CenterCrop and len(numbers) == 1:
        return numbers * 2
    if kind is Pad and len(numbers) in (1, 2):
        return numbers * (4 // len(numbers))
    return numbers


def _readable(text: str) -> str:
    """Return msgspec's sentence about a wrong value in words of this program."""
    what, _, place = text.partition(" - at `$.")
    return f"{place.rstrip('`')}: {what[:1].lower()}{what[1:]}" if place else text[:1].lower() + text[1:]


def _resized_without_antialias(image: Image.Image, size: Size, mode: str) -> Image.Image:
    """Resize as torchvision resizes uint8 tensors without antialiasing."""
    import torch
    import torch.nn.functional as F

    pixels = np.asarray(image)
    x = torch.from_numpy(np.atleast_3d(pixels).copy()).permute(2, 0, 1)[None].float()
    x = F.interpolate(x, size=size, mode=mode, align_corners=False, antialias=False).round_().clamp_(0, 255)
    rows = x[0].permute(1, 2, 0).to(torch.uint8).numpy()
    return Image.fromarray(rows[..., 0] if pixels.ndim == 2 else rows)
