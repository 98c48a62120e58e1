"""The loop: control, pauses, observers that only read, masks, divergence, checkpoints on disk."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.data.batches import Augmentation
from core.data.splits import SETS
from core.engine import engine as engine_module
from core.engine.control import Control, Interrupted
from core.engine.engine import Engine
from core.engine.monitor import Monitor, events_of
from core.engine.outputs import collect
from core.engine.step import Board, Diverged, all_finite
from core.errors import NonFiniteError
from core.events import Evaluation, Log, PhaseChanged, State, StepMetrics
from core.methods import get_method
from core.methods.base import Alternate, Edit, Length, Method, Optimiser, Train
from core.metrics.spaces import FeatureSpace, gram, leading_eigenvectors, measure_alignment
from core.models.tap import evaluating
from core.parameters import Parameter
from tests.core.toy import ToyNet, make_engine, make_experiment, run_to_end, same, trained_net, weights


def _method(loss, **stage):
    options = {"length": Length(epochs=1), "batch": 16, **stage}
    return Method(
        "toy",
        "Toy",
        "For tests.",
        "",
        (Parameter("lr", "float", 0.1, "Step."),),
        plan=lambda values, facts: [Train("only", "forget", "retain", loss, **options)],
    )


def _classify(out, batch, aux, values):
    return {"loss": F.cross_entropy(out.logits, batch.labels)}


class Greedy(Monitor):
    """Evaluates after every drain, whatever it costs."""

    def due(self, elapsed):
        return True


def test_how_often_one_looks_does_not_change_the_weights():
    quiet, curious = make_experiment("muda", batch=8), make_experiment("muda", batch=8)
    run_to_end(make_engine(quiet))
    engine = Engine(curious, Control(), Greedy(curious, 1.0))
    import core.engine.engine as module

    spacing, module.DRAIN_SECONDS = module.DRAIN_SECONDS, 0.0
    try:
        events = run_to_end(engine)
    finally:
        module.DRAIN_SECONDS = spacing
    assert sum(e.type == "evaluation" for e in events) > 10
    assert same(weights(quiet.model.module), weights(curious.model.module))


def test_the_time_left_follows_from_the_pace_since_the_first_look(monkeypatch):
    monkeypatch.setattr(engine_module, "DRAIN_SECONDS", 0.0)
    monkeypatch.setattr("core.pace.LEAST_SECONDS", 0.0)
    experiment = make_experiment("finetune", batch=8)
    found = [e for e in run_to_end(Engine(experiment, Control(), Greedy(experiment, 1.0))) if e.type == "resources"]
    first = next(event for event in found if event.step > 0)
    known = [event for event in found if event.step >= first.step + 3 and event.elapsed > first.elapsed]
    total = run_to_end(make_engine(make_experiment("finetune", batch=8)))[0].steps
    assert len(known) > 3
    for event in known:
        pace = (event.elapsed - first.elapsed) / (event.step - first.step)
        assert event.remaining == pytest.approx(pace * (total - event.step))


class Watching(Monitor):
    """Keeps the weights that it measured last."""

    def evaluate(self, step, *, charged=True):
        self.seen = weights(self._experiment.model.module)
        return super().evaluate(step, charged=charged)


def test_what_is_measured_at_the_end_is_what_a_file_of_coarser_types_holds():
    experiment, exact = make_experiment("finetune"), make_experiment("finetune")
    run_to_end(make_engine(exact))
    trained = weights(exact.model.module)
    experiment.stored = dict.fromkeys(list(trained)[:4], "bfloat16")
    monitor = Watching(experiment, 0.1)
    run_to_end(Engine(experiment, Control(), monitor))
    rounded = {
        key: value.bfloat16().to(value.dtype) if key in experiment.stored else value for key, value in trained.items()
    }
    assert not same(rounded, trained)
    assert same(monitor.seen, rounded) and same(weights(experiment.model.module), rounded)


def test_an_evaluation_leaves_weights_statistics_modes_and_random_state_as_they_were():
    experiment = make_experiment("muda")
    experiment.model.module.train()
    experiment.model.module.block1[1].eval()  # a part in another mode than the whole
    modes = [m.training for m in experiment.model.module.modules()]
    before, state = weights(experiment.model.module), torch.random.get_rng_state()
    Monitor(experiment, 0.1).evaluate(0)
    assert same(before, weights(experiment.model.module))
    assert torch.equal(state, torch.random.get_rng_state())
    assert modes == [m.training for m in experiment.model.module.modules()]


def test_an_evaluation_decomposes_each_gram_matrix_once(monkeypatch):
    calls = []
    for name in ("eigh", "eigvalsh"):
        real = getattr(np.linalg, name)
        monkeypatch.setattr(np.linalg, name, lambda matrix, real=real: calls.append(matrix) or real(matrix))
    events = Monitor(make_experiment("muda"), 0.1).evaluate(0)
    assert {"alignment", "spectrum"} < {e.type for e in events}
    assert len(calls) == 2  # retain and forget features


def test_beside_single_images_alignment_is_that_of_the_class_alone():
    experiment = make_experiment("muda", forget="mixed")
    splits = experiment.splits
    outputs = {name: collect(experiment.model, experiment.store(name), getattr(splits, name)) for name in SETS}
    found = next(e for e in events_of(experiment, outputs, 0, "subset") if e.type == "alignment")
    of_class = collect(experiment.model, experiment.train, splits.forget_class_train).features
    retain, k = FeatureSpace.of(outputs["retain_train"].features), len(splits.retain_classes)
    assert found.value == pytest.approx(measure_alignment(FeatureSpace.of(of_class), retain, k).value)
    assert found.value != pytest.approx(
        measure_alignment(FeatureSpace.of(outputs["forget_train"].features), retain, k).value
    )


def test_losses_for_the_histogram_are_numbers_whatever_the_network_says():
    experiment = make_experiment("finetune", forget="sample")
    head = experiment.model.head
    head.weight.data.fill_(3e38)  # finite, and its products are not
    head.bias.data.fill_(-3e38)
    found = next(e for e in Monitor(experiment, 0.1).evaluate(0) if e.type == "evaluation")
    assert found.forget_loss is None
    assert all(math.isfinite(loss) for loss in (*found.forget_losses, *found.unseen_losses))


def test_outputs_are_those_of_eval_mode():
    experiment = make_experiment("muda")
    ids = torch.arange(20)
    experiment.model.module.train()
    outputs = collect(experiment.model, experiment.train, ids)
    experiment.model.module.eval()
    with torch.no_grad():
        expected = experiment.model(experiment.train.batch(ids).images)
    assert torch.equal(outputs.logits, expected.logits)
    assert torch.equal(outputs.features, expected.features)
    with evaluating(experiment.model.module):
        assert not torch.is_grad_enabled()


def test_pause_is_a_no_op_for_the_result():
    straight = make_engine(make_experiment("muda", batch=8))
    run_to_end(straight)
    control = Control()
    paused = make_engine(make_experiment("muda", batch=8), control)
    events = paused.run()
    seen = []
    control.pause()
    for event in events:
        seen.append(event)
        if isinstance(event, PhaseChanged) and event.state == "paused":
            threading.Timer(0.05, control.resume).start()
    assert [e.state for e in seen if isinstance(e, PhaseChanged)][:2] == ["paused", "running"]
    assert paused.outcome is State.FINISHED
    assert same(weights(straight.experiment.model.module), weights(paused.experiment.model.module))


@pytest.mark.parametrize("action", ["stop", "discard"])
def test_ending_wakes_a_paused_run(action):
    control = Control()
    engine = make_engine(make_experiment("muda", batch=8), control)
    control.pause()
    for event in engine.run():
        if isinstance(event, PhaseChanged) and event.state == "paused":
            threading.Timer(0.05, getattr(control, action)).start()
    assert engine.outcome is (State.STOPPED if action == "stop" else State.DISCARDED)


def test_a_stop_behind_the_last_step_finds_a_finished_run():
    for early in (True, False):
        control = Control()
        engine = make_engine(make_experiment("finetune", epochs=1), control)
        for _ in engine.run():
            if engine.step == (0 if early else engine.timeline.total):
                control.stop()
        assert engine.outcome is (State.STOPPED if early else State.FINISHED)


def test_a_long_refresh_can_be_interrupted_and_leaves_the_step_as_it_was():
    control = Control()
    engine = make_engine(make_experiment("muda", batch=8), control)
    engine.context.aux = {"before": torch.zeros(1)}
    control.stop()
    with pytest.raises(Interrupted):
        engine.advance()
    assert engine.step == 0 and list(engine.context.aux) == ["before"]


def test_masked_weights_stay_bit_identical_under_decay_and_momentum():
    def refresh(context):
        return {
            f"mask/{name}": (torch.rand(p.shape, generator=torch.Generator().manual_seed(1)) < 0.5)
            for name, p in context.model.module.named_parameters()
        }

    optimiser = Optimiser(lr=0.1, momentum=0.9, weight_decay=0.1)
    experiment = make_experiment(_method(_classify, refresh=refresh, optimiser=optimiser, length=Length(epochs=4)))
    engine = make_engine(experiment)
    before = {n: p.detach().clone() for n, p in experiment.model.module.named_parameters()}
    run_to_end(engine)
    moved = 0
    for name, parameter in experiment.model.module.named_parameters():
        mask = engine.context.aux[f"mask/{name}"]
        assert torch.equal(parameter.detach()[~mask], before[name][~mask]), name
        moved += int((parameter.detach()[mask] != before[name][mask]).sum())
    assert moved > 100


def test_frozen_statistics_stay_and_training_ones_move():
    for mode, moves in (("frozen", False), ("train", True)):
        experiment = make_experiment(_method(_classify, batch_norm=mode))
        before = experiment.model.module.block1[1].running_mean.clone()
        run_to_end(make_engine(experiment))
        assert torch.equal(before, experiment.model.module.block1[1].running_mean) is not moves


@pytest.mark.parametrize(("tunes", "moving"), [("head", {"head"}), ("last-2", {"block2", "head"}), ("all", None)])
def test_only_the_named_part_is_trained(tunes, moving):
    experiment = make_experiment(_method(_classify, tunes=tunes))
    before = {n: p.detach().clone() for n, p in experiment.model.module.named_parameters()}
    run_to_end(make_engine(experiment))
    changed = {n.split(".")[0] for n, p in experiment.model.module.named_parameters() if not torch.equal(p, before[n])}
    assert changed == (moving or {"block1", "block2", "head"})


def test_a_loss_that_becomes_infinite_starts_again_with_half_the_step():
    engine = None

    def infinite_with_the_full_step(out, batch, aux, values):
        factor = float("inf") if engine.lr_scale == 1 and engine.step == 2 else 1.0
        return {"loss": F.cross_entropy(out.logits, batch.labels) * factor}

    def method(loss):
        return _method(loss, optimiser=Optimiser(lr=0.1))

    engine = make_engine(make_experiment(method(infinite_with_the_full_step)))
    events = run_to_end(engine)
    warnings = [e for e in events if isinstance(e, Log)]
    assert [w.code for w in warnings] == ["diverged"]
    assert warnings[0].message == "The loss became infinite at step 2. Went back to step 0 and halved the step size."
    assert engine.lr_scale == 0.5 and engine.outcome is State.FINISHED
    assert [e.resumed_at for e in events if e.type == "run_started"] == [None, 0]
    half = make_engine(make_experiment(_method(_classify, optimiser=Optimiser(lr=0.05))))
    run_to_end(half)
    assert same(weights(half.experiment.model.module), weights(engine.experiment.model.module))


def test_a_run_stopped_behind_an_infinite_loss_keeps_nothing():
    """The original's weights, to which it went back, are no result."""

    def infinite(out, batch, aux, values):
        engine.control.stop()
        return {"loss": F.cross_entropy(out.logits, batch.labels) * float("inf")}

    engine = make_engine(make_experiment(_method(infinite, optimiser=Optimiser(lr=0.1))))
    with pytest.raises(NonFiniteError, match="no result to keep"):
        run_to_end(engine)


def basis(context) -> dict[str, torch.Tensor]:
    """A constant made of features; raises ValueError where they are not finite."""
    return {"basis": leading_eigenvectors(gram(context.outputs("retain").features), 2)}


LOOKS = {
    "constants made anew": lambda part: [replace(part, refresh=basis, refresh_every=3)],
    "a rule within the stage": lambda part: [replace(part, until=lambda context: not basis(context), until_every=3)],
    "a rule at its end": lambda part: [replace(part, until=lambda context: not basis(context))],
    "the next stage": lambda part: [part, replace(part, name="second", refresh=basis)],
    "an edit": lambda part: [part, Edit("edit", basis)],
}


@pytest.mark.parametrize("plan", LOOKS.values(), ids=LOOKS)
def test_a_diverging_run_comes_to_the_same_weights_whatever_the_clock_does(plan, monkeypatch):
    """What looks at the network finds losses and weights finite: not by the clock, and before anything else fails."""

    def breaks(out, batch, aux, values):
        first = engine.lr_scale == 1 and engine.step == 1
        return {"loss": F.cross_entropy(out.logits, batch.labels) * (float("inf") if first else 1.0)}

    part = Train("first", "recover", "retain", breaks, length=Length(steps=6), batch=16, optimiser=Optimiser(lr=0.1))
    method = replace(_method(breaks), plan=lambda values, facts: plan(part))
    results, messages = [], []
    for seconds in (0.0, float("inf")):
        monkeypatch.setattr("core.engine.engine.DRAIN_SECONDS", seconds)
        engine = make_engine(make_experiment(method))
        events = run_to_end(engine)
        results.append(weights(engine.experiment.model.module))
        messages.append([event.message for event in events if isinstance(event, Log)])
    assert same(*results) and all_finite(engine.experiment.model.module)
    assert messages[0] == messages[1] and "became infinite at step 1" in messages[0][0]


def test_weights_that_break_without_a_loss_that_does_begin_again_at_the_end_of_the_stage():
    def breaks(out, batch, aux, values):
        loss = F.cross_entropy(out.logits, batch.labels)
        if engine.lr_scale == 1 and engine.step == 3:
            loss.register_hook(lambda gradient: gradient * float("inf"))
        return {"loss": loss}

    part = Train("only", "recover", "retain", breaks, length=Length(steps=4), batch=16, optimiser=Optimiser(lr=0.1))
    engine = make_engine(make_experiment(replace(_method(breaks), plan=lambda values, facts: [part])))
    logs = [event.message for event in run_to_end(engine) if isinstance(event, Log)]
    assert all_finite(engine.experiment.model.module) and "at step 3" in logs[0]


def test_constants_are_renewed_after_so_many_steps_of_their_part():
    renewed = []

    def refresh(context):
        renewed.append(engine.step)
        return {}

    recover = Train("recover", "recover", "retain", _classify, length=Length(steps=8), batch=16)
    forget = replace(recover, name="forget", phase="forget", reads="forget", refresh=refresh, refresh_every=3)
    method = replace(_method(_classify), plan=lambda values, facts: [Alternate("in turns", (forget, recover))])
    engine = make_engine(make_experiment(method))
    run_to_end(engine)
    assert engine.timeline.total == 16
    assert renewed == list(range(0, engine.timeline.total, 6))


def test_a_loss_that_stays_infinite_fails_the_run():
    experiment = make_experiment(_method(lambda out, batch, aux, values: {"loss": out.logits.sum() * float("nan")}))
    with pytest.raises(NonFiniteError, match="smaller steps"):
        run_to_end(make_engine(experiment))


def test_augmentation_is_looked_up_by_sample_and_epoch():
    from core.data.batches import augment

    experiment = make_experiment("finetune")
    crop = Augmentation(pad=2, flip=True)
    ids = torch.tensor([3, 9, 30])
    first = experiment.train.batch(ids, crop, 0, "train", 0)
    again = experiment.train.batch(ids.flip(0), crop, 0, "train", 0)
    assert torch.equal(first.images, again.images.flip(0))
    later = experiment.train.batch(ids, crop, 0, "train", 1)
    assert not torch.equal(first.images, later.images)
    images = experiment.train.raw(ids)
    for dy in range(5):
        for dx in range(5):
            for flip in (0, 1):
                got = augment(images, *(torch.full((3,), v) for v in (dy, dx, flip)), pad=2)
                padded = F.pad(images, (0, 0, 2, 2, 2, 2))
                expected = padded[:, dy : dy + 6, dx : dx + 6]
                assert torch.equal(got, expected.flip(2) if flip else expected)


def test_the_board_keeps_terms_of_different_stages_apart():
    board = Board()
    board.put(0, "forget", {"loss": torch.tensor(1.0), "alignment": torch.tensor(2.0)})
    board.put(1, "forget", {"loss": torch.tensor(3.0)})
    board.put(2, "recover", {"extra": torch.tensor(5.0), "loss": torch.tensor(4.0)})
    board.settle()
    phases = board.drain()
    assert list(phases) == ["forget", "recover"]
    assert phases["forget"] == ([0, 1], {"loss": [1.0, 3.0], "alignment": [2.0, None]})
    assert phases["recover"] == ([2], {"extra": [5.0], "loss": [4.0]})
    assert board.drain() == {}


def test_the_board_names_the_first_step_whose_loss_is_not_finite():
    board = Board()
    for step, loss in enumerate((1.0, float("nan"), float("inf"))):
        board.put(step, "recover", {"loss": torch.tensor(loss)})
    with pytest.raises(Diverged) as caught:
        board.drain()
    assert caught.value.step == 1
    assert board.drain() == {}


def test_step_metrics_cover_every_step_exactly_once():
    events = run_to_end(make_engine(make_experiment("muda", batch=8)))
    steps = [s for e in events if isinstance(e, StepMetrics) for s in e.steps]
    assert sorted(steps) == list(range(events[0].steps))


def test_bfloat16_keeps_master_weights_and_losses_in_float32():
    experiment = make_experiment("muda", batch=8)
    experiment.precision = "bfloat16"
    engine = make_engine(experiment)
    run_to_end(engine)
    assert all(v.dtype is torch.float32 for v in weights(experiment.model.module).values() if v.is_floating_point())
    reference = make_experiment("muda", batch=8)
    run_to_end(make_engine(reference))
    assert not same(weights(experiment.model.module), weights(reference.model.module))


def test_the_copy_a_test_starts_from_is_fresh():
    assert same(weights(trained_net()), weights(trained_net()))
    assert not same(weights(trained_net()), weights(ToyNet()))


def test_what_an_edit_says_is_logged_once_at_its_step():
    def speak(context) -> None:
        context.say("Found 0.25.")

    method = replace(get_method("finetune"), plan=lambda values, facts: [Edit("speak", speak), Edit("be quiet", idle)])
    logs = [e for e in make_engine(make_experiment(method)).run() if isinstance(e, Log)]
    assert [(e.level, e.code, e.message, e.step) for e in logs] == [("info", "method", "Found 0.25.", 1)]


def idle(context) -> None:
    """Change nothing."""


def test_a_rule_is_asked_within_its_stage_and_once_more_at_its_end():
    asked = []

    def at_the_end(context):
        asked.append(engine.step)
        return engine.step == 8

    stage = Train("first", "recover", "retain", _classify, length=Length(steps=8), until=at_the_end, until_every=3)
    method = replace(_method(_classify), plan=lambda values, facts: [stage, replace(stage, name="second")])
    engine = make_engine(make_experiment(method))
    names = {event.stage for event in run_to_end(engine) if isinstance(event, PhaseChanged)}
    assert asked == [3, 6, 8] and "second" not in names


def test_the_last_evaluation_stands_where_a_rule_ended_the_run():
    stage = Train("first", "recover", "retain", _classify, length=Length(steps=8), until_every=3,
                  until=lambda context: engine.step == 6)  # fmt: skip
    method = replace(_method(_classify), plan=lambda values, facts: [stage, replace(stage, name="second")])
    engine = make_engine(make_experiment(method))
    evaluations = [event.step for event in run_to_end(engine) if isinstance(event, Evaluation)]
    assert (evaluations[0], evaluations[-1], engine.step) == (0, 6, engine.timeline.total)
    state = engine.state()
    engine = make_engine(make_experiment(method))
    engine.restore(state)  # of a program that ended before the run had
    assert engine.last_step == 6


def test_steps_count_that_were_taken_and_not_those_that_a_rule_spared():
    """Also in a run that goes on from a checkpoint, and not those that a run begun anew has thrown away."""

    def infinite_once(out, batch, aux, values):
        return {"loss": out.logits.mean() * (float("inf") if engine.lr_scale == 1 and engine.step == 7 else 1.0)}

    stage = Train("first", "recover", "retain", _classify, length=Length(steps=4))
    stages = [
        stage,
        replace(stage, name="needless", unless=lambda context: True),
        replace(stage, name="last", loss=infinite_once, length=Length(steps=9), until_every=3,
                until=lambda context: engine.step >= 14),
        replace(stage, name="never"),
    ]  # fmt: skip
    method = replace(_method(_classify), plan=lambda values, facts: stages)
    engine = make_engine(make_experiment(method))
    while engine.step < 9:
        engine.advance()
    assert engine.steps_taken == 5
    state = engine.state()
    engine = make_engine(make_experiment(method))
    engine.restore(state)
    run_to_end(engine)
    assert (engine.steps_taken, engine.step) == (4 + 6, engine.timeline.total) == (10, 21)
    engine = make_engine(make_experiment(replace(method, plan=lambda values, facts: [*stages[:1], replace(stages[2])])))
    run_to_end(engine)
    assert engine.lr_scale == 0.5 and engine.steps_taken == engine.step == 13


def test_constants_of_steps_that_became_infinite_are_not_there_when_a_run_begins_again():
    found = []

    def refresh(context):
        found.append("mark" in context.aux)
        return {"mark": torch.ones(())}

    def infinite_with_the_full_step(out, batch, aux, values):
        return {"loss": out.logits.mean() * (float("inf") if engine.lr_scale == 1 and engine.step == 2 else 1.0)}

    stage = Train("s", "forget", "forget", infinite_with_the_full_step, length=Length(steps=4), refresh=refresh)
    engine = make_engine(make_experiment(replace(_method(_classify), plan=lambda values, facts: [stage])))
    run_to_end(engine)
    assert found == [False, False] and engine.lr_scale == 0.5


def test_what_a_run_took_counts_to_its_last_step(monkeypatch):
    """Also where it is over before anybody has looked."""
    monkeypatch.setattr(engine_module, "DRAIN_SECONDS", 1e9)
    monkeypatch.setattr(engine_module, "DRAIN_STEPS", 10**9)
    engine = make_engine(make_experiment("finetune", epochs=1))
    began = time.perf_counter()
    assert engine.outcome is State.RUNNING and list(engine.run())
    assert 0 < engine.elapsed <= time.perf_counter() - began
    assert engine.step == engine.timeline.total and engine.outcome is State.FINISHED
