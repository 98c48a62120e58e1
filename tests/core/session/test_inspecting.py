"""What a path is, by a quick look."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from core.errors import InputError
from core.session.inspecting import inspect, kind_of


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("model.pt", "", "model"), ("A.SAFETENSORS", "", "model"), ("data.npz", "", "dataset"),
        ("forget.csv", "index,class,path,weight\n1,a,,1\n", "forget list"),
        ("data.csv", "path,label\na.png,x\n", "dataset"),
        ("names.txt", "a.png\n", "forget list"), ("picture.png", "", None), ("notes.md", "", None),
        ("night.toml", "", "batch"), ("model_best.pth.tar", "", "model"), ("train-000.tar", "", "dataset"),
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
    assert kind_of(tmp_path / "data") == "dataset"
    assert kind_of(tmp_path / "empty") is None
    for name in ("train-0001.tar", "dataset_info.json", "train-labels-idx1-ubyte.gz"):
        (tmp_path / name.split(".")[0]).mkdir()
        (tmp_path / name.split(".")[0] / name).touch()
        assert kind_of(tmp_path / name.split(".")[0]) == "dataset", name
    run = new_run()
    assert kind_of(digits_model) == "run"
    assert kind_of(run.path.parent) == "runs"
    assert kind_of(run.path) == kind_of(run.path / "job.json") == "run"


def test_a_damaged_run_is_still_a_run(tmp_path):
    (tmp_path / "job.json").write_text("{")
    assert kind_of(tmp_path) == "run"


def test_a_bin_file_is_a_model_by_its_first_bytes(tmp_path):
    (tmp_path / "firmware.bin").write_bytes(b"\x7fELF" + bytes(99))
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK" + bytes(99))
    assert kind_of(tmp_path / "firmware.bin") is None
    assert kind_of(tmp_path / "pytorch_model.bin") == "model"


@pytest.mark.parametrize("name", ["checkpoint-10", "net.best", "export.pkl", "weights.bin"])
def test_a_model_of_any_name_is_known_by_how_it_begins(tmp_path, name):
    state = {"fc.weight": torch.rand(3, 2)}
    old = partial(torch.save, _use_new_zipfile_serialization=False)
    for write in (torch.save, save_file, old):
        write(state, tmp_path / name)
        assert kind_of(tmp_path / name) == "model"
    (tmp_path / name).write_bytes(b"GGUF\x03" + bytes(99))
    assert kind_of(tmp_path / name) == "model"
    for other in (b"", b"PK\x03\x04" + bytes(99), b"{}", b'[{"a": {"b": 1}}]', b"\x89PNG\r\n\x1a\n" + bytes(99)):
        (tmp_path / f"other{Path(name).suffix.replace('.bin', '')}").write_bytes(other)
        assert kind_of(tmp_path / f"other{Path(name).suffix.replace('.bin', '')}") is None


def test_a_folder_with_weights_is_a_model(tmp_path):
    (tmp_path / "model.safetensors").touch()
    assert kind_of(tmp_path) == "model"


def test_reports_and_jobs_are_known_by_name(tmp_path):
    for name, kind in (("report.json", "report"), ("report.html", "report"), ("job.json", "run")):
        (tmp_path / name).touch()
        assert kind_of(tmp_path / name) == kind


def test_folders_without_images_are_no_data_though_the_quick_look_says_so(tmp_path):
    (tmp_path / "texts").mkdir()
    assert kind_of(tmp_path) == "dataset"
    with pytest.raises(InputError, match="is no model, data set"):
        inspect(str(tmp_path))


def test_the_job_of_a_run_is_described_as_the_run(new_run):
    run = new_run()
    assert inspect(str(run.path / "job.json")).as_dict() == inspect(str(run.path)).as_dict()


def test_onnx_is_said_to_be_written_only(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(InputError, match=r"x\.onnx is an ONNX file, which can be run but not trained"):
        inspect(str(tmp_path / "x.onnx"))


def test_a_run_says_how_many_lines_of_its_log_are_passed_over_and_what_of_it_is_damaged(new_run):
    folder = new_run()
    folder.file("events.jsonl").write_text('{"type":"log"}\n{"type":"of_a_newer_version"}\n{\n')
    assert ("Event log", "2 damaged lines passed over") in inspect(str(folder.path)).facts
    folder.file("model.json").write_text('{"measures": 5}')
    assert "model.json is damaged" in dict(inspect(str(folder.path)).facts)["Damaged"]


def test_a_run_is_described_without_loading_anything_heavy(new_run):
    code = (
        "import sys; from core.cli import main; main(sys.argv[1:]);"
        "print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, "inspect", str(new_run().path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "a run" in result.stdout and result.stdout.strip().endswith("[]")


def test_nothing_heavy_is_loaded():
    code = (
        "import sys, pathlib; from core.session.inspecting import kind_of; kind_of(pathlib.Path('.'));"
        "print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_table_of_images_with_unknown_columns_is_told_what_they_are_called(tmp_path):
    path = tmp_path / "bilder.csv"
    path.write_text("Datei;Klasse\na.png;Hose\nb.png;Hemd\n")
    said = dict(inspect(str(path)).facts)["Note"]
    assert "columns Datei, Klasse" in said and "called path and label" in said


def test_images_without_class_folders_are_told_what_is_missing(tmp_path):
    (tmp_path / "0.png").write_bytes(b"")
    with pytest.raises(InputError, match="holds no class folders with images"):
        inspect(str(tmp_path))


def test_the_other_networks_that_weights_fit_are_named(tmp_path):
    torch.save(resnet18(num_classes=3).state_dict(), tmp_path / "net.pt")
    described = inspect(str(tmp_path / "net.pt"))
    assert "resnet18:stem=7,stride=2,pool=none" in described.data["alternatives"]
    assert dict(described.facts)["Fits as well"].endswith(": told apart on the data, or by --arch")
