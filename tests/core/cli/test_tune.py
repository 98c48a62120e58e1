"""`unlearn --tune N`: what is shown, what is written, and how a second command goes on."""

from __future__ import annotations

import pytest

from core.errors import StoppedError
from core.files import read_json
from core.runs.folder import RunFolder
from core.session import running
from tests.core.cli.conftest import unlearn

SHORT = ("--set", "rounds=1", "relearn_min_steps=10", "recover_share=0.1", "--threads", 1, "--precision", "float32")


@pytest.fixture(scope="module", autouse=True)
def no_references(home, tmp_path_factory):
    """A home of its own: a retrained model that another test left in the shared one would change what tries go by."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def tuned(no_references, cli, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned") / "run"
    result = cli(*unlearn(model, folder, *SHORT, "--tune", 3))
    assert result.code == 0, result.err
    return folder, result


def test_what_was_tried_is_shown_and_recorded_and_the_best_is_run(tuned):
    folder, result = tuned
    lines = result.out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("try "))
    assert lines[at].split() == ["try", "lr", "w_da", "retain-test", "forget-test", "score", "time"]
    assert lines[at + 1].endswith("best") and lines[at + 4].startswith("goal")
    assert "calibration half of the test images" in " ".join(lines[at + 5 : at + 9])
    held, job = read_json(folder / "tuning.json"), read_json(folder / "job.json")
    best = held["tries"][held["best"] - 1]
    assert len(held["tries"]) == 3 and held["judged_by"] == "forget accuracy under a bound on retain accuracy"
    assert {name: job["parameters"][name] for name in ("lr", "w_da")} == best["values"]
    assert job["tuning"]["best"] == held["best"] and job["tuning"]["tried"] == 3
    assert "Settings chosen from 3 tries" in result.err


def test_the_same_command_resumed_changes_nothing_and_another_one_is_refused(cli, model, tuned):
    folder, _ = tuned
    before = (folder / "model.safetensors").read_bytes()
    again = cli(*unlearn(model, folder, *SHORT, "--tune", 3, "--resume", "--json"))
    assert again.code == 0 and again.document["tuning"]["tried"] == 3
    assert (folder / "model.safetensors").read_bytes() == before
    other = cli(*unlearn(model, folder, *SHORT, "--set", "batch=16", "--tune", 3, "--resume"))
    assert other.code == 3 and "differs in batch" in other.error


def test_settings_given_by_hand_stay(cli, model, tmp_path):
    result = cli(*unlearn(model, tmp_path / "run", *SHORT, "--set", "lr=0.0123", "--tune", 2, "--json"))
    assert result.code == 0, result.err
    job = RunFolder(tmp_path / "run").job()
    assert job.parameters["lr"] == 0.0123 and job.tuning.searched == ("w_da",)
    assert result.document["tuning"]["searched"] == ["w_da"]


def test_a_method_without_settings_to_search_for_runs_as_it_is(cli, model, tmp_path):
    fixed = ("--set", "lr=0.1", "epochs=0.1", "--tune", 4)
    result = cli(*unlearn(model, tmp_path / "run", *fixed, method="finetune"))
    assert result.code == 0, result.err
    assert "Fine-tuning has no setting to search for; it runs as it is." in result.err
    assert RunFolder(tmp_path / "run").job().tuning is None and not (tmp_path / "run" / "tuning.json").exists()


@pytest.mark.parametrize("number", ["0", "-1", "many", "1.5"])
def test_a_wrong_number_of_tries(cli, model, tmp_path, number):
    result = cli(*unlearn(model, tmp_path / "run", "--tune", number))
    assert result.code == 2 and "--tune: must be a whole number from 1" in result.error
    assert not (tmp_path / "run").exists()


def test_ctrl_c_keeps_what_was_tried_and_the_same_command_goes_on(cli, model, tmp_path, monkeypatch):
    folder, search = RunFolder(tmp_path / "run"), running.tune

    def stopped(job, bench, selection, count, *, control, **options):
        """Press Ctrl+C when the third try begins."""
        pressing = bench.telling(lambda what, done, total: what.startswith("Trying settings, 3") and control.stop())
        return search(job, pressing, selection, count, control=control, **options)

    monkeypatch.setattr(running, "tune", stopped)
    result = cli(*unlearn(model, folder.path, *SHORT, "--tune", 4))
    assert result.code == StoppedError.exit_code and not folder.exists
    assert "2 of 4 tries are kept in" in result.error and "Start the same command again" in result.error
    kept = read_json(folder.file("tuning.json"))["tries"]
    monkeypatch.setattr(running, "tune", search)
    again = cli(*unlearn(model, folder.path, *SHORT, "--tune", 4))
    assert again.code == 0, again.err
    assert "Trying settings, 2" not in again.out and "Trying settings, 3" in again.out
    assert read_json(folder.file("tuning.json"))["tries"][:2] == kept
