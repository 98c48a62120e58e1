"""The model card: what stands beside weights, or in their metadata, about the network, its classes and its input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import jsonio
from core.errors import InputError, MismatchError

SCHEMA_VERSION = 1
CARD_NAME = "model.json"
WEIGHTS_NAME = "model.safetensors"
_IN_METADATA = (
    "schema_version",
    "architecture",
    "num_classes",
    "in_channels",
    "input_size",
    "image_size",
    "classes",
    "preprocessing",
)


def read_card(path: Path) -> dict[str, Any] | None:
    """Return the card of a weights file or of a folder that holds one; None where there is none.

    A card is NAME.json beside NAME.pt, a model.json that names the file, or the metadata of a safetensors file.
    Raises InputError where it is damaged, MismatchError where a newer version wrote it.
    """
    weights = path / WEIGHTS_NAME if path.is_dir() else path
    card_file = find_card(weights)
    if card_file is not None:
        return check_card(jsonio.read_json(card_file), str(card_file))
    if weights.suffix.lower() == ".safetensors" and weights.is_file():
        from core.models.containers import read_metadata

        return card_from_metadata(read_metadata(weights), str(weights))
    return None


def find_card(weights: Path) -> Path | None:
    """Return the file that is the card of a weights file, if there is one."""
    own = weights.with_suffix(".json")
    if own.name != CARD_NAME and own.is_file() and _is_card(own):
        return own
    shared = weights.with_name(CARD_NAME)
    if not shared.is_file():
        return None
    if own == shared:
        return shared
    try:
        content = jsonio.read_json(shared)
    except InputError:
        return None
    files = content.get("files") if isinstance(content, dict) else None
    return shared if isinstance(files, dict) and weights.name in files else None


def check_card(content: Any, where: str) -> dict[str, Any]:
    """Return a card's content once its fields have the right form; unknown fields are kept."""
    if not isinstance(content, dict) or not isinstance(content.get("architecture"), str):
        raise InputError(f"{where} is not a model card: it names no architecture")
    version = content.get("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int) or version < 1:
        raise InputError(f"{where} is damaged: schema_version must be a whole number from 1, got {version!r}")
    if version > SCHEMA_VERSION:
        raise MismatchError(
            f"{where} was written by a newer version (schema {version}; this one reads up to {SCHEMA_VERSION})",
            "Update Unlearn Studio to open it",
        )
    problems = [
        f"{name} must be {rule}, got {content[name]!r}"
        for name, (fits, rule) in _RULES.items()
        if content.get(name) is not None and not fits(content[name])
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
    """Return the part of a card that travels inside a safetensors file, as text."""
    kept = {name: card[name] for name in _IN_METADATA if card.get(name) is not None}
    return {name: value if isinstance(value, str) else jsonio.dumps(value).decode() for name, value in kept.items()}


def card_from_metadata(metadata: Mapping[str, str], where: str) -> dict[str, Any] | None:
    """Return the card that stands in a safetensors file's metadata; None where it names no architecture."""
    if "architecture" not in metadata:
        return None
    card: dict[str, Any] = {"architecture": metadata["architecture"]}
    for name in _IN_METADATA:
        if name == "architecture" or name not in metadata:
            continue
        try:
            card[name] = json.loads(metadata[name])
        except ValueError:
            continue  # another program's field of that name
    return check_card(card, f"The metadata of {where}")


def _is_card(path: Path) -> bool:
    try:
        content = jsonio.read_json(path)
    except InputError:
        return False
    return isinstance(content, dict) and "architecture" in content and "schema_version" in content


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_size(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(_is_count(side) for side in value)


def _is_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)


_RULES = {
    "num_classes": (_is_count, "a whole number from 1"),
    "in_channels": (_is_count, "a whole number from 1"),
    "input_size": (_is_size, "[height, width]"),
    "image_size": (_is_size, "[height, width]"),
    "classes": (_is_names, "a list of names"),
    "preprocessing": (lambda value: isinstance(value, dict), "an object"),
    "files": (lambda value: isinstance(value, dict), "an object of file names and SHA-256"),
}
