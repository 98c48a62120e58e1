"""`kept`: what is kept of a run's forget images, listed and removed from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runs.folder import RunFolder
from tests.core.cli.conftest import unlearn


@pytest.fixture
def run(cli, model, tmp_path) -> Path:
    assert cli(*unlearn(model, tmp_path / "run", method="head-only")).code == 0
    return tmp_path / "run"


def test_kinds_of_traces_are_listed_with_files_and_sizes(cli, run):
    document = cli("kept", run, "--json").document
    kinds = {kind["id"]: kind for kind in document["kinds"]}
    assert kinds["forget_list"]["files"] == [str(run / "forget.csv")]
    assert kinds["forget_list"]["bytes"] == (run / "forget.csv").stat().st_size
    assert document["run"] == str(run) and document["removed"] is None
    text = cli("kept", run)
    assert text.code == 0 and all(name in text.out for name in kinds)


def test_a_kind_is_removed_and_noted(cli, run):
    document = cli("kept", run, "--remove", "forget_list", "--json").document
    assert document["removed"]["files"] == 1 and document["removed"]["failed"] == []
    assert not (run / "forget.csv").exists() and "forget.csv" in RunFolder(run).removed()
    assert "Removed 0 files" in cli("kept", run, "--remove", "forget_list").out


def test_all_removes_what_can_be_removed_and_leaves_model_and_report(cli, run):
    assert cli("kept", run, "--remove", "all").code == 0
    left = {kind["id"] for kind in cli("kept", run, "--json").document["kinds"] if kind["files"]}
    assert left == {"report"} and (run / "model.safetensors").is_file()
    held = cli("verify-report", run)
    assert held.code == 0 and "forget.csv is gone: removed.json, which nobody signed, says that" in held.out
    assert "It is not signed, so this shows damage and no forgery" in held.out


def test_what_cannot_be_removed_is_named(cli, run):
    result = cli("kept", run, "--remove", "report")
    assert result.code == 3 and "report cannot be removed. Removable are" in result.error
    assert cli("kept", run.parent / "nowhere").code == 3


def test_a_file_that_could_not_be_deleted_is_an_error(cli, run, monkeypatch):
    delete = Path.unlink

    def refuse(path, missing_ok=False):
        if path.name == "forget.csv":
            raise PermissionError(13, "Permission denied", str(path))
        delete(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    result = cli("kept", run, "--remove", "forget_list")
    assert result.code == 4 and "forget.csv: Permission denied" in result.error
