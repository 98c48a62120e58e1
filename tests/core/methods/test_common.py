"""What methods share: stages from the values of a method's parameters."""

from __future__ import annotations

import pytest

from core.methods import get_method
from core.methods.base import Facts, Length, Optimiser
from core.methods.common import (
    Group,
    classification,
    contrasting,
    forgetting,
    keeping,
    optimiser_of,
    optimiser_parameters,
    share_of_mixture,
    training,
)
from core.parameters import resolve

GIVEN = {"epochs": 2.5, "batch": 32, "lr": 0.3, "momentum": 0.5, "weight_decay": 0.01, "clip": 4.0,
         "schedule": "cosine", "optimiser": "nesterov"}  # fmt: skip


@pytest.fixture
def values():
    return resolve(get_method("finetune").parameters, GIVEN)


def loss(*_):
    raise AssertionError


def test_a_stage_is_what_the_values_of_a_method_say(values):
    stage = training("a name", "a phase", "forget", loss, values, stream="train")
    assert (stage.name, stage.phase, stage.reads, stage.loss) == ("a name", "a phase", "forget", loss)
    assert (stage.batch, stage.stream, stage.length) == (32, "train", Length(2.5, least=0, most=0))
    assert stage.optimiser == Optimiser("nesterov", 0.3, 0.5, 0.01, 4.0, "cosine", "stage")
    bounded = training("n", "p", "forget", loss, type(values)({**values, "min_steps": 3, "max_steps": 7}))
    assert bounded.length == Length(2.5, least=3, most=7)
    replaced = training("n", "p", "retain", loss, values, length=Length(9), batch=1, optimiser=Optimiser())
    assert (replaced.length, replaced.batch, replaced.optimiser) == (Length(9), 1, Optimiser())
    assert optimiser_of(values, lr=0.7, span="run") == Optimiser("nesterov", 0.7, 0.5, 0.01, 4.0, "cosine", "run")


def test_what_stages_that_forget_or_keep_read(values):
    forget, beside = forgetting("f", loss, values), contrasting("c", loss, values)
    assert [(each.name, each.phase, each.reads, each.beside) for each in (forget, beside)] == [
        ("f", "forget", "forget", None), ("c", "forget", "retain", "forget"),
    ]  # fmt: skip
    assert (forget.batch_norm, forget.augment, beside.batch_norm, beside.augment) == ("frozen", False, "frozen", True)
    keep = keeping("k", values)
    assert (keep.name, keep.phase, keep.reads, keep.loss) == ("k", "recover", "retain", classification)
    assert keep.stream == "train" and keep.batch_norm != "frozen" and keep.augment
    assert keeping("k", values, loss, "relearn").phase == "relearn"


def test_the_share_of_forget_images_in_a_mixture():
    facts = Facts(10, 10, 80, 5)
    assert share_of_mixture(facts) == pytest.approx(20 / 100)
    assert share_of_mixture(facts, 0.25) == pytest.approx(20 / 40)


def test_limits_that_keep_typing_errors_out():
    """So wide that nobody meets them; written in full here, as the page of all parameters rounds them."""
    group = Group("Heading")
    steps = (group.most_steps("a pass"), group.fewest_steps("a set"))
    made = (*steps, group.images("n", 5, "So many."), group("x", 1, "X."))
    assert [(each.low, each.high) for each in made] == [(0, 1_000_000), (0, 1_000_000), (0, 100_000_000), (0, 1000)]
    limits = {each.name: each.high for each in get_method("muda").parameters}
    assert limits["refresh_every"] == 1_000_000 and limits["recover_lr_factor"] == 100
    assert {each.name: each.high for each in optimiser_parameters(0.1)}["clip"] == 1_000_000
