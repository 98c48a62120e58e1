"""What a report says beside its measures, and what writing it anew does to the files of a run."""

from __future__ import annotations

import pytest

from core.data.splits import Splits
from core.events import RunStarted
from core.files import dumps, file_sha256
from core.runs.folder import EVENTS, FORGET, JOB, REPORT_HTML, SIGNATURE, RunFolder
from core.session import results
from core.session.measuring import Measurements
from core.session.results import Result, write_report
from tests.core.dying import Died, dying


@pytest.fixture
def report_of(bench):
    """Make the report of a run that cost 5 seconds and 1e9 operations, without measures."""

    def make(folder: RunFolder, retraining: dict | None = None) -> dict:
        job, dataset = folder.job(), bench.dataset
        splits = Splits.of(dataset, dataset.train.labels == 3)
        cost = {"seconds": 5.0, "steps": 10, "samples_seen": 640, "operations": 1e9}
        measured = Measurements({"original": {}, "unlearned": {}})
        result = Result(folder, job, dataset, splits, "finished", cost)
        return result.report(measured, retraining=retraining)

    return make


def test_a_cost_is_held_against_the_same_cost_of_retraining(new_run, report_of):
    cost = report_of(new_run(), {"seconds": 20.0, "operations": 1e10})["cost"]
    assert (cost["share_of_retraining"], cost["operations_share"]) == (0.25, 0.1)
    cost = report_of(new_run())["cost"]
    assert (cost["seconds"], cost["share_of_retraining"], cost["operations_share"]) == (5.0, None, None)


def test_the_precision_is_that_of_the_last_start(new_run, report_of):
    folder = new_run(precision="float32")
    assert report_of(folder)["precision"] == "float32"
    about = {"run": "r", "step": 0, "time": 0.0, "method": "ssd", "steps": 1, "stages": [], "forget_mode": "class"}
    starts = [
        RunStarted(**about, counts={}, device="cpu", precision=taken, threads=1) for taken in ("float32", "bfloat16")
    ]
    folder.file(EVENTS).write_bytes(b"".join(dumps(event) + b"\n" for event in starts))
    assert report_of(folder)["precision"] == "bfloat16"


def test_a_new_report_names_the_files_that_are_there_and_the_old_ones_signature_goes(new_run, monkeypatch):
    monkeypatch.setattr(results, "render_report", lambda report, events: "<html></html>")
    folder = new_run()
    folder.file(SIGNATURE).write_text("of the report before")
    report = write_report(folder, {"seed": 1})
    assert report == folder.report() == {
        "seed": 1, "files": {name: file_sha256(folder.file(name)) for name in (JOB, FORGET, REPORT_HTML)}
    }  # fmt: skip
    assert not folder.file(SIGNATURE).exists()


def test_wherever_a_report_breaks_off_page_and_report_agree_or_the_page_is_gone(new_run, monkeypatch):
    monkeypatch.setattr(results, "render_report", lambda report, events: f"<html>{report['seed']}</html>")
    gone, at = 0, 0
    while True:
        folder = new_run()
        write_report(folder, {"seed": 1})
        try:
            with dying(at):
                write_report(folder, {"seed": 2})
        except Died:
            page, report = folder.file(REPORT_HTML), folder.report()
            gone += not page.exists()
            assert not page.exists() or report["files"][REPORT_HTML] == file_sha256(page), f"call {at}"
            at += 1
        else:
            break
    assert at > 5 and gone
