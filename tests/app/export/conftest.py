"""A finished run made by hand, and the services a page needs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from app.context import AppContext, create_context
from app.workers.live_run import LiveRun
from core.files import write_json
from core.models.architectures import ModelSpec, build_model
from core.models.formats import write_safetensors
from core.runs.folder import CARD, CHECKPOINTS, MODEL, REPORT_HTML, REPORT_JSON, RunFolder
from core.selection import Selection
from core.session.bench import Bench
from core.session.jobs import create_run, make_unlearn_job
from tests.finished import call_finished

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def bench(tmp_path) -> Bench:
    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    write_safetensors(path, build_model(ModelSpec("mlp", 10, 1, (8, 8))).state_dict(), {})
    return Bench().open(path, "digits")


@pytest.fixture
def selection(bench) -> Selection:
    return Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes([3])


@pytest.fixture
def folder(tmp_path, bench, selection) -> RunFolder:
    job = make_unlearn_job(bench.on("cpu", threads=1), selection, "finetune")
    run = create_run(tmp_path / "runs" / "one", job, selection, bench.dataset)
    torch.manual_seed(1)
    write_safetensors(run.file(MODEL), build_model(ModelSpec("mlp", 10, 1, (8, 8))).state_dict(), {})
    write_json(run.file(CARD), {"schema_version": 1, "architecture": "mlp", "checked": False})
    write_json(run.file(REPORT_JSON), {})
    run.file(REPORT_HTML).write_text("<html></html>")
    run.file(CHECKPOINTS).mkdir()
    run.file(CHECKPOINTS).joinpath("step-000000001.pt").write_bytes(b"x" * 2048)
    call_finished(run)
    return run


@pytest.fixture
def context(qapp) -> AppContext:
    made = create_context()
    yield made
    assert made.jobs.shutdown() and made.window_state.shutdown()
    assert made.device_jobs.shutdown()


@pytest.fixture
def live(folder) -> LiveRun:
    return LiveRun.from_folder(folder)
