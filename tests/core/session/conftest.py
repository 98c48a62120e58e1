"""A digits model trained once per test session, and runs of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.engine.control import Control
from core.runs.folder import RunFolder
from core.selection import Selection
from core.session.bench import Bench
from core.session.jobs import create_run, make_unlearn_job
from core.session.training import train


@pytest.fixture(scope="session")
def digits():
    """The digits data set."""
    return Bench().with_data("digits").dataset


@pytest.fixture(scope="session")
def digits_model(tmp_path_factory, digits) -> Path:
    """The folder of a small-cnn trained on digits for a few epochs."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("original") / "model"
    train(
        out,
        Bench(None, digits).on("cpu", "float32", threads=1),
        "small-cnn",
        Control(),
        lambda event: None,
        recipe={"epochs": 4},
    )
    return out


@pytest.fixture(scope="session")
def bench(digits_model) -> Bench:
    """The model with its data."""
    return Bench(device="cpu", threads=1).open(digits_model, "digits")


@pytest.fixture(scope="session")
def three(digits) -> Selection:
    """The class "3" as forget set."""
    return Selection.empty(digits.train.labels.numpy(), digits.classes).with_classes([3])


@pytest.fixture
def new_run(tmp_path, bench, three):
    """Make a run folder with a job; options go to `make_unlearn_job`."""
    made = []

    def make(method: str = "muda", selection: Selection = three, precision: str = "float32", **options) -> RunFolder:
        job = make_unlearn_job(bench.on("cpu", precision, threads=1), selection, method, **options)
        made.append(create_run(tmp_path / f"{tmp_path.name[:24]}-{len(made)}", job, selection, bench.dataset))
        return made[-1]

    return make
