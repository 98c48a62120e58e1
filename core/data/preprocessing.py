"""Preprocessing as data: what turns stored uint8 images into the numbers a network was trained on."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from msgspec import Meta

from core.data.steps import MAX_SIDE, Side, Size, Step, channels_after, plain, size_after, step_of
from core.errors import InputError, MismatchError, maybe_meant
from core.files import prepared

if TYPE_CHECKING:
    from core.data.streamed import StreamedImages

_FITTING = ("nearest", "bilinear", "bicubic")  # of a preparation that states a size and no steps
MEASURED = "measured"
"""Source of what is to be tried with mean and std of a sample; once it is taken they are measured on all images."""

_STATED = "stated with --preprocess"
SOURCES = {
    "data set": "measured on the data",
    "model card": "from the model card",
    "file": _STATED,
    "assumed": "ImageNet's, assumed: nobody stated it",
    "weights": "usual for this architecture: nobody stated it",
    "timm config": "from timm's config.json",
    "hugging face": "from preprocessor_config.json",
    "undecided": "nobody stated it",
    **dict.fromkeys(("tried", MEASURED), "the best of the usual ones, tried on the data"),
    **dict.fromkeys(
        ("tried in part", f"{MEASURED} in part"), f"partly {_STATED}, the rest the best of the usual ones"
    ),
}
"""Who may say how images are prepared, and that in words."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
PHOTO_SIDE = 64  # from this side on colour images are taken for photographs, which are prepared as for ImageNet

_Sides = Annotated[list[Side], Meta(min_length=2, max_length=2)]  # msgspec crashes on a tuple beside a number
_Mean = Annotated[float, Meta(ge=-1, le=1)]
_Std = Annotated[float, Meta(gt=0, le=10)]
_NUMBERS = (
    float | Annotated[list[float], Meta(min_length=1)], "be a number or a list of numbers, one a channel, got {}",
)
# What a value is converted to, one rule after the other, and the words where it does not fit.
_RULES: dict[str, list[tuple[Any, str]]] = {
    "size": [(Side | _Sides, f"be one or two whole numbers from 1 to {MAX_SIDE}, got {{}}")],
    "mean": [_NUMBERS, (_Mean | list[_Mean], "lie on the 0..1 scale, got {} (divide by 255?)")],
    "std": [_NUMBERS, (_Std | list[_Std], "be above 0 and on the 0..1 scale, got {} (divide by 255?)")],
    "interpolation": [
        (Literal[_FITTING], f"be one of {', '.join(_FITTING)}, got {{}} (more of them with resize)"),
    ],
}
_SHORT = {"resize": "Resize", "crop": "CenterCrop", "pad": "Pad", "grey": "Grayscale"}  # for `steps`, in this order
_KEYS = (*_RULES, "range", "steps", *_SHORT, "antialias", "upright", "source")
_RANGES = {"0..1": (0.0, 1.0), "0..255": (0.0, 255.0), "-1..1": (-1.0, 1.0)}  # of values before mean and std
_MAX_VALUES = 100_000_000  # pixel values that enter the mean and standard deviation; more change no decimal shown
_CHUNK = 4_000_000  # values counted at once: bincount needs eight bytes for each


@functools.lru_cache(maxsize=32)
def _constant(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """Return per-channel values as (1, C, 1, 1) on a device, moved there once: a copy per batch would be waited for."""
    return torch.tensor(values, device=device).view(1, -1, 1, 1)


@dataclass(frozen=True)
class Preprocessing:
    """How images become a network's input: geometric steps, per-channel mean and std on the 0..1 scale, who says so.

    size: (H, W) of the network's input; (0, 0) where it follows from the images. steps: what is done to the uint8
    image, in this order, () for nothing; None: a size alone is stated, so image files are scaled to cover it and
    cropped at the centre, arrays are resized to it, with `interpolation`. upright: image files are turned as they say
    (EXIF) and laid over white where they are transparent; else they are what `Image.open(file).convert("RGB")` gives.
    """

    size: Size
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"
    source: str = "data set"
    steps: tuple[Step, ...] | None = None
    upright: bool = True

    @classmethod
    def unscaled(cls, channels: int, size: Size = (0, 0), **more: Any) -> Preprocessing:
        """Return a preparation that leaves values at 0 to 1; `more`: other fields."""
        return cls(size, (0.0,) * channels, (1.0,) * channels, **more)

    @property
    def channels(self) -> int:
        """Number of image channels the mean and std are for."""
        return len(self.mean)

    @property
    def transforms(self) -> list[str]:
        """The preparation as torchvision's transforms are written; a size alone is "Fit", which it has no name for."""
        steps = [f"Fit({self.size}, {self.interpolation})"] if self.steps is None else [s.words for s in self.steps]
        return [*steps, "ToTensor()", f"Normalize(mean={list(self.mean)}, std={list(self.std)})"]

    @property
    def words(self) -> str:
        """All of it on one line for people, as one would write it with torchvision, and who says so."""
        return self.words_for(())

    def words_for(self, stored: Collection[Size], channels: int | None = None, changed: int = 0) -> str:
        """Return `words` for images stored at these sizes (H, W) with so many channels: what is done to them.

        changed: how many files are turned as they say, or laid over white.
        """
        if self.steps is not None:
            done = [step.words for step in self.steps] or ["pixels as stored"]
        elif set(stored) == {self.size}:
            done = ["pixels as stored"]
        else:
            done = [f"fitted to {_times(self.size)} ({self.interpolation}; files are cropped at the centre)"]
        if not self.upright:
            done.insert(0, "files as Pillow opens them")
        elif changed:
            done.insert(0, f"{changed:,} files turned upright or laid over white")
        values = self._values
        if not any(step.words.startswith("Grayscale") for step in self.steps or ()):
            converted = {(1, 3): ("grey", "converted to grey"), (3, 1): ("RGB", "grey copied to RGB")}
            values = values.replace(*converted.get((self.channels, channels or 0), ("", "")), 1)
        return f"{' → '.join([*done, values])}; {SOURCES.get(self.source, self.source)}"

    @property
    def _values(self) -> str:
        colour = "grey" if self.channels == 1 else "RGB" if self.channels == 3 else count_channels(self.channels)
        for name, (low, high) in _RANGES.items():
            if set(self.mean) == {-low / (high - low)} and set(self.std) == {1 / (high - low)}:
                return f"{colour}, values {name}"
        mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        known = " (ImageNet's)" if (self.mean, self.std) == (IMAGENET_MEAN, IMAGENET_STD) else ""
        return f"{colour}, Normalize(mean {mean}; std {std}){known}"

    def of_size(self, size: Size) -> Preprocessing:
        """Return this preparation with the size that its steps give the images, where they state none."""
        return dataclasses.replace(self, size=size) if self.steps is not None else self

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images of an open data set: (n, H, W, C) uint8, on any device, into (n, C, H', W') float32 input.

        Pixel values are divided by 255, then (x - mean) / std, as ToTensor and Normalize do. Stated steps were done
        when the data was opened; where only a size is stated and it differs, images are resized to it. The result
        keeps the channels-last memory order of the images. Raises MismatchError where channels or size differ.
        """
        if images.shape[-1] != self.channels:
            raise MismatchError(
                f"The preprocessing is for {count_channels(self.channels)}, "
                f"the images have {count_channels(images.shape[-1])}"
            )
        if self.steps is not None and tuple(images.shape[1:3]) != self.size:
            raise MismatchError(
                f"The preprocessing gives {_times(self.size)} pixels, the images have {_times(images.shape[1:3])}"
            )
        x = images.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        if tuple(x.shape[-2:]) != self.size:
            x = self._resized(x)
        mean, std = _constant(self.mean, x.device), _constant(self.std, x.device)
        return x.sub_(mean).div_(std)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for a model card or a preprocessing file."""
        stated = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        steps, upright = stated.pop("steps"), stated.pop("upright")
        if not upright:
            stated["upright"] = False
        if self.steps is None:
            return stated
        del stated["interpolation"]  # each step has its own
        stated["size"] = stated["size"] if all(self.size) else None
        return {**stated, "steps": [plain(step) for step in steps]}

    @classmethod
    def from_dict(
        cls,
        data: Any,
        *,
        base: Preprocessing | None = None,
        source: str | None = None,
        where: str = "The preprocessing",
    ) -> Preprocessing:
        """Rebuild from plain data; what is missing is taken from `base`.

        `size` is a number or [height, width]; a single `mean` or `std` holds for all channels of `base`. `steps` is a
        list as torchvision's transforms are written, `[{"Resize": 36}, {"CenterCrop": 32}]`, or in short `resize` (the
        short side, [height, width], or null for none), `crop`, `pad` and `grey`, done in this order. `range` names
        what values are scaled to before mean and std: "0..1", "0..255" or "-1..1". With `upright` false, files are not
        turned as they say.
        Raises InputError naming `where` and every value that is wrong.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"{where} must be a JSON object with {', '.join(_KEYS[:-1])}")
        problems = [f"unknown key {key!r}{maybe_meant(str(key), _KEYS)}" for key in data if key not in _KEYS]
        if problems:
            problems[-1] += f"; known are {', '.join(_KEYS)}"
        data = _on_the_plain_scale(problems, data)
        steps = _steps_in(problems, data, base)
        default: dict[str, Any] = {"interpolation": "bilinear"} if base is None else dict(vars(base))
        upright = data.get("upright", base.upright if base else True)
        if not isinstance(upright, bool):
            problems.append(f"upright must be true or false, got {upright!r}")
        reached = size_after(steps or (), None)
        if steps is not None:
            default["size"] = reached or (0, 0)
        rules = {key: rule for key, rule in _RULES.items() if key != "interpolation" or steps is None}
        values = {key: _checked(problems, data.get(key), key, default.get(key), rules[key]) for key in rules}
        size, mean, std = (_as_tuple(values[key]) for key in ("size", "mean", "std"))
        if mean and std:
            said = channels_after(steps or ()) if data.get("steps") or data.get("grey") else None
            channels = max(len(mean), len(std), said or (base.channels if base else 1))
            mean, std = (v * channels if len(v) == 1 else v for v in (mean, std))
            if len(mean) != len(std):
                problems.append(f"mean has {len(mean)} values, std has {len(std)}")
            elif said is not None and said != len(mean):
                problems.append(f"mean has {len(mean)} values, Grayscale leaves {count_channels(said)}")
        if size and reached is not None and (size[0], size[-1]) != reached:
            problems.append(f"size is {_times((size[0], size[-1]))}, the steps give {_times(reached)}")
        if problems:
            raise InputError(f"{where} is wrong: {'; '.join(problems)}")
        # Who said it is for people to read; a card of another program may use other words.
        said_by = source_named if isinstance(source_named := data.get("source"), str) else ""
        said_by = said_by if said_by in SOURCES else "file"
        sides = (size[0], size[-1])
        return cls(sides, mean, std, values.get("interpolation", "bilinear"), source or said_by, steps, upright)

    def _resized(self, x: torch.Tensor) -> torch.Tensor:
        """Resize images (n, C, H, W) float32 in 0..1 to the size."""
        if self.interpolation == "nearest":
            return F.interpolate(x, size=self.size, mode="nearest")
        # With antialiasing as in Pillow and torchvision; without, even the enlarging kernel of "bicubic" is another.
        try:
            x = F.interpolate(x, size=self.size, mode=self.interpolation, align_corners=False, antialias=True)
        except NotImplementedError:  # some devices lack it
            if x.device.type == "cpu":
                raise
            return self._resized(x.cpu()).to(x.device)
        return x.clamp_(0, 1) if self.interpolation == "bicubic" else x


def numbers_of(preprocessing: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return what of plain data of a preprocessing decides what a network gets: all but who says so."""
    return tuple(sorted((name, value) for name, value in preprocessing.items() if name != "source"))


def measure_preprocessing(images: torch.Tensor | StreamedImages) -> Preprocessing:
    """Return mean and std of images: (n, H, W, C) uint8 per channel, rounded to four decimals."""
    _, height, width, channels = images.shape
    stride = max(1, -(-math.prod(images.shape) // _MAX_VALUES))
    counts = np.zeros((channels, 256), dtype=np.int64)
    per_chunk = max(1, _CHUNK // (height * width))
    used = images[::stride]
    for start in range(0, len(used), per_chunk):
        chunk = np.asarray(used[start : start + per_chunk])
        for channel in range(channels):
            counts[channel] += np.bincount(chunk[..., channel].ravel(), minlength=256)
    values = np.arange(256) / 255
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mean = shares @ values
    std = np.sqrt(np.maximum(shares @ values**2 - mean**2, 0))
    return Preprocessing(
        size=(height, width),
        mean=tuple(round(float(m), 4) for m in mean),
        # A constant channel has no spread to divide by.
        std=tuple(round(float(s), 4) if s >= 1e-4 else 1.0 for s in std),
        source="data set",
    )


def measured_anew(preprocessing: Preprocessing, images: torch.Tensor | StreamedImages) -> Preprocessing:
    """Return a preparation, with mean and std of all these training images where it has those of a sample of them."""
    if not preprocessing.source.startswith(MEASURED):
        return preprocessing
    whole, source = measure_preprocessing(images), preprocessing.source.replace(MEASURED, "tried")
    return dataclasses.replace(preprocessing, mean=whole.mean, std=whole.std, source=source)


def count_channels(count: int) -> str:
    """Return "1 channel" or "3 channels"."""
    return f"{count} channel{'' if count == 1 else 's'}"


def _steps_in(problems: list[str], data: Mapping[str, Any], base: Preprocessing | None) -> tuple[Step, ...] | None:
    """Return the geometric steps that plain data states, those of `base` where it states none and no size."""
    short = [key for key in (*_SHORT, "antialias") if key in data]
    if data.get("steps") is not None:
        problems += [f"{key} and steps say the same" for key in (*short, "interpolation") if key in data]
        entries = data["steps"] if isinstance(data["steps"], list) else [data["steps"]]
    elif short:
        given = {name: data[key] for key, name in _SHORT.items() if data.get(key) is not None}
        sides = {key: data[key] for key in ("interpolation", "antialias") if data.get(key) is not None}
        if "Resize" in given:
            given["Resize"] = {"size": given["Resize"], **sides}
        elif sides:
            problems.append(f"{' and '.join(sides)} needs resize, which is the short side or [height, width]")
        entries = [{name: settings} for name, settings in given.items() if (name, settings) != ("Grayscale", False)]
    elif base is not None and base.steps is not None and data.get("size") is None:
        entries = [plain(step) for step in base.steps]
        for entry in entries:
            if "Resize" in entry and data.get("interpolation") is not None:
                entry["Resize"]["interpolation"] = data["interpolation"]
    else:
        return None
    steps: list[Step] = []
    for entry in entries:
        try:
            steps.append(step_of(entry))
        except InputError as error:
            problems.append(error.message.rstrip("."))
    return tuple(steps)


def _on_the_plain_scale(problems: list[str], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return plain data with mean and std on the 0..1 scale, where it states another range of values for them."""
    stated = data.get("range")
    if stated is None:
        return data
    ends = next((e for name, e in _RANGES.items() if stated in (name, list(e), e[1], f"{e[1]:g}")), None)
    if ends is None:
        problems.append(f"range must be one of {', '.join(_RANGES)}, got {stated!r}")
        return data
    try:
        means, stds = ([float(v) for v in _as_tuple(data.get(key, usual))] for key, usual in (("mean", 0), ("std", 1)))
    except (TypeError, ValueError):
        return data  # refused like any other value
    low, span = ends[0], ends[1] - ends[0]
    return {**data, "mean": [(v - low) / span for v in means], "std": [v / span for v in stds]}


def _times(size: Size | torch.Size) -> str:
    """Return "32×48"."""
    return f"{size[0]}×{size[1]}"


def _checked(problems: list[str], value: Any, key: str, default: Any, rules: list[tuple[Any, str]]) -> Any:
    """Return a value as its rules want it, `default` for none; what is wrong is added to `problems`."""
    if value is None:
        if default is None:
            problems.append(f"{key} is missing")
        return default
    checked = None
    for kind, rule in rules:
        try:
            checked = msgspec.convert(value, prepared(kind), strict=False)  # 32.0 is a whole number
        except msgspec.ValidationError:
            problems.append(f"{key} must {rule.format(repr(value))}")
            return None
    return checked


def _as_tuple(value: Any) -> tuple[Any, ...]:
    """Return a number or a list of numbers as a tuple; none as an empty one."""
    return () if value is None else tuple(value) if isinstance(value, (list, tuple)) else (value,)
