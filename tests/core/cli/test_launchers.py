"""`--on`: runs in processes of their own from the command line, and `ask`, which reaches a run in any process."""

from __future__ import annotations

import pytest

from core.cli.output import RunProgress
from core.events import StepMetrics
from core.runs.asked import ASKS
from core.runs.folder import ASKED, RunFolder

from .conftest import unlearn


def test_a_run_in_a_process_shows_what_it_does_and_is_stopped_with_ask(cli, model, tmp_path, monkeypatch):
    out, shown, asked = tmp_path / "run", RunProgress.__call__, []

    def call(self, event):
        shown(self, event)
        if isinstance(event, StepMetrics) and not asked:
            asked.append(cli("ask", out, "stop"))

    monkeypatch.setattr(RunProgress, "__call__", call)
    result = cli(*unlearn(model, out, "--on", "process", "--set", "epochs=40", method="finetune"), "--json")
    assert asked[0].code == 0 and asked[0].out == "Asked run to stop and keep the model.\n"
    assert result.code == 5 and result.document["state"] == "stopped"
    folder = RunFolder(out)
    assert folder.job().launcher == "process" and folder.has_result
    assert not folder.file(ASKED).exists()


@pytest.mark.parametrize("what", [*ASKS, "explode"])
def test_a_run_that_no_process_works_on_is_asked_for_nothing(cli, unlearned, what):
    result = cli("ask", unlearned, what)
    if what == "explode":
        assert result.code == 2 and "explode" in result.err and "pause" in result.err
    else:
        assert result.code == 3 and "No process works on" in result.err
    assert not (unlearned / ASKED).exists()


def test_a_launcher_that_is_none_is_told_before_anything_is_opened(cli, tmp_path):
    result = cli(*unlearn(tmp_path / "no-model", tmp_path / "run", "--on", "rocket"))
    assert result.code == 2
    assert "'rocket' does not say what starts a run. Use thread, process, torchrun N or ssh HOST" in result.err
