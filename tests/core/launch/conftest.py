"""A job and its run folder; nothing of it is run."""

from __future__ import annotations

import pytest

from core.job import DataPart, ForgetPart, Job, ModelPart
from core.runs.folder import RunFolder

THE_JOB = Job(
    model=ModelPart(architecture="mlp", num_classes=10, in_channels=1, input_size=(8, 8)),
    data=DataPart(spec="digits"),
    forget=ForgetPart(mode="class", classes=(3,), class_names=("3",), count=5, total=50),
    method="muda",
)


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", THE_JOB)
