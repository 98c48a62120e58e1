"""The plan of a run that starts from an earlier run's result."""

from __future__ import annotations

import shutil

from app.pages.unlearn.setup_presenter import Draft, _make_plan
from core.runs.folder import CARD, MODEL
from core.session.bench import Bench
from core.session.jobs import create_run, make_unlearn_job


def test_the_plan_of_a_later_request_counts_the_earlier_ones(example, tmp_path):
    job = make_unlearn_job(example.bench.on("cpu", threads=1), example.selection, "finetune")
    folder = create_run(tmp_path / "earlier", job, example.selection, example.bench.dataset)
    source = example.bench.model.path
    shutil.copy(source, folder.file(MODEL))  # as good as a result for what the plan looks at
    shutil.copy(source.with_name(CARD), folder.file(CARD))
    later = Bench(None, example.bench.dataset).open_beside(folder.path)
    chosen = example.selection.cleared().with_classes([5])
    common = {"device": "cpu", "precision": "auto", "threads": 1, "monitoring_budget": 0.1, "launcher": "thread"}
    first, second = (
        _make_plan(Bench(model, example.bench.dataset), chosen, {"finetune": Draft("")}, common, tmp_path,
                   measure=False).estimates["finetune"]
        for model in (example.bench.model, later)
    )  # fmt: skip
    assert second.steps < first.steps  # fewer images stay
