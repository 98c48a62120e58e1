"""Networks and data sets of a few pixels for the tests of core.models."""

from __future__ import annotations

import pytest
import torch

from core.data.dataset import Dataset, ImageSet
from core.data.preprocessing import Preprocessing
from core.models.architectures import ModelSpec, build_model


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def norms_that_only_check(monkeypatch):
    """Batch norms refuse a single value per channel as ever, and compute nothing: half of the time without weights."""
    monkeypatch.setattr(torch, "batch_norm", lambda images, *given: images)


@pytest.fixture
def make_model():
    """Builds an architecture with seeded weights and batch statistics that are not the initial ones."""

    def make(architecture="small-cnn", num_classes=5, in_channels=1, size=(8, 8), seed=0):
        torch.manual_seed(seed)
        module = build_model(ModelSpec(architecture, num_classes, in_channels, size))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
        return module.eval()

    return make


@pytest.fixture
def make_dataset():
    """Builds a data set of noise: only its sizes and names matter here."""

    def make(classes="abcde", size=(8, 8), channels=1, prepared=None, source="data set"):
        images = torch.zeros((len(classes), *size, channels), dtype=torch.uint8)
        part = ImageSet(images, torch.arange(len(classes)))
        preprocessing = Preprocessing(prepared or size, (0.5,) * channels, (0.5,) * channels, source=source)
        return Dataset(
            spec="noise",
            title="Noise",
            classes=tuple(classes),
            train=part,
            test=part,
            preprocessing=preprocessing,
            fingerprint="f",
        )

    return make
