"""The plan of a run that starts from an earlier run's result tells all requests."""

from __future__ import annotations

import shutil

from app.pages.unlearn import UnlearnPage
from core.runs.folder import CARD, MODEL
from core.session.bench import Bench
from core.session.jobs import create_run, make_unlearn_job


def test_the_plan_lists_earlier_requests(opened, example, tmp_path, qtbot):
    job = make_unlearn_job(example.bench.on("cpu", threads=1), example.selection, "finetune")
    folder = create_run(tmp_path / "earlier", job, example.selection, example.bench.dataset)
    source = example.bench.model.path
    shutil.copy(source, folder.file(MODEL))  # as good as a result for what the plan looks at
    shutil.copy(source.with_name(CARD), folder.file(CARD))
    page = UnlearnPage(opened)
    qtbot.addWidget(page)
    page.show()
    qtbot.waitUntil(lambda: page.presenter.setup.plan is not None, timeout=20_000)
    assert not page.setup.plan.earlier.isVisibleTo(page)

    dataset = example.bench.dataset
    made = Bench(None, dataset).open_beside(folder.path)
    opened.project.set_opened(made, opened.project.dataset, opened.project.data_options)
    opened.project.set_selection(opened.project.selection.cleared().with_classes([5]))
    page.presenter.setup.refresh()
    qtbot.waitUntil(lambda: bool(page.setup.plan.earlier.text()), timeout=20_000)
    first, second = page.setup.plan.earlier.text().splitlines()
    assert first.startswith("1. class 3") and "run earlier" in first
    assert second.startswith("2. class 5") and page.setup.plan.earlier.isVisibleTo(page)
