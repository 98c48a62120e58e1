"""The public functions do what the commands do, and the example of their page in docs runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.api import check, export, open_data, open_model, unlearn
from core.cli import main
from core.engine.control import Control
from core.errors import ForgetSetError, InputError, MismatchError, NotFoundError, StoppedError, TargetExistsError
from core.files import file_sha256, read_json
from core.models.trust import Trust
from core.runs.folder import MODEL, TUNING, RunFolder
from core.session import checking, exporting
from core.session.bench import Bench
from core.session.training import train
from tests.core.toy import same

ROOT = Path(__file__).resolve().parents[2]
SHORT = {"rounds": 2, "recover_share": 0.2, "relearn_min_steps": 10}


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("api") / "original"
    data = Bench(device="cpu", precision="float32", threads=1).with_data("digits")
    train(out, data, "small-cnn", Control(), lambda event: None, recipe={"epochs": 2})
    return out


@pytest.fixture
def both(original, tmp_path, monkeypatch) -> Bench:
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    return open_data("digits", open_model(original, device="cpu", precision="float32", threads=1))


def test_importing_it_loads_nothing_heavy():
    heavy = "{'torch', 'numpy', 'scipy', 'sklearn', 'torchvision'}"
    code = f"import sys, core.api; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_of_its_page_runs(original, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(original, tmp_path / "original")
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.S)
    assert len([line for line in example.splitlines() if line]) <= 12
    exec(compile(example, "docs/api.md", "exec"), {})
    sentence, accuracy, written = capsys.readouterr().out.strip().splitlines()
    assert sentence.endswith(".") and float(accuracy) < 0.5 and written.startswith("Written and read back")
    assert RunFolder(tmp_path / "three-forgotten").report()["seed"] == 1 and (tmp_path / "forgotten.pt").is_file()


def test_it_gives_what_the_command_gives(both, original, tmp_path):
    run = unlearn(both, tmp_path / "api", classes=["3"], settings=SHORT, seed=2)
    command = [
        "unlearn", "--model", str(original), "--dataset", "digits", "--forget-class", "3",
        "--method", "muda", "--set", *(f"{name}={value}" for name, value in SHORT.items()), "--seed", "2",
        "--device", "cpu", "--precision", "float32", "--threads", "1", "--out", str(tmp_path / "command"),
    ]  # fmt: skip
    assert main(command) == 0  # that a process answers like this function is held with the command line's errors
    other = RunFolder(tmp_path / "command")
    assert run.job() == other.job()
    assert same(load_file(run.file(MODEL)), load_file(other.file(MODEL)))


def test_events_come_as_they_happen_and_a_run_can_be_stopped(both, tmp_path):
    control, events = Control(), []

    def emit(event) -> None:
        events.append(event.type)
        if event.type == "step_metrics":
            control.stop()

    run = unlearn(both, tmp_path / "run", classes=["3"], settings={"rounds": 40}, emit=emit, control=control)
    assert run.status().state == "stopped" and run.has_result and events[-1] == "run_finished"
    control = Control()
    control.stop()
    with pytest.raises(StoppedError, match="nothing to keep"):
        unlearn(both, tmp_path / "none", classes=["3"], control=control)


def test_a_search_comes_first_and_a_run_goes_on_where_it_was(both, tmp_path):
    asked = {"classes": ["3"], "settings": {**SHORT, "min_steps": 1, "w_da": 0.5}, "tries": 2}
    run = unlearn(both, tmp_path / "run", **asked)
    assert run.job().tuning.tried == 2 and run.file(TUNING).is_file()
    assert [set(tried["values"]) for tried in read_json(run.file(TUNING))["tries"]] == [{"lr"}] * 2  # w_da stays
    again = unlearn(both, run.path, **asked, resume=True)
    assert again.status().state == "finished"
    with pytest.raises(MismatchError, match="differs in forget set"):
        unlearn(both, run.path, **{**asked, "classes": ["4"]}, resume=True)
    with pytest.raises(InputError, match="already"):
        unlearn(both, run.path, classes=["3"])


def test_what_cannot_be_is_said_before_anything_is_written(both, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(NotFoundError, match="thirteen"):
        unlearn(both, out, classes=["thirteen"])
    with pytest.raises(ForgetSetError):
        unlearn(both, out)
    with pytest.raises(ForgetSetError, match="There is no sample 1198"):
        unlearn(both, out, samples=[5, 1198])
    with pytest.raises(InputError, match="No data is open"):
        unlearn(open_model(both.model.path), out, classes=["3"])
    assert not out.exists()


def test_single_images_are_named_by_position_and_checked(both, tmp_path):
    run = unlearn(both, tmp_path / "run", samples=[4, 7, 9], method="finetune", settings={"epochs": 0.2})
    assert run.job().forget.count == 3 and run.job().forget.mode == "sample"
    report = check(run, both)
    assert report["verdict"]["code"] == "no_reference"
    result = export(run, tmp_path / "out.safetensors", "safetensors", with_report=True)
    assert result.path.is_file() and result.largest_difference == 0.0
    with pytest.raises(TargetExistsError):
        export(run, result.path, "safetensors")
    assert export(run, result.path, "safetensors", overwrite=True).sha256 == file_sha256(result.path)


def test_a_correction_is_judged_as_one(both, tmp_path):
    wrong = {"samples": [4, 7, 9], "method": "finetune", "settings": {"epochs": 0.05}}
    run = unlearn(both, tmp_path / "run", **wrong, corrective=True)
    assert run.job().forget.corrective and run.report()["verdict"]["purpose"] == "corrective"


def test_what_is_allowed_is_what_was_said(original):
    assert open_model(original).trust == Trust(pickle=False, code=False)
    assert open_model(original, trust_pickle=True).trust == Trust(pickle=True, code=False)
    assert open_model(original, trust_code=True).trust == Trust(pickle=False, code=True)


def test_paths_given_with_data_hold_in_other_folders_too(original, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("\n".join("0123456789"))
    opened = open_data("digits", open_model(original), classes_file="names.txt")
    assert opened.options.classes_file == str(tmp_path / "names.txt")


def test_a_check_is_the_one_that_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "check", lambda *given, **options: {"given": given, **options})
    (tmp_path / "run").mkdir()
    folder, bench, control = RunFolder(tmp_path / "run"), Bench(), Control()
    asked = check(folder, bench, seeds=[1, 2], retrained={"mine": "a.pt"}, suite="full", emit=print, control=control)
    assert asked == {
        "given": (folder, control, print, bench), "seeds": (1, 2), "retrained": {"mine": Path("a.pt")}, "which": "full",
        "start": None,
    }  # fmt: skip
    assert check(folder)["which"] == "quick"


def test_an_export_trusts_what_the_bench_does(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "export", lambda *given, **options: given)
    (tmp_path / "run").mkdir()
    bench = Bench(trust=Trust(code=True))
    asked = export(RunFolder(tmp_path / "run"), "a.pt", bench=bench)
    assert asked == (tmp_path / "run", "same", "a.pt", bench)
