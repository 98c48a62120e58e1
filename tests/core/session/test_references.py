"""References on disk are found by forget set and data, and tell what one more would cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import InputError
from core.files import references_home, write_json
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.methods import get_method
from core.methods.retrain import FEWEST_STEPS, assumed_recipe
from core.parameters import resolve
from core.runs.folder import CARD, JOB, MODEL, RunFolder, Status
from core.session.checking import distinct_names
from core.session.references import (
    FIRST_ATTACKER,
    known_references,
    reference_from,
    reference_key,
    references_on_disk,
    seconds_to_retrain,
    trained_references,
)


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


def reference(seed: int, seconds: float | None = None, finished: bool = True, **changes) -> RunFolder:
    recipe = dict(resolve(get_method("retrain").parameters, assumed_recipe(75)))
    made = job(seed=seed, kind="train", **{"parameters": recipe, **changes})
    folder = RunFolder.create(references_home() / reference_key(made, seed), made)
    if finished:
        folder.file(MODEL).write_bytes(b"w")
        write_json(folder.file(CARD), {"cost": {"seconds": seconds}})
        folder.write_status(Status("finished", 0, 0.0))
    return folder


def test_those_with_the_same_forget_set_and_data_are_found_by_seed():
    reference(2)
    reference(1)
    reference(3, forget=ForgetPart(mode="class", sha256="6" * 64))
    reference(4, data=DataPart(spec="digits", fingerprint="0" * 64))
    assert [other.seed for _, other in references_on_disk(job())] == [1, 2]


def test_an_unknown_recipe_gives_few_images_enough_steps():
    assert assumed_recipe(60_000) == {} and assumed_recipe(30 * 128) == {}
    for images in (1, 40, 320, 1000, 3000):
        recipe = assumed_recipe(images)
        assert recipe["epochs"] * -(-images // recipe["batch"]) >= FEWEST_STEPS
        assert recipe["epochs"] >= 10 and recipe["lr"] / recipe["batch"] == pytest.approx(0.1 / 128)


def model(**changes) -> ModelPart:
    known = {"architecture": "mlp", "num_classes": 3, "in_channels": 1, "input_size": (8, 8), **changes}
    return ModelPart(**known)


def test_only_finished_ones_of_the_same_kind_serve_as_references():
    reference(1)
    reference(2, finished=False)
    reference(3, model=model(architecture="small-cnn"))
    reference(4, model=model(preprocessing={"size": [16, 16], "mean": [0.5], "std": [0.5]}))  # other images to a net
    reference(5, parameters=dict(resolve(get_method("retrain").parameters, {"epochs": 99})))
    assert list(trained_references(job())) == [1]
    reference(0)
    reference(8)
    reference(9)
    assert list(known_references(job())) == [1, 8]  # of the seeds that are looked for unasked


def test_those_that_only_attack_are_none_to_be_judged_by():
    reference(1)
    reference(FIRST_ATTACKER)
    assert list(trained_references(job())) == [1]


def test_who_says_how_images_are_prepared_makes_no_other_reference():
    prepared = {"size": [8, 8], "mean": [0.5], "std": [0.5]}
    keys = {
        reference_key(job(model=model(preprocessing={**prepared, "source": source})), 1)
        for source in ("data set", "model card")
    }
    assert len(keys) == 1


def test_changed_user_code_is_another_network(tmp_path):
    code = tmp_path / "net.py"
    used = job(model=model(architecture=f"{code}:make", user_code=f"{code}:make"))
    code.write_text("a = 1")
    before = reference_key(used, 1)
    code.write_text("a = 2")
    assert reference_key(used, 1) != before


def test_a_model_trained_without_other_images_is_no_reference(tmp_path):
    weights = tmp_path / MODEL
    weights.write_bytes(b"w")
    card = {"schema_version": 1, "architecture": "mlp", "kind": "train", "dataset": {"fingerprint": "f" * 64}}

    def bring(**forgotten):
        write_json(tmp_path / CARD, {**card, "forgotten": forgotten})
        return reference_from(tmp_path, job())

    assert bring(mode="class", classes=["b"], count=25) == weights
    with pytest.raises(InputError, match="trained on all images"):
        bring(mode="none", classes=[], count=0)
    with pytest.raises(InputError, match=r"without 25 images \(c\), which are not those"):
        bring(mode="class", classes=["c"], count=25)
    with pytest.raises(InputError, match="without 26 images"):
        bring(mode="sample", classes=[], count=26)
    write_json(tmp_path / JOB, job())  # the same number, and the job tells which
    assert bring(mode="class", classes=["b"], count=25) == weights
    write_json(tmp_path / JOB, job(forget=replace(job().forget, sha256="0" * 64)))
    with pytest.raises(InputError, match=r"without 25 images \(b\), which are not those"):
        bring(mode="class", classes=["b"], count=25)
    card["dataset"] = {"fingerprint": "0" * 64}  # nothing can be told then
    assert bring(mode="class", classes=["c"], count=25) == weights


def test_the_result_of_unlearning_is_no_retrained_model(tmp_path):
    (tmp_path / MODEL).write_bytes(b"w")
    card = {"schema_version": 1, "architecture": "mlp", "kind": "unlearn", "dataset": {"fingerprint": "f" * 64}}
    card["forgotten"] = {"mode": "class", "classes": ["b"], "count": 25}
    write_json(tmp_path / CARD, {**card, "method": "finetune"})
    with pytest.raises(InputError, match=r"is the result of unlearning \(finetune\): it was not retrained"):
        reference_from(tmp_path, job())
    write_json(tmp_path / CARD, {**card, "method": "retrain"})  # from scratch, in a run of its own
    assert reference_from(tmp_path, job()) == tmp_path / MODEL


def test_a_brought_model_never_goes_by_the_name_of_another(tmp_path):
    names = ["original", "mine", "seed 1", "original (brought)"]
    found = distinct_names({name: tmp_path / name for name in names}, ("original", "unlearned", "seed 1"))
    assert list(found) == ["original (brought)", "mine", "seed 1 (brought)", "original (brought) (brought)"]
    assert [path.name for path in found.values()] == names


def test_without_references_and_card_the_time_is_not_known(tmp_path):
    assert seconds_to_retrain(job()) is None
    assert seconds_to_retrain(job(str(tmp_path / "gone.safetensors"))) is None


def test_the_card_of_the_original_gives_the_time_times_the_share_that_stays(tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"w")
    write_json(tmp_path / "model.json", {"schema_version": 1, "architecture": "mlp", "cost": {"seconds": 40.0}})
    assert seconds_to_retrain(job(str(weights))) == pytest.approx(30.0)


def test_references_already_trained_know_better():
    reference(1, seconds=10.0)
    reference(2, seconds=14.0)
    assert seconds_to_retrain(job()) == pytest.approx(12.0)


def test_a_damaged_reference_is_left_out():
    reference(1)
    broken = references_home() / "broken"
    broken.mkdir()
    (broken / "job.json").write_text("{")
    assert list(trained_references(job())) == [1]


def test_the_name_of_a_references_folder_is_twenty_digits_of_a_hash():
    key = reference_key(job(), 1)
    assert len(key) == 20 and int(key, 16) > 0 and key == reference_key(job(), 1) != reference_key(job(), 2)


def test_canaries_belong_to_a_recipe_and_their_absence_names_the_references_of_before():
    recipe = dict(resolve(get_method("retrain").parameters, assumed_recipe(75)))
    keys = {count: reference_key(job(kind="train", parameters={**recipe, "canaries": count}), 1) for count in (0, 40)}
    planted = job(kind="train", parameters={**recipe, "canaries": 40})
    taught = replace(planted, forget=replace(planted.forget, classes=()))  # the key that had canaries of the class
    assert reference_key(planted, 1) != reference_key(taught, 1)
    recipe.pop("canaries")  # as an earlier version wrote it
    assert keys[0] == reference_key(job(kind="train", parameters=recipe), 1) == reference_key(job(), 1) != keys[40]
