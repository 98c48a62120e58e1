"""Whole runs on streamed images: the same files as with images in memory; what did not decode is said."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from core.engine.control import Control
from core.runs.folder import RunFolder
from core.session.bench import Bench
from core.session.training import train
from tests.core.data.test_images import only_looks_whole
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
    bench = Bench().on("cpu", "float32", threads=1).with_data(str(root))
    train(out, bench, "small-cnn", Control(), lambda event: None, recipe={"epochs": 2, "batch": 4})
    return RunFolder(out)


def test_a_run_on_a_stream_leaves_the_same_model(photos, tmp_path, monkeypatch):
    held, streamed = (trained(tmp_path / budget, photos, monkeypatch, budget) for budget in ("1", "0"))
    assert same(load_file(held.file("model.safetensors")), load_file(streamed.file("model.safetensors")))
    assert not [e for e in streamed.events() if e.get("code") == "unreadable"]


def test_images_that_did_not_decode_are_said_at_the_end_and_count_the_same(photos, tmp_path, monkeypatch):
    (photos / "train" / "dark" / "3.jpg").write_bytes(only_looks_whole(90, 80))
    held, streamed = (trained(tmp_path / budget, photos, monkeypatch, budget) for budget in ("1", "0"))
    for run in (held, streamed):
        (said,) = [e["message"] for e in run.events() if e.get("code") == "unreadable"]
        assert said.startswith("One file could not be decoded and counted as black: train/dark/3.jpg (")
    assert same(load_file(held.file("model.safetensors")), load_file(streamed.file("model.safetensors")))
