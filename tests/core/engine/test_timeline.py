"""A plan on one line: where every step lies, how order and step size follow from it."""

from __future__ import annotations

import pytest
import torch

from core.data.batches import Order, batches_per_epoch, derive_seed, permutation
from core.engine.timeline import Timeline, learning_rate
from core.methods.base import Alternate, Edit, Length, Optimiser, Train
from core.methods.common import classification
from tests.core.toy import DATA, make_engine, make_experiment, run_to_end

SIZES = {"retain": 60, "forget": 20, "all": 80}


def _train(name, reads, **options):
    return Train(name, options.pop("phase", name), reads, classification, **options)


def test_segments_follow_each_other_without_gaps():
    plan = [
        _train("a", "forget", length=Length(epochs=1), batch=8),
        Edit("b", lambda context: None),
        _train("c", "retain", length=Length(epochs=0.5), batch=16),
        _train("d", "retain", length=Length(epochs=0), batch=16),
        _train("e", "all", length=Length(steps=7)),
    ]
    layout = Timeline(plan, SIZES)
    assert [(s.first, s.steps) for s in layout.segments] == [(0, 3), (3, 1), (4, 2), (6, 0), (6, 7)]
    assert layout.total == 13
    assert [layout.locate(step)[0].stage.name for step in range(13)] == ["a"] * 3 + ["b"] + ["c"] * 2 + ["e"] * 7
    with pytest.raises(IndexError):
        layout.locate(13)


@pytest.mark.parametrize(("epochs", "steps"), [(0.07, 7), (0.14, 14), (0.071, 8), (1.1, 110), (0.001, 1), (0, 0)])
def test_parts_of_a_pass_are_not_lengthened_by_rounding(epochs, steps):
    plan = [_train("a", "retain", length=Length(epochs=epochs), batch=10)]
    assert Timeline(plan, {"retain": 1000}).total == steps


def test_a_stream_goes_on_where_an_earlier_stage_left_it():
    recover = _train("recover", "retain", phase="recover", length=Length(epochs=0.25), batch=10)
    layout = Timeline([recover, recover], SIZES)
    positions = []
    for step in range(layout.total):
        segment, index = layout.locate(step)
        positions.append(segment.turn(index)[1])
    assert positions == [0, 1, 2, 3]


def test_alternating_parts_take_turns_and_each_keeps_its_own_place():
    forget = _train("forget", "forget", length=Length(epochs=1), batch=10)
    recover = _train("recover", "retain", length=Length(epochs=1), batch=10)
    layout = Timeline([Alternate("both", (forget, recover, recover)), recover], SIZES)
    assert layout.total == 6 + 6
    turns = [layout.segments[0].turn(i) for i in range(6)]
    assert [(part.name, position) for part, position in turns] == [
        ("forget", 0),
        ("recover", 0),
        ("recover", 1),
        ("forget", 1),
        ("recover", 2),
        ("recover", 3),
    ]
    assert layout.segments[1].turn(0)[1] == 4


def test_order_with_holes_keeps_the_relative_order_of_what_is_retained():
    everything = torch.arange(50)
    retained = everything[everything % 5 != 0]
    whole, holes = Order(everything, 50, 7, 3, "train"), Order(retained, 50, 7, 3, "train")
    seen_whole = torch.cat([whole.ids(i)[0] for i in range(whole.per_epoch)])
    seen_holes = torch.cat([holes.ids(i)[0] for i in range(holes.per_epoch)])
    assert seen_whole[seen_whole % 5 != 0].tolist() == seen_holes.tolist()
    assert sorted(seen_holes.tolist()) == retained.tolist()


def test_epochs_streams_and_seeds_give_different_orders():
    base = permutation(0, "train", 0, 100).tolist()
    assert sorted(base) == list(range(100))
    others = [permutation(0, "train", 1, 100), permutation(1, "train", 0, 100), permutation(0, "recover", 0, 100)]
    assert all(other.tolist() != base for other in others)
    assert derive_seed(1, "a") != derive_seed("1a")


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle"])
def test_step_size_schedules_stay_within_the_declared_one(schedule):
    rates = [learning_rate(Optimiser(lr=0.5, schedule=schedule), (i + 0.5) / 40) for i in range(40)]
    assert 0 < min(rates) <= max(rates) <= 0.5
    if schedule == "cosine":
        assert rates == sorted(rates, reverse=True)
    if schedule == "one-cycle":
        assert rates.index(max(rates)) == 7 or rates.index(max(rates)) == 8


def test_a_finetuned_model_reads_retain_images_only():
    experiment = make_experiment("finetune", forget="class", epochs=1, batch=16)
    engine = make_engine(experiment)
    seen = []
    original = experiment.train.batch
    experiment.train.batch = lambda ids, *rest: seen.append(ids) or original(ids, *rest)  # type: ignore[method-assign]
    while engine.step < engine.timeline.total:
        engine.advance()
    ids = torch.cat(seen)
    assert not (DATA.train.labels[ids] == 1).any()
    assert sorted(ids.tolist()) == experiment.splits.retain_train.tolist()


def test_events_name_every_stage_once():
    events = run_to_end(make_engine(make_experiment("muda", rounds=2, batch=8, alternation="round")))
    named = [e.stage for e in events if e.type == "phase_changed"]
    assert named == ["forget, round 1 of 2", "recover, round 1 of 2", "forget, round 2 of 2", "recover, round 2 of 2"]


@pytest.mark.parametrize(
    ("size", "batch", "expected"), [(9, 4, 2), (8, 4, 2), (10, 4, 3), (1, 4, 1), (3, 1, 3), (5, 8, 1)]
)
def test_a_single_image_left_over_joins_the_batch_before(size, batch, expected):
    """Batch norm fails on a batch of one where its maps are single cells."""
    order = Order(torch.arange(size), size, batch, 0, "train")
    found = [order.ids(position)[0] for position in range(2 * order.per_epoch)]
    assert order.per_epoch == batches_per_epoch(size, batch) == expected
    assert (
        sorted(torch.cat(found[:expected]).tolist())
        == sorted(torch.cat(found[expected:]).tolist())
        == list(range(size))
    )
    assert size == 1 or batch == 1 or min(map(len, found)) > 1


def test_constants_of_parts_that_take_turns_are_due_after_so_many_rounds():
    refresh = lambda context: {}  # noqa: E731
    forget = _train("forget", "forget", length=Length(steps=8), batch=10, refresh=refresh, refresh_every=2)
    recover = _train("recover", "retain", length=Length(steps=8), batch=10)
    (both,) = Timeline([Alternate("both", (forget, recover))], SIZES).segments
    assert [taken for taken in range(both.steps) if both.renewed(taken)] == [4, 8, 12]
    (alone,) = Timeline([forget], SIZES).segments
    assert [taken for taken in range(alone.steps) if alone.renewed(taken)] == [2, 4, 6]


@pytest.mark.parametrize(("every", "due"), [(0, []), (1, [1, 2, 3, 4, 5, 6]), (3, [3, 6])])
def test_a_rule_is_due_after_so_many_steps_of_its_stage_and_never_within_parts_that_take_turns(every, due):
    stage = _train("a", "forget", length=Length(steps=6), until=lambda context: False, until_every=every)
    (segment,) = Timeline([stage], SIZES).segments
    assert [taken for taken in range(1, 7) if segment.asks(taken)] == due
    (segment,) = Timeline([Alternate("both", (stage, stage))], SIZES).segments
    assert not any(map(segment.asks, range(1, 13)))


@pytest.mark.parametrize(
    ("share", "images", "steps"), [(1, 60, 12), (0.25, 60, 3), (0.001, 60, 1), (0.5, 1, 1)]
)
def test_a_share_of_a_set_has_one_image_at_least(share, images, steps):
    plan = [_train("a", "retain", length=Length(epochs=1), batch=5, share=share)]
    assert Timeline(plan, {"retain": images}).total == steps
