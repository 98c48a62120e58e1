"""Pictures of a run: the same samples for every model, turned onto the first, taken from cached outputs."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.data.dataset import Dataset, ImageSet
from core.data.preprocessing import Preprocessing
from core.data.splits import Splits
from core.engine.outputs import FullOutputs, keep_outputs, outputs_file
from core.errors import InputError, StoppedError
from core.events import FeatureMap, pack_points
from core.files import cache_home, file_sha256
from core.metrics.geometry import principal_plane
from core.models.architectures import ModelSpec, build_model, network_key
from core.models.formats import write_safetensors
from core.models.tap import SetOutputs
from core.runs.folder import FORGET, MODEL, RunFolder
from core.selection import Selection
from core.session.bench import Bench
from core.session.feature_maps import embeddings, picture, retrained_clouds
from core.session.jobs import create_run, make_unlearn_job
from core.session.references import reference_folder
from tests.finished import call_finished

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


# ---- retrained models on the map of a run


@pytest.fixture
def reference(run) -> RunFolder:
    """A retrained model of the run's forget set, on disk where one is looked for."""
    job = run.job()
    folder = reference_folder(job, 1)
    own = replace(job, kind="train", method="retrain", model=replace(job.model, path="", sha256=""), seed=1)
    RunFolder.create(folder.path, own)
    torch.manual_seed(5)
    write_safetensors(folder.file(MODEL), build_model(ModelSpec("mlp", 10, 1, (8, 8))).state_dict(), {})
    call_finished(folder)
    return folder


def laid(names: tuple[str, ...], points: np.ndarray, ids: list[int], forgotten: int) -> FeatureMap:
    counts = {"retain_test": len(ids) - forgotten, "forget_test": forgotten}
    centre, axes = (base64.b64encode(bytes(4 * values)).decode() for values in (2, 4))
    return FeatureMap(run="r", step=0, time=0.0, counts=counts, ids=ids, labels=list(names), channels=2, centre=centre,
                      axes=axes, radius=1.0, points=pack_points(points), share=1.0)  # fmt: skip


def test_a_retrained_model_is_turned_onto_the_start_of_the_map(run, reference):
    job, data = run.job(), Bench().with_data("digits").dataset
    generator = torch.Generator().manual_seed(0)
    ids = torch.randperm(len(data.test), generator=generator)[:80].tolist()
    labels = [data.classes[data.test.labels[i]] for i in ids]
    features = torch.randn(len(data.test), 6, generator=generator) * torch.arange(6, 0, -1)
    plane = principal_plane(features[ids], first=71)
    assert plane is not None
    event = laid(tuple(labels), plane.points.numpy(), ids, 9)
    bench = Bench(device="cpu", threads=1).for_job(job)

    def keep(weights: str, rows: torch.Tensor) -> None:
        test = SetOutputs(torch.zeros(len(rows), 10), rows, data.test.labels)
        train = SetOutputs(torch.zeros(len(data.train), 10), torch.zeros(len(data.train), 6), data.train.labels)
        keep_outputs(outputs_file(weights, network_key(job.model), bench.dataset), FullOutputs(train, test))

    keep(job.model.weights_id, features)
    found = retrained_clouds(job, event)
    assert not found.points and "not kept" in found.why
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]
    keep(file_sha256(reference.file(MODEL)), 3 * features @ turn + 1)  # the same picture, on other axes
    found = retrained_clouds(job, event)
    assert list(found.points) == ["seed 1"] and not found.why
    np.testing.assert_allclose(found.points["seed 1"], event.coordinates(), atol=2e-3)


def test_without_kept_outputs_the_few_images_are_passed_through_the_networks(run, reference):
    job = run.job()
    bench = Bench(device="cpu", threads=1).for_job(job)
    ids = torch.nonzero(bench.dataset.test.labels != 3).flatten().tolist()[:60]
    labels = tuple(bench.dataset.classes[bench.dataset.test.labels[i]] for i in ids)
    event = laid(labels, np.zeros((60, 2)), ids, 0)
    passed = retrained_clouds(job, event, bench)
    for path in (run.job().model.path, reference.file(MODEL)):
        assert len(bench.outputs(bench.open_beside(path)).test)
    kept = retrained_clouds(job, event)  # from the files that were just written
    np.testing.assert_allclose(passed.points["seed 1"], kept.points["seed 1"], atol=1e-3)


def test_no_retrained_model_is_said(run):
    assert retrained_clouds(run.job(), laid((), np.empty((0, 2)), [], 0)).why == "No retrained model yet."
