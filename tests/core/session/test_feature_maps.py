"""Pictures of a run: the same samples for every model, turned onto the first, taken from cached outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.data.dataset import Dataset, ImageSet
from core.data.preprocessing import Preprocessing
from core.data.splits import Splits
from core.engine.outputs import FullOutputs
from core.errors import InputError, StoppedError
from core.files import cache_home
from core.models.architectures import ModelSpec, build_model
from core.models.formats import write_safetensors
from core.models.tap import SetOutputs
from core.runs.folder import FORGET, MODEL, RunFolder
from core.selection import Selection
from core.session.bench import Bench
from core.session.feature_maps import embeddings, picture
from core.session.jobs import create_run, make_unlearn_job

torch.set_num_threads(1)
CLASSES = ("a", "b", "c", "d")


def image_set(per_class: int) -> ImageSet:
    labels = torch.arange(len(CLASSES)).repeat(per_class)
    images = torch.arange(len(labels), dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 4, 4, 1).contiguous()
    return ImageSet(images, labels)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    scaling = Preprocessing((4, 4), (0.0,), (1.0,), "bilinear", "data set")
    return Dataset(
        spec="toy",
        title="Toy",
        classes=CLASSES,
        train=image_set(10),
        test=image_set(6),
        preprocessing=scaling,
        fingerprint="f" * 64,
    )


@pytest.fixture(scope="module")
def outputs(dataset) -> dict[str, FullOutputs]:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(len(CLASSES), 6, generator=generator) * 5

    def of(images: ImageSet) -> SetOutputs:
        features = centres[images.labels] + torch.randn(len(images), 6, generator=generator)
        return SetOutputs(torch.nn.functional.one_hot(images.labels, len(CLASSES)).float(), features, images.labels)

    original = FullOutputs(of(dataset.train), of(dataset.test))
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]

    def turned(part: SetOutputs) -> SetOutputs:
        return SetOutputs(part.logits.flip(1), 2 * part.features @ turn, part.labels)

    return {"original": original, "unlearned": FullOutputs(turned(original.train), turned(original.test))}


def splits_of(dataset: Dataset, ids: list[int]) -> Splits:
    mask = torch.zeros(len(dataset.train), dtype=torch.bool)
    mask[ids] = True
    return Splits.of(dataset, mask)


def test_class_forgetting_shows_unseen_images_with_the_forgotten_class_last(dataset, outputs):
    found = picture(outputs, dataset, splits_of(dataset, list(range(1, 40, 4))))
    assert len(found) == len(dataset.test)
    assert found.unseen.all()
    assert np.array_equal(found.forget, found.labels == 1)
    assert found.forget.tolist() == sorted(found.forget.tolist())
    assert sorted(found.ids.tolist()) == list(range(len(dataset.test)))


def test_points_belong_to_the_same_samples_in_every_panel(dataset, outputs):
    found = picture(outputs, dataset, splits_of(dataset, list(range(1, 40, 4))))
    # The second model's features are the first's, turned and doubled: the pictures must be the same.
    assert np.allclose(found.points["original"], found.points["unlearned"], atol=1e-4)
    assert np.array_equal(found.predictions["original"], found.labels)
    assert np.array_equal(found.predictions["unlearned"], 3 - found.labels)
    assert found.image(5)[0, 0, 0] == dataset.test.images[int(found.ids[5]), 0, 0, 0]


def test_sample_forgetting_shows_the_forget_images_themselves(dataset, outputs):
    found = picture(outputs, dataset, splits_of(dataset, [3, 8, 21]))
    assert found.forget.sum() == 3
    assert sorted(found.ids[found.forget].tolist()) == [3, 8, 21]
    assert not found.unseen[found.forget].any()
    assert found.unseen[~found.forget].all()
    assert np.array_equal(found.labels[found.forget], dataset.train.labels[found.ids[found.forget]])


def test_large_sets_are_thinned_alike_in_all_classes(dataset, outputs):
    found = picture(outputs, dataset, splits_of(dataset, list(range(1, 40, 4))), most=8)
    assert len(found) == 8
    assert np.bincount(found.labels).tolist() == [2, 2, 2, 2]


# ---- from a run folder


@pytest.fixture
def run(tmp_path, monkeypatch) -> RunFolder:
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    spec = ModelSpec("mlp", 10, 1, (8, 8))
    torch.manual_seed(0)
    original, unlearned = build_model(spec), build_model(spec)
    path = tmp_path / "original.safetensors"
    write_safetensors(path, original.state_dict(), {})
    bench = Bench().open(path, "digits")
    chosen = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes([3])
    job = make_unlearn_job(bench.on("cpu", threads=1), chosen, "finetune")
    folder = create_run(tmp_path / "runs" / "one", job, chosen, bench.dataset)
    write_safetensors(folder.file(MODEL), unlearned.state_dict(), {})
    return folder


def test_a_finished_run_has_a_picture_and_the_outputs_are_kept(run):
    told: list[str] = []
    found = embeddings(run, Bench(tell=lambda what, done, total: told.append(what)))
    assert list(found.points) == ["original", "unlearned"]
    assert set(np.unique(found.labels[found.forget])) == {3}
    assert {"Measuring the original model", "Measuring the unlearned model"} <= set(told)
    assert len(list((cache_home() / "outputs").iterdir())) == 2
    told.clear()
    again = embeddings(run, Bench(tell=lambda what, done, total: told.append(what)))
    assert np.array_equal(found.points["unlearned"], again.points["unlearned"])
    assert not any("Measuring" in what for what in told)


def test_a_retrained_model_gets_a_panel(run):
    found = embeddings(run, retrained=run.file(MODEL))
    assert np.allclose(found.points["retrained"], found.points["unlearned"])


def test_whole_classes_are_known_without_the_forget_list(run):
    before = embeddings(run).forget
    run.file(FORGET).unlink()
    assert np.array_equal(embeddings(run).forget, before)


def test_a_run_without_a_result_has_no_picture(run):
    run.file(MODEL).unlink()
    with pytest.raises(InputError, match="no unlearned model"):
        embeddings(run)


def test_it_can_be_ended(run):
    def end(what: str, done: int, total: int) -> None:
        raise StoppedError("The picture is not wanted any more")

    with pytest.raises(StoppedError):
        embeddings(run, Bench(tell=end))
