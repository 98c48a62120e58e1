"""Opening model and data, one after the other or again with other options: a valid whole, or an error and no change."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import InputError, MismatchError, NoTestPartError, NotFoundError, UnsafeFileError
from core.models.architectures import ModelSpec, build_model
from core.models.trust import Trust
from core.selection import Selection
from core.session.bench import Bench, CardOrderError, DataOptions
from core.session.jobs import create_run, make_unlearn_job
from core.session.written import write_preprocessing


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    """Class folders with a test part: 3 classes of 4 and 2 grey images, 12 x 12."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 4), ("test", 2)):
        for name in ("ant", "bee", "cat"):
            place = tmp_path / "insects" / part / name
            place.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(rng.integers(0, 255, (12, 12), dtype=np.uint8)).save(place / f"{name}{i}.png")
    return tmp_path / "insects"


def save_model(path, classes=3, channels=1, size=(12, 12), card=None):
    spec = ModelSpec("small-cnn", classes, channels, size)
    torch.save(build_model(spec).state_dict(), path)
    if card:
        known = {"schema_version": 1, "architecture": "small-cnn", "num_classes": classes, "in_channels": channels}
        path.with_suffix(".json").write_text(json.dumps({**known, **card}))
    return path


def test_model_first_or_data_first_come_to_the_same(tmp_path, folder):
    path = save_model(tmp_path / "m.pt")
    one = Bench().with_model(path).with_data(str(folder), DataOptions())
    other = Bench().with_data(str(folder), DataOptions()).with_model(path)
    assert one.model.spec == other.model.spec == ModelSpec("small-cnn", 3, 1, (12, 12))
    assert one.dataset.fingerprint == other.dataset.fingerprint


def test_what_does_not_fit_is_refused_and_nothing_changes(tmp_path, folder):
    project = Bench().with_data(str(folder), DataOptions())
    with pytest.raises(MismatchError, match="The model has 5 outputs, the data set 3 classes"):
        project.with_model(save_model(tmp_path / "five.pt", classes=5))
    with pytest.raises(NotFoundError):
        project.with_model(tmp_path / "none.pt")
    assert project.opened_model is None and project.opened_data is not None


def test_grey_images_are_made_colour_for_a_network_that_was_never_trained_only_where_that_is_stated(tmp_path, folder):
    model = save_model(tmp_path / "colour.pth", channels=3)
    with pytest.raises(MismatchError, match="takes images of 3 channels, the data set's have 1 channel") as refused:
        Bench().open(model, str(folder))
    assert "--preprocess" in refused.value.hint
    stated = tmp_path / "how.json"
    stated.write_text('{"grey": 3}')
    assert Bench().open(model, str(folder), DataOptions(preprocess_file=str(stated))).dataset.channels == 3


def test_data_without_a_test_part_says_how_many_images_it_has(folder):
    with pytest.raises(NoTestPartError) as caught:
        Bench().with_data(str(folder / "train"), DataOptions())
    assert caught.value.class_counts == (4, 4, 4)
    project = Bench().with_data(str(folder / "train"), DataOptions(test_fraction=0.25))
    assert len(project.dataset.test) == 3 and project.dataset.test_origin == "set aside"


def test_a_pickle_is_opened_only_when_trusted(tmp_path):
    path = tmp_path / "whole.pt"
    torch.save(torch.nn.Linear(4, 3), path)
    with pytest.raises(UnsafeFileError):
        Bench().with_model(path)


CARD = {"input_size": [12, 12], "preprocessing": {"size": [12, 12], "mean": [0.25], "std": [0.5]}}


def test_a_card_prepares_the_data_whichever_is_opened_first(tmp_path, folder):
    path = save_model(tmp_path / "m.pt", card=CARD)
    for project in (
        Bench().with_data(str(folder), DataOptions()).with_model(path),
        Bench().with_model(path).with_data(str(folder), DataOptions()),
    ):
        assert project.dataset.preprocessing.mean == (0.25,)
        assert project.dataset.preprocessing.source == "model card"
    plain = project.with_model(save_model(tmp_path / "plain.pt"))
    assert plain.dataset.preprocessing.source == "tried"  # the former model's card holds no longer
    assert plain.dataset.preprocessing.mean != (0.25,)


def test_data_is_not_read_again_without_need(tmp_path, folder, monkeypatch):
    project = Bench().with_data(str(folder), DataOptions())

    def refuse(*args, **kwargs):
        raise AssertionError("the data was opened again")

    monkeypatch.setattr("core.session.bench.open_dataset", refuse)
    opened = project.with_model(save_model(tmp_path / "m.pt")).dataset
    assert opened.fingerprint == project.dataset.fingerprint


def test_preprocessing_by_hand_lies_over_everything_and_can_be_taken_back(tmp_path, folder):
    path = save_model(tmp_path / "m.pt", card=CARD)
    project = Bench().with_model(path).with_data(str(folder), DataOptions())
    changed = project.with_preprocessing({"size": [12, 12], "mean": [0.1], "std": [0.2], "interpolation": "nearest"})
    assert changed.dataset.preprocessing.source == "file"
    assert changed.dataset.preprocessing.mean == (0.1,)
    assert changed.options.preprocess_file
    assert changed.with_preprocessing(None).dataset.preprocessing.mean == (0.25,)
    with pytest.raises(InputError, match="std must be above 0"):
        write_preprocessing({"size": 12, "mean": [0.1], "std": [0]})


def test_a_class_order_renames_the_labels_and_stands_in_the_options(folder):
    project = Bench().with_data(str(folder), DataOptions()).with_class_order(("cat", "ant", "bee"))
    assert project.dataset.classes == ("cat", "ant", "bee")
    assert project.dataset.train.labels[0] == 1  # ant0.png
    again = Bench().with_data(str(folder), project.options)
    assert again.dataset.fingerprint == project.dataset.fingerprint


def test_a_card_with_the_same_classes_in_another_order_offers_its_order(tmp_path, folder):
    path = save_model(tmp_path / "m.pt", card={**CARD, "classes": ["bee", "cat", "ant"]})
    project = Bench().with_data(str(folder), DataOptions())
    with pytest.raises(CardOrderError) as caught:
        project.with_model(path)
    ordered = project.with_class_order(caught.value.names).with_model(path)
    assert ordered.dataset.classes == ordered.model.classes == ("bee", "cat", "ant")


def test_a_card_with_other_classes_is_a_plain_mismatch(tmp_path, folder):
    path = save_model(tmp_path / "m.pt", card={**CARD, "classes": ["bee", "cat", "dog"]})
    with pytest.raises(MismatchError) as caught:
        Bench().with_data(str(folder), DataOptions()).with_model(path)
    assert not isinstance(caught.value, CardOrderError)


def test_options_stay_with_the_project(folder):
    project = Bench(options=DataOptions(data_root="somewhere"))
    opened = project.with_data(str(folder), dataclasses.replace(project.options))
    assert opened.options.data_root == "somewhere"


OTHERWISE = {"size": [12, 12], "mean": [0.1], "std": [0.2], "interpolation": "nearest"}


def run_on(bench, out):
    """Make a run folder for the model and data on a bench: forget "bee"."""
    dataset = bench.dataset
    selection = Selection.empty(dataset.train.labels.numpy(), dataset.classes).with_classes([1])
    job = make_unlearn_job(bench.on("cpu", "float32", threads=1), selection, "finetune")
    return create_run(out, job, selection, dataset)


def test_a_job_gets_its_images_prepared_as_it_says_whatever_the_open_data_is_prepared_like(tmp_path, folder):
    bench = Bench(threads=1).open(save_model(tmp_path / "m.pt"), str(folder))
    job = run_on(bench, tmp_path / "run").job()
    assert bench.for_job(job).dataset is bench.dataset  # nothing is read again where all is as the job says
    changed = bench.with_preprocessing(OTHERWISE)
    assert changed.dataset.fingerprint == bench.dataset.fingerprint
    fitted = changed.for_job(job)
    assert fitted.dataset.preprocessing == bench.dataset.preprocessing
    ids = torch.arange(3)
    for now, then in zip(fitted.images(), bench.images(), strict=True):
        assert torch.equal(now.batch(ids).images, then.batch(ids).images)


def test_a_job_whose_images_cannot_be_prepared_as_it_says_is_refused(tmp_path, folder):
    bench = Bench(threads=1).open(save_model(tmp_path / "m.pt"), str(folder))
    file = tmp_path / "preprocess.json"
    file.write_text(json.dumps(OTHERWISE))
    options = DataOptions(preprocess_file=str(file))
    job = run_on(bench.with_data(str(folder), options), tmp_path / "run").job()
    file.write_text(json.dumps({**OTHERWISE, "mean": [0.3]}))
    with pytest.raises(MismatchError, match="prepared in another way"):
        Bench().for_job(job)
    with pytest.raises(MismatchError, match="prepared in another way"):
        bench.for_job(job)


CODE = """
from torch import nn

def net(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(144, 8), nn.ACTIVATION(), nn.Linear(8, num_classes))
"""


def test_outputs_are_taken_again_of_the_same_weights_in_another_network(tmp_path, folder):
    code, path, found = tmp_path / "mine.py", tmp_path / "m.pt", []
    torch.save(torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(144, 8), torch.nn.Identity(), torch.nn.Linear(8, 3)
    ).state_dict(), path)  # fmt: skip
    for activation in ("ReLU", "Sigmoid", "ReLU"):
        code.write_text(CODE.replace("ACTIVATION", activation))
        bench = Bench(trust=Trust(code=True)).with_model(path, arch=f"{code}:net").with_data(str(folder))
        found.append(bench.outputs(bench.model).test.logits.clone())
    assert torch.equal(found[0], found[2]) and not torch.allclose(found[0], found[1])


def test_the_first_model_of_a_job_is_the_job_s_whatever_is_open(tmp_path, folder):
    own, other = (
        Bench().with_model(save_model(tmp_path / name)).with_data(str(folder)) for name in ("own.pt", "other.pt")
    )
    selection = Selection.empty(own.dataset.train.labels.numpy(), own.dataset.classes).with_classes([1])
    job = make_unlearn_job(own, selection, "finetune")
    assert own.first_model(job) is own.model
    assert other.first_model(job).sha256 == own.model.sha256 != other.model.sha256


def test_a_job_gets_its_own_network_whatever_the_same_weights_are_open_as(tmp_path, folder):
    path, code = tmp_path / "m.pt", {name: tmp_path / f"{name}.py" for name in ("ReLU", "Sigmoid")}
    torch.save(torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(144, 8), torch.nn.Identity(), torch.nn.Linear(8, 3)
    ).state_dict(), path)  # fmt: skip
    for name, file in code.items():
        file.write_text(CODE.replace("ACTIVATION", name))
    own, other = (Bench(trust=Trust(code=True)).open(path, str(folder), arch=f"{file}:net") for file in code.values())
    job = run_on(own, tmp_path / "run").job()
    fitted = other.for_job(job)
    assert fitted.model.spec == own.model.spec != other.model.spec
    assert fitted.first_model(job).spec == own.model.spec
    assert own.for_job(job).model is own.model


def test_a_job_whose_original_is_gone_says_what_to_do(tmp_path, folder):
    path = save_model(tmp_path / "m.pt", card=CARD)
    job = run_on(Bench().open(path, str(folder)), tmp_path / "run").job()
    path.unlink()
    with pytest.raises(NotFoundError, match=r"needs its original model, and .*m\.pt is gone") as refused:
        Bench().for_job(job)
    assert refused.value.hint == "Put the file back and try again."


def test_a_model_to_compare_with_whose_images_were_prepared_otherwise_is_refused(tmp_path, folder):
    bench = Bench().open(save_model(tmp_path / "m.pt", card=CARD), str(folder))
    otherwise = {**CARD, "preprocessing": OTHERWISE}
    with pytest.raises(MismatchError, match=r"r\.pt was trained on images prepared in another way"):
        bench.open_beside(save_model(tmp_path / "r.pt", card=otherwise))
    assert bench.open_beside(save_model(tmp_path / "s.pt", card=CARD)).spec == bench.model.spec
    written_otherwise = {"steps": [], "mean": [0.2501], "std": [0.5], "size": [12, 12]}
    other = save_model(tmp_path / "t.pt", card={**CARD, "preprocessing": written_otherwise})
    assert bench.open_beside(other).spec == bench.model.spec
    by_hand = bench.with_preprocessing(OTHERWISE)  # stated for both
    assert by_hand.open_beside(tmp_path / "s.pt").spec == bench.model.spec
