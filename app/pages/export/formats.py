"""The forms a checkpoint can be exported in: their words, file endings, and whether they can be written here."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.files import SAVED_AS_TAR, ending, without_ending

INSTALL_ONNX = 'Not installed. To add it: pip install "unlearn-studio[onnx]"'
_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # write, write, read back


@dataclass(frozen=True)
class Format:
    """One choice. `missing`: why it cannot be written on this machine; empty where it can."""

    id: str
    title: str
    text: str
    suffix: str
    missing: str = ""


def formats(form: Mapping[str, Any] | None, original: str) -> tuple[Format, ...]:
    """Return the choices for a model that came in as `form` from the file `original`."""
    packages = [name for name in _ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    return (
        Format("same", "Same format as the original", describe_form(form), same_suffix(form, original)),
        Format(
            "safetensors", "safetensors", "Weights and a short description, no program code.", ".safetensors",
        ),
        Format("pt", "PyTorch state dict (.pt)", "Plain keys in float32, for torch.load with weights_only.", ".pt"),
        Format(
            "onnx", "ONNX (.onnx)", "Network and weights, for any batch size.", ".onnx",
            INSTALL_ONNX if packages else "",
        ),
        Format("pt2", "torch.export program (.pt2)", "Network and weights, for any batch size.", ".pt2"),
    )  # fmt: skip


def describe_form(form: Mapping[str, Any] | None) -> str:
    """Say in a line how the file that came in held its weights."""
    if not form:
        return "A plain PyTorch state dict."
    kind = {"safetensors": "safetensors", "pt": "PyTorch file", "torchscript": "state dict of a TorchScript file",
            "pt2": "torch.export program"}.get(str(form.get("format")), str(form.get("format")))  # fmt: skip
    parts = ["whole pickled network" if form.get("module") else kind]
    if form.get("container"):
        parts.append(f"weights under “{form['container']}”")
    if form.get("prefix"):
        parts.append(f"keys begin with {form['prefix']}")
    types = sorted(set((form.get("dtypes") or {}).values()) - {"int64"})
    if types:
        parts.append(" and ".join(types))
    return " · ".join(parts)


def same_suffix(form: Mapping[str, Any] | None, original: str) -> str:
    """Return the ending of a file in the form that came in: the original's own, where that fits."""
    kind = str((form or {}).get("format") or "pt")
    if kind == "safetensors":
        return ".safetensors"
    if kind == "pt2":
        return ".pt2"
    own = ending(original)
    return own if own in (".pt", ".pth", ".ckpt", ".bin", *SAVED_AS_TAR) else ".pt"


def suggested_name(original: str, data: str, architecture: str) -> str:
    """Name the exported file, without ending, after the file that came in."""
    stem = without_ending(original)
    if not stem or stem == "model":  # what this app calls every model it trains
        stem = f"{Path(data).stem or data}-{architecture}"
    return f"{stem}-unlearned"
