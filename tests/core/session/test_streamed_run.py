"""Whole runs on streamed images: the same files as with images in memory; what did not decode is said."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from core.engine.control import Control
from core.runs.folder import RunFolder
from core.session.opening import DataOptions, open_data
from core.session.training import train
from tests.core.toy import same


@pytest.fixture
def photos(tmp_path):
    """Four small JPEGs a class and part, of two brightnesses."""
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name, low in (("dark", 0), ("light", 120)):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(8):
                pixels = rng.integers(low, low + 120, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.jpg")
    yield tmp_path / "photos"
    gc.collect()  # a stream's workers end with it


def trained(out, root, monkeypatch, budget):
    monkeypatch.setenv("UNLEARN_STUDIO_MEMORY", budget)
    settings = {"recipe": {"epochs": 2, "batch": 4}, "device": "cpu", "precision": "float32", "threads": 1}
    train(out, open_data(str(root)), DataOptions(), "small-cnn", Control(), lambda event: None, **settings)
    return RunFolder(out)


def test_a_run_on_a_stream_leaves_the_same_model(photos, tmp_path, monkeypatch):
    held, streamed = (trained(tmp_path / budget, photos, monkeypatch, budget) for budget in ("1", "0"))
    assert same(load_file(held.file("model.safetensors")), load_file(streamed.file("model.safetensors")))
    assert not [e for e in streamed.events() if e.get("code") == "unreadable"]


def test_images_that_did_not_decode_are_said_at_the_end(photos, tmp_path, monkeypatch):
    path = photos / "train" / "dark" / "3.jpg"
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\xc4")  # a Huffman table, which a look at the file does not read
    data[start + 4 : start + 20] = b"\xff" * 16
    path.write_bytes(bytes(data))
    events = trained(tmp_path / "run", photos, monkeypatch, "0").events()
    (said,) = [e["message"] for e in events if e.get("code") == "unreadable"]
    assert said.startswith("One file could not be decoded and counted as black: train/dark/3.jpg (")
