"""Few bits a weight before an export: what is measured, found again and said."""

from __future__ import annotations

import pytest
import torch

from core.errors import InputError
from core.files import write_json
from core.models.architectures import ModelSpec, build_model
from core.models.formats import write_safetensors
from core.runs.folder import MODEL, REPORT_JSON, VERIFY, RunFolder
from core.selection import Selection
from core.session import quantising
from core.session.bench import Bench
from core.session.exporting import export
from core.session.jobs import create_run, make_unlearn_job
from core.session.quantising import measure_quantised, quantised_words
from tests.finished import call_finished

torch.set_num_threads(1)
SPEC = ModelSpec("mlp", 10, 1, (8, 8))


def share(value: float, low: float, high: float) -> dict:
    return {"value": value, "low": low, "high": high}


FOUND = {
    "full": {"forget": share(0.0, 0.0, 0.04), "retain": share(0.9, 0.85, 0.94)},
    "int8": {"forget": share(0.03, 0.01, 0.06), "retain": share(0.9, 0.85, 0.94)},
    "int4": {"forget": share(0.4, 0.31, 0.5), "retain": share(0.7, 0.6, 0.78)},
}


def test_what_comes_back_beyond_chance_is_said_and_with_how_many_bits():
    assert quantised_words(FOUND) == (
        "Quantised: with 8-bit weights 3.0 % of forget images are recognised, 90.0 % of others; with 4-bit weights "
        "40.0 % of forget images are recognised, 70.0 % of others. As it is: 0.0 % of forget images and 90.0 % of "
        "others. What was forgotten comes back with 4 bits."
    )
    still = {**FOUND, "int4": FOUND["full"]}
    assert "comes back" not in quantised_words(still)  # 3 % is within the interval of none
    assert quantised_words(None) == quantised_words({}) == quantised_words({"int4": FOUND["int4"]}) == ""


@pytest.fixture
def run(tmp_path, monkeypatch) -> RunFolder:
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    torch.manual_seed(0)
    original = tmp_path / "net.safetensors"
    write_safetensors(original, build_model(SPEC).state_dict(), {})
    bench = Bench().open(original, "digits")
    chosen = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes([3])
    folder = create_run(tmp_path / "run", make_unlearn_job(bench.on("cpu", threads=1), chosen, "finetune"), chosen,
                        bench.dataset)  # fmt: skip
    torch.manual_seed(1)
    write_safetensors(folder.file(MODEL), build_model(SPEC).state_dict(), {})
    write_json(folder.file(REPORT_JSON), {})
    call_finished(folder)
    return folder


def test_it_is_measured_once_and_found_again_in_the_runs_log(run, tmp_path, monkeypatch):
    first = export(run.path, "safetensors", tmp_path / "one.safetensors", with_card=False, quantised=True)
    said = next(note for note in first.notes if note.startswith("Quantised: with 8-bit weights "))
    assert b'"quantised weights"' in run.file(VERIFY).read_bytes()
    monkeypatch.setattr(quantising, "quantised_accuracy", pytest.fail)  # nothing is measured a second time
    assert measure_quantised(run, Bench()) == said


def test_a_full_report_says_it_without_being_asked_and_a_damaged_one_hinders_nothing(run, tmp_path):
    write_json(run.file(REPORT_JSON), {"models": {"unlearned": {"quantised": FOUND}}})
    result = export(run.path, "safetensors", tmp_path / "one.safetensors", with_card=False)
    assert quantised_words(FOUND) in result.notes
    write_json(run.file(REPORT_JSON), {"models": {"unlearned": {"quantised": {"int4": {"forget": "much"}}}}})
    result = export(run.path, "safetensors", tmp_path / "two.safetensors", with_card=False)
    assert not any(note.startswith("Quantised") for note in result.notes)


def test_only_a_run_that_forgot_something_can_be_asked(run, tmp_path):
    alone = run.file(MODEL).rename(tmp_path / "alone.safetensors")
    with pytest.raises(InputError, match="says nothing of what it should have forgotten"):
        export(alone, "safetensors", tmp_path / "out.safetensors", with_card=False, quantised=True)
    assert not (tmp_path / "out.safetensors").exists()
