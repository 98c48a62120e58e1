"""Full-size networks with random weights of plain torch, through the command line: recognised, one step, given back.

    python scripts/large_models.py [NAME…] [--pixels 224]

Prints a line for each network and method; ends with 1 where keys, types or wrapper of an export differ.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torchvision import models

NAMES = ("resnet50", "vit_b_16", "convnext_tiny", "efficientnet_b0", "mobilenet_v3_large")
MAIN = Path(__file__).resolve().parent.parent / "main.py"
IMAGES, CLASSES, BATCH = 16, 4, 12
ONE_STEP = {
    "muda, plain reconstruction": (
        "muda", "--preset", "reconstruction", "--set", "rounds=1", "min_steps=1", "forget_epochs=0.1", f"batch={BATCH}",
    ),
    "muda, default": ("muda", "--set", "rounds=1", "min_steps=1", "relearn_min_steps=1", f"batch={BATCH}"),
    "finetune": ("finetune", "--set", "epochs=1", "min_steps=0", f"batch={BATCH}"),
}  # fmt: skip


def main() -> int:
    """Try every network with every method; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--pixels", type=int, default=224)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return max(_try(name, given.pixels, Path(folder) / name) for name in given.names)


def _try(name: str, pixels: int, folder: Path) -> int:
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, pixels, pixels, 3), dtype=np.uint8)
    labels = np.arange(IMAGES) % CLASSES
    np.savez(folder / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    options = {"image_size": pixels} if name.startswith("vit") else {}
    weights = models.get_model(name, weights=None, num_classes=CLASSES, **options).state_dict()
    torch.save({"state_dict": weights, "epoch": 3}, folder / "in.pth")
    failed = 0
    for words, (method, *rest) in ONE_STEP.items():
        began, run = time.perf_counter(), folder / words.replace(", ", "-")
        out = run.with_suffix(".pth")
        said = _call("unlearn", "--model", folder / "in.pth", "--dataset", folder / "data.npz", "--forget-class", "1",
                     "--method", method, *rest, "--out", run, "--device", "cpu")  # fmt: skip
        said = said or _call("export", run, "--format", "same", "--out", out)
        said = said or _compare(weights, torch.load(out, weights_only=True))
        failed |= said.startswith("FAILED")
        print(f"{name:20} {words:28} {time.perf_counter() - began:6.1f} s  {said}", flush=True)
    return failed


def _call(*words: object) -> str:
    done = subprocess.run([sys.executable, MAIN, *map(str, words)], capture_output=True, text=True, check=False)
    return f"FAILED: {done.stderr.strip()[-300:]}" if done.returncode else ""


def _compare(weights: dict[str, torch.Tensor], given: dict) -> str:
    after = given["state_dict"]
    same = list(after) == list(weights) and all(after[k].dtype == v.dtype for k, v in weights.items())
    if not same or given["epoch"] != 3:
        return "FAILED: keys, types or wrapper differ"
    return f"{sum(not torch.equal(after[k], v) for k, v in weights.items())} of {len(weights)} tensors changed"


if __name__ == "__main__":
    sys.exit(main())
