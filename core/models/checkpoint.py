"""Opens a model file: reads its weights, finds its architecture and holds both against its card."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.data.preprocessing import Preprocessing
from core.errors import InputError, MismatchError, NotFoundError, UnsafeFileError
from core.files import file_sha256
from core.models.architectures import ModelSpec, Size, build_model, build_on_meta, get_architecture, signature
from core.models.card import WEIGHTS_NAME, card_from_metadata, check_files, find_card, read_card
from core.models.containers import CheckpointForm, Weights, read_weights, strip_holder
from core.models.other_tasks import refuse_outputs, refuse_single_output, refuse_stated_task
from core.models.recognise import Comparison, compare, compare_exactly, recognise
from core.models.user_code import is_user_code

__all__ = ["CheckpointForm", "OpenedModel", "open_model", "read_card"]


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A model as it came in: never changed, and all that is known about it."""

    path: Path
    sha256: str
    spec: ModelSpec
    state_dict: dict[str, Tensor]  # clean keys; floating tensors in float32
    form: CheckpointForm
    card: dict[str, Any] | None
    classes: tuple[str, ...] | None
    preprocessing: Preprocessing | None
    parameters: int  # number of trainable values
    size_known: bool  # False: nothing tells the input size, spec.input_size is the architecture's usual one
    trusted: bool = False  # opened with its program code allowed, so that it is built without being allowed again

    @property
    def evaluation_only(self) -> bool:
        """Whether the file is a program (TorchScript), which can be judged but not given back changed."""
        return self.form.format == "torchscript"

    def require_trainable(self) -> None:
        """Raise InputError where the model can only be evaluated."""
        if self.evaluation_only:
            raise InputError(
                f"{self.path.name} is TorchScript, which can be evaluated but not unlearned",
                "Save the state dict of the model it was made from and open that",
            )

    def build(self, *, trust_code: bool = False) -> nn.Module:
        """Build the network with these weights, in evaluation mode; the global generator is left as it was."""
        if not self.spec.user_code:
            module = build_on_meta(self.spec)  # drawing weights that are replaced takes seconds in some networks
            own = {key: value.clone() for key, value in self.state_dict.items()}
            module.load_state_dict(own, strict=False, assign=True)  # completeness was checked when it was opened
            if not any(value.is_meta for value in [*module.parameters(), *module.buffers()]):
                return module.eval()
        with torch.random.fork_rng(devices=[]):
            module = build_model(self.spec, trust_code=trust_code or self.trusted)
        module.load_state_dict(self.state_dict, strict=False)
        return module.eval()


def open_model(
    path: Path | str,
    *,
    arch: str | None = None,
    input_size: Size | None = None,
    in_channels: int | None = None,
    num_classes: int | None = None,
    trust_pickle: bool = False,
    trust_code: bool = False,
) -> OpenedModel:
    """Open a weights file, or a folder that holds model.safetensors.

    The architecture is `arch`, else what the model card says, else recognised from keys and shapes. What the caller
    states is checked where the file tells, and used where it does not.

    Raises NotFoundError, UnsafeFileError (reading would run code), InputError (damaged, no state dict, architecture
    not recognised or not fitting, no image classifier), AmbiguousModelError (several architectures fit) or
    MismatchError (card, file and what the caller states contradict each other).
    """
    path = weights_file(Path(path))
    weights = read_weights(path, trust_pickle=trust_pickle, trust_code=trust_code)
    sha256 = file_sha256(path)
    card, where = _card_of(path, sha256, weights.form)
    for stated, place in ((card or {}, where), (weights.form.metadata, where), (weights.form.scalars, path.name)):
        refuse_stated_task(stated, place)
    asked = _Asked(arch, num_classes, in_channels, input_size)
    weights, found, trainable, told = _identify(path, weights, card, where, asked, trust_code)
    spec = _settle(found, card, where, asked, told)
    refuse_single_output(spec.num_classes)
    classes = tuple(card["classes"]) if card and card.get("classes") else None
    if classes and len(classes) != spec.num_classes:
        raise MismatchError(f"{where} lists {len(classes)} classes, the model has {spec.num_classes} outputs")
    preprocessing = None
    if card and card.get("preprocessing"):
        preprocessing = Preprocessing.from_dict(
            card["preprocessing"], source="model card", where=f"The preprocessing in {where}"
        )
    parameters = sum(v.numel() for k, v in weights.tensors.items() if k in trainable)
    size_known = told or bool(card and card.get("input_size")) or input_size is not None
    return OpenedModel(
        path, sha256, spec, weights.tensors, weights.form, card, classes, preprocessing, parameters, size_known,
        trust_code and bool(spec.user_code),
    )  # fmt: skip


def weights_file(path: Path) -> Path:
    """Return the weights file a path means; raises NotFoundError where there is none."""
    if path.is_dir():
        path = path / WEIGHTS_NAME
        if not path.is_file():
            raise NotFoundError(
                f"The folder {path.parent} holds no {WEIGHTS_NAME}",
                "Open a weights file, or the folder of a finished run",
            )
    if not path.exists():
        raise NotFoundError(f"There is no file {path}")
    return path


@dataclass(frozen=True)
class _Asked:
    """What the caller states about a model."""

    arch: str | None
    num_classes: int | None
    in_channels: int | None
    input_size: Size | None


def _card_of(path: Path, sha256: str, form: CheckpointForm) -> tuple[dict[str, Any] | None, str]:
    file = find_card(path)
    if file is None:
        return card_from_metadata(form.metadata, path.name), f"The metadata of {path.name}"
    card = read_card(path)
    assert card is not None  # find_card saw it
    check_files(card, path, sha256, file.name)
    return card, file.name


def _identify(
    path: Path, weights: Weights, card: Mapping[str, Any] | None, where: str, asked: _Asked, trust_code: bool
) -> tuple[Weights, Comparison, set[str], bool]:
    """Return the weights (cleaned further where that makes them fit), what they are, which keys are trainable and
    whether they tell the input size.
    """  # noqa: D205
    arch = asked.arch or (card or {}).get("architecture")
    if arch and is_user_code(arch):
        return (weights, *_identify_user_code(path, weights, card, where, arch, asked, trust_code), False)
    held = strip_holder(weights)
    if arch is None:
        found = recognise(held.shapes if held else weights.shapes)
        weights = held or weights
    else:
        architecture = get_architecture(arch)
        found = compare(architecture, weights.shapes)
        if not found.fits and held is not None and (inner := compare(architecture, held.shapes)).fits:
            weights, found = held, inner
        if not found.fits:
            if asked.arch:
                raise InputError(
                    f"The weights in {path.name} do not fit {arch}: {found.reason}",
                    "Leave out --arch to have the architecture recognised, or name another",
                )
            raise MismatchError(f"{where} says {arch}, but the weights do not fit it: {found.reason}")
    architecture = get_architecture(found.architecture)
    told = architecture.read_input is not None
    trainable = {name for name, _ in build_on_meta(found.spec()).named_parameters()}
    return weights, found, trainable, told


def _identify_user_code(
    path: Path, weights: Weights, card: Mapping[str, Any] | None, where: str, arch: str, asked: _Asked, trust_code: bool
) -> tuple[Comparison, set[str]]:
    shapes = weights.shapes
    last = [shape for shape in shapes.values() if len(shape) >= 2]
    stem = [shape for shape in shapes.values() if len(shape) == 4]
    card = card or {}
    spec = ModelSpec(
        architecture=arch,
        num_classes=asked.num_classes or card.get("num_classes") or (last[-1][0] if last else 1),
        in_channels=stem[0][1] if stem else asked.in_channels or card.get("in_channels") or 3,
        input_size=tuple(asked.input_size or card.get("input_size") or (224, 224)),
        user_code=arch,
    )
    if not trust_code and not asked.arch:  # nobody typed its name: say who names it, and which file it is
        raise UnsafeFileError(
            f"{where} names the program {Path(arch.rpartition(':')[0]).resolve()} for the network, so it was not run",
            "Read it, and allow it with --trust-code if you trust who wrote it",
        )
    with torch.random.fork_rng(devices=[]):
        module = build_model(spec, trust_code=trust_code)
    wanted = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    found = compare_exactly(wanted, shapes, spec)
    if not found.fits:
        raise InputError(f"The weights in {path.name} do not fit the network of {arch}: {found.reason}")
    module.load_state_dict(weights.tensors, strict=False)
    refuse_outputs(module, (spec.in_channels, *spec.input_size), f"The network of {arch}")
    return found, {name for name, _ in module.named_parameters()}


def _settle(found: Comparison, card: Mapping[str, Any] | None, where: str, asked: _Asked, told: bool) -> ModelSpec:
    """Decide what the network is from the weights, the card and the caller, in this order; raises MismatchError."""
    card = card or {}
    spec = found.spec()
    if is_user_code(spec.architecture):
        spec = dataclasses.replace(spec, user_code=spec.architecture)
    _hold_against(spec.num_classes, "outputs", card.get("num_classes"), asked.num_classes, where)
    stated_channels = card.get("in_channels") or asked.in_channels
    if spec.architecture == "mlp" and stated_channels:
        spec = _mlp_with_channels(spec, stated_channels)
    else:
        _hold_against(spec.in_channels, "input channels", card.get("in_channels"), asked.in_channels, where)
    # The card's size is binding; whether the data agrees with it is check_fit's to say.
    stated_size = card.get("input_size") or asked.input_size
    if stated_size is not None:
        spec = dataclasses.replace(spec, input_size=(int(stated_size[0]), int(stated_size[1])))
    if told and not same_shapes(spec, found.spec()):
        stated = f"{where} says" if card.get("input_size") or card.get("in_channels") else "not"
        raise MismatchError(
            f"The weights are made for {_input(found.spec())}, {stated} {_input(spec)}",
            "Open the model with the input it was trained on",
        )
    return spec


def _hold_against(real: int, words: str, in_card: int | None, asked: int | None, where: str) -> None:
    has = f"The model has {real} {words.removesuffix('s') if real == 1 else words}"
    if in_card is not None and in_card != real:
        raise MismatchError(f"{has}, {where} says {in_card}")
    if asked is not None and asked != real:
        raise MismatchError(f"{has}, not {asked}", "Open the model with data like what it was trained on")


def _mlp_with_channels(spec: ModelSpec, channels: int) -> ModelSpec:
    """An MLP's weights tell channels times pixels only; with stated channels the pixels follow."""
    values = spec.in_channels * math.prod(spec.input_size)
    side = math.isqrt(values // channels)
    size = (side, side) if channels * side * side == values else spec.input_size
    return dataclasses.replace(spec, in_channels=channels, input_size=size)


def _input(spec: ModelSpec) -> str:
    height, width = spec.input_size
    return f"{height}x{width} pixels of {spec.in_channels} channel{'s' if spec.in_channels != 1 else ''}"


def same_shapes(first: ModelSpec, second: ModelSpec) -> bool:
    """Whether two networks could exchange their weights."""
    try:
        return signature(first) == signature(second)
    except InputError:
        return False
