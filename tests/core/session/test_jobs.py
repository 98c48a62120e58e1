"""What decides the result of a job, and the keys that follow from it: of references, outputs and searches."""

from __future__ import annotations

import dataclasses

import pytest

from core.engine.outputs import cache_name
from core.errors import MismatchError
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.runs.folder import RunFolder
from core.session.jobs import differences, require_same_job
from core.session.measuring import measure_log
from core.session.references import reference_key
from core.session.tuning import tries_file
from core.suspicion import Trigger
from core.verify.measure_log import Measured, NotKeptError

PREPARED = {"size": [8, 8], "mean": [0.5], "std": [0.5], "interpolation": "bilinear", "source": "data set"}
JOB = Job(
    model=ModelPart(path="a/model.pt", sha256="a" * 64, architecture="mlp", num_classes=3, in_channels=1,
                    input_size=(8, 8), preprocessing=PREPARED),
    data=DataPart(spec="digits", fingerprint="f" * 64),
    forget=ForgetPart(mode="class", classes=(1,), class_names=("b",), count=25, total=100, sha256="5" * 64),
    method="finetune",
    parameters={"lr": 0.1, "epochs": 2},
    seed=1, device="cpu", precision="float32", threads=1,
)  # fmt: skip
RECIPE = {"epochs": 3.0, "lr": 0.1}


def part(name: str, **changes) -> Job:
    return dataclasses.replace(JOB, **{name: dataclasses.replace(getattr(JOB, name), **changes)})


CHANGED = {
    "model": part("model", sha256="b" * 64),
    "architecture": part("model", architecture="small-cnn"),
    "data": part("data", fingerprint="0" * 64),
    "preparation of the images": part("model", preprocessing={**PREPARED, "mean": [0.4]}),
    "forget set": part("forget", sha256="6" * 64),
    "weights of the forget list": part("forget", weights_sha256="7" * 64),
    "purpose (a correction)": part("forget", purpose="corrective"),
    "method": dataclasses.replace(JOB, method="muda"),
    "lr": dataclasses.replace(JOB, parameters={"lr": 0.2, "epochs": 2}),
    "seed": dataclasses.replace(JOB, seed=2),
}
SAME = (
    part("model", path="elsewhere/model.pt"),
    part("data", spec="/copies/digits"),
    part("model", preprocessing={**PREPARED, "source": "model card"}),
    dataclasses.replace(JOB, monitoring_budget=0.5, checkpoint_seconds=1.0),
)


@pytest.mark.parametrize("name", CHANGED)
def test_what_differs_is_named(name):
    assert differences(JOB, CHANGED[name]) == [name] and differences(JOB, JOB) == []


def test_another_trigger_makes_another_correction_and_no_other_training():
    triggers = (Trigger(target=1, target_name="b", pixels=((0, column, 255),)) for column in (0, 1))
    labels, *poisoned = (part("forget", purpose="corrective", trigger=trigger) for trigger in (None, *triggers))
    assert differences(labels, poisoned[0]) == differences(*poisoned) == ["trigger"]
    assert differences(JOB, poisoned[0]) == ["purpose (a correction)", "trigger"]
    assert tries_file(JOB) != tries_file(labels) != tries_file(poisoned[0]) != tries_file(poisoned[1])
    trained, again = (dataclasses.replace(job, kind="train") for job in (JOB, poisoned[0]))
    assert differences(trained, again) == []  # what it leaves out is the same, whatever for


def test_where_files_lie_and_what_a_run_does_beside_its_steps_makes_no_other_job():
    for other in SAME:
        assert differences(JOB, other) == [] and tries_file(other) == tries_file(JOB)


@pytest.mark.parametrize("name", CHANGED)
def test_a_search_of_another_job_has_another_file(name):
    assert tries_file(CHANGED[name]) != tries_file(JOB)


def test_a_search_elsewhere_or_with_others_fixed_has_another_file():
    others = [dataclasses.replace(JOB, **change) for change in ({"device": "cuda:0"}, {"precision": "bfloat16"},
                                                                {"threads": 2})]  # fmt: skip
    assert len({tries_file(JOB), tries_file(JOB, ["lr"]), *map(tries_file, others)}) == 5


def as_reference(job: Job, recipe: dict) -> Job:
    return dataclasses.replace(job, kind="train", method="retrain", parameters=recipe)


@pytest.mark.parametrize("name", ["data", "preparation of the images", "forget set", "architecture"])
def test_a_reference_for_another_job_has_another_key(name):
    assert reference_key(as_reference(CHANGED[name], RECIPE), 1) != reference_key(as_reference(JOB, RECIPE), 1)


def test_a_reference_of_another_recipe_or_seed_has_another_key():
    own = as_reference(JOB, RECIPE)
    others = [reference_key(own, 2), reference_key(as_reference(JOB, {**RECIPE, "epochs": 4.0}), 1)]
    assert len({reference_key(own, 1), *others}) == 3


def test_one_reference_serves_every_method_seed_and_model_that_forget_the_same():
    own = reference_key(as_reference(JOB, RECIPE), 1)
    for name in ("model", "method", "seed", "weights of the forget list"):
        assert reference_key(as_reference(CHANGED[name], RECIPE), 1) == own


def test_outputs_of_another_model_network_data_or_preparation_have_another_name():
    asked = {"model_sha256": "a", "network": "mlp", "fingerprint": "f", "preprocessing": PREPARED}
    others = [
        {**asked, "model_sha256": "b"}, {**asked, "network": "small-cnn"}, {**asked, "fingerprint": "g"},
        *({**asked, "preprocessing": {**PREPARED, key: value}}
          for key, value in (("size", [9, 9]), ("mean", [0.4]), ("std", [0.4]), ("interpolation", "nearest"))),
    ]  # fmt: skip
    assert len({cache_name(**asked), *(cache_name(**other) for other in others)}) == 1 + len(others)
    assert cache_name(**{**asked, "preprocessing": {**PREPARED, "source": "file"}}) == cache_name(**asked)


@pytest.mark.parametrize("name", ["data", "preparation of the images", "forget set", "architecture"])
def test_what_was_measured_for_another_job_is_not_found(tmp_path, name):
    """Neither in the run's own log nor among what all runs share."""

    def found(job: Job, model: str, folder: str) -> Measured:
        keep = measure_log(tmp_path / folder, job, only_kept=True).of(model, "a" * 64)
        return keep("linear probe", (), Measured)

    for model in ("original", "unlearned"):
        measure_log(tmp_path / "own", JOB).of(model, "a" * 64)("linear probe", (), lambda: Measured({"forget": 0.5}))
        with pytest.raises(NotKeptError):
            found(CHANGED[name], model, "own")
    for same in SAME:
        assert found(same, "unlearned", "own") == found(same, "original", "another") == Measured({"forget": 0.5})


def test_a_folder_of_another_job_is_refused_with_all_that_differs(tmp_path):
    folder = RunFolder.create(tmp_path / "run", JOB)
    require_same_job(folder, SAME[0], "")
    asked = dataclasses.replace(CHANGED["lr"], seed=2)
    with pytest.raises(MismatchError, match=r"holds a run that differs in seed, lr\. Choose another folder"):
        require_same_job(folder, asked, "Choose another folder")
