"""Two runs in one window, in turn: what a page says is of the run in view, and nothing of the one before."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel

from app.plots.export import Figure
from core.files import write_json
from core.runs.folder import CARD, MODEL, REPORT_JSON, RunFolder
from tests.app.runner import context, window
from tests.app.scripted import Script, job, write_run
from tests.app.verify.reports import full_report

__all__ = ["context", "window"]
PAGES = ("unlearn", "verify", "export", "project", "forget")


@pytest.fixture
def pair(tmp_path, context, monkeypatch) -> tuple[RunFolder, RunFolder]:
    """A checked run of a class, and a stopped one of single images that has no report."""
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    one = write_run(context.runs_folder() / "one", job(seed=1), Script("one").whole())
    write_json(one.file(REPORT_JSON), full_report())
    write_json(one.file(CARD), {"schema_version": 1, "architecture": "small-cnn", "measures": {}})
    one.file(MODEL).write_bytes(b"weights")
    sample = Script("two", steps=60, mode="sample")
    told = [sample.started(), *sample.measured(30), sample.log("Something is odd.", "odd")]
    return one, write_run(context.runs_folder() / "two", job("sample", "finetune", seed=2), told, "running", step=31)


def said(window, context, qtbot, run: RunFolder) -> dict[str, list[str]]:
    """Open a run and return, by page, the texts in sight and the buttons that can be pressed."""
    context.opening.open_run(run.path)
    found = {}
    for page in PAGES:
        context.show_page(page)
        window.grab()
        shown = window.page(page)
        figures = shown.findChildren(Figure)
        qtbot.waitUntil(lambda: not context.jobs.active() and not context.device_jobs.active())
        qtbot.waitUntil(lambda: not any(one.dirty and one.isVisible() for one in figures))  # noqa: B023
        texts = [label.text() for label in shown.findChildren(QLabel) if label.isVisible()]
        found[page] = texts + [b.text() for b in shown.findChildren(QAbstractButton) if b.isVisible() and b.isEnabled()]
    return found


def test_a_page_says_the_same_of_a_run_whatever_was_in_view_before(pair, window, context, qtbot):
    first, second = (said(window, context, qtbot, run) for run in pair)
    assert all(first[page] != second[page] for page in PAGES[:3])
    for run, expected in zip((*pair, *pair), (first, second, first, second), strict=True):
        assert said(window, context, qtbot, run) == expected
