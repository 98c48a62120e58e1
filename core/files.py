"""Files: where the application keeps them, what they are called, and how they are read and replaced as a whole.

JSON is strict: null, never NaN or Infinity. Nothing heavy is loaded: names are asked for while a file is dragged over
the window.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import stat
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, overload

import msgspec

from core.errors import InputError, MismatchError, UsageError
from core.leftovers import building, clear_once, temporary_name
from core.program import NAME
from core.text import named, visible

Kind = TypeVar("Kind")

RESOURCES = Path(__file__).resolve().parents[1] / "resources"  # what ships with the program

WEIGHTS_NAME, CARD_NAME = "model.safetensors", "model.json"  # in the folder of a run or a model
# Files that torch.save wrote, no tar files: PyTorch's own training scripts give their checkpoints these endings.
SAVED_AS_TAR = (".pth.tar", ".pt.tar", ".ckpt.tar")
EXPORT_FORMATS = ("same", "safetensors", "pt", "onnx", "pt2")  # "same": as the file that came in
SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pt2", ".ts", ".torchscript", *SAVED_AS_TAR)

# Flags that a system does not know ask for nothing.
_BINARY, _NO_WAIT, _NO_LINK = (getattr(os, name, 0) for name in ("O_BINARY", "O_NONBLOCK", "O_NOFOLLOW"))
_PIECE = 1 << 16  # bytes read at once where the end of a file is looked for


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_NO_TEXT = re.compile("[\ud800-\udfff]")  # what Python makes of bytes of a file's name that are no UTF-8


# --- where files lie, and what they are called --------------------------------------------------------------------


def data_home() -> Path:
    """Return the folder of runs, references and downloaded data."""
    return home("data")


def cache_home() -> Path:
    """Return the folder of what can be made again: thumbnails, outputs of original models."""
    return home("cache")


def clear_cache_leftovers() -> None:
    """Remove what dead processes had begun to write in the cache, the first time that this process asks."""
    for folder in cache_home().glob("*"):
        clear_once(folder)


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

    return Path(getattr(platformdirs, f"user_{kind}_dir")(NAME, appauthor=False))


def user_path(text: str | Path) -> Path:
    """Return the path that a person wrote: "~" is their home folder; a "~name" of nobody stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  (a Path raises where there is no such home)


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


def require_place(path: Path) -> None:
    """Raise UsageError where a path to write to is a root or the user's home folder itself.

    A run would fill it with files of its own, and what clears them up later would look there.
    """
    place = Path(os.path.abspath(path))  # noqa: PTH100  (links are followed by nobody here)
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  (raises nothing where there is none)
    if place == Path(place.anchor) or place == home or place.resolve() == home.resolve():
        what = "the home folder itself" if place != Path(place.anchor) else "the root of a disk"
        raise UsageError(f"{path} is {what}, so nothing is written right into it", "Name a folder or file in it")


# --- reading ------------------------------------------------------------------------------------------------------

TEXT_LIMIT = 1 << 30
"""Bytes a text may have unless its reader says otherwise: a list of a hundred million names is no list of names."""

JSON_LIMIT = 16 << 20
"""Bytes of a JSON document that is not read into a declared structure: decoded, it takes up to 20 times as many."""

DEPTH_LIMIT = 100
"""Lists and objects in one another in such a document: what copies or prints it calls itself for each of them."""


def open_regular(path: Path | str, *, follow: bool = True) -> BufferedReader:
    """Open a regular file for reading. A pipe, a device or a folder is refused at once: reading one may never end.

    follow: whether a link is followed; files in a folder that came from elsewhere are read without. Raises InputError
    naming the file where it cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _BINARY | _NO_WAIT | (0 if follow else _NO_LINK))
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise _unreadable(path, error) from error
    link = not follow and not _NO_LINK and os.path.islink(path)  # noqa: PTH114 - where the system cannot refuse it
    if link or not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError(f"{path} cannot be read: it is no regular file", "Put the file itself in its place")
    return os.fdopen(handle, "rb")


def read_bytes(path: Path | str, limit: int = TEXT_LIMIT, *, follow: bool = True) -> bytes:
    """Return the content of a regular file; raises InputError naming the file where it cannot be read.

    limit: bytes it may have; a larger one is refused with both numbers before anything is read.
    """
    with open_regular(path, follow=follow) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            data = file.read(size + 1) if size <= limit else b""  # as much is set aside as is asked for
            if size < len(data) <= limit:  # it has grown, or never had a size, as those that the system makes up
                data += file.read(limit + 1 - len(data))
        except (OSError, MemoryError) as error:
            raise _unreadable(path, error) from error
    if (size := max(size, len(data))) > limit:
        raise InputError(
            f"{path} has {size:,} bytes, and at most {limit:,} are read", "Check that it is the right file"
        )
    return data


def read_text(path: Path, limit: int = TEXT_LIMIT, *, follow: bool = True) -> str:
    """Read a text file in UTF-8, with or without a byte order mark; raises InputError naming the file."""
    try:
        return read_bytes(path, limit, follow=follow).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8", "Save it as UTF-8") from error


@overload
def loads(data: bytes | str) -> Any: ...
@overload
def loads(data: bytes | str, kind: type[Kind]) -> Kind: ...
def loads(data: bytes | str, kind: Any = Any) -> Any:
    """Decode one JSON document, as a declared structure where `kind` is given; fields it does not name are passed over.

    Raises ValueError with the reason where it is none, nested too deeply, or of another shape.
    """
    try:
        document = msgspec.json.decode(data, type=prepared(kind))
        if kind is Any and not is_shallow(document, DEPTH_LIMIT):
            raise RecursionError
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(_reason(error)) from error
    return document


def is_shallow(content: Any, deepest: int) -> bool:
    """Whether lists and dicts lie at most `deepest` deep in one another, so that all can be copied and shown."""
    level: list[Any] = [[content]]
    for _ in range(deepest + 1):
        inside = (one.values() if isinstance(one, dict) else one for one in level)
        level = [each for values in inside for each in values if isinstance(each, (dict, list))]
        if not level:
            return True
    return False


@overload
def read_json(path: Path, *, limit: int = JSON_LIMIT, follow: bool = True) -> Any: ...
@overload
def read_json(path: Path, kind: type[Kind], limit: int = TEXT_LIMIT, *, follow: bool = True) -> Kind: ...
def read_json(path: Path, kind: Any = Any, limit: int = 0, *, follow: bool = True) -> Any:
    """Read one JSON file, straight into a declared structure where `kind` is given: so it may be large.

    Raises InputError naming the file, and the place in it, where it is missing, too large, no JSON or of another shape.
    """
    return decoded(read_bytes(path, limit or (JSON_LIMIT if kind is Any else TEXT_LIMIT), follow=follow), kind, path)


def decoded(data: bytes, kind: type[Kind], path: Path) -> Kind:
    """Return a JSON file's content as a declared structure; raises InputError naming the file `path` it is of."""
    try:
        return loads(data, kind)
    except ValueError as error:
        said = "damaged" if isinstance(error.__cause__, msgspec.ValidationError) else "not valid JSON"
        raise InputError(f"{path} is {said}: {error}") from error


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
        return msgspec.convert(data, prepared(kind))
    except (msgspec.ValidationError, RecursionError) as error:
        raise InputError(f"{where} is damaged: {_reason(error)}") from error


_looked_at: set[Any] = {Any}
_looking = threading.Lock()


def prepared(kind: Any) -> Any:
    """Return a declared structure once msgspec knows it: two threads that first use one at once end the process."""
    if kind not in _looked_at:
        with _looking:
            msgspec.json.Decoder(kind)
            _looked_at.add(kind)
    return kind


def _reason(error: Exception) -> str:
    """Return why data was refused: "expected `int`, got `str` at steps[3]"."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    reason, _, place = str(error).removeprefix("JSON is malformed: ").partition(" - at ")
    reason = f"{reason[:1].lower()}{reason[1:]}".replace("`", "")
    return f"{reason} at {place.replace('`', '').replace('$.', '')}" if place else reason


def _unreadable(path: Path | str, error: Exception) -> InputError:
    """Return the error for a file that cannot be read: what the system says of it, on one line."""
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return InputError(
            f"{path} cannot be read: it is a link, and none is followed here", "Put the file itself in its place"
        )
    why = "memory ran out" if isinstance(error, MemoryError) else getattr(error, "strerror", None) or error
    return InputError(f"{path} cannot be read: {why}")


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


def file_sha256(path: Path, *, follow: bool = True) -> str:
    """Return a regular file's SHA-256 in hexadecimal, read in pieces; raises InputError where it cannot be read."""
    with open_regular(path, follow=follow) as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(path, error) from error


@contextmanager
def hashed(path: Path) -> Iterator[str]:
    """Give a regular file's SHA-256; what is read of the file in the block is what was hashed.

    Raises InputError where it was changed or replaced in the meantime, or cannot be read.
    """
    with open_regular(path) as file:
        before = _identity(os.fstat(file.fileno()))
        try:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(path, error) from error
        yield digest
        try:
            after = _identity(path.stat())
        except OSError as error:
            raise _unreadable(path, error) from error
    if before != after:
        raise InputError(f"{path} was changed while it was read", "Open it again")


def _identity(found: os.stat_result) -> tuple[int, ...]:
    """Return what is another one for every other file, and after every write: nobody can set back the last of them."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


# --- writing ------------------------------------------------------------------------------------------------------


def dumps(value: Any) -> bytes:
    """Encode dataclasses, mappings, lists and scalars on one line; NaN and infinities become null."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise InputError(f"{named(error.object)} is no text in UTF-8, so it cannot be written down", _RENAME) from error


def dumps_pretty(value: Any) -> bytes:
    """Encode like `dumps`, indented for people, with a final newline."""
    return msgspec.json.format(dumps(value), indent=2) + b"\n"


_RENAME = "Rename the file or folder"


def dumps_shown(value: Any) -> bytes:
    """Encode like `dumps_pretty` for who only looks at it: names that are no text are written out, as for people."""
    try:
        return dumps_pretty(value)
    except InputError:
        return dumps_pretty(_as_text(msgspec.to_builtins(value, enc_hook=_plain)))


def _as_text(value: Any) -> Any:
    """Return plain data with every name in it as text."""
    if isinstance(value, str):
        return _NO_TEXT.sub(lambda found: visible(found[0]), value)
    if isinstance(value, dict):
        return {_as_text(key): _as_text(one) for key, one in value.items()}
    return [_as_text(one) for one in value] if isinstance(value, list | tuple) else value


def write_json(path: Path, value: Any, *, private: bool = False) -> None:
    """Write `value` as indented strict JSON, atomically."""
    write_atomic(path, dumps_pretty(value), private=private)


def open_to_append(path: Path) -> BinaryIO:
    """Open a file of lines to append to, and cut off a last line that a killed process left unfinished.

    What is there must be a regular file, no link: a folder from elsewhere must not have lines written into other files.
    Only the user may read it: such files tell of single images, by name or by what was measured of them. Raises
    InputError where it is something else, OSError where the disk does not take it.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY | _NO_WAIT | _NO_LINK
    try:
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):  # a link, a pipe, a folder
            raise _not_appended(path) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode) or path.is_symlink():
        os.close(handle)
        raise _not_appended(path)
    with suppress(OSError, AttributeError):  # another user's file, a system without such rights
        os.fchmod(handle, 0o600)
    file = os.fdopen(handle, "r+b")
    try:
        if (end := end_of_lines(file)) < file.seek(0, os.SEEK_END):
            file.truncate(end)
            file.seek(0, os.SEEK_END)
    except OSError:
        file.close()
        raise
    return file


def _not_appended(path: Path) -> InputError:
    return InputError(f"{path} is no regular file, so nothing is written to it", "Put the file itself in its place")


def end_of_lines(file: BinaryIO) -> int:
    """Return where the last whole line of a file ends, looked for from its end."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _PIECE)
        file.seek(start)
        if (found := file.read(end - start).rfind(b"\n")) >= 0:
            return start + found + 1
        end = start
    return 0


def write_atomic(path: Path, data: bytes, *, private: bool = False, make: bool = True) -> None:
    """Replace a file by `data`: readers see the old or the new content, never a part."""
    with replacing(path, private=private, make=make) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replacing(path: Path, *, private: bool = False, alone: bool = False, make: bool = True) -> Iterator[Path]:
    """Give a temporary file that takes the place of `path` when the block ends, once it is whole on disk.

    Where the block raises, the temporary file goes and the old file stays. A link at `path` is replaced, what it leads
    to stays. private: only the user may read the file, as befits a list of people. alone: the temporary file lies in a
    folder of its own and has the name of `path`, for libraries that write files beside the one they are given. make:
    whether the folder of `path` is made where it is not there; a folder that was moved away is not to be.
    """
    if make:
        path.parent.mkdir(parents=True, exist_ok=True)
    aside = building(path, make=False) if alone else nullcontext()
    with aside as folder:
        temporary = temporary_name(path) if folder is None else folder / path.name
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o600 if private else 0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk: a file that was renamed is found after a power cut, too."""
    if os.name == "nt":  # folders cannot be opened there, and NTFS keeps a log of its own
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network folders know no such call
            raise
    finally:
        os.close(handle)


@functools.cache
def _umask() -> int:
    """Return the process's file mode mask, asked once: reading it means setting it, for all threads."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
