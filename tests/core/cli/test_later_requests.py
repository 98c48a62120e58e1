"""A later request from the command line: --model names an earlier run, and both requests are told together."""

from __future__ import annotations

import json

import pytest

from .conftest import unlearn


@pytest.fixture(scope="module")
def earlier(cli, model, tmp_path_factory):
    """A run that forgot class 3."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    result = cli(*unlearn(model, folder, method="finetune"))
    assert result.code == 0, result.err
    return folder


def test_a_run_folder_as_model_takes_its_forget_set_along(cli, earlier, tmp_path):
    out = tmp_path / "second"
    result = cli(*unlearn(earlier, out, method="finetune", forget=("--forget-class", 5)))
    assert result.code == 0, result.err
    assert "result of an earlier run" in result.err
    assert "Requests together:\n1. class 3:" in result.out and "2. class 5:" in result.out
    report = json.loads((out / "report.json").read_text())
    assert report["forget_classes"] == ["3", "5"] and len(report["chain"]) == 2
    held = json.loads((out / "job.json").read_text())
    assert len(held["chain"]) == 1 and held["requests"][0]["run"] == "first"
    # The same command again finds the same job; `inspect` and `runs` tell the chain.
    again = cli(*unlearn(earlier, out, "--resume", method="finetune", forget=("--forget-class", 5)))
    assert again.code == 0, again.err
    assert "2. class 5" in cli("inspect", out).out
    assert "2 requests" in cli("runs", tmp_path).out


def test_a_request_that_asks_for_nothing_new_is_told_so(cli, earlier, tmp_path):
    result = cli(*unlearn(earlier, tmp_path / "again", "--set", "epochs=0", method="finetune"))
    assert result.code == 0, result.err
    assert "it forgot already hold all that is asked for." in result.err


def test_an_exported_model_says_that_it_forgot_before(cli, earlier, tmp_path):
    exported = tmp_path / "exported.safetensors"
    assert cli("export", earlier, "--format", "safetensors", "--out", exported).code == 0
    result = cli(*unlearn(exported, tmp_path / "u", method="finetune", forget=("--forget-class", 5)))
    assert result.code == 0, result.err
    assert "has already forgotten" in result.err
