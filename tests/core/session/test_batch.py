"""Batches: what a file may say, that one failure stops nothing, and that a second start does only what is missing."""

from __future__ import annotations

import dataclasses
import json

import pytest

from core.data.dataset import ImageSet
from core.engine.control import Control
from core.errors import InputError
from core.jsonio import read_json
from core.runs.folder import RunFolder
from core.session import batch as batches
from core.session.batch import BATCH, BatchRun
from core.session.batch_file import read_batch
from core.session.inspecting import inspect
from core.session.opening import Pair, open_for

TEXT = """
model = "original"
dataset = "digits"
seeds = "1-2"
methods = ["finetune"]
device = "cpu"
threads = 1

[[forget]]
name = "three"
classes = ["3"]

[[forget]]
classes = [5, 6]
samples = "list.csv"

[[method]]
id = "finetune"
name = "long"
set = { epochs = 1 }
"""


@pytest.fixture
def write(tmp_path):
    """Write a batch file and return its path."""
    (tmp_path / "list.csv").write_text("0\n1\n")

    def make(text: str = TEXT):
        path = tmp_path / "batch.toml"
        path.write_text(text)
        return path

    return make


def nothing(event) -> None:
    """Whoever listens to events hears none."""


def test_every_combination_is_a_run_and_paths_start_at_the_file(write, tmp_path):
    batch = read_batch(write())
    assert [item.name for item in batch.items()] == [
        "three-finetune-s1", "three-finetune-s2", "three-long-s1", "three-long-s2",
        "5-6-list-finetune-s1", "5-6-list-finetune-s2", "5-6-list-long-s1", "5-6-list-long-s2",
    ]  # fmt: skip
    assert batch.model == tmp_path / "original" and batch.dataset == "digits"
    assert batch.forgets[1].samples == tmp_path / "list.csv" and batch.machine == {"device": "cpu", "threads": 1}


def test_inspect_says_what_a_batch_would_run(write):
    found = inspect(str(write()))
    assert found.kind == "batch" and len(found.data["runs"]) == 8
    assert dict(found.facts)["Runs"].startswith("8: three-finetune-s1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("model =", "modle ="), ["has no 'modle'; did you mean 'model'?", "model is missing"]),
        (('classes = ["3"]', ""), ["forget set 1 names nothing"]),
        (("epochs = 1", "epochs = -1, lrr = 2"), ["epochs", "lrr"]),
        (('"1-2"', '"one"'), ["seeds"]),
        (('name = "long"', ""), ["two methods are called 'finetune'"]),
        (('name = "three"', 'name = "../three"'), ["a name is made of"]),
        (('methods = ["finetune"]', 'methods = ["finetunne"]'), ["finetune"]),
        (('classes = ["3"]', "random = 2.0"), ["random must be a share"]),
        (('classes = ["3"]', 'classes = ["3"]\nrandom = 0.1'), ["cannot be combined"]),
        (("threads = 1", "threads = true"), ["threads must be a whole number"]),
        (("[[forget]]", "forget = ["), ["is no TOML file"]),
    ],
)
def test_all_that_is_wrong_is_named_at_once(write, change, words):
    with pytest.raises(InputError) as error:
        read_batch(write(TEXT.replace(*change)))
    assert all(word in str(error.value) for word in words), error.value


@pytest.fixture
def small(digits, pair, monkeypatch):
    """Few digits with the model, opened where a batch opens its files."""

    def part(images: ImageSet, count: int) -> ImageSet:
        return ImageSet(images.images[:count], images.labels[:count])

    data = dataclasses.replace(
        digits, train=part(digits.train, 300), test=part(digits.test, 150), fingerprint="few digits"
    )
    opened = Pair(open_for(data, pair.model.path), data)
    monkeypatch.setattr(batches, "open_batch", lambda batch, **options: opened)
    return opened


def go(path, out, control=None) -> BatchRun:
    going = BatchRun(read_batch(path), out, control or Control())
    for number in range(len(going.items)):
        going.step(number, nothing)
    return going


def test_a_failure_stops_nothing_and_a_second_start_does_what_is_missing(write, small, tmp_path):
    text = TEXT.replace("seeds = \"1-2\"", "seeds = 1").replace('"list.csv"', '"missing.csv"')
    text = text.replace('classes = ["3"]', 'classes = ["3"]\n', 1)
    out = tmp_path / "out"
    going = go(write(text), out)
    outcomes = [row.outcome for row in going.rows]
    assert outcomes == ["finished", "finished", "failed", "failed"]
    assert "missing.csv" in going.rows[2].error and going.exit_code() == 3
    written = read_json(out / BATCH)
    assert written == json.loads(json.dumps(going.document()))
    assert written["counts"] == {"finished": 2, "skipped": 0, "stopped": 0, "failed": 2, "waiting": 0}
    first = written["runs"][0]
    assert first["run"] == "three-finetune-s1" and 0 <= first["measures"]["retain_test_accuracy"] <= 1

    before = RunFolder(out / "three-finetune-s1").file("model.safetensors").stat().st_mtime_ns
    (tmp_path / "missing.csv").write_text("0\n")
    again = go(write(text), out)
    assert [row.outcome for row in again.rows] == ["skipped", "skipped", "finished", "finished"]
    assert again.exit_code() == 0 and again.rows[0].measures == going.rows[0].measures
    assert RunFolder(out / "three-finetune-s1").file("model.safetensors").stat().st_mtime_ns == before


def test_a_changed_entry_does_not_take_another_run_for_its_own(write, small, tmp_path):
    text = TEXT[: TEXT.index("[[method]]")].replace("seeds = \"1-2\"", "seeds = 1")
    go(write(text), tmp_path / "out")
    changed = go(write(text.replace('classes = ["3"]', 'classes = ["4"]')), tmp_path / "out")
    assert changed.rows[0].outcome == "failed" and "another forget set" in changed.rows[0].error
    assert changed.rows[1].outcome == "skipped"


def test_a_stopped_batch_says_so(write, small, tmp_path):
    control = Control()
    control.stop()
    going = go(write(), tmp_path / "out", control)
    assert {row.outcome for row in going.rows} == {"stopped"} and going.exit_code() == 5


def test_a_fault_of_a_run_is_a_row_and_no_end(write, small, tmp_path, monkeypatch):
    def broken(*args, **options):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(batches, "run", broken)
    going = go(write(), tmp_path / "out")
    assert {row.outcome for row in going.rows} == {"failed"} and going.exit_code() == 1
    assert "ZeroDivisionError" in going.rows[0].error
