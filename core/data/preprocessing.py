"""Preprocessing as data: what turns stored uint8 images into the numbers a network was trained on."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from msgspec import Meta

from core.errors import InputError, MismatchError, nearest

if TYPE_CHECKING:
    from core.data.streamed import StreamedImages

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
SOURCES = ("data set", "model card", "file", "assumed", "weights", "timm config")

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_MAX_SIDE = 8192  # a larger side is a typing error, not an input size
_Side = Annotated[int, Meta(ge=1, le=_MAX_SIDE)]
_Sides = Annotated[list[_Side], Meta(min_length=2, max_length=2)]  # msgspec crashes on a tuple beside a number
_Mean = Annotated[float, Meta(ge=-1, le=1)]
_Std = Annotated[float, Meta(gt=0, le=10)]
_NUMBERS = (
    float | Annotated[list[float], Meta(min_length=1)], "be a number or a list of numbers, one a channel, got {}",
)
# What a value is converted to, one rule after the other, and the words where it does not fit.
_RULES: dict[str, list[tuple[Any, str]]] = {
    "size": [(_Side | _Sides, f"be one or two whole numbers from 1 to {_MAX_SIDE}, got {{}}")],
    "mean": [_NUMBERS, (_Mean | list[_Mean], "lie on the 0..1 scale, got {} (divide by 255?)")],
    "std": [_NUMBERS, (_Std | list[_Std], "be above 0 and on the 0..1 scale, got {} (divide by 255?)")],
    "interpolation": [(Literal[INTERPOLATIONS], f"be one of {', '.join(INTERPOLATIONS)}, got {{}}")],
}
_KEYS = (*_RULES, "source")
_MAX_VALUES = 100_000_000  # pixel values that enter the mean and standard deviation; more change no decimal shown
_CHUNK = 4_000_000  # values counted at once: bincount needs eight bytes for each


@functools.lru_cache(maxsize=32)
def _constant(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """Return per-channel values as (1, C, 1, 1) on a device, moved there once: a copy per batch would be waited for."""
    return torch.tensor(values, device=device).view(1, -1, 1, 1)


@dataclass(frozen=True)
class Preprocessing:
    """Size (H, W), per-channel mean and std on the 0..1 scale, how sizes are changed, and who says so."""

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"
    source: str = "data set"

    @property
    def channels(self) -> int:
        """Number of image channels the mean and std are for."""
        return len(self.mean)

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images: (n, H, W, C) uint8, on any device, into (n, C, H', W') float32 network input.

        Pixel values are divided by 255, resized where the size differs, then (x - mean) / std. The result keeps
        the channels-last memory order of the images. Raises MismatchError where the number of channels differs.
        """
        if images.shape[-1] != self.channels:
            raise MismatchError(
                f"The preprocessing is for {count_channels(self.channels)}, "
                f"the images have {count_channels(images.shape[-1])}"
            )
        x = images.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        if tuple(x.shape[-2:]) != self.size:
            x = self._resized(x)
        mean, std = _constant(self.mean, x.device), _constant(self.std, x.device)
        return x.sub_(mean).div_(std)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for a model card or a preprocessing file."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}

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

        `size` is a number or [height, width]; a single `mean` or `std` holds for all channels of `base`.
        Raises InputError naming `where` and every value that is wrong.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"{where} must be a JSON object with size, mean, std and interpolation")
        problems = [f"unknown key {key!r}{_meant(key)}" for key in data if key not in _KEYS]
        default = {"interpolation": "bilinear"} if base is None else vars(base)
        values = {key: _checked(problems, data.get(key), key, default.get(key)) for key in _RULES}
        size, mean, std = (_as_tuple(values[key]) for key in ("size", "mean", "std"))
        if mean and std:
            channels = max(len(mean), len(std), base.channels if base else 1)
            mean, std = (v * channels if len(v) == 1 else v for v in (mean, std))
            if len(mean) != len(std):
                problems.append(f"mean has {len(mean)} values, std has {len(std)}")
        if problems:
            raise InputError(f"{where} is wrong: {'; '.join(problems)}")
        # Who said it is for people to read; a card of another program may use other words.
        said = data["source"] if data.get("source") in SOURCES else "file"
        sides = (size[0], size[-1])
        return cls(sides, mean, std, values["interpolation"], source or said)

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


def assume_imagenet(size: tuple[int, int]) -> Preprocessing:
    """Return ImageNet's mean and std, marked as assumed: what most colour networks were trained with."""
    return Preprocessing(size=size, mean=IMAGENET_MEAN, std=IMAGENET_STD, source="assumed")


def count_channels(count: int) -> str:
    """Return "1 channel" or "3 channels"."""
    return f"{count} channel{'' if count == 1 else 's'}"


def _checked(problems: list[str], value: Any, key: str, default: Any) -> Any:
    """Return a value as its rules want it, `default` for none; what is wrong is added to `problems`."""
    if value is None:
        if default is None:
            problems.append(f"{key} is missing")
        return default
    checked = None
    for kind, rule in _RULES[key]:
        try:
            checked = msgspec.convert(value, kind, strict=False)  # 32.0 is a whole number
        except msgspec.ValidationError:
            problems.append(f"{key} must {rule.format(repr(value))}")
            return None
    return checked


def _as_tuple(value: Any) -> tuple[Any, ...]:
    """Return a number or a list of numbers as a tuple; none as an empty one."""
    return () if value is None else tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _meant(key: Any) -> str:
    """Return the key that may have been meant in words, "" for none."""
    alike = nearest(str(key), _KEYS)
    return f" (did you mean {alike[0]}?)" if alike else ""
