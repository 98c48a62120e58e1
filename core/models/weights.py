"""Reads weight files of every form: clean keys, float32, and a note of how the file wrapped them."""

from __future__ import annotations

import dataclasses
import io
import re
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from core.errors import AppError, InputError, UnsafeFileError, first_few
from core.files import convert, file_sha256, open_regular, read_bytes
from core.job import entry_key
from core.models import foreign, quantised
from core.models.architectures import Shapes, shapes_of
from core.models.pickles import LARGEST, Bounded, Pickles, called, networks_in
from core.models.plain import oddity, pack, packed_few, type_name, unpack
from core.models.programs import Program, exported_program, pickled_program, scripted_program
from core.models.trust import NO_TRUST, Trust
from core.models.user_code import Room, code_digests
from core.models.wrappers import AVERAGED, SAVE_IT, Found, beside, locate, placed

_MOST_UNPACKED, _SMALL = 4, 1 << 26  # times the file's size; bytes that are no danger. torch.save does not compress
_MOST_REPEATED = 4  # times as many values as the file has bytes: more are some values seen again and again
_LEVELS = 3  # of modules around a network
_LEAST_SHARE = 0.02  # of a file's values that a network has which is deeper inside than one level


def round_weights(module: nn.Module, dtypes: Mapping[str, str]) -> set[str]:
    """Round a network's weights in place to the types a file stores them in ("float16", by key); return the coarser.

    Those are the types that changed a weight. What is measured afterwards is what the file holds.
    """
    coarser = set()
    for key, value in module.state_dict().items():
        rounded = value.to(getattr(torch, dtypes.get(key, ""), value.dtype)) if value.is_floating_point() else value
        if not torch.equal(rounded.to(value.dtype), value):
            value.copy_(rounded)
            coarser.add(dtypes[key])
    return coarser


@dataclass(frozen=True)
class CheckpointForm:
    """How a file wrapped its weights, so that changed ones can be given back the same way."""

    format: Literal["safetensors", "pt", "pt2", "torchscript"]  # the last two carry a program
    container: str | None = None  # place of the state dict, as --key takes it; None: it is the whole content
    prefix: str = ""  # in front of every key
    dtypes: dict[str, str] = field(default_factory=dict)  # clean key -> "float16", in the file's order
    scalars: dict[str, Any] = field(default_factory=dict)  # plain values beside the state dict, written back
    dropped: tuple[str, ...] = ()  # entries not written back: optimiser, averaged weights, …
    metadata: dict[str, str] = field(default_factory=dict)  # of a safetensors file
    foreign: dict[str, Any] = field(default_factory=dict)  # key in the file -> small tensor of another part, packed
    module: str = ""  # class of the whole pickled network that the file held in place of a state dict

    @property
    def key(self) -> str:
        """What --key says to choose these weights of the file."""
        return entry_key(vars(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for job.json."""
        return {**dataclasses.asdict(self), "scalars": pack(self.scalars), "dropped": list(self.dropped)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CheckpointForm:
        """Rebuild from plain data; raises InputError where it is not that of a form."""
        where = "The job's note of how its model file was saved"
        form = convert(data, cls, where)
        try:
            scalars = unpack(form.scalars)
            unpack(form.foreign)
        except (ValueError, TypeError, LookupError, AttributeError, RuntimeError, RecursionError) as error:
            raise InputError(f"{where} is damaged: {error}") from error
        return dataclasses.replace(form, scalars=scalars)


@dataclass(frozen=True)
class Weights:
    """A file's tensors under clean keys, floating ones in float32, with its form.

    entries: every state dict of the file: by its --key, how many tensors it has. program: what the file carries that
    computes what the network does, where it does.
    """

    tensors: dict[str, Tensor]
    form: CheckpointForm
    entries: dict[str, int] = field(default_factory=dict)
    program: Program | None = field(default=None, compare=False)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor."""
        return shapes_of(self.tensors)

    def parts(self) -> list[str]:
        """Return the names in front of keys whose tensors may be a network in a module: "model.", "net.backbone.".

        Those of all keys come first, then the larger parts; averaged weights come last.
        """
        sizes: dict[str, int] = {}
        for key, value in self.tensors.items():
            names = key.split(".")[:-1][:_LEVELS]
            for level in range(1, len(names) + 1):
                prefix = ".".join(names[:level]) + "."
                sizes[prefix] = sizes.get(prefix, 0) + (value.numel() if value.ndim > 1 else 0)
        least = sum(value.numel() for value in self.tensors.values()) * _LEAST_SHARE
        found = [prefix for prefix, size in sizes.items() if size > (least if prefix.count(".") > 1 else 0)]
        return sorted(found, key=lambda prefix: (bool(AVERAGED.search(prefix)), -sizes[prefix], len(prefix)))

    def shapes_within(self, prefix: str) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor whose key begins with `prefix`, by the rest of its key."""
        return {key[len(prefix) :]: shape for key, shape in self.shapes.items() if key.startswith(prefix)}

    def within(self, prefix: str, beside: Collection[str] = ()) -> Weights:
        """Return the weights whose keys begin with `prefix`, which moves to the form, without those in `beside`.

        The others are no part of the network: few values (a loss's class weights, counters) are kept, to be given back
        as they are; many, or averaged weights, are another network's and are not given back.
        """
        form, cut = self.form, len(prefix)
        others: dict[str, dict[str, Tensor]] = {}
        for key, value in self.tensors.items():
            if not key.startswith(prefix) or key in beside:
                own = value.to(getattr(torch, form.dtypes[key]))
                others.setdefault(_part(key, prefix), {})[form.prefix + key] = own
        kept, lost = dict(form.foreign), list(form.dropped)
        for name, tensors in others.items():
            averaged = AVERAGED.search(name) and any(value.ndim > 1 for value in tensors.values())
            packed = None if averaged else packed_few(tensors)
            kept |= packed or {}
            lost += [] if packed else [form.prefix + name]
        ours = (key for key in form.dtypes if key.startswith(prefix) and key not in beside)
        dtypes = {key[cut:]: form.dtypes[key] for key in ours}
        form = dataclasses.replace(form, prefix=form.prefix + prefix, dtypes=dtypes, foreign=kept, dropped=tuple(lost))
        return dataclasses.replace(self, tensors={key: self.tensors[prefix + key] for key in dtypes}, form=form)


def read_weights(path: Path, trust: Trust = NO_TRUST, key: str | None = None) -> Weights:
    """Read a weights file of any supported form.

    key: the entry that is the network, or the name in front of its keys. Raises UnsafeFileError where reading it would
    run code and that is not trusted, AmbiguousEntryError where it holds several networks, InputError where it is
    missing, empty, damaged, no state dict, or holds values that cannot be used.
    """
    kind, program = file_kind(path), None
    if kind == "safetensors":
        with _open_safetensors(path) as file:
            # Cloned: the tensors would stay views of the file, which another program may change or delete.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            form = CheckpointForm("safetensors", metadata=dict(file.metadata() or {}))
            found = locate(path.name, tensors, key)
    elif kind == "pt":
        content, pickles = _load_pt(path, trust)
        found, form = _unwrap(path, content, key)
        network = placed(content, form.container)
        if isinstance(network, nn.Module) and pickles is not None:
            program = pickled_program(next(networks_in(network)), pickles.explain)
            form = dataclasses.replace(form, module=pickles.named(type(network)))
    else:
        state, program = _read_program(path, kind, trust)
        found, form = locate(path.name, state, key), CheckpointForm(kind, dropped=("program",))
    return dataclasses.replace(_clean(path, found, form), program=program)


def file_kind(path: Path) -> Literal["safetensors", "pt", "pt2", "torchscript"]:
    """Return the format a weights file has by its name and first bytes; raises InputError where it has none."""
    if path.is_dir():
        raise InputError(f"{path} is a folder without a model.safetensors", "Open the weights file itself")
    with open_regular(path) as file:
        start = file.read(foreign.START)
    if not start:
        raise InputError(f"{path.name} is empty", "Copy or download it again")
    foreign.refuse(path, foreign.kind_of_file(path, start))
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
    except (AppError, MemoryError):
        raise
    except Exception as error:  # the header may say anything, and the reader raises nearly anything on it
        raise _damaged(path) from error


def _zip_kind(path: Path) -> Literal["pt", "pt2", "torchscript"]:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except Exception as error:  # zipfile raises nearly anything on a damaged table of contents
        raise _damaged(path) from error
    names = [part.filename for part in parts]
    unpacked, packed = sum(part.file_size for part in parts), path.stat().st_size
    if unpacked > max(_MOST_UNPACKED * packed, _SMALL):
        raise InputError(
            f"{path.name} has {packed:,} bytes and unpacks to {unpacked:,}: at most {_MOST_UNPACKED} times as many are "
            "read",
            "Save the model again, with torch.save",
        )
    inner = {name.partition("/")[2] for name in names} | set(names)
    if {"archive_format", "serialized_exported_program.json"} & inner or any(n.startswith("models/") for n in inner):
        return "pt2"
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "torchscript"
    if "data.pkl" in inner:
        return "pt"
    if "model.weights.h5" in names:
        foreign.refuse(path, "keras")
    raise InputError(f"{path.name} is a zip archive, but no model file")


def _read_program(path: Path, kind: str, trust: Trust) -> tuple[dict[str, Any], Program]:
    if not trust.code:
        raise UnsafeFileError(
            f"{path.name} carries a program, so it was not opened",
            "Save its state dict, or open it with --trust-code if you trust who made it",
            [file_sha256(path)],
        )
    data = read_bytes(path, LARGEST)
    Room(path, only=trust.only).require(data, path)
    try:
        if kind == "torchscript":
            module = torch.jit.load(io.BytesIO(data), map_location="cpu")
            return dict(module.state_dict()), scripted_program(module)
        exported = torch.export.load(io.BytesIO(data))
        return dict(exported.state_dict), exported_program(exported)
    except Exception as error:  # whatever a foreign program raises
        raise _damaged(path) from error


def _load_pt(path: Path, trust: Trust) -> tuple[Any, Pickles | None]:
    """Return what a .pt file holds, and what read it where that had to run code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how others pickled; what matters is said below
            if zipfile.is_zipfile(path):
                return torch.load(path, map_location="cpu", weights_only=True), None
            with Bounded(io.FileIO(path)) as file:
                return torch.load(file, map_location="cpu", weights_only=True), None
    except Exception as error:  # torch raises nearly anything on a file that is none of its own
        names, alone = called(path)
        if all(map(_HARMLESS.fullmatch, names)):
            raise _damaged(path) from error
        foreign.refuse_pickled(path, names if alone else ())
        quantised.refuse_quantiser(path.name, names)
        if not trust.pickle:
            raise UnsafeFileError(
                "This file can run program code when opened, so it was not opened.",
                "Save its state dict, or open it with --trust-pickle if you trust who made it",
                code_digests(f"{path}:"),
            ) from error
    pickles = Pickles(path, trust.only)
    return pickles.read(), pickles


# What a state dict's pickle names. A file that names nothing else and still did not load is damaged, not dangerous.
_HARMLESS = re.compile(r"(collections OrderedDict|torch\._utils _rebuild_\w+|torch (\w+Storage|Size|\w*\d+))")


def _unwrap(path: Path, content: Any, key: str | None) -> tuple[Found, CheckpointForm]:
    """Return the state dict in what a .pt file held, and how it was wrapped."""
    if isinstance(content, nn.Module):
        return locate(path.name, content.state_dict(), key), CheckpointForm("pt")
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        article = "an" if kind[0].lower() in "aeiou" else "a"
        raise InputError(f"{path.name} holds {article} {kind}, not a state dict", SAVE_IT)
    found = locate(path.name, content, key)
    scalars, dropped = beside(content, found.places)
    return found, CheckpointForm("pt", found.container, scalars=scalars, dropped=dropped)


def _clean(path: Path, found: Found, form: CheckpointForm) -> Weights:
    """Check every value and turn floating values into float32."""
    content = found.content
    if not content:
        raise InputError(f"{path.name} holds no tensors")
    quantised.refuse_quantised(path.name, content)
    if not found.places:  # bare, maybe with plain values beside
        content = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    odd = [str(key) for key, value in content.items() if not isinstance(value, Tensor) or not isinstance(key, str)]
    if odd:
        raise InputError(f"{path.name} is not a state dict: {len(odd)} entries are no tensors ({first_few(odd)})")
    values = {key: value.detach() for key, value in content.items()}
    for key, value in values.items():
        if words := oddity(value):
            raise InputError(f"{path.name} {words.format(key)}")
    count, size = sum(value.numel() for value in values.values()), path.stat().st_size
    if count > max(_MOST_REPEATED * size, _SMALL):  # nn.Parameter(x.expand(…)) keeps x alone
        raise InputError(f"{path.name} has {size:,} bytes and says it holds {count:,} values, which no network has")
    dtypes = {key: type_name(value) for key, value in values.items()}
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in values.items()}
    weights = Weights(tensors, dataclasses.replace(form, dtypes=dtypes), found.entries)
    return weights.within(found.inside) if found.inside else weights


def require_finite(file: str, tensors: Mapping[str, Tensor]) -> None:
    """Raise InputError where weights are infinite or not a number."""
    floating = {key: value for key, value in tensors.items() if value.is_floating_point()}
    # A sum that is finite says so of all its values, in one pass; that of large finite values may not be.
    broken = [key for key, value in floating.items() if not value.sum().isfinite() and not value.isfinite().all()]
    if broken:
        raise InputError(
            f"{file} holds values that are not finite in {len(broken)} of {len(tensors)} tensors ({first_few(broken)})",
            "Its training diverged, or the file is damaged: use an earlier checkpoint",
        )


def tied(module: nn.Module) -> dict[str, str]:
    """Return the keys of a network's tensors that are another one's as well, by key, with the first of their keys."""
    first: dict[Any, str] = {}
    same = {}
    for key, value in module.state_dict().items():
        where = (value.data_ptr(), value.shape, value.stride())
        if value.is_meta or not value.numel():
            continue
        if where in first:
            same[key] = first[where]
        first.setdefault(where, key)
    return same


def without_tied(wanted: Shapes, given: Shapes, same: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Return the tensors that a network wants of a file without those the file has under another key they share.

    `same`: what `tied` says of the network. Programs that write safetensors leave out all but one of such keys.
    """
    there = {same.get(key, key) for key in given}
    return {key: shape for key, shape in wanted.items() if key in given or same.get(key, key) not in there}


def _part(key: str, prefix: str) -> str:
    """Return the name of the part that a key belongs to, beside the part in front of whose keys `prefix` stands."""
    names, ours = key.split("."), prefix.split(".")
    shared = next(level for level, name in enumerate(names) if name != ours[level])
    return ".".join(names[: shared + 1])


def _damaged(path: Path) -> InputError:
    return InputError(f"{path.name} is damaged, incomplete or no model file", "Copy or download it again")
