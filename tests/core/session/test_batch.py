"""Batches: what a file may say, that one failure stops nothing, and that a second start does only what is missing."""

from __future__ import annotations

import csv
import dataclasses
import json
from types import SimpleNamespace

import pytest

from app.workers.queue_files import BatchRecord, RecordedRun, batches_home, read_record, records, rows_of, write_record
from core.data.dataset import ImageSet
from core.engine.control import Control, Interrupted
from core.errors import InputError, StoppedError
from core.files import read_json, write_json
from core.runs.folder import MADE, RunFolder, Status
from core.session import batch as batches
from core.session import batch_file
from core.session.batch import BATCH, BatchRun, Row, csv_text, grouped
from core.session.batch_file import read_batch
from core.session.bench import Bench
from core.session.inspecting import inspect

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
        (('classes = ["3"]', 'classes = ["3"]\ncorrective = 1'), ["corrective must be true or false"]),
        (('classes = ["3"]', 'classes = ["3"]\ntrigger = "list.csv"'), ["write corrective = true as well"]),
        (("[[forget]]", "forget = ["), ["is no TOML file"]),
    ],
)
def test_all_that_is_wrong_is_named_at_once(write, change, words):
    with pytest.raises(InputError) as error:
        read_batch(write(TEXT.replace(*change)))
    assert all(word in str(error.value) for word in words), error.value


def test_a_forget_set_may_be_a_correction_with_its_trigger(write, digits, tmp_path):
    (tmp_path / "patch.json").write_text('{"target": "7", "pixels": [[0, 1, 255]]}')
    corrective = 'samples = "list.csv"\ncorrective = true\ntrigger = "patch.json"'
    three, listed = read_batch(write(TEXT.replace('samples = "list.csv"', corrective))).forgets
    assert not three.selection(digits).corrective
    found = listed.selection(digits)
    assert found.corrective and found.trigger.target == 7 and found.trigger.pixels == ((0, 1, 255),)


@pytest.fixture
def small(digits, bench, monkeypatch):
    """Few digits with the model, opened where a batch opens its files."""

    def part(images: ImageSet, count: int) -> ImageSet:
        return ImageSet(images.images[:count], images.labels[:count])

    data = dataclasses.replace(
        digits, train=part(digits.train, 300), test=part(digits.test, 150), fingerprint="few digits"
    )
    opened = Bench(None, data).with_model(bench.model.path)
    monkeypatch.setattr(batches, "open_batch", lambda batch, bench: opened)
    return opened


def go(path, out, control=None) -> BatchRun:
    going = BatchRun(read_batch(path), out, control or Control())
    for number in range(len(going.items)):
        going.step(number, nothing)
    return going


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 5000, "its tables or lists lie more than 20 deep in one another"),
        (".".join(["a"] * 2000) + " = 1", "its tables or lists lie more than 20 deep in one another"),
        ("seeds = " + "9" * 5000, "batch.toml cannot be read: Exceeds the limit"),
        ('seeds = "' + "9" * 5000 + '"', "Seeds are whole numbers"),
        ("methods = -1", "methods must be a list of ids, got -1"),
        ('model = "~nobody-has-this-name/m.pt"', "no forget set is named"),
        (f'dataset = "digits"\nmodel = "{"x" * 300}"', "no forget set is named"),
        ("#" * (4 << 20), "batch.toml has 4,194,304 bytes, and at most 20 are read"),
    ],
)
def test_content_of_another_shape_is_refused(write, monkeypatch, text, words):
    if text[0] == "#":
        monkeypatch.setattr(batch_file, "_MOST_BYTES", 20)
    with pytest.raises(InputError, match=words):
        read_batch(write(text))


def test_a_failure_stops_nothing_and_a_second_start_does_what_is_missing(write, small, tmp_path):
    text = TEXT.replace('seeds = "1-2"', "seeds = 1").replace('"list.csv"', '"missing.csv"')
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


def test_starts_that_came_to_nothing_do_not_fail_a_batch_for_ever(write, small, tmp_path):
    """Of earlier versions, which wrote the job before its forget list, and of a process that ended after its start."""
    text, out = TEXT[: TEXT.index("[[method]]")].replace('seeds = "1-2"', "seeds = 1"), tmp_path / "out"
    batch = read_batch(write(text))
    for item, left in zip(batch.items(), ("job", "start"), strict=True):
        _, job = batches.make_item(item, small, batch)
        folder = RunFolder.create(out / item.name, job)
        folder.write_status(Status("failed" if left == "job" else "queued", 0, 0.0))
    assert [row.outcome for row in go(write(text), out).rows] == ["finished", "finished"]
    assert [row.outcome for row in go(write(text), out).rows] == ["skipped", "skipped"]


def test_a_changed_entry_does_not_take_another_run_for_its_own(write, small, tmp_path):
    text = TEXT[: TEXT.index("[[method]]")].replace('seeds = "1-2"', "seeds = 1")
    go(write(text), tmp_path / "out")
    changed = go(write(text.replace('classes = ["3"]', 'classes = ["4"]')), tmp_path / "out")
    assert changed.rows[0].outcome == "failed" and "differs in forget set" in changed.rows[0].error
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


def rows_of_seeds(*accuracies, forget="three", name="finetune", verdict=None):
    return [
        Row(f"{forget}-{name}-s{seed}", forget, "finetune", seed, "finished" if value is not None else "failed",
            measures={"retain_test_accuracy": value, "forget_accuracy": 0.0} if value is not None else None,
            seconds=10.0 * seed if value is not None else None, verdict=verdict)
        for seed, value in enumerate(accuracies, start=1)
    ]  # fmt: skip


def test_the_table_has_a_row_a_method_and_forget_set_with_means_over_seeds():
    rows = [*rows_of_seeds(0.90, 0.94, None, verdict="no_reference"), *rows_of_seeds(0.5, name="long"),
            *rows_of_seeds(0.7, forget="5")]  # fmt: skip
    groups = grouped(rows)
    assert [(group.forget, group.method, len(group.rows)) for group in groups] == [
        ("three", "finetune", 3), ("three", "long (finetune)", 1), ("5", "finetune", 1),
    ]  # fmt: skip
    first = groups[0]
    assert first.cells() == [
        "three", "finetune", "2 of 3", "90.0 and 94.0 %", "0.0 %", "–", "15 s", "no reference"
    ]  # fmt: skip
    assert groups[1].cells()[2:4] == ["1 of 1", "50.0 %"] and first.outcomes == {"finished": 2, "failed": 1}
    table = list(csv.DictReader(csv_text(groups).splitlines()))
    assert [row["seeds"] for row in table] == ["1 2 3", "1", "1"] and table[0]["ended"] == "2"
    assert float(table[0]["retain_test_accuracy_mean"]) == pytest.approx(0.92)
    assert table[1]["retain_test_accuracy_low"] == "" and table[0]["forget_test_accuracy_mean"] == ""


def test_what_belongs_to_a_batch_is_known_after_the_end(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path))
    folders = [tmp_path / "runs" / name for name in ("a", "b", "c")]
    runs = tuple(RecordedRun(f"three-finetune-s{n}", "three", "finetune", n, f) for n, f in enumerate(folders))
    write_record(BatchRecord(tmp_path / "night.toml", 5.0, runs))
    write_record(BatchRecord(tmp_path / "other.toml", 9.0, runs[:1]))
    assert [record.file.name for record in records()] == ["other.toml", "night.toml"]
    record = read_record(tmp_path / "night.toml")
    assert record == BatchRecord(tmp_path / "night.toml", 5.0, runs) and read_record(tmp_path / "none.toml") is None
    made = RunFolder(folders[0])
    made.path.mkdir(parents=True)
    made.file("job.json").write_text("{}")
    for name in MADE["unlearn"]:
        made.file(name).write_bytes(b"{}")
    made.write_status(Status("finished", 1, 0.0))
    write_json(made.file("model.json"), {"measures": {"retain_test_accuracy": 0.9}, "cost": {"seconds": 3.0}})
    rows = rows_of(record, waiting=[folders[1]])
    assert [row.outcome for row in rows] == ["finished", "waiting", "missing"]
    assert rows[0].measures["retain_test_accuracy"] == 0.9 and rows[0].seconds == 3.0
    made.write_status(Status("failed", 1, 0.0, error="The loss became infinite."))
    assert rows_of(record)[0].error == "The loss became infinite."
    next(batches_home().glob("*.json")).write_text("{")
    assert len(records()) == 1  # what is damaged is left out


def test_results_are_checked_against_retrained_models_that_runs_share(write, small, tmp_path, monkeypatch):
    asked = []

    def check(folder, control, emit, bench, *, seeds, which):
        asked.append((folder.id, seeds, which))

    monkeypatch.setattr(batches, "check", check)
    text = TEXT.replace('seeds = "1-2"', 'seeds = 1\ncheck = "full"\nretrained = "2-3"').split("[[forget]]\nclasses")[0]
    going = go(write(text), tmp_path / "out")
    assert [(name, seeds, which) for name, seeds, which in asked] == [("three-finetune-s1", (2, 3), "full")]
    assert going.rows[0].outcome == "finished" and going.lacks_check(0)  # nothing was checked: it is asked for again


@pytest.mark.parametrize(
    ("added", "check", "retrained"),
    [("", "", ()), ('check = "quick"', "quick", (1,)), ('retrained = "2-3"', "quick", (2, 3)),
     ('check = "full"\nretrained = [4]', "full", (4,))],
)  # fmt: skip
def test_checks_of_a_batch(write, added, check, retrained):
    batch = read_batch(write(f"{added}\n{TEXT}"))
    assert (batch.check, batch.retrained) == (check, retrained)


def test_a_check_that_is_none_is_said(write):
    with pytest.raises(InputError, match='check must be "quick" or "full", got \'thorough\''):
        read_batch(write(f'check = "thorough"\n{TEXT}'))


@pytest.mark.parametrize("error", [Interrupted(), StoppedError("The training was stopped", "Start it again")])
def test_a_check_that_was_told_to_end_is_no_failure(tmp_path, error):
    def work() -> str:
        raise error

    item = SimpleNamespace(name="three", forget=SimpleNamespace(name="3"), method=SimpleNamespace(id="muda"), seed=1)
    going = SimpleNamespace(folder=lambda number: RunFolder(tmp_path), items=[item], rows=[None], write=lambda: None)
    row = BatchRun.ended(going, 0, work)
    assert (row.outcome, row.error, row.exit_code) == ("stopped", "", 0) and going.rows == [row]
