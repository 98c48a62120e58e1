"""Ensembles of models on planted margins: what is held against what, and what is said of few models."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.errors import InputError, MismatchError
from core.files import write_json
from core.job import DataPart, ForgetPart, Job, ModelPart, StartPart
from core.metrics.klom import klom
from core.runs.folder import CARD
from core.session.ensembles import FEWEST_MODELS, _note, _of_set, ensembles_in, require_ensemble
from core.session.references import reference_key
from core.session.starts import told_job
from core.verify.shown import ENSEMBLE_SETS, ensembles_block


def planted(models: int, shift: float, seed: int) -> np.ndarray:
    """Margins of models on 300 images of different difficulty, each model's own noise, (models, 300)."""
    difficulty = np.random.default_rng(0).normal(0, 3, 300)
    return difficulty + shift + np.random.default_rng(seed).normal(0, 1, (models, 300))


def test_a_retrained_ensemble_is_at_the_floor_and_a_shifted_one_above_it():
    retrained = planted(40, 0.0, 1)
    alike, shifted = (_of_set(planted(40, shift, 2), retrained, planted(40, 3.0, 3), True) for shift in (0.0, 1.5))
    assert alike["unlearned_half"]["mean"] == pytest.approx(alike["floor"]["mean"], rel=0.1)
    assert shifted["unlearned_half"]["mean"] > 1.5 * shifted["floor"]["mean"]
    assert alike["unlearned"]["mean"] < shifted["unlearned"]["mean"] < shifted["original"]["mean"]
    assert alike["floor"]["mean"] < alike["floor"]["p95"]


def test_the_floor_is_one_half_of_the_retrained_models_against_the_other():
    retrained, unlearned = planted(20, 0.0, 1), planted(20, 2.0, 2)
    found = _of_set(unlearned, retrained, None, True)
    assert found["floor"]["mean"] == pytest.approx(klom(retrained[:10], retrained[10:]).mean())
    assert found["unlearned"]["mean"] == pytest.approx(klom(unlearned, retrained).mean())
    assert found["original"] is None
    assert _of_set(unlearned, retrained[:1], None, False)["floor"] is None


def test_the_table_has_a_row_a_set_and_only_columns_that_are_known():
    of_set = {"unlearned": {"mean": 1.25, "p95": 3.0}, "unlearned_half": None, "floor": {"mean": 0.5, "p95": 1.0},
              "original": None}  # fmt: skip
    found = {"measure": "klom", "unlearned_models": 10, "retrained_models": 12, "note": "Said once.",
             "sets": dict.fromkeys(ENSEMBLE_SETS, of_set)}  # fmt: skip
    one = ensembles_block({"MUDA": found})
    assert one.header == ["Mean over images", "Unlearned", "Floor: retrained halves"]
    assert one.rows[0] == ["Forget images", "1.250", "0.500"] and len(one.rows) == 3
    assert one.note == "MUDA, 10 unlearned and 12 retrained models: KLoM, nats. Said once."
    two = ensembles_block({"MUDA": found, "SCRUB": {**found, "measure": "margin_distance"}})
    assert [row[0] for row in two.rows][2:4] == ["MUDA: unseen images", "SCRUB: forget images"]
    assert two.note.count("Said once.") == 1 and "distance of margins (not KLoM)" in two.note


def test_too_few_models_and_a_shared_original_are_said():
    assert _note((FEWEST_MODELS, FEWEST_MODELS), FEWEST_MODELS) == ""
    assert "needs 10 models a side" in _note((12, 3), 12) and "start from" not in _note((12, 3), 12)
    assert _note((12, 12), 1).startswith("The 12 runs start from one original")


JOB = Job(
    model=ModelPart(path="a/model.pt", sha256="a" * 64, architecture="mlp", num_classes=3, in_channels=1,
                    input_size=(8, 8)),
    data=DataPart(spec="digits", fingerprint="f" * 64), forget=ForgetPart(mode="sample", count=25, total=100),
    method="finetune", parameters={"lr": 0.1, "epochs": 2},
)  # fmt: skip


def changed(name: str, **changes) -> Job:
    return dataclasses.replace(JOB, **{name: dataclasses.replace(getattr(JOB, name), **changes)})


def run_of(job: Job, report: dict[str, Any] | None = None) -> SimpleNamespace:
    """A run folder with this job."""
    return SimpleNamespace(job=lambda: job, report=lambda: report)


def grouped(*jobs: Job) -> list[list[Job]]:
    """Return which of these jobs' runs are ensembles."""
    folders = [run_of(job) for job in jobs]
    return [[run.job() for run in runs] for runs in ensembles_in(folders)]


def test_runs_that_differ_in_seed_and_original_alone_are_an_ensemble():
    same = dataclasses.replace(changed("model", sha256="b" * 64, path="b"), seed=2,
                               parameters={"epochs": 2, "lr": 0.1}, start=StartPart(kind="fresh"))  # fmt: skip
    assert grouped(JOB, same) == [[JOB, same]]


@pytest.mark.parametrize(
    "other",
    [
        changed("forget", weights_sha256="7" * 64), changed("forget", purpose="corrective"),
        dataclasses.replace(JOB, start=StartPart(kind="pretrained", sha256="c" * 64)),
        changed("model", preprocessing={"size": [8, 8], "mean": [0.4], "std": [0.5], "interpolation": "bilinear"}),
        dataclasses.replace(JOB, parameters={"lr": 0.2, "epochs": 2}), changed("data", fingerprint="0" * 64),
    ],
)  # fmt: skip
def test_runs_that_differ_in_anything_else_are_none(other):
    assert grouped(JOB, dataclasses.replace(other, seed=2)) == []


def test_originals_of_different_recipes_are_no_ensemble(tmp_path):
    """Retrained models have the recipe of one of them."""
    jobs = []
    for name, epochs in (("a", 5), ("b", 50), ("c", 5)):
        file = tmp_path / name / "model.safetensors"
        file.parent.mkdir()
        file.write_bytes(b"")
        write_json(tmp_path / name / CARD, {"architecture": "mlp", "num_classes": 3, "recipe": {"epochs": epochs}})
        jobs.append(dataclasses.replace(changed("model", sha256=name * 64, path=str(file)), seed=len(jobs)))
    assert grouped(*jobs) == [[jobs[0], jobs[2]]]
    (tmp_path / "c" / CARD).write_text("{}")
    with pytest.raises(InputError, match="is not a model card"):  # none is left out without a word
        grouped(*jobs)


def test_the_start_that_a_check_was_told_of_chooses_the_retrained_models():
    said = {"kind": "pretrained", "path": "p.pt", "sha256": "c" * 64, "said_by": "the user"}
    told = [run_of(JOB, {"start": said}), run_of(dataclasses.replace(JOB, seed=2), {"start": said})]
    assert ensembles_in(told) == [told]
    assert ensembles_in([told[0], run_of(dataclasses.replace(JOB, seed=2))]) == []
    assert reference_key(told_job(told[0]), 1) != reference_key(JOB, 1)


def test_runs_that_only_one_check_was_told_of_are_an_ensemble_where_the_user_says_it_now():
    start = StartPart(kind="pretrained", path="p.pt", sha256="c" * 64, said_by="the user")
    said = {"kind": "pretrained", "path": "p.pt", "sha256": "c" * 64, "said_by": "the user"}
    runs = [run_of(JOB, {"start": said}), run_of(dataclasses.replace(JOB, seed=2))]
    with pytest.raises(MismatchError, match="differ in more than their seed"):
        require_ensemble(runs, (1, 2), {})
    assert [job.seed for job in require_ensemble(runs, (1, 2), {}, start)] == [JOB.seed, 2]
