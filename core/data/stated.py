"""How other programs write down a preparation of images, turned into this program's own keys.

Each reader takes plain data and returns what `Preprocessing.from_dict` takes. What a program says that has no place
there is refused by its name, never left out.
"""

from __future__ import annotations

import ast
import math
import re
import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from core.data.steps import KINDS, interpolation_of
from core.errors import InputError, maybe_meant
from core.files import JSON_LIMIT, convert, loads, read_text

Plain = dict[str, Any]

IMAGENET_CROP = 0.875  # what timm and ConvNeXt crop where they state nothing

_TO_TENSOR = ("ToTensor", "ConvertImageDtype", "ToDtype", "ConvertDtype")  # values become 0..1
_NOTHING = ("ToPILImage", "ToImage", "PILToTensor", "RGB", "Identity", "ToPureTensor")
_TRAINING = (
    "Random", "ColorJitter", "AutoAugment", "RandAugment", "TrivialAugment", "AugMix", "GaussianBlur", "GaussianNoise",
    "Mixup", "MixUp", "CutMix", "Cutout", "ElasticTransform", "ScaleJitter",
)  # fmt: skip
_MOST_TIMES = 64  # how often the values of a list may be repeated: no network takes more channels
_MOST_TEXT = 64 << 10  # characters of transforms: Python's parser takes a thousand times as many bytes
_FIT = "Fit"  # how `Preprocessing.transforms` writes a size alone, which torchvision has no name for
_POSITIONS = {
    **{name: [field for field in kind.__struct_fields__ if field != "down"] for name, kind in KINDS.items()},
    "Normalize": ["mean", "std", "inplace"],
    "ToDtype": ["dtype", "scale"],
    _FIT: ["size", "interpolation"],
}  # of settings without a name

# Processors of Hugging Face whose `size`, where it is one number, is the short side; all others mean both sides.
_SHORT_SIDE = ("CLIP", "ConvNext", "Bit", "Levit", "MobileNetV", "MobileViT", "PoolFormer", "ChineseCLIP")
_CROPPED_BY_SHARE = {"ConvNext": IMAGENET_CROP, "PoolFormer": 0.9, "Levit": IMAGENET_CROP}
_UNCROPPED_FROM = 384  # ConvNeXt's pixels from which on images are resized to the square, and not cropped


_Side = Annotated[int, Meta(ge=1, le=1 << 16)] | Annotated[float, Meta(ge=1, le=1 << 16)]  # pixels
_Sides = Annotated[list[_Side], Meta(min_length=2, max_length=2)]  # height, width
_Share = Annotated[float, Meta(ge=0.01, le=1)]
_Values = float | list[float]  # of all channels, or one a channel


class _Timm(msgspec.Struct):
    """What timm's `pretrained_cfg` says of preparation."""

    input_size: Annotated[list[Annotated[int, Meta(ge=1, le=1 << 16)]], Meta(min_length=2, max_length=3)] | None = None
    mean: _Values | None = None
    std: _Values | None = None
    crop_mode: str | None = None
    crop_pct: _Share | None = None
    interpolation: str | None = None


class _HuggingFace(msgspec.Struct):
    """What Hugging Face's preprocessor_config.json says."""

    image_processor_type: str | None = None
    feature_extractor_type: str | None = None
    resample: int | str | None = None
    size: _Side | _Sides | dict[str, _Side | None] | None = None
    crop_size: _Side | _Sides | dict[str, _Side | None] | None = None
    crop_pct: _Share | None = None
    rescale_factor: Annotated[float, Meta(gt=0)] = 1 / 255
    image_mean: _Values | None = None
    image_std: _Values | None = None
    do_resize: bool | None = True
    do_center_crop: bool | None = False
    do_pad: bool | None = False
    do_rescale: bool | None = True
    rescale_offset: bool | None = False
    do_normalize: bool | None = True
    include_top: bool | None = True


class _Torchvision(msgspec.Struct):
    """What the transforms of torchvision's published weights say; sizes are checked as those of any step."""

    resize_size: Any = None
    crop_size: Any = None
    mean: _Values | None = None
    std: _Values | None = None
    interpolation: str | None = None
    antialias: Any = True


def read_stated(file: Path) -> Mapping[str, Any]:
    """Read a preparation from a file in any of the forms that `stated_in` knows; raises InputError naming the file."""
    return stated_in(read_text(file, JSON_LIMIT), f"The preprocessing in {file}")


def stated_in(text: str, where: str) -> Mapping[str, Any]:
    """Read a preparation from text in any of the forms that are known, as this program's own keys.

    These are: an object of these keys, a model card or report of this program, a list of transforms as torchvision's
    are written (JSON, a program's Compose, what Python prints of it, or one a line), timm's config.json, Hugging Face's
    preprocessor_config.json, and what Python prints of the transforms of torchvision's weights. Raises InputError that
    begins with `where` and names what of it is not known.
    """
    if not text.strip():
        raise InputError(f"{where} is empty: ToTensor() alone leaves pixels as they are stored")
    if (first := text.lstrip()[0]).isidentifier() or first == "#":
        return own_keys(text, where)
    try:
        return own_keys(loads(text), where)
    except ValueError as error:
        raise InputError(f"{where} is not valid JSON: {error}") from error


def own_keys(content: Any, where: str) -> Mapping[str, Any]:
    """Return a preparation in any known form as this program's own keys; raises InputError beginning with `where`."""
    if isinstance(content, (str, list)):
        return _of_transforms(content, where)
    if not isinstance(content, Mapping):
        raise InputError(f"{where} must be a JSON object or a list of transforms")
    if isinstance(content.get("preprocessing"), Mapping):  # a model card or a report
        return {key: value for key, value in content["preprocessing"].items() if key not in ("words", "transforms")}
    if "transforms" in content:
        return _of_transforms(content["transforms"], where)
    for key, reader in _READERS.items():
        if key in content:
            return reader(content, where)
    return content


def of_timm(config: Mapping[str, Any], where: str) -> Plain:
    """Read timm's `pretrained_cfg`: what its transforms for evaluation do."""
    stated = convert(config.get("pretrained_cfg") or config, _Timm, where)
    if not (stated.input_size and stated.mean and stated.std):
        raise InputError(f"{where} lacks input_size, mean or std")
    height, width = stated.input_size[-2:]
    mode, share = stated.crop_mode or "center", stated.crop_pct or IMAGENET_CROP
    sides = [math.floor(height / share), math.floor(width / share)]
    if mode not in ("center", "squash") or (mode == "center" and sides[0] != sides[1]):
        raise InputError(f"{where}: timm's crop_mode {mode!r} for {height}×{width} pixels has no counterpart here")
    way = interpolation_of(stated.interpolation or "bicubic")
    if way is None:
        raise InputError(f"{where}: timm's interpolation {stated.interpolation!r} has no counterpart here")
    resize = {"size": sides if mode == "squash" else sides[0], "interpolation": way}
    return {
        "steps": [{"Resize": resize}, {"CenterCrop": [height, width]}],
        "mean": _listed(stated.mean),
        "std": _listed(stated.std),
    }


def of_hugging_face(config: Mapping[str, Any], where: str) -> Plain:
    """Read Hugging Face's preprocessor_config.json."""
    if "pretrained_cfg" in config:  # of timm's models in transformers
        return of_timm(config, where)
    stated = convert(config, _HuggingFace, where)
    kind = stated.image_processor_type or stated.feature_extractor_type or ""
    usual = None if kind and not kind.startswith("ViT") else 2
    way = interpolation_of(stated.resample if "resample" in config else usual)
    steps: list[Plain] = []
    if stated.do_resize:
        if way is None:  # each processor has a default of its own
            raise InputError(f"{where} lacks resample, the number of the interpolation")
        steps += _resized_by_hugging_face(stated, kind, way, where)
    if stated.do_center_crop:
        steps += [{"CenterCrop": {"size": _sides(stated.crop_size or stated.size, where), "down": True}}]
    if stated.do_pad:
        raise InputError(f'{where}: do_pad is not known; state the padding as a transform, {{"Pad": …}}')
    scale = 255 * stated.rescale_factor if stated.do_rescale else 255.0
    scale = 1.0 if math.isclose(scale, 1, rel_tol=1e-6) else scale
    offset = 1.0 if stated.rescale_offset and stated.do_rescale else 0.0
    mean, std = (stated.image_mean, stated.image_std) if stated.do_normalize else (0.0, 1.0)
    if mean is None or std is None:
        raise InputError(f"{where} lacks image_mean or image_std")
    means, stds = _listed(mean), _listed(std)
    if kind.startswith("EfficientNet") and stated.include_top:  # divided by the deviation once more
        stds = [value * value for value in stds]
    return {
        "steps": steps, "mean": [(value + offset) / scale for value in means], "std": [value / scale for value in stds],
    }  # fmt: skip


def of_torchvision(config: Mapping[str, Any], where: str) -> Plain:
    """Read the transforms that belong to torchvision's published weights: resize_size, crop_size, mean, std."""
    known = _Torchvision.__struct_fields__
    if unknown := [str(key) for key in config if key not in known]:
        raise InputError(f"{where} holds {', '.join(unknown)} beside torchvision's {', '.join(known)}")
    stated = convert(config, _Torchvision, where)
    steps: list[Plain] = []
    if stated.resize_size:
        settings = {"size": stated.resize_size, "interpolation": stated.interpolation or "bilinear"}
        steps.append({"Resize": {**settings, "antialias": stated.antialias}})
    steps += [{"CenterCrop": stated.crop_size}] if stated.crop_size else []
    return {"steps": steps, "mean": _listed(stated.mean or 0.0), "std": _listed(stated.std or 1.0)}


_READERS: dict[str, Callable[[Mapping[str, Any], str], Plain]] = {
    "image_processor_type": of_hugging_face,
    "feature_extractor_type": of_hugging_face,
    "do_normalize": of_hugging_face,
    "do_resize": of_hugging_face,
    "image_mean": of_hugging_face,
    "pretrained_cfg": of_timm,
    "crop_pct": of_timm,
    "input_size": of_timm,
    "resize_size": of_torchvision,
    "crop_size": of_torchvision,
}
"""What tells a form, by a key that it has."""


def _resized_by_hugging_face(stated: _HuggingFace, kind: str, way: Any, where: str) -> list[Plain]:
    """Return the steps that a processor of Hugging Face resizes with."""
    size = stated.size
    if isinstance(size, dict) and (edge := size.get("shortest_edge")) is not None:
        short, longest = int(edge), size.get("longest_edge")
    elif isinstance(size, (int, float)) and kind.startswith(_SHORT_SIDE):
        short, longest = int(size), None
    else:
        return [{"Resize": {"size": _sides(size, where), "interpolation": way}}]
    family = next((name for name in _CROPPED_BY_SHARE if kind.startswith(name)), "")
    share = stated.crop_pct or _CROPPED_BY_SHARE.get(family)
    if share is None:
        return [{"Resize": {"size": short, "interpolation": way, "max_size": longest}}]
    if family == "ConvNext" and short >= _UNCROPPED_FROM:
        return [{"Resize": {"size": [short, short], "interpolation": way}}]
    # ConvNeXt's processor crops itself; the others say so with do_center_crop.
    crop = [{"CenterCrop": {"size": short, "down": True}}] if family in ("ConvNext", "") else []
    return [{"Resize": {"size": int(short / share), "interpolation": way}}, *crop]


def _listed(values: _Values) -> list[float]:
    return [values] if isinstance(values, float) else values


def _sides(size: Any, where: str) -> list[int]:
    """Return Hugging Face's size as [height, width]; raises InputError for a size of another kind."""
    sides = [size.get("height"), size.get("width")] if isinstance(size, dict) else size
    sides = sides if isinstance(sides, list) else [sides, sides]
    if None in sides:
        raise InputError(f"{where}: the size {size!r} is not known")
    return [int(side) for side in sides]


# --- lists of transforms ---------------------------------------------------------------------------------------------


def _of_transforms(listed: Any, where: str) -> Plain:
    """Read a list of transforms: `{"Resize": 36}`, `"Resize(36)"`, or what Python prints of a Compose."""
    result: Plain = {}
    steps: list[Plain] = []
    scaled, bytes_kept = False, False
    try:
        entries = _entries(listed, where)
    except RecursionError:
        raise InputError(f"{where} is nested too deeply") from None
    for name, settings in entries:
        if name in KINDS or name == _FIT:
            if "mean" in result:
                raise InputError(f"{where}: {name} after Normalize is not known; state it before")
            steps.append({name: settings})
        elif name == "Normalize":
            if isinstance(settings, list):
                settings = dict(zip(_POSITIONS[name], settings, strict=False))
            if not isinstance(settings, Mapping) or not {"mean", "std"} <= set(settings):
                raise InputError(f"{where}: Normalize needs mean and std")
            if "mean" in result:
                raise InputError(f"{where} holds Normalize twice")
            result |= {"mean": settings["mean"], "std": settings["std"]}
        elif name == "ImageClassification":
            return of_torchvision(settings if isinstance(settings, Mapping) else {}, where)
        elif name in _TO_TENSOR:
            keeps = name == "ToDtype" and isinstance(settings, Mapping) and not settings.get("scale")
            scaled = scaled or not keeps
        elif name in _NOTHING:
            bytes_kept = bytes_kept or name in ("PILToTensor", "ToImage")
        elif name.startswith(_TRAINING):
            raise InputError(
                f"{where} holds {name}, which is for training only",
                "List what images go through for evaluation: Resize, CenterCrop, Pad, Grayscale, ToTensor, Normalize",
            )
        else:
            known = (*KINDS, "ToTensor", "Normalize")
            raise InputError(f"{where} holds {name}{maybe_meant(name, known)}, which is none of {', '.join(known)}")
    scale = "0..255" if bytes_kept and not scaled else "0..1"
    if scale != "0..1" or "mean" not in result:
        result["range"] = scale
    fitted = next((step[_FIT] for step in steps if _FIT in step), None)
    if fitted is None:
        return {**result, "steps": steps}
    if len(steps) > 1 or not isinstance(fitted, Mapping):
        raise InputError(f"{where}: Fit((height, width), interpolation) scales and crops; no other step goes with it")
    return {**result, **fitted}


def _entries(listed: Any, where: str) -> list[tuple[str, Any]]:
    """Return name and settings of every transform of a list, of lists in it too."""
    if isinstance(listed, str):
        return _written(listed, where)
    if isinstance(listed, list):
        return [entry for item in listed for entry in _entries(item, where)]
    if isinstance(listed, Mapping) and len(listed) == 1:
        name, settings = next(iter(listed.items()))
        name = str(name).rpartition(".")[2]
        return _entries(settings, where) if name == "Compose" else [(name, settings)]
    raise InputError(f'{where}: a transform is written {{"Resize": 36}} or "Resize(36)", got {_short(listed)}')


def _short(value: Any) -> str:
    """Return a value as Python writes it, its beginning where it is long."""
    return reprlib.repr(value)


def _written(text: str, where: str) -> list[tuple[str, Any]]:
    """Return name and settings of every transform in a text: of a program, as Python prints it, or one a line.

    Nothing of it is run.
    """
    if len(text) > _MOST_TEXT:
        raise InputError(f"{where} has {len(text):,} characters of transforms, and at most {_MOST_TEXT:,} are read")
    lines = [line for line in (line.partition("#")[0].strip() for line in text.splitlines()) if line]
    listed = re.sub(r"(?<=[^(\[,=])\n", ",\n", "\n".join(lines))  # Python prints no commas
    program = re.match(r"[^(]*?(Compose\(.*)", listed, re.DOTALL)  # with what is imported and the list's name before
    try:
        tree = ast.parse(f"[{program[1] if program else listed}]", mode="eval").body
        nodes = tree.elts if isinstance(tree, ast.List) else [tree]
        return [entry for node in nodes for entry in _called(node, where)]
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last two of brackets within brackets
        raise InputError(f"{where}: {_short(text.strip())} is no transform") from None


def _called(node: ast.expr, where: str) -> list[tuple[str, Any]]:
    """Return the name and the settings by name of a call, `Resize(36, interpolation=bilinear)`; all of a Compose."""
    try:
        if not isinstance(node, ast.Call):
            return [(_last_name(node), None)]
        name, given = _last_name(node.func), list(node.args)
        if name == "Compose":
            inner = [*given, *(keyword.value for keyword in node.keywords if keyword.arg == "transforms")]
            listed = inner[0].elts if inner and isinstance(inner[0], (ast.List, ast.Tuple)) else inner
            return [entry for item in listed for entry in _called(item, where)]
        positions = _POSITIONS.get(name, [""] * len(given))
        if len(given) > len(positions):
            raise ValueError
        settings = dict(zip(positions, map(_literal, given), strict=False))
        return [(name, settings | {str(keyword.arg): _literal(keyword.value) for keyword in node.keywords})]
    except (ArithmeticError, TypeError, ValueError):
        raise InputError(f"{where}: {_short(ast.unparse(node))} is no transform") from None


def _literal(node: ast.expr) -> Any:
    """Return the value of a literal, or the last part of a name: `InterpolationMode.BICUBIC` → "BICUBIC"."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(item) for item in node.elts]
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _last_name(node)
    if isinstance(node, ast.Call):
        return ast.unparse(node)
    if isinstance(node, ast.BinOp):
        return _computed(node)
    return ast.literal_eval(node)


def _computed(node: ast.BinOp) -> Any:
    """Return what means and stds are often written as: a list many times, `[0.5] * 3`, or a fraction, `63.0 / 255`."""
    left, right = _literal(node.left), _literal(node.right)
    if isinstance(node.op, ast.Mult) and isinstance(left, list) and isinstance(right, int) and right <= _MOST_TIMES:
        return left * right
    if isinstance(node.op, ast.Div) and all(isinstance(value, (int, float)) for value in (left, right)) and right:
        return left / right
    raise ValueError


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError
