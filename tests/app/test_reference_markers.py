"""Markers of other models beside a run's curves, read from references and reports on disk."""

from __future__ import annotations

import pytest

from app.pages.unlearn.markers import markers
from core.engine.control import Control
from core.files import write_json
from core.runs.folder import REPORT_JSON
from core.session.checking import train_reference
from core.session.running import run
from tests.core.session import conftest as runs_of_digits

digits, digits_model, bench = runs_of_digits.digits, runs_of_digits.digits_model, runs_of_digits.bench
three, new_run = runs_of_digits.three, runs_of_digits.new_run


def by_model(found):
    return {marker.model: marker for marker in found}


def test_nothing_is_known_at_first(new_run, tmp_path):
    assert markers(new_run().job(), tmp_path) == ()


def test_an_earlier_report_and_a_reference_are_found(new_run, bench, three, tmp_path):
    folder = new_run("head-only")
    run(folder, Control(), lambda event: None, bench=bench)
    train_reference(folder, bench, 1, Control(), lambda event: None)
    found = by_model(markers(new_run("muda").job(), tmp_path))
    assert set(found) == {"original", "head_only", "retrained"}
    assert found["head_only"].forget_accuracy == 0 and found["original"].forget_accuracy > 0.5
    assert found["retrained"].forget_accuracy == 0 and found["retrained"].retain_accuracy > 0.5
    assert found["original"].alignment == found["head_only"].alignment != found["retrained"].alignment
    assert found["retrained"].k == found["original"].k == 9


def test_retrained_models_are_marked_by_their_mean_as_on_verify(new_run, tmp_path):
    """It was the value of one of them, while the table on Verify had the mean."""
    folder = new_run()

    def measured(accuracy: float, alignment: float) -> dict:
        return {"retain_test_accuracy": accuracy, "dimensional_alignment": {"value": alignment, "k": 9}}

    report = {"models": {"retrained": measured(0.9, 0.907)},
              "retrained": {"seed 1": measured(0.9, 0.907), "seed 2": measured(0.8, 0.861)}}  # fmt: skip
    write_json(folder.file(REPORT_JSON), report)
    for own, folders in ((report, None), (None, tmp_path)):
        (marker,) = markers(folder.job(), folders, own)
        assert (marker.alignment, marker.retain_accuracy, marker.k) == (pytest.approx(0.884), pytest.approx(0.85), 9)


def test_another_forget_set_is_another_matter(new_run, bench, three, tmp_path):
    run(new_run("head-only"), Control(), lambda event: None, bench=bench)
    assert markers(new_run("muda", three.cleared().with_classes([4])).job(), tmp_path) == ()


def test_for_single_images_the_forget_images_count(new_run, three, tmp_path):
    chosen = three.cleared().with_samples(range(40))
    folder = new_run("finetune", chosen)
    measures = {"retain_test_accuracy": 0.9, "forget_accuracy": 0.8, "forget_test_accuracy": None}
    write_json(folder.file(REPORT_JSON), {"models": {"original": measures, "unlearned": measures}})
    found = by_model(markers(new_run("muda", chosen).job(), tmp_path))
    assert set(found) == {"original"} and found["original"].forget_accuracy == 0.8


def test_a_damaged_report_is_left_out(new_run, tmp_path):
    folder = new_run()
    folder.file(REPORT_JSON).write_text("{")
    assert markers(folder.job(), tmp_path) == ()
