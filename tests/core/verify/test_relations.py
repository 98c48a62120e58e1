"""What compares models with each other, on outputs made by hand."""

from __future__ import annotations

import pytest
import torch

from core.data.batches import ImageStore
from core.data.splits import Splits
from core.engine.outputs import collect
from core.metrics.distances import jensen_shannon, sample_jensen_shannon
from core.models.architectures import ModelSpec, build_model
from core.models.tap import TappedModel
from core.verify import relations
from core.verify.relations import Others, distances, layer_features
from tests.core.toy import DATA, forget_mask
from tests.core.verify.hand_made import outputs, splits

torch.set_num_threads(1)
SPLITS = splits()


def test_distances_of_both_kinds_are_of_unseen_images_of_the_class_and_of_the_single_images_themselves():
    both = splits(singles=20)
    model, other = outputs(both, 1), outputs(both, 2)
    found = distances(model, Others(None, [other]), both)
    assert set(found.values["distances"]) == {"forget_test", "forget", "retain_test"}
    for name, key, logits in (
        ("forget_test", "output_distance", [full.test.logits[both.forget_test] for full in (model, other)]),
        ("forget", "output_distance_single", [full.train.logits[both.forget_single_train] for full in (model, other)]),
    ):
        assert found.values["distances"][name]["js_to_retrained"] == jensen_shannon(*logits)
        assert len(found.samples[key]) == len(logits[0])
    alone = splits(forgotten=(), singles=20)
    found = distances(model, Others(None, [other]), alone)
    assert set(found.values["distances"]) == {"forget", "retain_test"} and set(found.samples) == {"output_distance"}


def test_an_image_has_its_mean_distance_to_all_retrained_models():
    model, retrained = outputs(SPLITS, 1), [outputs(SPLITS, 2), outputs(SPLITS, 3)]
    found = distances(model, Others(None, retrained), SPLITS)
    own, *others = (full.test.logits[SPLITS.forget_test] for full in (model, *retrained))
    wanted = torch.stack([sample_jensen_shannon(own, other) for other in others]).mean(0)
    assert torch.allclose(torch.tensor(found.samples["output_distance"], dtype=wanted.dtype), wanted)
    assert abs(found.values["distances"]["forget_test"]["js_to_retrained"] - float(wanted.mean())) < 1e-6


@pytest.mark.parametrize(
    ("most", "names"), [(12, ["block1", "block2", "block3", "hidden"]), (4, ["block1", "block3"]), (2, ["block1"])]
)
def test_layers_are_spread_over_the_network_and_end_with_the_features(monkeypatch, most, names):
    monkeypatch.setattr(relations, "MOST_LAYERS", most)
    splits, store = Splits.of(DATA, forget_mask()), ImageStore(DATA.test, DATA.preprocessing, torch.device("cpu"))
    tap = TappedModel(build_model(ModelSpec("small-cnn", DATA.num_classes, 1, (6, 6))), DATA.num_classes)
    layers = layer_features(tap, store, splits, lambda: None)
    assert list(layers) == [*names, "features"]
    assert torch.equal(layers["features"], collect(tap, store, splits.unseen).features)
