"""A digits model trained once per test session, and runs of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.engine.control import Control
from core.runs.folder import RunFolder
from core.selection import Selection
from core.session.jobs import create_run, make_unlearn_job
from core.session.opening import DataOptions, Pair, open_data, open_pair
from core.session.training import train


@pytest.fixture(scope="session")
def digits():
    """The digits data set."""
    return open_data("digits")


@pytest.fixture(scope="session")
def digits_model(tmp_path_factory, digits) -> Path:
    """The folder of a small-cnn trained on digits for a few epochs."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("original") / "model"
    train(
        out,
        digits,
        DataOptions(),
        "small-cnn",
        Control(),
        lambda event: None,
        recipe={"epochs": 4},
        device="cpu",
        precision="float32",
        threads=1,
    )
    return out


@pytest.fixture(scope="session")
def pair(digits_model) -> Pair:
    """The model with its data."""
    return open_pair(digits_model, "digits")


@pytest.fixture(scope="session")
def three(digits) -> Selection:
    """The class "3" as forget set."""
    return Selection.empty(digits.train.labels.numpy(), digits.classes).with_classes([3])


@pytest.fixture
def new_run(tmp_path, pair, three):
    """Make a run folder with a job; options go to `make_unlearn_job`."""
    made = []

    def make(method: str = "muda", selection: Selection = three, **options) -> RunFolder:
        known = {"device": "cpu", "precision": "float32", "threads": 1, **options}
        job = make_unlearn_job(pair, selection, method, **known)
        made.append(create_run(tmp_path / f"run-{len(made)}", job, selection, pair.dataset))
        return made[-1]

    return make
