"""Reads weight files of every form: clean keys, float32, and a note of how the file wrapped them."""

from __future__ import annotations

import dataclasses
import math
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from core.errors import InputError, UnsafeFileError, first_few
from core.files import convert
from core.models.architectures import shapes_of
from core.models.trust import NO_TRUST, Trust

CONTAINERS = ("state_dict", "model_state_dict", "model")
# In front of all keys: added by DataParallel and torch.compile, and by Lightning modules that hold the network.
_PREFIXES = ("module.", "_orig_mod.")
_HOLDERS = ("model.", "net.", "network.")
HOLDS_WEIGHTS = re.compile(r"optim|(^|[^a-z])ema([^a-z]|$)|averag", re.IGNORECASE)
"""Names of entries that are weights, or made of them, whatever they hold at the moment."""


@dataclass(frozen=True)
class CheckpointForm:
    """How a file wrapped its weights, so that changed ones can be given back the same way."""

    format: Literal["safetensors", "pt", "pt2", "torchscript"]  # the last two carry a program
    container: str | None = None  # key the state dict stood under; None: bare
    prefix: str = ""  # in front of every key
    dtypes: dict[str, str] = field(default_factory=dict)  # clean key -> "float16", in the file's order
    scalars: dict[str, Any] = field(default_factory=dict)  # plain values beside the state dict, written back
    dropped: tuple[str, ...] = ()  # entries not written back: optimiser, averaged weights, …
    metadata: dict[str, str] = field(default_factory=dict)  # of a safetensors file

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for job.json."""
        return {**dataclasses.asdict(self), "scalars": pack(self.scalars), "dropped": list(self.dropped)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CheckpointForm:
        """Rebuild from plain data; raises InputError where it is not that of a form."""
        form = convert(data, cls, "The job's note of how its model file was saved")
        return dataclasses.replace(form, scalars=unpack(form.scalars))


@dataclass(frozen=True)
class Weights:
    """A file's tensors under clean keys, floating ones in float32, with its form."""

    tensors: dict[str, Tensor]
    form: CheckpointForm

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor."""
        return shapes_of(self.tensors)

    def without(self, prefix: str) -> Weights:
        """Return the weights with `prefix`, which all keys begin with, moved from the keys to the form."""
        form, cut = self.form, len(prefix)
        dtypes = {key[cut:]: name for key, name in form.dtypes.items()}
        tensors = {key[cut:]: value for key, value in self.tensors.items()}
        return Weights(tensors, dataclasses.replace(form, prefix=form.prefix + prefix, dtypes=dtypes))

    def inside_holder(self) -> Weights | None:
        """Return the weights without the name a surrounding module gave the network ("model.", "net.").

        None where the keys do not all begin with the same one of these names.
        """
        prefix = next((name for name in _HOLDERS if all(key.startswith(name) for key in self.tensors)), None)
        return self.without(prefix) if prefix else None


def read_weights(path: Path, trust: Trust = NO_TRUST) -> Weights:
    """Read a weights file of any supported form.

    Raises UnsafeFileError where reading it would run code and that is not trusted, InputError where it is missing,
    empty, damaged, no state dict, or holds values that cannot be used.
    """
    kind = file_kind(path)
    if kind == "safetensors":
        with _open_safetensors(path) as file:
            # Cloned: the tensors would stay views of the file, which another program may change or delete.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
            form = CheckpointForm("safetensors", metadata=dict(file.metadata() or {}))
    elif kind == "pt":
        tensors, form = _unwrap(path, _load_pt(path, trust))
    else:
        tensors, form = _read_program(path, kind, trust), CheckpointForm(kind, dropped=("program",))
    return _clean(path, tensors, form)


def file_kind(path: Path) -> Literal["safetensors", "pt", "pt2", "torchscript"]:
    """Return the format a weights file has by its name and first bytes; raises InputError where it has none."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder without a model.safetensors", "Open the weights file itself")
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if size == 0:
        raise InputError(f"{path.name} is empty", "Copy or download it again")
    if path.suffix.lower() == ".safetensors" or (start[8:9] == b"{" and start[:4] != b"PK\x03\x04"):
        return "safetensors"
    if start.startswith(b"PK"):
        return _zip_kind(path)
    if start[:1] == b"\x80":
        return "pt"
    raise InputError(f"{path.name} is not a model file: it is neither a PyTorch nor a safetensors file")


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata in a safetensors file's header; raises InputError where the file is damaged."""
    with _open_safetensors(path) as file:
        return dict(file.metadata() or {})


@contextmanager
def _open_safetensors(path: Path) -> Iterator[Any]:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:
        raise _damaged(path) from error


def _zip_kind(path: Path) -> Literal["pt", "pt2", "torchscript"]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(path) from error
    inner = {name.partition("/")[2] for name in names} | set(names)
    if {"archive_format", "serialized_exported_program.json"} & inner or any(n.startswith("models/") for n in inner):
        return "pt2"
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "torchscript"
    if "data.pkl" in inner:
        return "pt"
    raise InputError(f"{path.name} is a zip archive, but no model file")


def _read_program(path: Path, kind: str, trust: Trust) -> dict[str, Any]:
    if not trust.code:
        raise UnsafeFileError(
            f"{path.name} carries a program, so it was not opened",
            "Save its state dict, or open it with --trust-code if you trust who made it",
        )
    try:
        if kind == "torchscript":
            return dict(torch.jit.load(str(path), map_location="cpu").state_dict())
        return dict(torch.export.load(str(path)).state_dict)
    except Exception as error:  # whatever a foreign program raises
        raise _damaged(path) from error


def _load_pt(path: Path, trust: Trust) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how others pickled; what matters is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises nearly anything on a file that is none of its own
        if not _needs_unpickling(path):
            raise _damaged(path) from error
        if not trust.pickle:
            raise UnsafeFileError(
                "This file can run program code when opened, so it was not opened.",
                "Save its state dict, or open it with --trust-pickle if you trust who made it",
            ) from error
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise InputError(f"{path.name} could not be unpickled: {type(error).__name__}: {error}") from error


def _needs_unpickling(path: Path) -> bool:
    """Whether a file that torch refused holds a whole pickle (read, not run) that names more than a state dict does."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
                return _names_code(archive.read(name))
        with path.open("rb") as file:
            return _names_code(file)
    except (StopIteration, zipfile.BadZipFile, OSError, KeyError):
        return False


# What a state dict's pickle names. A file that names nothing else and still did not load is damaged, not dangerous.
_HARMLESS = re.compile(r"(collections OrderedDict|torch\._utils _rebuild_\w+|torch (\w+Storage|Size|\w*\d+))")


def _names_code(source: Any) -> bool:
    """Whether pickles in `source`, at least one of them whole, call anything that a state dict does not need."""
    unsafe = ended = False
    try:
        while True:
            strings: list[str] = []
            for opcode, argument, _ in pickletools.genops(source):
                if opcode.name in ("GLOBAL", "INST", "STACK_GLOBAL"):
                    name = argument if opcode.name != "STACK_GLOBAL" else " ".join(strings[-2:])
                    unsafe = unsafe or not _HARMLESS.fullmatch(str(name))
                elif isinstance(argument, str):
                    strings.append(argument)
            ended = True
            if isinstance(source, bytes):
                break
    except Exception:  # no further pickle: the rest is tensor data or the end
        pass
    return unsafe and ended


def _unwrap(path: Path, content: Any) -> tuple[dict[str, Any], CheckpointForm]:
    """Return the tensors of the state dict in what a .pt file held, and how they were wrapped."""
    if isinstance(content, nn.Module):
        return dict(content.state_dict()), CheckpointForm("pt", dropped=("the pickled module",))
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        article = "an" if kind[0].lower() in "aeiou" else "a"
        raise InputError(f"{path.name} holds {article} {kind}, not a state dict")
    for name in CONTAINERS:
        inner = content.get(name)
        if isinstance(inner, nn.Module):
            inner = inner.state_dict()
        if isinstance(inner, Mapping) and any(isinstance(value, Tensor) for value in inner.values()):
            scalars, dropped = _rest(content, without=(name,))
            return dict(inner), CheckpointForm("pt", name, scalars=scalars, dropped=dropped)
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    scalars, dropped = _rest(content, without=tuple(tensors))
    if not tensors:
        entries = f"; its entries are {first_few(map(str, content), 5)}" if content else ""
        raise InputError(
            f"{path.name} holds no state dict: no tensors were found in it or under {', '.join(CONTAINERS)}{entries}"
        )
    return tensors, CheckpointForm("pt", scalars=scalars, dropped=dropped)


def _rest(content: Mapping[Any, Any], without: tuple[Any, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the entries beside the state dict that are written back, and the names of those that are not."""
    others = {str(key): value for key, value in content.items() if key not in without}
    scalars = {key: value for key, value in others.items() if not HOLDS_WEIGHTS.search(key) and is_plain(value)}
    return scalars, tuple(key for key in others if key not in scalars)


def _clean(path: Path, content: Mapping[str, Any], form: CheckpointForm) -> Weights:
    """Check every value, strip prefixes and turn floating values into float32."""
    if not content:
        raise InputError(f"{path.name} holds no tensors")
    odd = [str(key) for key, value in content.items() if not isinstance(value, Tensor) or not isinstance(key, str)]
    if odd:
        raise InputError(f"{path.name} is not a state dict: {len(odd)} entries are no tensors ({first_few(odd)})")
    values = {key: value.detach() for key, value in content.items()}
    for key, value in values.items():
        if oddity := _oddity(value):
            raise InputError(f"{path.name} {oddity.format(key)}")
    dtypes = {key: type_name(value) for key, value in values.items()}
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in values.items()}
    broken = [key for key, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise InputError(
            f"{path.name} holds values that are not finite in {len(broken)} of {len(tensors)} tensors "
            f"({first_few(broken)})",
            "Its training diverged, or the file is damaged: use an earlier checkpoint",
        )
    weights = Weights(tensors, dataclasses.replace(form, dtypes=dtypes))
    while prefix := next((name for name in _PREFIXES if all(key.startswith(name) for key in weights.tensors)), None):
        weights = weights.without(prefix)
    return weights


def type_name(value: Tensor) -> str:
    """Return a tensor's type as files and jobs note it: "float16"."""
    return str(value.dtype).removeprefix("torch.")


def _oddity(value: Tensor) -> str:
    """Return what keeps a tensor from being read, as it is said of its file with its key in place of {}; else ""."""
    if value.is_quantized:
        return "is quantised ({}); unlearning needs the weights it was made from"
    if value.is_complex():
        return "holds complex numbers ({}), which no architecture here has"
    return "holds a tensor without plain values ({})" if value.layout != torch.strided or value.is_meta else ""


def _damaged(path: Path) -> InputError:
    return InputError(f"{path.name} is damaged, incomplete or no model file", "Copy or download it again")


# --- plain values beside a state dict ------------------------------------------------------------------------------
#
# Numbers, texts, class lists and settings are kept through strict JSON, which knows no tuple, no key that is a number,
# no infinity and no tensor: `pack` writes these as an object with one of the keys below, `unpack` reads them again.

_MOST_PARTS, _DEEPEST = 20_000, 20
_FLOAT, _TUPLE, _ITEMS, _TENSOR = "float()", "tuple()", "dict()", "tensor()"
_TAGS = {_FLOAT, _TUPLE, _ITEMS, _TENSOR}


def is_plain(value: Any) -> bool:
    """Whether a value is made of numbers, texts and containers alone: no tensor but single numbers, no other object.

    A value with more than 20,000 parts is none: it is no setting, and would fill the job file.
    """
    pending, parts = [(value, 0)], 0
    while pending:
        value, depth = pending.pop()
        parts += 1
        if type(value) in (bool, int, float, str, type(None)):
            continue
        if isinstance(value, Tensor):
            if value.ndim or _oddity(value):
                return False
            continue
        if depth > _DEEPEST or type(value) not in (list, tuple, dict) or parts + len(value) > _MOST_PARTS:
            return False
        inside = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        pending += ((part, depth + 1) for part in inside)
    return parts <= _MOST_PARTS


def pack(value: Any) -> Any:
    """Return a plain value in a form that strict JSON can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)}
    if isinstance(value, Tensor):
        return {_TENSOR: [type_name(value), pack(value.item())]}
    if isinstance(value, tuple):
        return {_TUPLE: [pack(part) for part in value]}
    if isinstance(value, list):
        return [pack(part) for part in value]
    if isinstance(value, Mapping):
        if all(type(key) is str for key in value) and not _TAGS & value.keys():
            return {key: pack(part) for key, part in value.items()}
        return {_ITEMS: [[pack(key), pack(part)] for key, part in value.items()]}
    return value


def unpack(value: Any) -> Any:
    """Return the value that `pack` was given; data it did not make stays as it is."""
    if isinstance(value, list):
        return [unpack(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1 and (tag := next(iter(value))) in _TAGS:
        inside = value[tag]
        if tag == _FLOAT:
            return float(inside)
        if tag == _TUPLE:
            return tuple(unpack(part) for part in inside)
        if tag == _TENSOR:
            return torch.tensor(unpack(inside[1]), dtype=getattr(torch, inside[0]))
        return {unpack(key): unpack(part) for key, part in inside}
    return {key: unpack(part) for key, part in value.items()}
