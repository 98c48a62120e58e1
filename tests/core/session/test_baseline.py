"""The opened model measured sample by sample, and the maps made of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.engine.control import Interrupted
from core.engine.outputs import FullOutputs
from core.models.tap import SetOutputs
from core.models.trust import Trust
from core.session.baseline import baseline, summarise
from core.session.bench import Bench
from core.session.feature_maps import place_by_neighbours, tsne_map


@pytest.fixture(scope="module")
def measured(bench):
    return baseline(bench.on("cpu", threads=1))


def outputs(logits, features, labels) -> FullOutputs:
    part = SetOutputs(torch.tensor(logits), torch.tensor(features), torch.tensor(labels))
    return FullOutputs(part, part)


def test_values_of_a_sample_worked_out_by_hand():
    found = summarise(
        outputs([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]], [[0.0, 0.0], [2.0, 0.0], [4.0, 3.0]], [0, 0, 1]), 3
    ).train
    e = np.exp
    assert found.answers.loss == pytest.approx([np.log1p(e(-2)), np.log1p(e(1)), np.log1p(e(3))], rel=1e-5)
    assert found.answers.confidence == pytest.approx([1 / (1 + e(-2)), 1 / (1 + e(-1)), 1 / (1 + e(-3))], rel=1e-5)
    assert found.answers.predicted.tolist() == [0, 1, 0]
    assert found.answers.correct.tolist() == [True, False, False]
    assert found.distance == pytest.approx([1.0, 1.0, 0.0])  # means (1, 0) and (4, 3)
    assert found.answers.margin == pytest.approx([2.0, -1.0, -3.0])
    assert found.accuracy == pytest.approx(1 / 3)


def test_a_class_without_images_has_no_accuracy():
    found = summarise(outputs([[2.0, 0.0, 0.0]], [[1.0, 0.0]], [0]), 3)
    assert found.class_accuracy == (1.0, None, None)


def test_accuracies_agree_with_the_samples(measured, digits):
    for k, accuracy in enumerate(measured.class_accuracy):
        assert accuracy == pytest.approx(measured.test.answers.correct[digits.test.labels.numpy() == k].mean())
    assert measured.accuracy > 0.8


def test_coordinates_are_the_plane_of_most_variance(measured, bench):
    features = bench.on("cpu").outputs(bench.model).train.features.double().numpy()
    centred = features - features.mean(0)
    singular = np.linalg.svd(centred, compute_uv=False) ** 2
    assert measured.explained == pytest.approx(singular[:2].sum() / singular.sum(), rel=1e-4)
    assert measured.coordinates.var(0).sum() * len(features) == pytest.approx(singular[:2].sum(), rel=1e-3)
    assert np.array_equal(measured.compact[:, :2], measured.coordinates)


def test_features_of_one_channel_or_without_finite_values_still_give_a_map():
    assert summarise(outputs([[1.0, 0.0]] * 3, [[0.0], [1.0], [2.0]], [0, 0, 1]), 2).coordinates.shape == (3, 2)
    broken = summarise(outputs([[1.0, 0.0]] * 2, [[0.0, float("nan")], [1.0, 2.0]], [0, 1]), 2)
    assert broken.explained == 0.0
    assert not broken.coordinates.any()


def test_outputs_are_taken_once_and_read_again(bench, monkeypatch):
    measured = baseline(bench.on("cpu", threads=1))

    def refuse(*args, **kwargs):
        raise AssertionError("the images were passed through the network again")

    monkeypatch.setattr("core.engine.outputs.collect", refuse)
    again = baseline(bench.on("cpu", threads=1))
    assert np.array_equal(again.train.answers.loss, measured.train.answers.loss)


def test_a_measurement_can_be_ended(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path))  # an empty cache

    def end(what: str, done: int, total: int) -> None:
        raise Interrupted

    fresh = Bench(bench.model, bench.dataset, bench.options)
    with pytest.raises(Interrupted):
        baseline(fresh.on("cpu", threads=1).telling(end))


def test_tsne_puts_like_beside_like_on_a_share_of_the_samples():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 200)
    compact = rng.normal(size=(600, 10)).astype(np.float32)
    compact[:, 0] += 20 * labels
    ids, places = tsne_map(compact, labels, size=150)
    assert len(ids) == 150 and np.bincount(labels[ids]).tolist() == [50, 50, 50]
    nearest = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(len(ids))
    assert (labels[ids][nearest.argmin(1)] == labels[ids]).mean() > 0.95


def test_what_is_not_on_a_map_stands_between_its_neighbours_there(monkeypatch):
    monkeypatch.setattr("core.session.feature_maps._PLACED_AT_ONCE", 7)
    rng = np.random.default_rng(0)
    compact, ids = rng.normal(size=(40, 3)).astype(np.float32), rng.permutation(40)[:12]
    places = rng.normal(size=(12, 2)).astype(np.float32)
    found = place_by_neighbours(compact, ids, places)
    for sample in range(40):
        away = np.linalg.norm(compact[ids].astype(float) - compact[sample], axis=1)
        nearest = away.argsort()[:5]
        expected = (
            places[ids == sample][0]
            if sample in ids
            else np.average(places[nearest], axis=0, weights=1 / np.maximum(away[nearest], 1e-6))
        )
        assert found[sample] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 4, 150])
def test_tsne_of_samples_that_are_all_the_same(count, width):
    # scikit-learn's own start is NaN here, and that ended the process.
    ids, places = tsne_map(np.zeros((count, width), np.float32), np.zeros(count, int))
    assert places.shape == (len(ids), 2) == (count, 2)
    assert np.isfinite(places).all()


def test_tsne_refuses_what_is_not_finite():
    with pytest.raises(ValueError, match="not finite"):
        tsne_map(np.full((5, 2), np.nan, np.float32), np.zeros(5, int))


USER_CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, act):
        super().__init__()
        self.hidden, self.head, self.act = nn.Linear(64, 16), nn.Linear(16, num_classes), act

    def forward(self, x):
        return self.head(self.act(self.hidden(x.flatten(1))))

def first(num_classes):
    return Net(num_classes, torch.relu)

def second(num_classes):
    return Net(num_classes, torch.sigmoid)
"""


def test_outputs_of_the_same_weights_in_another_network_are_their_own(tmp_path, digits):
    code, weights = tmp_path / "net.py", tmp_path / "weights.pt"
    code.write_text(USER_CODE)
    torch.manual_seed(0)
    state = {"hidden.weight": (16, 64), "hidden.bias": (16,), "head.weight": (10, 16), "head.bias": (10,)}
    torch.save({name: torch.randn(shape) for name, shape in state.items()}, weights)

    def told(factory: str) -> torch.Tensor:
        opened = Bench(trust=Trust(code=True)).open(weights, "digits", arch=f"{code}:{factory}")
        images = opened.dataset.preprocessing.apply(digits.test.images)
        found = opened.on("cpu").outputs(opened.model).test.logits
        with torch.no_grad():
            assert torch.allclose(found, opened.model.build()(images), atol=1e-4)
        return found

    first = told("first")
    assert not torch.equal(first, told("second"))
    code.write_text(USER_CODE.replace("torch.relu", "torch.tanh"))
    assert not torch.equal(first, told("first"))
