"""Writes models, in the form of the file that came in or another, and compares what was written with the model."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import InputError, behind_torch, first_few
from core.files import replacing
from core.models.architectures import Size, shapes_of
from core.models.pickles import Pickles
from core.models.plain import OBJECTS, type_name, unpack
from core.models.tap import main_logits
from core.models.trust import NO_TRUST, Trust
from core.models.weights import CheckpointForm, read_weights, tied, without_tied
from core.models.wrappers import placed, wrapped

PLAIN = CheckpointForm("pt")  # a bare state dict with the network's own keys and types
_CHUNK = 64  # images in one pass of the comparison
_TRACE = "stack_trace"  # of nodes in programs: where the network's code stands on the machine that wrote them


@dataclass(frozen=True)
class ExportCheck:
    """How an exported file, read back, compares with the model."""

    keys: int  # 0 where the format has none (ONNX)
    same_form: bool  # nothing about keys, types and shapes differs
    largest_difference: float  # of logits


# --- writing ----------------------------------------------------------------------------------------------------


def write_same(path: Path, state_dict: Mapping[str, Tensor], form: CheckpointForm) -> None:
    """Write weights under the keys, in the types and in the wrapper of the file that came in.

    `state_dict` has clean keys; entries the file did not have are left out. A file that carried a program gets a
    plain state dict: `export_pt2` writes the program. Raises InputError where a key is missing, a value does not
    fit its type or the file cannot be written.
    """
    tensors = _as_it_came(state_dict, form)
    with _writing(path) as temporary:
        if form.format == "safetensors":
            save_file(tensors, temporary, metadata=form.metadata or None)
            return
        content = wrapped(tensors, form.container, form.scalars)
        with temporary.open("wb") as file:
            try:
                torch.save(content, file)
            except RuntimeError as error:  # torch raises it where the disk is full
                reason = behind_torch(error)
                raise (reason if isinstance(reason, OSError) else OSError(str(error).splitlines()[0])) from error


def write_module(
    path: Path, state_dict: Mapping[str, Tensor], form: CheckpointForm, original: Path, trust: Trust
) -> None:
    """Write the whole pickled network of the file that came in with other weights, under its classes' own names.

    Its code runs, as far as `trust` says which files may. Raises InputError as `write_same`, and where it cannot be
    unpickled.
    """
    tensors, pickles = _as_it_came(state_dict, form), Pickles(original, trust.only)
    network = placed(pickles.read(), form.container)
    _load(network, tensors, path)
    content = wrapped(network, form.container, form.scalars) if form.container else network
    with _writing(path) as temporary, temporary.open("wb") as file:
        pickles.write(content, file)


def write_safetensors(path: Path, state_dict: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write weights as they are, with text metadata; raises InputError where that cannot be written."""
    write_same(path, state_dict, CheckpointForm("safetensors", metadata={"format": "pt", **metadata}))


def export_onnx(path: Path, module: nn.Module, input_size: Size, in_channels: int) -> None:
    """Write an ONNX file that holds all weights: `images: (batch, c, h, w)` to `logits: (batch, K)`, any batch size.

    Raises InputError where the optional packages are missing or the network cannot be expressed.
    """
    _require("onnx", "onnxscript")
    network, example = _for_export(module, input_size, in_channels)
    options: dict[str, Any] = {
        "input_names": ["images"], "output_names": ["logits"], "opset_version": 18, "verbose": False,
    }  # fmt: skip
    if "external_data" in inspect.signature(torch.onnx.export).parameters:
        batch = ({0: torch.export.Dim("batch")},)
        options |= {"dynamo": True, "external_data": False, "dynamic_shapes": batch}
    else:
        options |= {"dynamic_axes": {"images": {0: "batch"}, "logits": {0: "batch"}}}
    with _writing(path) as temporary, _exporting("ONNX"):
        torch.onnx.export(network, (example,), str(temporary), **options)
        _without_traces(temporary)


def export_pt2(path: Path, module: nn.Module, input_size: Size, in_channels: int) -> None:
    """Write an exported program (`torch.export`) for any batch size; raises InputError where that does not work."""
    network, example = _for_export(module, input_size, in_channels)
    with _writing(path) as temporary, _exporting("torch.export"):
        program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        for graph in program.graph_module.modules():
            for node in graph.graph.nodes if isinstance(graph, torch.fx.GraphModule) else ():
                node.meta.pop(_TRACE, None)  # names files of this machine
        content = io.BytesIO()  # given a path, its writer ends the whole process where the disk is full
        torch.export.save(program, content)
        temporary.write_bytes(content.getbuffer())


# --- reading back -------------------------------------------------------------------------------------------------


def compare_export(
    path: Path, format: str, module: nn.Module, images: Tensor, form: CheckpointForm = PLAIN, trust: Trust = NO_TRUST
) -> ExportCheck:
    """Read an exported file back and compare its logits with the network's, its keys with the file that came in.

    `format` is one of EXPORT_FORMATS; `images: (n, c, h, w) float32`. Where `form` states no types, keys and types are
    compared with the network's. trust: with which the file is read. Raises InputError where the file does not load.
    """
    prefix, network = form.prefix, _on_cpu(module)
    ours, written = logits_of(network, images), None
    if format == "onnx":
        again = _run_onnx(path, images)
    elif format == "pt2":
        program = torch.export.load(str(path))
        written, again = _types(program.state_dict), logits_of(program.module(), images)
    else:
        with torch.serialization.safe_globals(OBJECTS):  # which this program wrote
            weights = read_weights(path, trust, key=form.container)
        front = weights.form.prefix
        written = {front + key: (weights.form.dtypes[key], shape) for key, shape in weights.shapes.items()}
        ours_of = {front + key: value for key, value in weights.tensors.items() if front + key not in form.foreign}
        _load(network, {key.removeprefix(prefix): value for key, value in ours_of.items()}, path)
        again = logits_of(network, images)
    difference = float((again.double() - ours.double()).abs().max()) if len(images) else 0.0
    if written is None:
        return ExportCheck(0, True, difference)
    wanted = _types({prefix + key: value for key, value in module.state_dict().items()})
    if form.dtypes:
        wanted = {prefix + key: (name, wanted[prefix + key][1]) for key, name in form.dtypes.items()}
        wanted |= _types(unpack(form.foreign))
    return ExportCheck(len(written), written == wanted, difference)


def logits_of(network: Any, images: Tensor) -> Tensor:
    """Return a network's logits (n, K) for `images: (n, c, h, w)`, computed on the CPU in float32."""
    images = images.detach().cpu().float()
    with torch.inference_mode():
        return torch.cat([main_logits(network(chunk)) for chunk in images.split(_CHUNK)])


# --- helpers ------------------------------------------------------------------------------------------------------


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """Give a temporary file that takes the place of `path`; raises InputError where the disk does not take it."""
    try:
        with replacing(path, alone=True, make=False) as temporary:  # safetensors and torch.onnx write files beside it
            yield temporary
    except (OSError, SafetensorError) as error:  # safetensors raises its own for errors of the disk, too
        said = f"{path} cannot be written: {getattr(error, 'strerror', None) or error}"
        raise InputError(said, "Check the disk and its permissions, then try again") from error


def _as_it_came(state_dict: Mapping[str, Tensor], form: CheckpointForm) -> dict[str, Tensor]:
    """Return copies of weights under the keys and in the types that a form notes; all where it has none.

    Copies, because two keys may share memory, which safetensors refuses.
    """
    dtypes = form.dtypes or {key: type_name(value) for key, value in state_dict.items()}
    missing = [key for key in dtypes if key not in state_dict]
    if missing:
        raise InputError(f"The model lacks {len(missing)} keys of the file that came in, the first is {missing[0]}")
    written: dict[str, Tensor] = {}
    for key, name in dtypes.items():
        value = state_dict[key].detach().cpu()
        cast = value.to(getattr(torch, name)).clone().contiguous()
        if value.is_floating_point() and not cast.float().isfinite().all():
            raise InputError(f"A value of {key} does not fit {name}", "Export as safetensors to keep float32")
        written[form.prefix + key] = cast
    return written | unpack(form.foreign)


def _load(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a network; raises InputError where one is missing that no other key shares, or one is left."""
    try:
        lacking = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise InputError(f"{path.name} was written, but its weights do not load: {error}") from error
    wanted = without_tied(shapes_of(network.state_dict()), shapes_of(tensors), tied(network))
    wrong = [*(key for key in lacking.missing_keys if key in wanted), *lacking.unexpected_keys]
    if wrong:
        raise InputError(f"{path.name} was written, but its weights do not load: {first_few(wrong)}")


def _types(tensors: Mapping[str, Tensor]) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {key: (type_name(value), tuple(value.shape)) for key, value in tensors.items()}


def _on_cpu(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).cpu().float().eval()


def _for_export(module: nn.Module, input_size: Size, in_channels: int) -> tuple[nn.Module, Tensor]:
    # Two images: a batch of one would be taken for a constant.
    return _on_cpu(module), torch.zeros(2, in_channels, *input_size)


@contextmanager
def _exporting(what: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError:
        raise
    except Exception as error:  # exporters raise nearly anything on what they cannot express
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"This network cannot be written with {what}: {reason}", "Export as safetensors") from error


def _without_traces(path: Path) -> None:
    """Take out of an ONNX file where the network's code stands on this machine."""
    import onnx

    model = onnx.load(str(path))
    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        node.ClearField("doc_string")
        kept = [entry for entry in node.metadata_props if not entry.key.endswith(_TRACE)]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.save(model, str(path))


def _run_onnx(path: Path, images: Tensor) -> Tensor:
    _require("onnxruntime")
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        chunks = images.detach().cpu().float().contiguous().split(_CHUNK)
        return torch.cat([torch.from_numpy(session.run(None, {name: chunk.numpy()})[0]) for chunk in chunks])
    except Exception as error:  # onnxruntime's own classes, which it does not export
        raise InputError(f"{path.name} was written, but ONNX Runtime cannot run it: {error}") from error


def _require(*packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"ONNX needs the package{'s' if len(missing) > 1 else ''} {' and '.join(missing)}",
            'Install it: pip install "unlearn-studio[onnx]"',
        )
