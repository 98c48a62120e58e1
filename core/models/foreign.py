"""Model files of other programs and quantised ones: what each is, and how its network gets into PyTorch.

Nothing here is read: a file is told by its name, its first bytes, or the names and types in it, and refused in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import InputError

_FACTORY = "--arch FILE.py:FACTORY --trust-code"
_ONNX = (
    "save onnx2torch.convert('{onnx}').state_dict() with torch.save, and open that with "
    f"{_FACTORY}, where FACTORY returns onnx2torch.convert('{{onnx}}')"
)
_KERAS = "In Keras, load it and call model.export('net.onnx', format='onnx'), then " + _ONNX.format(onnx="net.onnx")
_TENSORFLOW = "Turn it into net.onnx with tf2onnx, then " + _ONNX.format(onnx="net.onnx")
_PADDLE = "Turn it into net.onnx with paddle2onnx, then " + _ONNX.format(onnx="net.onnx")
_BY_HAND = "Load it in the program that wrote it, copy its arrays into the same network in PyTorch, and save that"
_JOIN = (
    "Join it: python -c \"import glob; from safetensors.torch import load_file, save_file; "
    "save_file({{k: v for f in glob.glob('{path}/*.safetensors') for k, v in load_file(f).items()}}, "
    "'net.safetensors')\""
)

# What a file is and what to do, with {name} of the file, {path} of the folder.
_WHAT: dict[str, tuple[str, str]] = {
    "onnx": ("{name} is an ONNX file, a program without training", "Open the checkpoint it was made from, or " + _ONNX),
    "keras": ("{name} is a Keras model", _KERAS),
    "hdf5": ("{name} is an HDF5 file, as Keras writes models", _KERAS),
    "tensorflow": ("{name} is a TensorFlow model", _TENSORFLOW),
    "tensorflow checkpoint": ("{name} is part of a TensorFlow checkpoint", _TENSORFLOW),
    "tflite": ("{name} is a TensorFlow Lite model", _TENSORFLOW),
    "flax": ("{name} is a msgpack file of Flax (JAX)", _BY_HAND),
    "orbax": ("{name} is a checkpoint of Orbax (JAX)", _BY_HAND),
    "gguf": ("{name} is a GGUF file, quantised for llama.cpp", "Open the PyTorch weights it was converted from"),
    "paddle": ("{name} is a PaddlePaddle model", _PADDLE),
    "mxnet": ("{name} holds MXNet parameters", _BY_HAND),
    "caffe": ("{name} is a Caffe model", _BY_HAND),
    "coreml": ("{name} is a Core ML model", "Open the PyTorch checkpoint it was converted from"),
    "tensorrt": ("{name} is a TensorRT engine", "Open the PyTorch checkpoint it was built from"),
    "shards": ("{name} is a folder of safetensors in shards", _JOIN),
    "index": ("{name} lists the shards of a model", _JOIN),
    "fastai": (
        "{name} is a fastai learner",
        f"In fastai: torch.save(load_learner('{{name}}').model.state_dict(), 'net.pth'), and open that with {_FACTORY}",
    ),
    "sklearn": ("{name} is a scikit-learn model, which is no network", "Unlearning here needs a PyTorch network"),
}
_BY_ENDING = {
    ".onnx": "onnx", ".keras": "keras", ".h5": "hdf5", ".hdf5": "hdf5", ".pb": "tensorflow", ".tflite": "tflite",
    ".msgpack": "flax", ".gguf": "gguf", ".pdparams": "paddle", ".pdmodel": "paddle", ".pdiparams": "paddle",
    ".caffemodel": "caffe", ".mlmodel": "coreml", ".engine": "tensorrt", ".index": "tensorflow checkpoint",
}  # fmt: skip
_BY_START = {b"GGUF": "gguf", b"\x89HDF\r\n\x1a\n": "hdf5"}
_IN_FOLDER = {
    "saved_model.pb": "tensorflow", "keras_metadata.pb": "tensorflow", "model.safetensors.index.json": "shards",
    "_CHECKPOINT_METADATA": "orbax", "Manifest.json": "coreml",
}  # fmt: skip
_PICKLED = {"fastai.": "fastai", "sklearn.": "sklearn"}  # modules of the object that is the whole pickle
_QUANTISERS = {"torchao.": "torchao", "bitsandbytes.": "bitsandbytes", "optimum.quanto.": "quanto"}
_QUANTISED_KEYS = (
    ("_packed_params", ""), (".SCB", " with bitsandbytes"), (".quant_state.", " with bitsandbytes"),
    (".absmax", " with bitsandbytes"), (".qweight", " with GPTQ or AWQ"),
)  # fmt: skip
_FLOATS = "Open the checkpoint from before that: unlearning needs floating-point weights"

ENDINGS = tuple(_BY_ENDING)


def kind_of_file(path: Path, start: bytes = b"") -> str | None:
    """Return which other program's model a file is, by its first bytes and its name; None for none of them."""
    by_start = next((kind for begins, kind in _BY_START.items() if start.startswith(begins)), None)
    if by_start is None and len(start) > 1 and 0x80 < start[0] < 0x90 and 0xA0 <= start[1] < 0xC0:
        return "flax"  # a short map whose first key is a short text
    if path.name.endswith(".safetensors.index.json"):
        return "index"
    return by_start or _BY_ENDING.get(path.suffix.lower())


def kind_of_folder(path: Path) -> str | None:
    """Return which other program's model a folder is; None for none of them."""
    return next((kind for name, kind in _IN_FOLDER.items() if (path / name).is_file()), None)


def refuse(path: Path, kind: str | None) -> None:
    """Raise InputError where `kind` says that a file or folder is another program's model."""
    if kind is not None:
        what, hint = _WHAT[kind]
        folder = path if path.is_dir() else path.parent
        raise InputError(
            what.format(name=path.name), hint.format(name=path.name, onnx=path.name, path=folder)
        )


def refuse_pickled(path: Path, names: Sequence[str], whole: bool) -> None:
    """Raise InputError for a pickle of another library's model or of quantised weights.

    names: what it calls ("fastai.learner Learner"), in order; whole: whether the first of them is all there is, no
    entry of a dictionary.
    """
    if whole and names:
        refuse(path, next((kind for module, kind in _PICKLED.items() if names[0].startswith(module)), None))
    by = next((by for module, by in _QUANTISERS.items() if any(name.startswith(module) for name in names)), None)
    if by is not None:
        raise InputError(f"{path.name} is quantised with {by}", _FLOATS)


def refuse_quantised(name: str, state: Mapping[Any, Any]) -> None:
    """Raise InputError where a state dict has quantised weights."""
    for part, by in _QUANTISED_KEYS:
        _refuse_keys(name, (key for key in state if part in str(key)), f"is quantised{by}")
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    _refuse_keys(name, (key for key, value in tensors.items() if value.is_quantized), "is quantised")
    small = (torch.int8, torch.uint8)
    whole = (key for key, value in tensors.items() if value.ndim > 1 and value.dtype in small)
    _refuse_keys(name, (key for key in whole if str(key).endswith("weight")), "is quantised to whole numbers")


def refuse_whole_numbers(name: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise InputError where weights are whole numbers that are floating ones in the network, by key."""
    floating = (key for key, value in wanted.items() if value.is_floating_point() and key in found)
    whole = (key for key in floating if not found[key].is_floating_point())
    _refuse_keys(name, whole, "holds whole numbers as weights")


def _refuse_keys(name: str, keys: Iterable[Any], what: str) -> None:
    first = next(iter(keys), None)
    if first is not None:
        raise InputError(f"{name} {what} ({first})", _FLOATS)
