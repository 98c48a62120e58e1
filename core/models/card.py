"""What is known of a model besides its weights: its card, and how images are prepared for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from core.data.preprocessing import Preprocessing
from core.data.stated import of_hugging_face, of_timm, of_torchvision
from core.data.steps import CenterCrop, Resize, Step
from core.errors import InputError, MismatchError, NotFoundError
from core.files import (
    CARD_NAME,
    SUFFIXES,
    WEIGHTS_NAME,
    check_schema,
    dumps,
    is_card,
    loads,
    prepared,
    read_json,
    read_object,
)
from core.models import foreign, timm_models
from core.models.architectures import TIMM_PREFIX, ModelSpec, get_architecture
from core.models.hub import HUB_CONFIG, HUB_WEIGHTS, config_card
from core.models.weights import read_metadata

SCHEMA_VERSION = 1
IMAGES_CONFIG = "preprocessor_config.json"  # what Hugging Face writes beside weights about images

_Count = Annotated[int, Meta(ge=1)]
# The fields of a card that this program reads, with their type and the same in words; other fields are kept.
_FIELDS: dict[str, tuple[Any, str]] = {
    "num_classes": (Annotated[int, Meta(ge=0)], "a whole number from 0"),  # 0: of an encoder without a head
    "in_channels": (_Count, "a whole number from 1"),
    "input_size": (tuple[_Count, _Count], "[height, width]"),
    "image_size": (tuple[_Count, _Count], "[height, width]"),
    "image_channels": (_Count, "a whole number from 1"),
    "classes": (tuple[str, ...], "a list of names"),
    "preprocessing": (dict[str, Any], "an object"),
    "files": (dict[str, Any], "an object of file names and SHA-256"),
}
_IN_METADATA = ("schema_version", "architecture", *(name for name in _FIELDS if name != "files"))

# torchvision's pretrained networks of these families turn ImageNet's mean and std into these values themselves
# (`transform_input`). The switch is no weight, so the network built here has it off and gets its input like this.
_TURNED = {"googlenet": (0.5, 0.5, 0.5), "inception_v3": (0.5, 0.5, 0.5)}


def weights_file(path: Path) -> Path:
    """Return the weights file a path means: itself, the one in a folder, or the one a model card describes.

    Raises NotFoundError, and InputError where a folder holds weights in a form that is not read or a JSON file is no
    card.
    """
    if path.is_dir():
        found = next((path / name for name in HUB_WEIGHTS if (path / name).is_file()), None)
        if found is None:
            foreign.refuse(path, foreign.kind_of_folder(path))
            hint = "Open a weights file, or the folder of a finished run"
            raise NotFoundError(f"The folder {path} holds no {WEIGHTS_NAME}", hint)
        return found
    if not path.exists():
        raise NotFoundError(f"There is no file {path}")
    return _described_by(path) if path.suffix.lower() == ".json" else path


def _described_by(card: Path) -> Path:
    """Return the weights file beside a model card that it describes."""
    foreign.refuse(card, foreign.kind_of_file(card))
    named = [card.with_name(name) for name in read_object(card).get("files") or {}]
    beside = [card.with_suffix(suffix) for suffix in SUFFIXES]
    weights = next((file for file in (*named, *beside) if file.is_file() and find_card(file) == card), None)
    if weights is not None:
        return weights
    if not is_card(card):
        raise InputError(f"{card.name} is no model card", "Open the weights file itself")
    raise NotFoundError(
        f"{card.name} describes {named[0].name if named else 'a weights file'}, which is not beside it",
        "Put the two into one folder, and open that file",
    )


def read_card(path: Path) -> dict[str, Any] | None:
    """Return the card of a weights file or of a folder that holds one; None where there is none.

    A card is NAME.json beside NAME.pt, a model.json that names the file, or the metadata of a safetensors file.
    Raises InputError where it is damaged, MismatchError where a newer version wrote it.
    """
    return card_of(weights_file(path) if path.is_dir() else path)[0]


def card_of(weights: Path, metadata: Mapping[str, str] | None = None) -> tuple[dict[str, Any] | None, str]:
    """Return the card of a weights file like `read_card`, and where it stands, in words.

    Where there is none, what the config.json of a Hugging Face or timm folder says takes its place.

    metadata: that of a safetensors file, where it was read before.
    """
    file = find_card(weights)
    if file is not None:
        return check_card(read_json(file), str(file)), file.name
    if metadata is None:
        readable = weights.suffix.lower() == ".safetensors" and weights.is_file()
        metadata = read_metadata(weights) if readable else {}
    where = f"The metadata of {weights.name}"
    card = card_from_metadata(metadata, where)
    if card is None and weights.name in HUB_WEIGHTS and (said := config_card(_configuration(weights, HUB_CONFIG))):
        return check_card(said, HUB_CONFIG), HUB_CONFIG
    return card, where


def _configuration(weights: Path, name: str) -> dict[str, Any]:
    """Return the object in a JSON file beside weights, an empty one without it. Raises InputError for anything else."""
    file = weights.with_name(name)
    if not file.exists():
        return {}
    content = read_json(file)
    if not isinstance(content, dict):
        raise InputError(f"{file} is damaged: it holds no object", "Take the file away, or put back the whole one")
    return content


def find_card(weights: Path) -> Path | None:
    """Return the file that is the card of a weights file, if there is one."""
    own, shared = weights.with_suffix(".json"), weights.with_name(CARD_NAME)
    if own == shared:
        return shared if shared.is_file() else None
    if is_card(own):
        return own
    files = read_object(shared).get("files")
    return shared if isinstance(files, dict) and weights.name in files else None


def check_card(content: Any, where: str) -> dict[str, Any]:
    """Return a card's content once its fields have the right form; unknown fields are kept."""
    if not isinstance(content, dict) or not isinstance(content.get("architecture"), str):
        raise InputError(f"{where} is not a model card: it names no architecture")
    check_schema(content.get("schema_version", SCHEMA_VERSION), SCHEMA_VERSION, where)
    problems = [
        f"{name} must be {rule}, got {content[name]!r}"
        for name, (kind, rule) in _FIELDS.items()
        if content.get(name) is not None and not _fits(content[name], kind)
    ]
    if problems:
        raise InputError(f"{where} is damaged: {'; '.join(problems)}")
    return content


def check_files(card: Mapping[str, Any], weights: Path, sha256: str, where: str) -> None:
    """Raise MismatchError where a card states another SHA-256 for a weights file than it has."""
    stated = (card.get("files") or {}).get(weights.name)
    if stated and stated != sha256:
        raise MismatchError(
            f"{where} describes another version of {weights.name}: "
            f"its SHA-256 begins with {str(stated)[:12]}, the file's with {sha256[:12]}",
            "Put back the file the card belongs to, or move the card away",
        )


def card_to_metadata(card: Mapping[str, Any]) -> dict[str, str]:
    """Return the part of a card that goes into a safetensors file, as text."""
    fields = {name: card[name] for name in _IN_METADATA if card.get(name) is not None}
    return {name: value if isinstance(value, str) else dumps(value).decode() for name, value in fields.items()}


def card_from_metadata(metadata: Mapping[str, str], where: str) -> dict[str, Any] | None:
    """Return the card in a safetensors file's metadata; None where it names no architecture."""
    if "architecture" not in metadata:
        return None
    card: dict[str, Any] = {"architecture": metadata["architecture"]}
    for name in _IN_METADATA:
        if name == "architecture" or name not in metadata:
            continue
        try:
            card[name] = loads(metadata[name])
        except ValueError:
            continue  # another program's field of that name
    return check_card(card, where)


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, prepared(kind))
    except msgspec.ValidationError:
        return False
    return True


# --- how images are prepared ---------------------------------------------------------------------------------------


def stated_preprocessing(weights: Path, card: Mapping[str, Any] | None, where: str) -> Preprocessing | None:
    """Return the preprocessing in a model's card, or in a configuration beside it; None where nothing says it.

    A configuration is timm's config.json or Hugging Face's preprocessor_config.json. where: the card stands, in words.
    Raises InputError where the card or Hugging Face's file is damaged.
    """
    if (stated := preprocessing_in(card, where)) is not None:
        return stated
    config = read_object(weights.with_name(HUB_CONFIG))
    if timm_models.is_config(config):
        return _of_timm(config["pretrained_cfg"], "timm config")
    images = _configuration(weights, IMAGES_CONFIG)
    if not images:
        return None
    where = f"The preprocessing in {IMAGES_CONFIG}"
    return Preprocessing.from_dict(of_hugging_face(images, where), source="hugging face", where=where)


def preprocessing_in(card: Mapping[str, Any] | None, where: str) -> Preprocessing | None:
    """Return the preprocessing in a card, None where it has none; `where` names the card in error messages."""
    if not card or not card.get("preprocessing"):
        return None
    where = f"The preprocessing in {where.replace('The ', 'the ', 1)}"
    return Preprocessing.from_dict(card["preprocessing"], source="model card", where=where)


def usual_preprocessing(spec: ModelSpec) -> Preprocessing | None:
    """Return the preprocessing that an architecture's published weights were trained with.

    It leads to `spec`'s size where weights fit one size only. None for architectures without published weights, and
    for networks of other than three input channels.
    """
    if spec.in_channels != 3 or spec.user_code:
        return None
    if spec.architecture.startswith(TIMM_PREFIX):
        published = _of_timm(timm_models.published_config(spec.architecture.partition(":")[0]), "weights")
    else:
        published = _of_torchvision(spec.architecture.partition(":")[0].removesuffix("-no-aux"))
    if published is None or not get_architecture(spec.architecture).size_is_structural:
        return published
    return _for_size(published, spec.input_size)


def _of_torchvision(name: str) -> Preprocessing | None:
    from torchvision import models

    try:
        prepared = models.get_model_weights(name).DEFAULT.transforms()
    except ValueError:  # ours, or the small-image form of one of theirs
        return None
    mean, std = _TURNED.get(name, tuple(prepared.mean)), _TURNED.get(name, tuple(prepared.std))
    stated = of_torchvision(
        {
            "resize_size": list(prepared.resize_size), "crop_size": list(prepared.crop_size), "mean": mean, "std": std,
            "interpolation": prepared.interpolation.value,
        },
        name,
    )  # fmt: skip
    return Preprocessing.from_dict(stated, source="weights", where=name)


def _of_timm(config: Mapping[str, Any], source: str) -> Preprocessing | None:
    """Return what timm's configuration states; None where it lacks a part or crops in a way that is not known here."""
    where = f"The preprocessing in timm's {HUB_CONFIG}"
    try:
        stated = of_timm(config, where)
    except InputError:
        return None
    return Preprocessing.from_dict(stated, source=source, where=where)


def _for_size(published: Preprocessing, size: tuple[int, int]) -> Preprocessing:
    """Return a published preparation for weights made for another size, with the same share cropped away."""
    if published.size == size or published.steps is None:
        return dataclasses.replace(published, size=size)
    share = min(size) / min(published.size)
    steps: list[Step] = []
    for step in published.steps:
        if isinstance(step, Resize):
            step = msgspec.structs.replace(step, size=tuple(round(side * share) for side in step.size))
        elif isinstance(step, CenterCrop):
            step = CenterCrop(size)
        steps.append(step)
    return dataclasses.replace(published, size=size, steps=tuple(steps))
