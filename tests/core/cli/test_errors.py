"""Everything that can be said wrongly: one line, the right exit code, what to do, and nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.cli import COMMANDS
from core.errors import UsageError
from core.files import data_home
from core.models.architectures import ModelSpec, build_model
from core.runs.folder import RunFolder

from .conftest import ROOT

USAGE, INPUT = 2, 3


@pytest.fixture(scope="module")
def files(tmp_path_factory, images):
    """Files that are wrong in one way each."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "empty.pt").write_bytes(b"")
    (folder / "text.pt").write_text("no model at all")
    (folder / "cut.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    torch.save({"weird.weight": torch.zeros(3, 3)}, folder / "unknown.pt")
    diverged = build_model(ModelSpec("small-cnn", 10, 1, (8, 8))).state_dict()
    save_file({key: torch.full_like(value, float("nan")) for key, value in diverged.items() if value.ndim},
              folder / "nan.safetensors")  # fmt: skip
    (folder / "ids.txt").write_text("999999999\n")
    (folder / "nothing.txt").write_text("\n\n")
    (folder / "binary.txt").write_bytes(b"\x00\x01\x02\xff")
    (folder / "weight.csv").write_text("index,weight\n3,-1\n")
    (folder / "order.txt").write_text("a\nb\n")
    (folder / "pre.json").write_text('{"size": [8, 8], "maen": [0.5]}')
    (folder / "pre-broken.json").write_text("{")
    (folder / "list.csv").write_text("path,label\n")
    np.savez(folder / "no-test.npz", x_train=np.zeros((8, 8, 8), "uint8"), y_train=np.arange(8) % 2)
    (folder / "broken.npz").write_bytes(b"PK\x03\x04 not a zip")
    (folder / "code.py").write_text("def make(num_classes):\n    raise SystemExit('this code must not run')\n")
    return folder


CASES = {
    # name: (exit code, words of the line, arguments; {m} model, {f} wrong files, {o} a folder to make, {n} images)
    "no forget set": (USAGE, "--forget-class", "unlearn {job}"),
    "two ways to choose": (USAGE, "--forget-random", "unlearn {job} --forget-class 1 --forget-random 0.1"),
    "random share of nothing": (USAGE, "above 0", "unlearn {job} --forget-random 0"),
    "random share of all": (USAGE, "below 1", "unlearn {job} --forget-random 1"),
    "random share as text": (USAGE, "'some'", "unlearn {job} --forget-random some"),
    "class out of range": (INPUT, "'77'", "unlearn {job} --forget-class 77"),
    "class by wrong name": (INPUT, "'three'", "unlearn {job} --forget-class three"),
    "all classes": (INPUT, "must stay", "unlearn {job} --forget-class 0 1 2 3 4 5 6 7 8 9"),
    "list missing": (INPUT, "nowhere.txt", "unlearn {job} --forget-samples {f}/nowhere.txt"),
    "list out of range": (INPUT, "--allow-missing", "unlearn {job} --forget-samples {f}/ids.txt"),
    "list of nothing but misses": (INPUT, "ids.txt", "unlearn {job} --forget-samples {f}/ids.txt --allow-missing"),
    "list empty": (INPUT, "no entries", "unlearn {job} --forget-samples {f}/nothing.txt"),
    "list binary": (INPUT, "not a text file", "unlearn {job} --forget-samples {f}/binary.txt"),
    "list with a negative weight": (INPUT, "weight", "unlearn {job} --forget-samples {f}/weight.csv"),
    "list is a folder": (INPUT, "cannot be read", "unlearn {job} --forget-samples {f}"),
    "unknown method": (INPUT, "muda", "unlearn --model {m} --dataset digits --method mudda --out {o} --forget-class 1"),
    "unknown preset": (INPUT, "thorough", "unlearn {job} --forget-class 1 --preset thorogh"),
    "unknown parameter": (USAGE, "rounds", "unlearn {job} --forget-class 1 --set round=2"),
    "parameter like none": (USAGE, "(it has rounds, ", "unlearn {job} --forget-class 1 --set zzz=2"),
    "parameters out of range": (USAGE, "lr must be", "unlearn {job} --forget-class 1 --set rounds=-1 lr=fast"),
    "parameter without value": (USAGE, "name=value", "unlearn {job} --forget-class 1 --set rounds"),
    "unknown device": (USAGE, "'quantum'", "unlearn {job} --forget-class 1 --device quantum"),
    "device that is not there": (INPUT, "device", "unlearn {job} --forget-class 1 --device cuda:7"),
    "float16 on a processor": (USAGE, "float16", "unlearn {job} --forget-class 1 --device cpu --precision float16"),
    "unknown precision": (USAGE, "float32", "unlearn {job} --forget-class 1 --precision float3"),
    "negative seed": (USAGE, "--seed", "unlearn {job} --forget-class 1 --seed -1"),
    "no threads": (USAGE, "--threads", "unlearn {job} --forget-class 1 --threads 0"),
    "budget above all": (USAGE, "--monitoring-budget", "unlearn {job} --forget-class 1 --monitoring-budget 2"),
    "no tries": (USAGE, "--tune", "unlearn {job} --forget-class 1 --tune 0"),
    "misspelt option": (USAGE, "--forget-class", "unlearn {job} --forget-clas 1"),
    "something left over": (USAGE, "leftover", "runs {f} leftover"),
    "model missing": (INPUT, "no file", "evaluate --model {f}/no.pt --dataset digits"),
    "model empty": (INPUT, "empty", "evaluate --model {f}/empty.pt --dataset digits"),
    "model is text": (INPUT, "not a model file", "evaluate --model {f}/text.pt --dataset digits"),
    "model cut off": (INPUT, "damaged", "evaluate --model {f}/cut.safetensors --dataset digits"),
    "model of unknown kind": (INPUT, "not recognised", "evaluate --model {f}/unknown.pt --dataset digits"),
    "model with no numbers": (INPUT, "not finite", "evaluate --model {f}/nan.safetensors --dataset digits"),
    "model for other data": (INPUT, "1 channel, the data set's have 3", "evaluate --model {m} --dataset {n}"),
    "model of another architecture": (INPUT, "resnet18", "evaluate {old} --arch resnet18"),
    "unknown architecture": (INPUT, "small-cnn", "train --dataset digits --arch smal-cnn --out {o}"),
    "architecture for larger images": (INPUT, "63", "train --dataset digits --arch alexnet --out {o}"),
    "user code without trust": (INPUT, "--trust-code", "train --dataset digits --arch {f}/code.py:make --out {o}"),
    "unknown recipe": (USAGE, "epochs", "train {new} --recipe epoch=3"),
    "training without all": (INPUT, "must stay", "train {new} --exclude-class 0 1 2 3 4 5 6 7 8 9"),
    "unknown data": (INPUT, "digits", "train --dataset digts --arch mlp --out {o}"),
    "data missing": (INPUT, "no file", "train --dataset {f}/none.npz --arch mlp --out {o}"),
    "data broken": (INPUT, "broken.npz", "train --dataset {f}/broken.npz --arch mlp --out {o}"),
    "data without a test part": (INPUT, "--test-fraction", "train --dataset {f}/no-test.npz --arch mlp --out {o}"),
    "test part of everything": (USAGE, "below 1", "train {new} --test-fraction 1"),
    "class order of other classes": (INPUT, "order.txt", "evaluate {old} --classes {f}/order.txt"),
    "preprocessing misspelt": (INPUT, "mean", "evaluate {old} --preprocess {f}/pre.json"),
    "preprocessing broken": (INPUT, "JSON", "evaluate {old} --preprocess {f}/pre-broken.json"),
    "reference without a name": (USAGE, "retrained=", "evaluate {old} --reference {m}"),
    "reference missing": (INPUT, "nowhere", "evaluate {old} --reference retrained={f}/nowhere"),
    "export in an unknown form": (USAGE, "onnx", "export {m} --format onxx --out {o}"),
    "export of nothing": (INPUT, "nowhere", "export {f}/nowhere --format pt --out {o}"),
    "inspect nothing": (INPUT, "Did you mean", "inspect {f}/empty.tp"),
    "inspect no such kind": (INPUT, "no model", "inspect {f}/code.py"),
    "resume no run": (INPUT, "not a run folder", "resume {f}"),
    "runs of no folder": (INPUT, "no folder", "runs {f}/nowhere"),
    "report of no run": (INPUT, "no report", "verify-report {f}"),
    "report without hashes": (INPUT, "names no files", "verify-report {f}/pre.json"),
    "missing options": (USAGE, "--out", "unlearn --model {m}"),
    "out is a file": (INPUT, "empty.pt", "train --dataset digits --arch mlp --out {f}/empty.pt"),
}  # fmt: skip


KINDS = {
    USAGE: {"usage", "parameter"},
    INPUT: {"input", "not_found", "target_exists", "unsafe_file", "mismatch", "no_test_part", "forget_set"},
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_line_and_leaves_nothing(cli, model, images, files, tmp_path, name):
    code, words, text = CASES[name]
    out = tmp_path / "out"
    known = {"m": model / "model.safetensors", "f": files, "o": out, "n": images}
    known["old"] = "--model {m} --dataset digits".format(**known)
    known["new"] = "--dataset digits --arch mlp --out {o}".format(**known)
    known["job"] = "{old} --method muda --out {o}".format(**known)
    result = cli(*text.format(**known).split())
    assert result.code == code, result.err
    assert words in result.error
    assert result.out.count("\n") <= 4, "nothing but what was being read"
    assert not out.exists()
    told = cli(*text.format(**known).split(), "--json")
    assert (told.code, told.error) == (result.code, result.error)
    said = told.document["error"]
    assert f"error: {said['message']} {said['hint']}".strip() == result.error
    assert said["exit_code"] == code and said["kind"] in KINDS[code]


def test_names_that_only_share_some_letters_are_not_suggested(cli, tmp_path):
    for name in ("o", "o2", "fool"):
        (tmp_path / name).touch()
    assert cli("inspect", tmp_path / "foo").error.endswith(f"Did you mean {tmp_path / 'fool'}?")
    result = cli("train", "--dataset", "digits", "--arch", "small-cn", "--out", tmp_path / "run")
    assert result.error.endswith("Did you mean small-cnn?")


def test_a_file_that_is_no_json_is_said_once_to_be_none(cli, tmp_path):
    (tmp_path / "x.csv").write_text("a,b")
    error = cli("verify-report", tmp_path / "x.csv").error
    assert error.endswith("x.csv is not valid JSON: invalid character (byte 0).")


def test_all_wrong_parameters_are_told_at_once(cli, model, tmp_path):
    result = cli(
        "unlearn", "--model", model, "--dataset", "digits", "--method", "muda", "--out", tmp_path / "o",
        "--forget-class", 1, "--set", "wings=2", "lr=-1", "rounds=x",
    )  # fmt: skip
    assert all(name in result.error for name in ("wings", "lr", "rounds"))


def test_a_name_that_is_also_an_index_names_both(cli, tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (40, 8, 8)).astype("uint8")
    y = np.arange(40) % 2
    np.savez(tmp_path / "d.npz", x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    (tmp_path / "names.txt").write_text("1\n0\n")
    result = cli(
        "train", "--dataset", tmp_path / "d.npz", "--classes", tmp_path / "names.txt", "--arch", "mlp",
        "--out", tmp_path / "o", "--exclude-class", "1",
    )  # fmt: skip
    assert result.code == INPUT and "index of class" in result.error


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_hostile_pickle_runs_nothing(cli, tmp_path, wrapped):
    flag = tmp_path / "executed"

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {flag}",)

    content = {"state_dict": Hostile()}
    path = tmp_path / "hostile.pt"
    if wrapped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hostile/data.pkl", pickle.dumps(content, protocol=2))
            archive.writestr("hostile/version", "3\n")
    else:
        path.write_bytes(pickle.dumps(content))
    for command in (["evaluate", "--model", path, "--dataset", "digits"], ["inspect", path],
                    ["export", path, "--format", "pt", "--out", tmp_path / "o.pt"]):  # fmt: skip
        result = cli(*command)
        assert result.code == INPUT and "program code" in result.error and "--trust-pickle" in result.error
    assert not flag.exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_has_help_without_an_error(cli, name):
    result = cli(name, "--help")
    assert result.code == 0 and f"unlearn-studio {name}" in result.out and not result.err


def test_a_mistyped_subcommand_names_the_nearest(cli):
    result = cli("unlern")
    assert result.code == USAGE and "Did you mean unlearn" in result.error
    assert "A subcommand is missing" in cli().error


def test_a_fault_is_one_line_and_a_file_with_the_traceback(cli, monkeypatch):
    def fail(options, screen):
        raise ZeroDivisionError("made for\nthis test")

    monkeypatch.setattr("core.cli.listing.run_runs", fail)
    result = cli("runs")
    assert result.code == 1
    assert "ZeroDivisionError: made for this test" in result.error and "This is a bug" in result.error
    log = result.error.rpartition("details are in ")[2].rstrip(".")
    text = Path(log).read_text(encoding="utf-8")
    assert Path(log).is_relative_to(data_home() / "log") and "Traceback" in text and "['runs']" in text


def test_debug_shows_the_traceback_and_the_line(cli, monkeypatch):
    result = cli("runs", "nowhere", "--debug")
    assert result.code == INPUT and "Traceback" in result.err
    assert result.err.splitlines()[-1].startswith("error: There is no folder nowhere")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 4, "No space left"),
        (PermissionError(errno.EACCES, "Permission denied", "/there/file"), 4, "/there/file"),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG)), 4, "File too large"),
        (OSError(errno.ENAMETOOLONG, "File name too long"), 3, "too long"),
        (MemoryError(), 4, "Out of memory"),
        (KeyboardInterrupt(), 5, "Stopped"),
    ],
)
def test_what_the_machine_refuses_is_no_fault_of_the_program(cli, monkeypatch, error, code, words):
    def fail(options, screen):
        raise error

    monkeypatch.setattr("core.cli.listing.run_runs", fail)
    result = cli("runs")
    assert result.code == code and words in result.error and "bug" not in result.error


def test_processes_answer_like_the_function(process, cli):
    """A command that needs torch; one that is not said well is held below, by the document it gets."""
    result = process("inspect", "nowhere.pt")
    assert result.code == INPUT and result.out == "" and result.error
    for arguments in (["unlearn"], ["inspect", "nowhere.pt"], ["verify", "x"], ["methods", "nope"]):
        result = cli(*arguments)
        assert result.code in (USAGE, INPUT) and result.out == "" and result.error


def test_json_of_a_process_is_pure(process):
    result = process("methods", "--json")
    assert result.code == 0 and result.err == "" and json.loads(result.out)


def test_an_error_as_a_document_holds_what_programs_need(cli, files, tmp_path):
    train = ["train", "--dataset", "digits", "--arch", "mlp", "--out", tmp_path / "out", "--json"]
    said = cli(*train, "--recipe", "epoch=3", "lr=fast").document["error"]
    assert said["kind"] == "parameter" and len(said["problems"]) == 2
    said = cli(*train, "--dataset", files / "no-test.npz").document["error"]
    assert said["kind"] == "no_test_part" and said["class_counts"] == [4, 4] and "--test-fraction" in said["hint"]


@pytest.mark.parametrize(
    ("raised", "code", "kind"),
    [(KeyboardInterrupt, 5, "stopped"), (ZeroDivisionError("made"), 1, "fault"), (MemoryError(), 4, "out_of_memory")],
)
def test_faults_and_ctrl_c_are_documents_as_well(cli, monkeypatch, raised, code, kind):
    from core.cli import listing

    def fail(*_):
        print("what a library prints")
        raise raised

    monkeypatch.setattr(listing, "run_methods", fail)
    for arguments in (["methods", "--json"], ["methods", "--json", "--debug"]):
        result = cli(*arguments)
        assert result.code == code and result.document["error"]["exit_code"] == code
        assert result.document["error"]["kind"] == kind


def test_a_batch_file_that_is_wrong_is_a_document(cli, tmp_path):
    (tmp_path / "b.toml").write_text("dataset = 3")
    result = cli("batch", tmp_path / "b.toml", "--out", tmp_path / "o", "--json")
    assert result.code == INPUT and result.document["error"]["message"] in result.error


@pytest.mark.parametrize(
    "arguments", [["unlern", "--json"], ["--json", "unlearn"], ["--json"], ["runs", "--json", "--nowhere"]]
)
def test_usage_errors_before_any_option_is_read_are_documents(process, arguments):
    result = process(*arguments)
    assert result.code == USAGE and result.document["error"]["kind"] == "usage" and result.error


def test_a_process_that_ends_at_once_leaves_a_document(capfd):
    from core.cli.output import Screen
    from core.errors import StoppedError

    for json_wanted in (True, False):
        Screen(json=json_wanted).error_at_once(StoppedError("Stopped at once"))
    assert json.loads(capfd.readouterr().out)["error"]["kind"] == "stopped"


def test_the_guide_names_every_kind_of_error():
    from core import errors

    guide = (ROOT / "docs" / "guide.md").read_text()
    waiting, kinds = [errors.AppError], set()
    while waiting:
        for child in waiting.pop().__subclasses__():
            waiting.append(child)
            if child.__module__ == "core.errors":
                kinds.add(child.kind.fget(child.__new__(child)))
    assert {kind for kind in kinds if f"`{kind}`" not in guide} == set()


WRITING = {
    "train": "train --dataset digits --arch mlp --out {}", "unlearn": "unlearn --model {m} --dataset digits --out {}",
    "batch": "batch b.toml --out {}", "batch csv": "batch b.toml --out o --csv {}", "example": "example --out {}",
    "export": "export {m} --format pt --out {}", "compare": "compare a b --html {}", "table": "compare a b --table {}",
    "preview": "inspect digits --preview {}", "similar": "inspect digits --with-similar {}",
}  # fmt: skip


@pytest.mark.parametrize("command", WRITING)
def test_nothing_is_written_right_into_a_root_or_the_home_folder(cli, tmp_path, monkeypatch, command):
    home = tmp_path / "person"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    root = tmp_path.anchor
    for place, said in {
        "": "got nothing", " ": "got nothing", root: "root of a disk", f"{root}x/..": "root of a disk",
        "~": "home folder itself", f"{home}/a/..": "home folder itself",
    }.items():  # fmt: skip
        words = [place if word == "{}" else word.format(m=tmp_path / "m.pt") for word in WRITING[command].split()]
        result = cli(*words)
        assert result.code == USAGE and said in result.error, place
    assert not list(home.iterdir())


def test_a_run_of_the_window_is_not_made_in_a_root_either(tmp_path):
    with pytest.raises(UsageError, match="root of a disk"):
        RunFolder.wanted(tmp_path.anchor)
