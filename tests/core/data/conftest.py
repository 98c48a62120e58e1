"""Keeps data tests to folders of their own: no download, no system packages, no cache of the person who runs them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import core.data.named


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory, monkeypatch):
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(home))
    monkeypatch.setenv("UNLEARN_STUDIO_OFFLINE", "1")
    monkeypatch.delenv("UNLEARN_STUDIO_DATA", raising=False)
    monkeypatch.setattr(core.data.named, "SYSTEM_FOLDERS", ())
    return home


@pytest.fixture
def idx_bytes() -> Callable[[np.ndarray], bytes]:
    def encode(array: np.ndarray) -> bytes:
        head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
        return head + array.astype(np.uint8).tobytes()

    return encode


@pytest.fixture
def write_idx(idx_bytes) -> Callable[..., Path]:
    """Write the four MNIST files of `classes` x `each` training images (half as many test images) into a folder."""

    def write(folder: Path, classes: int = 10, each: int = 4, size: int = 28, gz: bool = False, test: bool = True):
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        for part, count in (("train", each), ("t10k", max(1, each // 2))):
            if part == "t10k" and not test:
                continue
            labels = np.tile(np.arange(classes), count)
            images = rng.integers(0, 256, (len(labels), size, size))
            for what, array in (("images-idx3", images), ("labels-idx1", labels)):
                data = idx_bytes(array)
                path = folder / f"{part}-{what}-ubyte{'.gz' if gz else ''}"
                path.write_bytes(gzip.compress(data) if gz else data)
        return folder

    return write


@pytest.fixture
def class_folders() -> Callable[..., Path]:
    """Write class folders of PNGs: {"train/cat": 3, ...} is the number of images in each."""

    def write(root: Path, counts: dict[str, int], size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Path:
        rng = np.random.default_rng(1)
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                shape = size if mode == "L" else (*size, len(mode))
                image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
                assert image.mode == mode
                image.save(root / folder / f"{number:02d}.png")
        return root

    return write
