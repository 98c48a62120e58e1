"""What a path is, told before it is opened."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.session.kinds import kind_of


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("model.pt", "", "model"), ("A.SAFETENSORS", "", "model"), ("data.npz", "", "data"),
        ("forget.csv", "index,class,path,weight\n1,a,,1\n", "list"), ("data.csv", "path,label\na.png,x\n", "data"),
        ("names.txt", "a.png\n", "list"), ("picture.png", "", None), ("notes.md", "", None),
        ("night.toml", "", "batch"), ("model_best.pth.tar", "", "model"), ("train-000.tar", "", "data"),
    ],
)  # fmt: skip
def test_files(tmp_path, name, content, kind):
    (tmp_path / name).write_text(content)
    assert kind_of(tmp_path / name) == kind


def test_what_is_not_there_is_nothing(tmp_path):
    assert kind_of(tmp_path / "none.pt") is None


def test_folders(tmp_path, digits_model, new_run):
    (tmp_path / "data" / "cat").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    assert kind_of(tmp_path / "data") == "data"
    assert kind_of(tmp_path / "empty") is None
    for name in ("train-0001.tar", "dataset_info.json", "train-labels-idx1-ubyte.gz"):
        (tmp_path / name.split(".")[0]).mkdir()
        (tmp_path / name.split(".")[0] / name).touch()
        assert kind_of(tmp_path / name.split(".")[0]) == "data", name
    assert kind_of(digits_model) == "model"  # a training run with its result
    run = new_run()
    assert kind_of(run.path) == kind_of(run.path / "job.json") == "run"


def test_a_damaged_run_is_still_a_run(tmp_path):
    (tmp_path / "job.json").write_text("{")
    assert kind_of(tmp_path) == "run"


def test_nothing_heavy_is_loaded():
    code = (
        "import sys, pathlib; from core.session.kinds import kind_of; kind_of(pathlib.Path('.'));"
        "print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
