"""Model files of other programs: what each is, and how its network gets into PyTorch.

None of them is read: a file is told by its name, its first bytes or the names in its pickle, and refused in words.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from core.errors import InputError, UnknownNetworkError
from core.models.user_code import FACTORY_OPTION

_ONNX = (
    "save onnx2torch.convert('{onnx}').state_dict() with torch.save, and open that with "
    f"{FACTORY_OPTION}, where FACTORY returns onnx2torch.convert('{{onnx}}')"
)
_KERAS = "In Keras, load it and call model.export('net.onnx', format='onnx'), then " + _ONNX.format(onnx="net.onnx")
_TENSORFLOW = "Turn it into net.onnx with tf2onnx, then " + _ONNX.format(onnx="net.onnx")
_PADDLE = "Turn it into net.onnx with paddle2onnx, then " + _ONNX.format(onnx="net.onnx")
_BY_HAND = "Load it in the program that wrote it, copy its arrays into the same network in PyTorch, and save that"
_JOIN = (
    'Join it: python -c "import glob; from safetensors.torch import load_file, save_file; '
    "save_file({{k: v for f in glob.glob('{path}/*.safetensors') for k, v in load_file(f).items()}}, "
    "'net.safetensors')\""
)

# What a file is and what to do, with {name} of the file, {path} of the folder.
_WHAT: dict[str, tuple[str, str]] = {
    "onnx": (
        "{name} is an ONNX file, which can be run but not trained",
        "Open the checkpoint it was made from, or " + _ONNX,
    ),
    "keras": ("{name} is a Keras model", _KERAS),
    "hdf5": ("{name} is an HDF5 file, as Keras writes models", _KERAS),
    "tensorflow": ("{name} is a TensorFlow model", _TENSORFLOW),
    "tensorflow checkpoint": ("{name} is part of a TensorFlow checkpoint", _TENSORFLOW),
    "tflite": ("{name} is a TensorFlow Lite model", _TENSORFLOW),
    "flax": ("{name} is a msgpack file of Flax (JAX)", _BY_HAND),
    "orbax": ("{name} is a checkpoint of Orbax (JAX)", _BY_HAND),
    "gguf": ("{name} is a GGUF file, quantised for llama.cpp", "Open the PyTorch weights it was converted from"),
    "paddle": ("{name} is a PaddlePaddle model", _PADDLE),
    "caffe": ("{name} is a Caffe model", _BY_HAND),
    "coreml": ("{name} is a Core ML model", "Open the PyTorch checkpoint it was converted from"),
    "tensorrt": ("{name} is a TensorRT engine", "Open the PyTorch checkpoint it was built from"),
    "lfs": ("{name} is a pointer of Git LFS to a file that was not fetched", "Fetch it with: git lfs pull"),
    "index": ("{name} only says in which files a model's weights lie", _JOIN),
    "shards": (
        "The folder {path} holds a model's weights in several files",
        'Save them in one: max_shard_size="100GB"',
    ),
    "adapter": (
        "The folder {path} holds an adapter and no network",
        "Merge it into its network with merge_and_unload() and save that",
    ),
    "hub tensorflow": (
        "The folder {path} holds TensorFlow weights",
        "Load them with from_pretrained(FOLDER, from_tf=True) and save that",
    ),
    "hub flax": (
        "The folder {path} holds Flax weights",
        "Load them with from_pretrained(FOLDER, from_flax=True) and save that",
    ),
    "fastai": (
        "{name} is a fastai learner",
        "In fastai: torch.save(load_learner('{name}').model.state_dict(), 'net.pth'), and open that with "
        f"{FACTORY_OPTION}",
    ),
    "sklearn": ("{name} is a scikit-learn model, which is no network", "Unlearning here needs a PyTorch network"),
}
_BY_ENDING = {
    ".onnx": "onnx", ".keras": "keras", ".h5": "hdf5", ".hdf5": "hdf5", ".pb": "tensorflow", ".tflite": "tflite",
    ".msgpack": "flax", ".gguf": "gguf", ".pdparams": "paddle", ".pdmodel": "paddle", ".pdiparams": "paddle",
    ".caffemodel": "caffe", ".mlmodel": "coreml", ".engine": "tensorrt", ".index": "tensorflow checkpoint",
}  # fmt: skip
START = 32  # first bytes of a file that tell what it is
_BY_START = {b"version https://git-lfs": "lfs", b"GGUF": "gguf", b"\x89HDF\r\n\x1a\n": "hdf5"}
_IN_FOLDER = {
    "saved_model.pb": "tensorflow", "keras_metadata.pb": "tensorflow", "_CHECKPOINT_METADATA": "orbax",
    "checkpoint.index": "tensorflow checkpoint", "Manifest.json": "coreml", "adapter_model.safetensors": "adapter",
    "adapter_model.bin": "adapter", "model.safetensors.index.json": "shards", "pytorch_model.bin.index.json": "shards",
    "tf_model.h5": "hub tensorflow", "flax_model.msgpack": "hub flax",
}  # fmt: skip
_PICKLED = {"fastai.": "fastai", "sklearn.": "sklearn"}  # modules of the object that is the whole pickle

_FASTAI = {"0.0.weight", "1.2.weight", "1.4.weight", "1.6.weight", "1.8.weight"}  # of its head


def kind_of_file(path: Path, start: bytes = b"") -> str | None:
    """Return which other program's model a file is, by its first bytes and its name; None for none of them."""
    by_start = next((kind for begins, kind in _BY_START.items() if start.startswith(begins)), None)
    if by_start is None and len(start) > 1 and 0x80 < start[0] < 0x90 and 0xA0 <= start[1] < 0xC0:
        return "flax"  # a short map whose first key is a short text
    if path.name.endswith(".index.json"):
        return "index"
    return by_start or _BY_ENDING.get(path.suffix.lower())


def is_of_model(name: str) -> bool:
    """Whether a file of that name makes its folder another program's model."""
    return name in _IN_FOLDER


def kind_of_folder(path: Path) -> str | None:
    """Return which other program's model a folder is; None for none of them."""
    return next((kind for name, kind in _IN_FOLDER.items() if (path / name).is_file()), None)


def refuse(path: Path, kind: str | None) -> None:
    """Raise InputError where `kind` says that a file or folder is another program's model."""
    if kind is not None:
        words = {"name": path.name, "onnx": path.name, "path": path if path.is_dir() else path.parent}
        what, hint = (text.format(**words) for text in _WHAT[kind])
        raise InputError(what, hint)


def refuse_keys(name: str, keys: Collection[str]) -> None:
    """Raise InputError where the keys of a state dict that fits no network are another library's."""
    if set(keys) >= _FASTAI:
        raise UnknownNetworkError(
            f"{name} holds a vision_learner of fastai: the body and the head of a network in sequence",
            f"Open it with {FACTORY_OPTION}, where FACTORY returns fastai's create_vision_model(resnet18, n_out=10)",
        )


def refuse_pickled(path: Path, names: Sequence[str]) -> None:
    """Raise InputError for a pickle of another library's model.

    names: what the pickle calls ("fastai.learner Learner"), the object that is all of it first.
    """
    if names:
        refuse(path, next((kind for module, kind in _PICKLED.items() if names[0].startswith(module)), None))
