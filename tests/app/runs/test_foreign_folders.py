"""A run folder whose files hold other kinds of values than they should: every page says so, and goes on."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt

from app.models.run_table import SORT_ROLE, RunTableModel
from app.plots.sparkline import SPARK_ROLE
from app.services.run_library import DAMAGED, read_rows
from core.files import dumps
from core.runs.folder import CARD, EVENTS, JOB, MODEL, REPORT_JSON, STATUS, RunFolder
from tests.app.runner import context, window
from tests.app.scripted import Script, job, write_run
from tests.app.verify.reports import full_report

__all__ = ["context", "window"]
WRONG: tuple[Any, ...] = (None, "x", -1, "1e400", [], {}, "long " * 20_000)
WHOLE = (b"", b"[]", b"null", b"[" * 100_000, b"\x00\xff", b'{"schema_version": 1e400}')
ROLES = [*map(int, Qt.ItemDataRole), SORT_ROLE, SPARK_ROLE]
MOST = int(os.environ.get("FOREIGN", 40))  # changes of a file that are tried, drawn with a seed
SHOWN = max(4, MOST // 20)  # of them, on all pages


def changed(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield a document with one of its values replaced, and where: each of them by each of the wrong ones."""
    for place in _places(document):
        for wrong in WRONG:
            other = copy.deepcopy(document)
            held = other
            for key in place[:-1]:
                held = held[key]
            held[place[-1]] = wrong
            yield ".".join(map(str, place)), other


def _places(document: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = document.items() if isinstance(document, dict) else enumerate(document[:2])
    for key, value in items:
        yield (*before, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*before, key))


def texts_of(name: str, run: RunFolder, most: int) -> list[tuple[str, bytes]]:
    """Return what a file of a run folder may hold in place of what it should, and where it differs."""
    held = run.file(name).read_bytes()
    if name == EVENTS:
        lines = [json.loads(line) for line in held.splitlines()]
        first = {line["type"]: number for number, line in reversed(list(enumerate(lines)))}
        found = [
            (f"{kind}.{place}", b"\n".join(dumps(line) for line in (*lines[:number], other, *lines[number + 1 :], {})))
            for kind, number in first.items() for place, other in changed(lines[number])
        ]  # fmt: skip
    else:
        found = [(place, dumps(document)) for place, document in changed(json.loads(held))]
    found += [("whole", text) for text in WHOLE]
    return random.Random(name).sample(found, min(most, len(found)))


@pytest.fixture
def good(tmp_path) -> RunFolder:
    """A finished run with all its files."""
    run = write_run(tmp_path / "good", job(), Script("good").whole())
    for name, document in ((REPORT_JSON, full_report()), (CARD, CARD_OF_A_RUN)):
        run.file(name).write_bytes(dumps(document))
    run.file(MODEL).write_bytes(b"weights")
    return run


CARD_OF_A_RUN = {
    "schema_version": 1, "architecture": "small-cnn", "classes": list("0123456789"), "checked": True,
    "measures": {"retain_accuracy": 0.9, "forget_accuracy": 0.1, "retain_test_accuracy": 0.8, "counts": {"a": 1}},
    "verdict": {"code": "close"}, "cost": {"seconds": 1.0}, "files": {"model.safetensors": "0" * 64},
}  # fmt: skip


def changed_runs(good: RunFolder, name: str, most: int = MOST) -> list[tuple[str, RunFolder]]:
    """Make a copy of the good run for each of `most` wrong contents of a file."""
    runs = []
    for number, (place, text) in enumerate(texts_of(name, good, most)):
        run = RunFolder(good.path.parent / "runs" / f"{name}-{number:04}")
        shutil.copytree(good.path, run.path)
        run.file(name).write_bytes(text)
        runs.append((place, run))
    return runs


@pytest.mark.parametrize("name", [JOB, STATUS, CARD, REPORT_JSON, EVENTS])
def test_the_list_says_of_each_what_is_damaged_and_no_cell_raises(name, good, qapp, caplog):
    runs = changed_runs(good, name)
    rows = {row.path: row for row in read_rows(good.path.parent / "runs", [], set(), {})}
    assert rows.keys() == {run.path for _, run in runs}
    assert not caplog.records
    model = RunTableModel()
    model.set_rows(list(rows.values()))
    for row in range(model.rowCount()):
        for column in range(model.columnCount()):
            for role in ROLES:
                model.data(model.index(row, column), role)
    for path, row in rows.items():
        if row.state == DAMAGED or row.damage:
            assert name in row.error + row.damage or name == JOB, (path, row.error, row.damage)
        assert row.state != DAMAGED or name == JOB  # a run with a job can be worked with
    assert any(row.damage or row.state == DAMAGED for row in rows.values()) or name == EVENTS  # lines are left out


@pytest.mark.parametrize("name", [JOB, STATUS, CARD, REPORT_JSON, EVENTS])
def test_every_page_shows_it_or_says_why_not(name, good, window, context, qtbot, caplog):
    context.show_page("forget")
    for place, run in changed_runs(good, name, SHOWN):
        for page in ("runs", "unlearn", "verify", "export"):
            context.opening.open_run(run.path)
            qtbot.waitUntil(lambda: not context.jobs.active())
            context.show_page(page)
            qtbot.waitUntil(lambda: not context.jobs.active())
            window.grab()
        context.project.set_compared((run, good))
        context.show_page("verify")
        qtbot.waitUntil(lambda: not context.jobs.active())
        window.grab()
        context.project.set_compared(())
        faults = [one.getMessage() for one in caplog.records if one.exc_info or "Traceback" in one.getMessage()]
        assert not faults, (place, faults[0][-800:])
