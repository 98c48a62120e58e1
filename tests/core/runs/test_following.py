"""Logs of runs as they grow: where the next events begin, and what is read of long ones."""

from __future__ import annotations

import pytest

from core.errors import InputError
from core.events import Log, RunStarted
from core.files import dumps
from core.runs.folder import EVENTS, RunFolder
from core.runs.following import last_start, log_end, looks

LOG = dumps(Log(run="r", step=1, time=1.0, level="info", message='"run_started"')) + b"\n"


def start(processes: int) -> bytes:
    return dumps(RunStarted(
        run="r", step=0, time=1.0, method="muda", steps=10, stages=[], forget_mode="class", counts={}, device="cpu",
        precision="float32", threads=1, processes=processes,
    )) + b"\n"  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


@pytest.mark.parametrize(("held", "end"), [(b"", 0), (LOG, len(LOG)), (LOG + LOG[:-1], len(LOG)), (LOG[:5], 0)])
def test_what_comes_next_begins_behind_the_last_whole_line(folder, held, end):
    assert log_end(folder) == 0
    folder.file(EVENTS).write_bytes(held)
    assert log_end(folder) == end


def test_the_end_of_a_log_that_is_a_link_is_not_looked_for(folder, tmp_path):
    (tmp_path / "other").write_bytes(LOG)
    folder.file(EVENTS).symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="is a link"):
        log_end(folder)


def test_the_last_start_is_found_among_many_events(folder):
    assert last_start(folder) is None
    folder.file(EVENTS).write_bytes(LOG * 3)
    assert last_start(folder) is None
    folder.file(EVENTS).write_bytes(start(1) + LOG * 5000 + start(4) + b'{"type":"run_started"\n' + LOG * 5000)
    found = last_start(folder)
    assert found is not None and found.processes == 4
    assert sum(len(look.events) for look in looks(folder)) == 10002
