"""References on disk are found by forget set and data, and tell what one more would cost."""

from __future__ import annotations

import pytest

from core.job import DataPart, ForgetPart, Job, ModelPart
from core.jsonio import write_json
from core.places import references_home
from core.runs.folder import CARD, MODEL, RunFolder
from core.session.references import references_on_disk, seconds_to_retrain, trained_references


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))


def job(path: str = "", seed: int = 0, **changes) -> Job:
    known = {
        "model": ModelPart(path=path, architecture="mlp", num_classes=3, in_channels=1, input_size=(8, 8)),
        "data": DataPart(spec="digits", fingerprint="f" * 64),
        "forget": ForgetPart(mode="class", classes=(1,), class_names=("b",), count=25, total=100, sha256="5" * 64),
        "method": "retrain",
        "seed": seed,
    }
    return Job(**{**known, **changes})


def reference(name: str, seed: int, seconds: float | None = None, finished: bool = True, **changes) -> RunFolder:
    folder = RunFolder.create(references_home() / name, job(seed=seed, kind="train", **changes))
    if finished:
        folder.file(MODEL).write_bytes(b"w")
    if seconds is not None:
        write_json(folder.file(CARD), {"cost": {"seconds": seconds}})
    return folder


def test_those_with_the_same_forget_set_and_data_are_found_by_seed():
    reference("b", 2)
    reference("a", 1)
    reference("other-set", 3, forget=ForgetPart(mode="class", sha256="6" * 64))
    reference("other-data", 4, data=DataPart(spec="digits", fingerprint="0" * 64))
    assert [found.id for found, _ in references_on_disk(job())] == ["a", "b"]


def test_only_finished_ones_of_the_same_architecture_serve_as_references():
    reference("a", 1)
    reference("b", 2, finished=False)
    reference("c", 3, model=ModelPart(architecture="small-cnn", num_classes=3, in_channels=1, input_size=(8, 8)))
    assert list(trained_references(job())) == [1]


def test_without_references_and_card_the_time_is_not_known(tmp_path):
    assert seconds_to_retrain(job()) is None
    assert seconds_to_retrain(job(str(tmp_path / "gone.safetensors"))) is None


def test_the_card_of_the_original_gives_the_time_times_the_share_that_stays(tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"w")
    write_json(tmp_path / "model.json", {"schema_version": 1, "architecture": "mlp", "cost": {"seconds": 40.0}})
    assert seconds_to_retrain(job(str(weights))) == pytest.approx(30.0)


def test_references_already_trained_know_better():
    reference("a", 1, seconds=10.0)
    reference("b", 2, seconds=14.0)
    assert seconds_to_retrain(job()) == pytest.approx(12.0)


def test_a_damaged_reference_is_left_out():
    reference("a", 1)
    broken = references_home() / "broken"
    broken.mkdir()
    (broken / "job.json").write_text("{")
    assert list(trained_references(job())) == [1]
