"""Opens a model file: reads its weights, finds its network, and checks both against its card and its program."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

import torch
from torch import Tensor, nn

from core.data.preprocessing import Preprocessing, count_channels
from core.errors import AmbiguousEntryError, InputError, MismatchError, UnknownNetworkError, UnsafeFileError
from core.files import hashed
from core.job import weights_id
from core.models import timm_models
from core.models.architectures import (
    ModelSpec,
    Shapes,
    Size,
    build_model,
    build_on_meta,
    get_architecture,
    is_user_code,
    mlp_with_channels,
    shapes_of,
    signature,
)
from core.models.card import card_of, check_files, stated_preprocessing, weights_file
from core.models.class_lists import own_classes
from core.models.encoders import is_all_but_left_out, refuse_layers_behind
from core.models.fit import pixels
from core.models.foreign import refuse_keys
from core.models.programs import Program
from core.models.quantised import refuse_whole_numbers
from core.models.recognise import around, compare, compare_exactly, fitting
from core.models.tasks import SIZES, refuse_single_output, refuse_stated_task, try_out
from core.models.trust import NO_TRUST, Trust
from core.models.user_code import FACTORY_OPTION, code_digests, is_factory
from core.models.weights import CheckpointForm, Weights, read_weights, require_finite, tied, without_tied
from core.models.wrappers import AVERAGED, listed

Kind = TypeVar("Kind")


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A model file as it was read, never changed, and all that is known about it."""

    path: Path
    sha256: str
    spec: ModelSpec
    state_dict: dict[str, Tensor]  # clean keys; floating tensors in float32
    form: CheckpointForm
    card: dict[str, Any] | None
    classes: tuple[str, ...] | None
    preprocessing: Preprocessing | None
    parameters: int  # number of trainable values
    size_known: bool  # False: nothing says the input size, spec.input_size is the architecture's default
    file: ModelFile  # what it was opened from
    alternatives: tuple[ModelSpec, ...]  # the other networks that fit these weights; none where something proves which
    proof: str  # "stated" (by the caller), "card", "program", "only one fits"; "" where only data can tell

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the outputs, as the model card or another list in or beside the file has them; None without one."""
        listed = own_classes(self)
        return None if listed is None else listed.names

    @property
    def evaluation_only(self) -> bool:
        """Whether the file is a program (TorchScript), which can be evaluated but not written back changed."""
        return self.form.format == "torchscript"

    @property
    def weights_id(self) -> str:
        """What names these weights: the file's SHA-256, and where they stand in it."""
        return weights_id(self.sha256, self.form.key)

    def described(self) -> dict[str, Any]:
        """Return what a model card says of the network and its images as plain data; None where it is not known."""
        spec = self.spec
        return {
            "architecture": spec.architecture,
            "user_code": spec.user_code,
            "num_classes": spec.num_classes,
            "in_channels": spec.in_channels,
            "input_size": list(spec.input_size) if self.size_known else None,
            "classes": list(self.classes) if self.classes else None,
            "preprocessing": self.preprocessing.to_dict() if self.preprocessing else None,
            "transforms": self.preprocessing.transforms if self.preprocessing else None,
        }

    def require_trainable(self) -> None:
        """Raise InputError where the model can only be evaluated."""
        if self.evaluation_only:
            raise InputError(
                f"{self.path.name} is TorchScript, which can be evaluated but not unlearned",
                "Save the state dict of the model it was made from and open that",
            )

    def build(self) -> nn.Module:
        """Build the network with these weights, in evaluation mode; the global generator is left as it was.

        User code runs where it was trusted when the file was opened, else UnsafeFileError is raised.
        """
        return _with_weights(self.spec, self.state_dict, self.file.trust)


def _with_weights(spec: ModelSpec, tensors: dict[str, Tensor], trust: Trust) -> nn.Module:
    """Build a network with copies of weights, in evaluation mode."""
    if not spec.user_code:
        module = build_on_meta(spec)  # drawing weights that are replaced takes seconds in some networks
        copies = {key: value.clone() for key, value in tensors.items()}
        module.load_state_dict(copies, strict=False, assign=True)  # completeness was checked when it was opened
        if not any(value.is_meta for value in [*module.parameters(), *module.buffers()]):
            return module.eval()
    with torch.random.fork_rng(devices=[]):
        module = build_model(spec, trust_code=trust.runs(spec.user_code), only=trust.only)
    module.load_state_dict(tensors, strict=False)
    return module.eval()


class Stated(TypedDict, total=False):
    """What a caller states about a model; None is the same as leaving it out."""

    arch: str | None
    in_channels: int | None
    input_size: Size | None


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A weights file, read and hashed once, however often it is opened for other data."""

    path: Path
    sha256: str
    weights: Weights
    card: dict[str, Any] | None
    where: str  # the card stands, in words
    trust: Trust
    _opened: dict[tuple[tuple[str, object], ...], OpenedModel] = field(default_factory=dict, repr=False)

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How images are prepared, as the card says or timm's config.json beside the file; None where neither does."""
        return stated_preprocessing(self.path, self.card, self.where)

    def opened(self, **stated: Unpack[Stated]) -> OpenedModel:
        """Find the model's network and settle its input.

        The architecture is `arch`, else what the model card says, else recognised from keys and shapes. What the caller
        states (`arch`, `input_size`, `in_channels`) is checked where the file tells, and used where it does not.

        Raises UnsafeFileError (user code would run), InputError (architecture not recognised or not fitting, no image
        classifier) or MismatchError (card, file and what the caller states contradict each other).
        """
        known = tuple(sorted((name, value) for name, value in stated.items() if value is not None))
        model = self._opened.get(known) or _Opening(self, self.card or {}, stated, self.weights).result()
        if not model.spec.user_code:  # an own network is as its code is now
            self._opened[known] = model
        return model

    @functools.cached_property
    def recognised(self) -> tuple[tuple[ModelSpec, ...], Weights]:
        """The networks that fit, and the weights that are theirs; timm's, which take seconds, where no others do."""
        try:
            return self.read(functools.partial(fitting, timm=False))
        except AmbiguousEntryError:
            raise
        except InputError:
            refuse_keys(self.path.name, self.weights.shapes)
            if not timm_models.installed():
                raise
        return self.read(functools.partial(fitting, whole=self.weights.shapes))

    def read(self, network: Callable[[Shapes], Kind]) -> tuple[Kind, Weights]:
        """Return the network of the weights, or of that part of them which is one, and these weights.

        As they stand, else the only part. network: the network of shapes; raises InputError where they are none. Raises
        that of the weights as they stand where no part is one, AmbiguousEntryError where several are.
        """
        try:
            return network(self.weights.shapes), self.weights
        except InputError as error:
            reason = error
        parts: dict[str, Kind] = {}
        for part in self.weights.parts():
            if any(part.startswith(found) for found in parts) or (parts and AVERAGED.search(part)):
                continue
            shapes = self.weights.shapes_within(part)
            try:
                parts[part] = network(shapes)
            except InputError as error:
                reason = error if len(shapes) == len(self.weights.tensors) else reason
        if not parts:
            raise reason
        if len(parts) > 1:
            raise AmbiguousEntryError(
                f"{self.path.name} holds {len(parts)} networks",
                listed({each.form.key: len(each.tensors) for each in map(self.weights.within, parts)}),
            )
        part, found = parts.popitem()
        return found, self.weights.within(part)


def read_model(path: Path | str, trust: Trust = NO_TRUST, key: str | None = None) -> ModelFile:
    """Read a weights file, or the one in a folder that holds model.safetensors, with its hash and its card.

    key: the entry of the file that is the network, where it holds several. Raises NotFoundError, UnsafeFileError
    (reading would run code), AmbiguousEntryError (say `key`), InputError (damaged, no state dict, no image classifier)
    or MismatchError (the card is of another file).
    """
    path = weights_file(Path(path))
    with hashed(path) as sha256:
        weights = read_weights(path, trust, key)
    card, where = card_of(path, weights.form.metadata)
    check_files(card or {}, path, sha256, where)
    for stated, place in ((card or {}, where), (weights.form.metadata, where), (weights.form.scalars, path.name)):
        refuse_stated_task(stated, place)
    return ModelFile(path, sha256, weights, card, where, trust)


@dataclass
class _Opening:
    """A file being opened, and what the caller states about the model."""

    file: ModelFile
    card: dict[str, Any]
    stated: Stated
    weights: Weights  # the file's, or that part of them which is the network
    alternatives: tuple[ModelSpec, ...] = ()
    by_program: bool = False  # the program in the file computes the same, or is the network

    def result(self) -> OpenedModel:
        """Return the opened model."""
        file, card = self.file, self.card
        named = self.named or ""
        spec, module = self._identify_user_code(named) if is_user_code(named) else self._identify()
        size_given = not spec.user_code and get_architecture(spec.architecture).read_input is not None
        spec = self._settle(spec, size_given)
        refuse_single_output(spec.num_classes)
        require_finite(file.path.name, self.weights.tensors)
        refuse_whole_numbers(file.path.name, self.weights.tensors, module.state_dict())
        classes = tuple(card.get("classes") or ())
        if classes and spec.num_classes and len(classes) != spec.num_classes:
            raise MismatchError(f"{file.where} lists {len(classes)} classes, the model has {spec.num_classes} outputs")
        return OpenedModel(
            file.path, file.sha256, spec, self.weights.tensors, self.weights.form, file.card, classes or None,
            file.preprocessing, sum(values.numel() for values in module.parameters()),
            size_given or self.size is not None, file,
            tuple(dataclasses.replace(other, input_size=spec.input_size) for other in self.alternatives), self._proof,
        )  # fmt: skip

    @property
    def named(self) -> str | None:
        """The architecture that the caller or the card names; of a whole network written back it is the file's own."""
        program, said = self.file.weights.program, self.card.get("architecture") or ""
        if program is not None and program.name and said.endswith(f":{program.name}") and not is_factory(said):
            said = f"{self.file.path.absolute()}:{program.name}"
        return self.stated.get("arch") or said or None

    @property
    def channels(self) -> int | None:
        """The input channels that the card, else the caller, states."""
        return self.card.get("in_channels") or self.stated.get("in_channels")

    @property
    def size(self) -> Size | None:
        """The input size that the card, else the caller, states; whether data agrees with it is for check_fit."""
        size = self.card.get("input_size") or self.stated.get("input_size")
        return (int(size[0]), int(size[1])) if size else None

    @property
    def _proof(self) -> str:
        """What makes the network certain."""
        if self.named:
            return "stated" if self.stated.get("arch") else "card"
        return "" if self.alternatives else "program" if self.by_program else "only one fits"

    def _identify(self) -> tuple[ModelSpec, nn.Module]:
        """Return which network the weights are of, and that network without weights."""
        program, whole = self.file.weights.program, self.weights
        if self.named:
            spec, self.weights = self.file.read(self._as_named)
            self._hold_against_program(spec)
            refuse_layers_behind(spec, whole, self.weights, self.file.path.name)
            module = build_on_meta(spec)
            if left_out := self.weights.tensors.keys() - module.state_dict().keys():
                self.weights = self.weights.within("", left_out)
            return spec, module
        try:
            fits, self.weights = self.file.recognised
            specs, refused = list(fits), None
        except AmbiguousEntryError:
            raise
        except InputError as error:
            if program is None:
                raise
            specs, refused = [], program.missing or error
        if program is not None and (refused or not program.missing):
            specs = self._proven(program, specs, refused)
            if not specs:
                self.weights = whole
                return self._identify_user_code(f"{self.file.path.absolute()}:{program.name}")
        spec, *others = specs
        self.alternatives = tuple(others)
        refuse_layers_behind(spec, whole, self.weights, self.file.path.name)
        return spec, build_on_meta(spec)

    def _proven(self, program: Program, specs: list[ModelSpec], refused: InputError | None) -> list[ModelSpec]:
        """Return those networks that compute what the program in the file does; none where the program is the network.

        All where it runs on no image. Raises InputError where none does and it cannot be trained, with `refused`: why.
        """
        if program.missing and refused:
            raise refused
        program.require_one_input(self.file.path.name)
        if specs and not program.takes(specs[0].in_channels, self._sizes(specs[0])):
            return specs
        wider = (other for spec in specs for other in around(spec)) if program.kind != "pickled" else ()
        for circle in (specs, wider):
            if found := [spec for spec in circle if program.agrees(spec, self._built, self._sizes(spec))]:
                break
        if not found and program.kind != "pickled":
            differ = program.differences
            what = f"{next(iter(differ))} and others with its keys give other outputs" if differ else ""
            what = what or (refused.message if refused else "none fits its weights")
            raise UnknownNetworkError(
                f"{self.file.path.name} is a {program.kind} program that no known network computes the same as: {what}",
                f"Give its code with {FACTORY_OPTION}",
            )
        self.by_program = True
        return found

    def _built(self, spec: ModelSpec) -> nn.Module:
        return _with_weights(spec, self.weights.tensors, self.file.trust)

    def _hold_against_program(self, spec: ModelSpec, module: nn.Module | None = None) -> None:
        """Raise where the network that the caller or the card names computes something else than the file's program.

        module: the network with its weights, where it was built before.
        """
        program, file = self.file.weights.program, self.file.path.name
        if program is None or program.missing:
            return
        if not spec.user_code:  # which may fill in the rest
            program.require_one_input(file)
        sizes, build = self._sizes(spec), self._built if module is None else lambda _: module.eval()
        if not program.takes(spec.in_channels, sizes) or program.agrees(spec, build, sizes):
            return
        difference = program.differences[spec.architecture]
        share = f"by up to {difference:.0%} of the largest" if math.isfinite(difference) else "in number"
        if self.stated.get("arch"):
            raise InputError(
                f"{file} holds a program whose outputs differ from those of {self.named} {share}",
                "Leave out --arch, or name the network that it was made from",
            )
        raise MismatchError(
            f"{self.file.where} says {self.named}, whose outputs differ from those of the program in {file} {share}"
        )

    def _sizes(self, spec: ModelSpec) -> list[Size]:
        """Return the sizes of images that a program is tried with first."""
        structural = not spec.user_code and get_architecture(spec.architecture).size_is_structural
        return [*([self.size] if self.size else []), *([spec.input_size] if structural else [])]

    def _as_named(self, shapes: Shapes) -> ModelSpec:
        """Return the architecture that caller or card names, with the numbers of these shapes."""
        comparison = compare(get_architecture(self.named or ""), shapes)
        if comparison.fits or is_all_but_left_out(comparison.spec.architecture, comparison.problems):
            return comparison.spec
        if self.stated.get("arch"):
            raise InputError(
                f"The weights in {self.file.path.name} do not fit {self.named}: {comparison.reason}",
                "Leave out --arch to have the architecture recognised, or give its code with --arch FILE.py:FACTORY",
            )
        raise MismatchError(
            f"{self.file.where} says {self.named}, but the weights do not fit it: {comparison.reason}",
            "Put back the file that belongs to the weights, or name the network with --arch",
        )

    def _identify_user_code(self, arch: str) -> tuple[ModelSpec, nn.Module]:
        """Return the network of the user's own code, whose weights must be these."""
        shapes, card, trust = self.weights.shapes, self.card, self.file.trust
        file = Path(arch.rpartition(":")[0]).resolve()
        if not trust.runs(arch) and not self.stated.get("arch"):  # only the card names it: say so, and which file it is
            way = "Read it, and allow it with --trust-code" if is_factory(arch) else "Allow it with --trust-pickle"
            raise UnsafeFileError(
                f"{self.file.where} names the program {file} for the network, so it was not run",
                f"{way} if you trust who wrote it",
                code_digests(arch),
            )
        refused: InputError | None = None
        tried: list[Shapes] = []
        for count in [card["num_classes"]] if card.get("num_classes") else _class_counts(shapes):
            spec = ModelSpec(arch, count, 0, (0, 0), user_code=arch)
            with torch.random.fork_rng(devices=[]):
                module = build_model(spec, trust_code=trust.runs(arch), only=trust.only)
            wanted = shapes_of(module.state_dict())
            if wanted in tried:
                break  # the code itself says how many classes there are
            tried.append(wanted)
            try:
                _, self.weights = self.file.read(functools.partial(self._own, wanted, tied(module), spec))
            except InputError as error:
                refused = refused or error
                continue
            module.load_state_dict(self.weights.tensors, strict=False)
            spec = self._tried_out(spec, module)
            if file != self.file.path.resolve():
                self._hold_against_program(spec, module)
            return spec, module
        assert refused is not None  # there is at least one count, and each is returned or refused
        raise refused

    def _own(self, wanted: Shapes, same: dict[str, str], spec: ModelSpec, shapes: Shapes) -> None:
        """Raise InputError where shapes are not those of the user's network; `same`: its tied keys."""
        comparison = compare_exactly(without_tied(wanted, shapes, same), shapes, spec)
        if not comparison.fits:
            name = self.file.path.name
            raise InputError(f"The weights in {name} do not fit the network of {spec.user_code}: {comparison.reason}")

    def _tried_out(self, spec: ModelSpec, module: nn.Module) -> ModelSpec:
        """Return the network with the numbers of outputs and channels that it has when it runs on empty images."""
        name, channels, first = f"The network of {spec.user_code}", self.channels, self.size or SIZES[0]
        stems = [shape[1] for shape in shapes_of(module.state_dict()).values() if len(shape) == 4]
        trial = try_out(module, [*([channels] if channels else []), *stems[:1], 3, 1], [first, *SIZES], name)
        if trial is None:
            return dataclasses.replace(spec, in_channels=channels or (*stems, 3)[0], input_size=first)
        trial.refuse(name)
        return dataclasses.replace(
            spec, num_classes=trial.num_outputs or spec.num_classes, in_channels=trial.image_shape[0],
            input_size=self.size or (trial.image_shape[1], trial.image_shape[2]),
        )  # fmt: skip

    def _settle(self, spec: ModelSpec, size_given: bool) -> ModelSpec:
        """Return the network that weights, card and caller agree on; raises MismatchError where they do not.

        size_given: whether the weights give the input size.
        """
        read = spec
        self._agree("num_classes", spec.num_classes, "outputs")
        if spec.architecture == "mlp" and self.channels:
            spec = mlp_with_channels(spec, self.channels)
        else:
            self._agree("in_channels", spec.in_channels, "input channels")
        if self.size is not None:
            spec = dataclasses.replace(spec, input_size=self.size)
        if size_given and not _same_shapes(spec, read):
            claim = f"{self.file.where} says" if self.card.get("input_size") or self.card.get("in_channels") else "not"
            raise MismatchError(
                f"The weights are made for {_input(read)}, {claim} {_input(spec)}",
                "Open the model with the input it was trained on",
            )
        return spec

    def _agree(self, field: str, real: int, words: str) -> None:
        has = f"The model has {real} {words.removesuffix('s') if real == 1 else words}"
        in_card, stated = self.card.get(field), self.stated.get(field)
        if in_card not in (None, real):
            raise MismatchError(f"{has}, {self.file.where} says {in_card}")
        if stated not in (None, real):
            raise MismatchError(f"{has}, not {stated}", "Open the model with data like what it was trained on")


def _class_counts(shapes: Shapes) -> list[int]:
    """Return what the number of classes may be, the likeliest first: the width of few layers, and of late ones."""
    widths = [shape[0] for shape in shapes.values() if len(shape) >= 2] or [1]
    seen = Counter(widths)
    return sorted(dict.fromkeys(reversed(widths)), key=lambda width: seen[width])


def _same_shapes(first: ModelSpec, second: ModelSpec) -> bool:
    try:
        return first == second or signature(first) == signature(second)
    except InputError:
        return False


def _input(spec: ModelSpec) -> str:
    return f"{pixels(spec.input_size)} of {count_channels(spec.in_channels)}"
