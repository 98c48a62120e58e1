"""The feature map: which images it follows, where it says they are, and that it only looks."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch

from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Monitor
from core.engine.outputs import FullOutputs, collect_full
from core.events import Event, FeatureMap, FeaturesMoved
from core.models.tap import evaluating
from tests.core.toy import ToyNet, make_experiment, run_to_end, same, toy_dataset, trained_net, weights


class Often(Monitor):
    """Evaluates after every drain, whatever it costs."""

    def due(self, elapsed: float) -> bool:
        return True


def started(experiment: Experiment) -> FullOutputs:
    return collect_full(experiment.model, experiment.train, experiment.test)


def watched(experiment: Experiment, **options: object) -> tuple[Engine, list[Event]]:
    engine = Engine(experiment, Control(), Often(experiment, 1.0, started(experiment)), **options)  # type: ignore[arg-type]
    return engine, run_to_end(engine)


def maps(events: list[Event]) -> list[FeatureMap]:
    return [event for event in events if isinstance(event, FeatureMap)]


def moves(events: list[Event]) -> list[FeaturesMoved]:
    return [event for event in events if isinstance(event, FeaturesMoved)]


def features_of(net: torch.nn.Module, images: torch.Tensor) -> np.ndarray:
    """What the head of the toy network receives, by a forward pass of its parts."""
    with evaluating(net):
        return net.block2(net.block1(images)).double().numpy()  # type: ignore[operator]


@pytest.fixture(scope="module")
def run() -> tuple[Experiment, list[Event]]:
    """A run of two rounds that forgets a class, measured as often as losses are told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.engine.engine.DRAIN_SECONDS", 0.0)
        experiment = make_experiment("muda", batch=8)
        return experiment, watched(experiment)[1]


def test_points_are_the_features_in_the_plane_of_the_start(run):
    experiment, events = run
    (laid,), moved = maps(events), moves(events)
    assert laid.counts == {"retain_test": len(experiment.splits.retain_test),
                           "forget_test": len(experiment.splits.forget_test)}  # fmt: skip
    assert laid.forget_from == len(experiment.splits.retain_test)
    data = toy_dataset()
    assert laid.labels == [data.classes[data.test.labels[i]] for i in laid.ids]
    assert set(laid.labels[laid.forget_from :]) == {"east"} and "east" not in laid.labels[: laid.forget_from]
    images = experiment.test.batch(torch.tensor(laid.ids)).images
    start, end = (features_of(net, images) for net in (trained_net(), experiment.model.module))
    centre, axes = (np.frombuffer(base64.b64decode(text), "<f4").astype(float) for text in (laid.centre, laid.axes))
    axes = axes.reshape(laid.channels, 2)
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(centre, start.mean(0), atol=1e-5)
    for event in (laid, moved[0]):
        np.testing.assert_allclose(event.coordinates(), (start - centre) @ axes / laid.radius, atol=2e-3)
    turned, target = end - end.mean(0), start - start.mean(0)
    left, values, right = np.linalg.svd(turned.T @ target)
    turned = turned @ left @ right * values.sum() / (turned**2).sum()
    np.testing.assert_allclose(moved[-1].coordinates(), turned @ axes / laid.radius, atol=2e-3)
    assert not np.allclose(moved[0].coordinates(), moved[-1].coordinates(), atol=0.1)
    variances = np.linalg.svd(start - start.mean(0), compute_uv=False) ** 2
    assert laid.share == pytest.approx(variances[:2].sum() / variances.sum(), abs=1e-5)


def test_it_is_told_with_every_measurement_and_what_directions_hold_with_it(run):
    _, events = run
    moved = moves(events)
    assert [event.step for event in moved] == [event.step for event in events if event.type == "spectrum"]
    assert len(moved) > 3
    last = [event for event in events if event.type == "alignment"][-1]
    assert len(moved[-1].forget_energy) == len(last.profile)  # fewer channels than directions told at most
    assert sum(moved[-1].forget_energy) == pytest.approx(1, abs=1e-4)


def test_a_run_that_draws_a_map_comes_to_the_same_weights(run):
    plain = make_experiment("muda", batch=8)
    run_to_end(Engine(plain, Control(), Monitor(plain, 0.0)))
    assert same(weights(plain.model.module), weights(run[0].model.module))


def test_single_images_are_followed_themselves_beside_unseen_ones_of_their_classes():
    experiment = make_experiment("finetune", forget="sample", epochs=1)
    (laid,) = maps(watched(experiment)[1])
    assert list(laid.counts) == ["retain_test", "forget_train"]
    assert laid.ids[laid.forget_from :] == experiment.splits.forget_train.tolist()
    assert moves(watched(experiment)[1])[0].forget_energy == []
    both = make_experiment("finetune", forget="mixed", epochs=1)
    (laid,) = maps(watched(both)[1])
    assert list(laid.counts) == ["retain_test", "forget_test", "forget_train"]
    assert laid.ids[-laid.counts["forget_train"] :] == both.splits.forget_single_train.tolist()


@pytest.mark.parametrize(("method", "forget"), [("retrain", "class"), ("finetune", None)])
def test_no_map_is_made_of_a_fresh_network_or_where_nothing_goes(method, forget):
    experiment = make_experiment(method, ToyNet(), forget=forget, epochs=1)
    assert not {"feature_map", "features_moved"} & {event.type for event in watched(experiment)[1]}


def test_a_resume_lays_the_same_map_and_goes_on_in_it(monkeypatch):
    monkeypatch.setattr("core.engine.engine.DRAIN_SECONDS", 0.0)
    states: list[dict] = []

    def save(state: dict) -> tuple[str, int]:
        states.append(state)
        return "", 0

    first = make_experiment("muda", batch=8)
    start = started(first)
    _, events = watched(first, save=save, checkpoint_seconds=0.0)
    again = make_experiment("muda", batch=8)
    engine = Engine(again, Control(), Often(again, 1.0, start))
    engine.restore(states[len(states) // 2])
    resumed = run_to_end(engine)
    (laid,), (anew,) = maps(events), maps(resumed)
    assert anew.step == engine._resumed_at > 0
    assert (anew.ids, anew.axes, anew.centre, anew.points) == (laid.ids, laid.axes, laid.centre, laid.points)
    before = {event.step: event.points for event in moves(events)}
    for event in moves(resumed):
        assert event.points == before[event.step]
