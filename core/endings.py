"""How model files are called: endings and names. Loads nothing heavy: asked while a file is dragged over the window."""

from __future__ import annotations

from pathlib import Path

WEIGHTS_NAME, CARD_NAME = "model.safetensors", "model.json"  # in the folder of a run or a model
# Files that torch.save wrote, no tar files: PyTorch's own training scripts give their checkpoints these endings.
SAVED_AS_TAR = (".pth.tar", ".pt.tar", ".ckpt.tar")
SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pt2", ".ts", ".torchscript", *SAVED_AS_TAR)


def ending(path: Path | str) -> str:
    """Return the ending of a file's name in lower case: both parts of .pth.tar, else the last one, "" for none."""
    name = Path(path).name.lower()
    return next((both for both in SAVED_AS_TAR if name.endswith(both) and name != both), Path(name).suffix)


def without_ending(path: Path | str) -> str:
    """Return a file's name without what `ending` returns."""
    name = Path(path).name
    return name[: len(name) - len(ending(path))]
