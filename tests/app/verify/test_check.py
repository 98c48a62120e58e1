"""A check that is really run: the window's own controller trains a retrained model and rewrites the report."""

from __future__ import annotations

import pytest
import torch

from app.context import AppContext, create_context
from app.pages.verify import create
from app.workers.live_run import LiveRun
from app.workers.run_controller import RunController
from core.engine.control import Control
from core.jsonio import write_json
from core.models.architectures import ModelSpec, build_model
from core.models.formats import write_safetensors
from core.runs.folder import RunFolder
from core.selection import Selection
from core.session.jobs import create_run, make_unlearn_job
from core.session.opening import open_pair
from core.session.running import run


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    write_safetensors(path, build_model(ModelSpec("mlp", 10, 1, (8, 8))).state_dict(), {})
    pair = open_pair(path, "digits")
    card = {
        "schema_version": 1, "architecture": "mlp", "recipe": {"epochs": 40}, "cost": {"seconds": 40.0},
        "num_classes": 10, "in_channels": 1, "input_size": [8, 8],
    }  # fmt: skip
    write_json(path.with_suffix(".json"), card)
    chosen = Selection.empty(pair.dataset.train.labels.numpy(), pair.dataset.classes).with_classes([3])
    job = make_unlearn_job(pair, chosen, "finetune", settings={"epochs": 1}, device="cpu", threads=1)
    made = create_run(tmp_path / "runs" / "one", job, chosen, pair.dataset)
    run(made, Control(), lambda event: None, pair=pair)
    return made


@pytest.fixture
def context(qapp) -> AppContext:
    made = create_context()
    made.run_controller = RunController(made.runs_folder)
    yield made
    assert made.run_controller.shutdown()
    assert made.jobs.shutdown()
    assert made.device_jobs.shutdown()


def test_training_one_gives_a_verdict_a_table_and_pictures(qtbot, context, folder):
    page = create(context)
    qtbot.addWidget(page)
    page.resize(1096, 644)
    page.show()
    context.project.set_run(LiveRun.from_folder(folder))
    qtbot.waitUntil(lambda: page.presenter.facts is not None)
    assert page.offer.text().startswith("No retrained model yet. Training one takes about 35 s")
    seen: list[str] = []
    measured: list[set[str]] = []
    page.presenter.facts_so_far.connect(lambda facts: measured.append(set(facts.report["models"])))
    context.run_controller.state_changed.connect(lambda live: seen.append(page.verdict.progress.text()))
    page.presenter.train_one()
    qtbot.waitUntil(lambda: page.presenter.check is None and page.presenter.facts.has_retrained, timeout=60_000)

    assert page.presenter.facts.seeds == (1,)
    assert not page.verdict.sentence.text().startswith("No retrained model")
    assert not page.offer.isVisible()
    assert any(text.startswith("Training a retrained model") for text in seen)
    # Numbers come before the end; how many of them are shown in between depends on how fast the machine is.
    assert measured and "original" in set().union(*measured)
    retrained = [row for row in page.presenter.facts.rows if row.values["retrained"] is not None]
    assert len(retrained) > 10

    page.plots.setCurrentWidget(page.plots.embedding)
    qtbot.waitUntil(lambda: page.plots.embedding.has_pictures, timeout=20_000)
    shown = [key for key, panel in page.plots.embedding.panels.items() if not panel.isHidden()]
    assert shown == ["original", "unlearned", "retrained"]
