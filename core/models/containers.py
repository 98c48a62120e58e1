"""Reads weight files of all forms into one: clean keys, float32, and a note of how the file wrapped them."""

from __future__ import annotations

import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import InputError, UnsafeFileError
from core.models.plain import HOLDS_WEIGHTS, is_plain, pack, unpack
from core.models.recognise import first_few

CONTAINERS = ("state_dict", "model_state_dict", "model")
# In front of all keys: added by DataParallel and torch.compile, and by Lightning modules that hold the network.
_PREFIXES = ("module.", "_orig_mod.")
_HOLDERS = ("model.", "net.", "network.")
_REFUSED = "This file can run program code when opened, so it was not opened."
PROGRAMS = ("pt2", "torchscript")


@dataclass(frozen=True)
class CheckpointForm:
    """How a file wrapped its weights, so that changed ones can be given back the same way."""

    format: str  # "safetensors", "pt", or "pt2" and "torchscript", which carry a program
    container: str | None = None  # key the state dict stood under; None: bare
    prefix: str = ""  # in front of every key
    dtypes: dict[str, str] = field(default_factory=dict)  # clean key -> "float16", in the file's order
    scalars: dict[str, Any] = field(default_factory=dict)  # what is plain beside the state dict, written back
    dropped: tuple[str, ...] = ()  # entries not written back: optimiser, averaged weights, …
    metadata: dict[str, str] = field(default_factory=dict)  # of a safetensors file

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for job.json."""
        return {**asdict(self), "scalars": pack(self.scalars), "dropped": list(self.dropped)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CheckpointForm:
        """Rebuild from plain data; raises InputError where it is none of a form."""
        if not isinstance(data, Mapping) or data.get("format") not in ("safetensors", "pt", *PROGRAMS):
            raise InputError("The job does not say in which form its model file was")
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        scalars = unpack(known.get("scalars") or {})
        return cls(**{**known, "scalars": scalars, "dropped": tuple(known.get("dropped", ()))})


@dataclass(frozen=True)
class Weights:
    """A file's tensors under clean keys, floating ones in float32, with its form."""

    tensors: dict[str, Tensor]
    form: CheckpointForm

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor."""
        return {key: tuple(value.shape) for key, value in self.tensors.items()}


def read_weights(path: Path, *, trust_pickle: bool = False, trust_code: bool = False) -> Weights:
    """Read a weights file of any supported form.

    Raises UnsafeFileError where reading it would run code and that is not trusted, InputError where it is missing,
    empty, damaged, no state dict, or holds values that cannot be used.
    """
    kind = file_kind(path)
    if kind == "safetensors":
        tensors, metadata = _read_safetensors(path)
        return _clean(path, tensors, CheckpointForm("safetensors", metadata=metadata))
    if kind in PROGRAMS:
        return _clean(path, _read_program(path, kind, trust_code), CheckpointForm(kind, dropped=("program",)))
    content = _load_pt(path, trust_pickle)
    tensors, form = _unwrap(path, content)
    return _clean(path, tensors, form)


def file_kind(path: Path) -> str:
    """Return "safetensors", "pt", "pt2" or "torchscript"; raises InputError for what is none of them."""
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
    import safetensors

    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (safetensors.SafetensorError, OSError) as error:
        raise _damaged(path) from error


def strip_holder(weights: Weights) -> Weights | None:
    """Return the weights without the name of the attribute a surrounding module held the network under, if all share
    one of the usual names ("model.", "net."); else None.
    """  # noqa: D205
    for prefix in _HOLDERS:
        if all(key.startswith(prefix) for key in weights.tensors):
            form = weights.form
            cut = len(prefix)
            return Weights(
                {key[cut:]: value for key, value in weights.tensors.items()},
                CheckpointForm(
                    form.format, form.container, form.prefix + prefix,
                    {key[cut:]: name for key, name in form.dtypes.items()}, form.scalars, form.dropped, form.metadata,
                ),
            )  # fmt: skip
    return None


def _zip_kind(path: Path) -> str:
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


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="pt") as file:
            # Cloned: the tensors would stay views of the file, which another program may change or delete.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:
        raise _damaged(path) from error


def _read_program(path: Path, kind: str, trust_code: bool) -> dict[str, Any]:
    if not trust_code:
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


def _load_pt(path: Path, trust_pickle: bool) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how others pickled; what matters is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises nearly anything on a file that is none of its own
        if not _needs_unpickling(path):
            raise _damaged(path) from error
        if not trust_pickle:
            raise UnsafeFileError(
                _REFUSED, "Save its state dict, or open it with --trust-pickle if you trust who made it"
            ) from error
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise InputError(f"{path.name} could not be unpickled: {type(error).__name__}: {error}") from error


def _needs_unpickling(path: Path) -> bool:
    """Whether a file that torch refused holds whole pickles (read, not run) that name anything but tensors' parts."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
                return _names_code(archive.read(name))
        with path.open("rb") as file:
            return _names_code(file)
    except (StopIteration, zipfile.BadZipFile, OSError, KeyError):
        return False


# What a state dict's pickle names; a file with nothing else that still did not load is damaged, not dangerous.
_HARMLESS = re.compile(r"(collections OrderedDict|torch\._utils _rebuild_\w+|torch (\w+Storage|Size|\w*\d+))")


def _names_code(source: Any) -> bool:
    """Whether the pickles in `source`, of which one must be whole, call anything that a state dict does not need."""
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
    """Find the state dict in what a .pt file held."""
    if isinstance(content, nn.Module):
        return dict(content.state_dict()), CheckpointForm("pt", dropped=("the pickled module",))
    if not isinstance(content, Mapping):
        raise InputError(f"{path.name} holds {_a(type(content).__name__)}, not a state dict")
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
    others = {str(key): value for key, value in content.items() if key not in without}
    scalars = {key: value for key, value in others.items() if not HOLDS_WEIGHTS.search(key) and is_plain(value)}
    return scalars, tuple(key for key in others if key not in scalars)


def _clean(path: Path, found: Mapping[str, Any], form: CheckpointForm) -> Weights:
    """Strip prefixes, check every value and turn floating ones into float32."""
    if not found:
        raise InputError(f"{path.name} holds no tensors")
    odd = [str(key) for key, value in found.items() if not isinstance(value, Tensor) or not isinstance(key, str)]
    if odd:
        raise InputError(f"{path.name} is not a state dict: {len(odd)} entries are no tensors ({first_few(odd)})")
    prefix = _common_prefix(list(found))
    values = {key[len(prefix) :]: value.detach() for key, value in found.items()}
    for key, value in values.items():
        _check_value(path, key, value)
    dtypes = {key: str(value.dtype).removeprefix("torch.") for key, value in values.items()}
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in values.items()}
    broken = [key for key, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise InputError(
            f"{path.name} holds values that are not finite in {len(broken)} of {len(tensors)} tensors "
            f"({first_few(broken)})",
            "Its training diverged, or the file is damaged: use an earlier checkpoint",
        )
    return Weights(
        tensors, CheckpointForm(form.format, form.container, prefix, dtypes, form.scalars, form.dropped, form.metadata)
    )


def _common_prefix(keys: list[str]) -> str:
    prefix = ""
    while True:
        more = next((p for p in _PREFIXES if all(key.startswith(prefix + p) for key in keys)), None)
        if more is None:
            return prefix
        prefix += more


def _check_value(path: Path, key: str, value: Tensor) -> None:
    if value.is_quantized:
        raise InputError(f"{path.name} is quantised ({key}); unlearning needs the weights it was made from")
    if value.is_complex():
        raise InputError(f"{path.name} holds complex numbers ({key}), which no architecture here has")
    if value.layout != torch.strided or value.is_meta:
        raise InputError(f"{path.name} holds a tensor without plain values ({key})")


def _damaged(path: Path) -> InputError:
    return InputError(f"{path.name} is damaged, incomplete or no model file", "Copy or download it again")


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
