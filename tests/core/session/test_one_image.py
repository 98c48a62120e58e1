"""One image as models see it: against plain numpy, from kept outputs, and errors that say what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.engine.outputs import FullOutputs, keep_outputs, outputs_file
from core.errors import InputError, MismatchError
from core.models.architectures import network_key
from core.models.formats import write_safetensors
from core.models.tap import SetOutputs
from core.runs.folder import MODEL
from core.session.bench import Bench
from core.session.one_image import inspect_image, seen


def made_up(count: int, seed: int) -> SetOutputs:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (count,), generator=draw)
    return SetOutputs(torch.randn(count, 4, generator=draw), torch.randn(count, 6, generator=draw), labels)


OUTPUTS = FullOutputs(made_up(30, 0), made_up(9, 1))


@pytest.mark.parametrize("part, index", [("train", 0), ("train", 29), ("test", 4)])
def test_it_is_what_numpy_finds(part, index):
    found = seen(OUTPUTS, part, index, most=5)
    own = getattr(OUTPUTS, part)
    logits, label = own.logits[index].numpy().astype(float), int(own.labels[index])
    probabilities = np.exp(logits) / np.exp(logits).sum()
    assert found.answer.predicted == probabilities.argmax()
    assert found.answer.confidence == pytest.approx(probabilities.max())
    assert found.answer.own == pytest.approx(probabilities[label])
    assert found.answer.loss == pytest.approx(-np.log(probabilities[label]))
    features, target = OUTPUTS.train.features.numpy(), own.features[index].numpy()
    cosines = features @ target / np.linalg.norm(features, axis=1) / np.linalg.norm(target)
    if part == "train":
        cosines[index] = -2
    order = np.argsort(-cosines)[:5]
    assert found.neighbours.tolist() == order.tolist() and found.likeness == pytest.approx(cosines[order], abs=1e-5)


def test_small_sets_and_values_that_are_not_finite():
    few = FullOutputs(made_up(3, 0), made_up(0, 1))
    assert sorted(seen(few, "train", 1).neighbours.tolist()) == [0, 2]
    few.train.features[0] = torch.nan
    few.train.logits[1] = torch.nan
    found = seen(few, "train", 1)
    assert np.isnan(found.answer.loss) and found.neighbours.tolist() == [2, 0] and np.isnan(found.likeness[1])


def test_each_model_is_asked_and_nothing_is_computed_twice(bench, new_run, monkeypatch):
    run = new_run()
    with pytest.raises(InputError, match="No run is in view"):
        inspect_image(bench, "train", 3, "unlearned")
    with pytest.raises(InputError, match="has no result yet"):
        inspect_image(bench, "train", 3, "unlearned", run)
    with pytest.raises(InputError, match="No retrained model is on disk"):
        inspect_image(bench, "train", 3, "retrained", run)
    before = inspect_image(bench, "train", 3)
    other = bench.network(bench.model).module
    with torch.no_grad():
        for weights in other.parameters():
            weights.mul_(0.5)
    write_safetensors(run.file(MODEL), other.state_dict(), {})
    unlearned = bench.open_beside(run.file(MODEL))
    original = bench.outputs(bench.model)
    halves = [SetOutputs(part.logits / 2, part.features, part.labels) for part in (original.train, original.test)]
    kept = FullOutputs(*halves)
    keep_outputs(outputs_file(unlearned.weights_id, network_key(unlearned.spec), bench.dataset), kept)
    monkeypatch.setattr(Bench, "network", lambda *_, **__: pytest.fail("a network was built, its outputs are kept"))
    after = inspect_image(bench, "train", 3, "unlearned", run)
    assert after.answer == seen(kept, "train", 3).answer and after.answer.loss != pytest.approx(before.answer.loss)
    assert after.neighbours.tolist() == before.neighbours.tolist()
    with pytest.raises(MismatchError, match="another model or other data"):
        inspect_image(Bench(None, bench.dataset), "train", 3, "unlearned", run)
