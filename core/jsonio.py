"""Text files, and strict JSON: null, never NaN or Infinity."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from core.errors import InputError, MismatchError
from core.files import write_atomic

Kind = TypeVar("Kind")

_encoder = msgspec.json.Encoder(enc_hook=lambda value: value.tolist() if hasattr(value, "tolist") else str(value))


def dumps(value: Any) -> bytes:
    """Encode dataclasses, mappings, lists and scalars on one line; NaN and infinities become null."""
    return _encoder.encode(value)


def dumps_pretty(value: Any) -> bytes:
    """Encode like `dumps`, indented for people, with a final newline."""
    return msgspec.json.format(dumps(value), indent=2) + b"\n"


def loads(data: bytes | str) -> Any:
    """Decode one JSON document; raises ValueError where it is none."""
    return msgspec.json.decode(data)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file; raises InputError naming the file where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, with or without a byte order mark; raises InputError naming the file."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8") from error


def read_json(path: Path) -> Any:
    """Read one JSON file; raises InputError naming the file where it is missing or no JSON."""
    try:
        return loads(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented strict JSON, atomically."""
    write_atomic(path, dumps_pretty(value))


def convert(data: Any, kind: type[Kind], where: str) -> Kind:
    """Return plain data as a declared structure (msgspec's strict rules; unknown fields are ignored).

    where: what the data is of, in words. Raises InputError naming the field that is missing or of another type.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).replace("`", "").partition(" - at ")
        field = f" at {place.removeprefix('$.')}" if place else ""
        raise InputError(f"{where} is damaged{field}: {reason[0].lower()}{reason[1:]}") from error


def check_schema(version: Any, newest: int, where: str) -> int:
    """Return the schema version that a file states.

    newest: the last one this program reads; where: the file, in words. Raises InputError where the version is no
    whole number from 1, MismatchError where a newer program wrote it.
    """
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(f"{where} is damaged: schema_version must be a whole number from 1, got {version!r}")
    if version > newest:
        raise MismatchError(
            f"{where} was written by a newer version (schema {version}; this one reads up to {newest})",
            "Update Unlearn Studio to open it",
        )
    return version
