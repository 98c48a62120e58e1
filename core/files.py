"""Files: where the application keeps them, what they are called, and how they are read and replaced as a whole.

JSON is strict: null, never NaN or Infinity. Nothing heavy is loaded: names are asked for while a file is dragged over
the window.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from core.errors import InputError, MismatchError

Kind = TypeVar("Kind")

APP = "unlearn-studio"
RESOURCES = Path(__file__).resolve().parents[1] / "resources"  # what ships with the program

WEIGHTS_NAME, CARD_NAME = "model.safetensors", "model.json"  # in the folder of a run or a model
# Files that torch.save wrote, no tar files: PyTorch's own training scripts give their checkpoints these endings.
SAVED_AS_TAR = (".pth.tar", ".pt.tar", ".ckpt.tar")
EXPORT_FORMATS = ("same", "safetensors", "pt", "onnx", "pt2")  # "same": as the file that came in
SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pt2", ".ts", ".torchscript", *SAVED_AS_TAR)

_encoder = msgspec.json.Encoder(enc_hook=lambda value: value.tolist() if hasattr(value, "tolist") else str(value))


# --- where files lie, and what they are called --------------------------------------------------------------------


def data_home() -> Path:
    """Return the folder of runs, references and downloaded data."""
    return home("data")


def cache_home() -> Path:
    """Return the folder of what can be made again: thumbnails, outputs of original models."""
    return home("cache")


def runs_home() -> Path:
    """Return the folder new runs are put into unless another one is named."""
    return data_home() / "runs"


def models_home() -> Path:
    """Return the folder of models trained by the application, the example's among them."""
    return data_home() / "models"


def queue_home() -> Path:
    """Return the folder of the runs that wait in the window's queue, each with its job and its forget list."""
    return data_home() / "queue"


def references_home() -> Path:
    """Return the folder of retrained references, named by content and shared by all runs."""
    return data_home() / "references"


def home(kind: str) -> Path:
    """Return the system's folder of `kind`, "data", "cache", "config" or "log"; UNLEARN_STUDIO_HOME moves them all."""
    home = os.environ.get("UNLEARN_STUDIO_HOME")
    if home:
        return Path(home) / kind
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")(APP, appauthor=False))


def ending(path: Path | str) -> str:
    """Return the ending of a file's name in lower case: both parts of .pth.tar, else the last one, "" for none."""
    name = Path(path).name.lower()
    return next((both for both in SAVED_AS_TAR if name.endswith(both) and name != both), Path(name).suffix)


def without_ending(path: Path | str) -> str:
    """Return a file's name without what `ending` returns."""
    name = Path(path).name
    return name[: len(name) - len(ending(path))]


def composed(text: str) -> str:
    """Return a name in Unicode's composed form, for comparisons: macOS writes "ö" as two characters."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


# --- reading ------------------------------------------------------------------------------------------------------


def loads(data: bytes | str) -> Any:
    """Decode one JSON document; raises ValueError with the reason where it is none."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise ValueError(str(error).removeprefix("JSON is malformed: ")) from error


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
        raise InputError(f"{path} is not a text file in UTF-8", "Save it as UTF-8") from error


def read_json(path: Path) -> Any:
    """Read one JSON file; raises InputError naming the file where it is missing or no JSON."""
    try:
        return loads(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error


def read_object(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one where the file is missing, damaged or holds something else."""
    try:
        content = read_json(file)
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def json_lines(data: bytes) -> list[dict[str, Any]]:
    """Return the objects in a piece of a file of JSON lines; lines that are none are skipped."""
    objects = []
    for line in data.split(b"\n"):
        with suppress(ValueError):  # an empty or damaged line
            objects.append(loads(line))
    return [line for line in objects if isinstance(line, dict)]


def is_card(file: Path) -> bool:
    """Whether a JSON file is a model card."""
    names = read_object(file).keys()
    return "architecture" in names and ("schema_version" in names or "files" in names)


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


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- writing ------------------------------------------------------------------------------------------------------


def dumps(value: Any) -> bytes:
    """Encode dataclasses, mappings, lists and scalars on one line; NaN and infinities become null."""
    return _encoder.encode(value)


def dumps_pretty(value: Any) -> bytes:
    """Encode like `dumps`, indented for people, with a final newline."""
    return msgspec.json.format(dumps(value), indent=2) + b"\n"


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented strict JSON, atomically."""
    write_atomic(path, dumps_pretty(value))


def end_last_line(path: Path) -> None:
    """Cut off a last line that a killed process left unfinished, so that what is appended starts a line of its own."""
    if not path.is_file():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        with path.open("r+b") as file:
            file.truncate(end)


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file by `data`: readers see the old or the new content, never a part."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file that takes the place of `path` when the block ends, once it is whole on disk.

    Where the block raises, the temporary file goes and the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@functools.cache
def _umask() -> int:
    """Return the process's file mode mask, asked once: reading it means setting it, for all threads."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
