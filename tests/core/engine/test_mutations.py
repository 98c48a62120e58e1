"""Every oracle is seen to fail once: a fault is put into the engine or a loss, and a test must turn red."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

import pytest
import torch

import core.data.batches as batches
import core.engine.engine as engine_module
import core.engine.passes as passes_module
import core.engine.step as step_module
import core.methods.losses as losses
import core.methods.muda as muda
from core.conformance import checks
from core.conformance.checks import Case, Trial
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.timeline import Segment
from core.models.tap import TappedModel
from tests.core.engine import test_engine, test_plain_loop, test_timeline
from tests.core.methods import test_losses, test_muda

MUDA = Case("muda", "class", {"rounds": 2, "batch": 8, "lr": 0.05, "recover_share": 0.5, "min_steps": 3})


def _resume() -> None:
    checks.resumes_to_identical_weights(Trial(MUDA))


def _resume_with_constants() -> None:
    checks.resumes_to_identical_weights(Trial(MUDA._replace(values={**MUDA.values, "alternation": "round"})))


def flip_the_sign_of_the_alignment_loss(patch):
    real = muda.alignment_squared
    patch.setattr(muda, "alignment_squared", lambda features, basis: -real(features, basis))


def drop_the_mask_of_the_teacher(patch):
    real = losses.hidden_classes
    patch.setattr(test_losses, "hidden_classes", lambda *args: torch.zeros_like(real(*args)))


def leave_eval_mode_out_of_evaluations(patch):
    patch.setattr(torch.nn.Module, "eval", lambda self: self)


def take_the_constants_anew_on_a_resume(patch):
    real = Engine.restore

    def restore(self, state):
        real(self, state)
        if self._segment is not None and self._segment.parts[0].refresh:
            self.context.aux = self._segment.parts[0].refresh(self.context)

    patch.setattr(Engine, "restore", restore)


def forget_the_momentum_on_a_resume(patch):
    real = Engine.restore
    patch.setattr(
        Engine,
        "restore",
        lambda self, state: (
            real(self, {**state, "optimiser": None})
            or (state["optimiser"] and self._prepare(self.timeline.locate(self.step)[0]))
        ),
    )


def leave_dropout_to_the_global_generator(patch):
    patch.setattr(engine_module, "seed_draws", lambda device, seed: None)


def be_one_batch_off_in_the_order(patch):
    real = Segment.turn
    patch.setattr(Segment, "turn", lambda self, index: (real(self, index)[0], real(self, index)[1] + 1))


def draw_the_order_over_the_set_read_only(patch):
    real = batches.Order.ids

    def ids(self, position):
        members = torch.nonzero(self._is_member).flatten()
        epoch, index = divmod(position, self.per_epoch)
        order = members[batches.permutation(self._seed, self._stream, epoch, len(members))]
        return order[index * self.batch : (index + 1) * self.batch], epoch

    assert real
    patch.setattr(batches.Order, "ids", ids)


def repeat_the_order_of_the_first_epoch(patch):
    real = batches.permutation
    patch.setattr(batches, "permutation", lambda seed, stream, epoch, size: real(seed, stream, 0, size))


def augment_by_the_place_in_the_batch(patch):
    real = batches._draws
    patch.setattr(batches, "_draws", lambda *args: _Positional(real(*args)))


class _Positional:
    def __init__(self, drawn):
        self._drawn = drawn

    def __getitem__(self, key):
        rows, ids = key
        return self._drawn[rows, torch.arange(len(ids))]


def let_masked_weights_move(patch):
    patch.setattr(step_module, "held_outside", lambda masks: contextlib.nullcontext())


def train_batch_norm_although_frozen(patch):
    real = step_module.Stepper.set_modes

    def set_modes(self, part):
        real(self, dataclasses.replace(part, batch_norm="train"))

    patch.setattr(step_module.Stepper, "set_modes", set_modes)


def keep_gradients_from_step_to_step(patch):
    patch.setattr(torch.optim.SGD, "zero_grad", lambda self, set_to_none=True: None)


def share_the_teacher_with_the_student(patch):
    real = Experiment.__post_init__

    def post_init(self):
        real(self)
        if self.teacher is not None:
            self.teacher = self.model

    patch.setattr(Experiment, "__post_init__", post_init)


def train_everything_where_only_the_head_should(patch):
    real = TappedModel.tuned_parameters
    patch.setattr(TappedModel, "tuned_parameters", lambda self, tunes: real(self, "all"))


def count_losses_of_retain_images_as_unseen(patch):
    real = passes_module.SetPasses.outputs
    patch.setattr(
        passes_module.SetPasses,
        "outputs",
        lambda self, which, limit=0: real(self, "retain" if which == "forget" else which, limit),
    )


MUTATIONS: list[tuple[Callable, Callable]] = [
    (
        flip_the_sign_of_the_alignment_loss,
        test_muda.test_one_step_along_the_alignment_loss_moves_features_into_the_retain_space,
    ),
    (
        drop_the_mask_of_the_teacher,
        lambda: test_losses.test_masked_distillation_is_the_kl_over_the_classes_not_hidden(1.0),
    ),
    (leave_eval_mode_out_of_evaluations, test_engine.test_outputs_are_those_of_eval_mode),
    (
        leave_eval_mode_out_of_evaluations,
        test_engine.test_an_evaluation_leaves_weights_statistics_modes_and_random_state_as_they_were,
    ),
    (take_the_constants_anew_on_a_resume, _resume_with_constants),
    (forget_the_momentum_on_a_resume, _resume),
    (leave_dropout_to_the_global_generator, _resume),
    (be_one_batch_off_in_the_order, test_plain_loop.test_fine_tuning_equals_a_plain_torch_loop),
    (
        draw_the_order_over_the_set_read_only,
        test_timeline.test_order_with_holes_keeps_the_relative_order_of_what_is_retained,
    ),
    (repeat_the_order_of_the_first_epoch, test_plain_loop.test_fine_tuning_equals_a_plain_torch_loop),
    (augment_by_the_place_in_the_batch, test_engine.test_augmentation_is_looked_up_by_sample_and_epoch),
    (let_masked_weights_move, test_engine.test_masked_weights_stay_bit_identical_under_decay_and_momentum),
    (train_batch_norm_although_frozen, test_engine.test_frozen_statistics_stay_and_training_ones_move),
    (keep_gradients_from_step_to_step, test_plain_loop.test_fine_tuning_equals_a_plain_torch_loop),
    (
        share_the_teacher_with_the_student,
        lambda: checks.ends_finite_and_leaves_the_teacher_alone(Trial(MUDA)),
    ),
    (
        train_everything_where_only_the_head_should,
        lambda: test_engine.test_only_the_named_part_is_trained("head", {"head"}),
    ),
    (count_losses_of_retain_images_as_unseen, test_muda.test_single_images_end_up_with_losses_like_unseen_ones),
]


@pytest.mark.parametrize(
    ("fault", "oracle"), MUTATIONS, ids=[f"{n:02d}-{fault.__name__}" for n, (fault, _) in enumerate(MUTATIONS)]
)
def test_a_fault_turns_its_oracle_red(fault, oracle, monkeypatch):
    oracle()  # green as the code stands
    with monkeypatch.context() as patch:
        fault(patch)
        with pytest.raises((AssertionError, RuntimeError)):
            oracle()
