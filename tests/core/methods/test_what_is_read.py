"""Which images a method trains on: of the toy data's 80, 20 are of the class to forget."""

from __future__ import annotations

import pytest
import torch

from core.methods import METHODS
from core.parameters import resolve
from tests.core.methods.cases import SHORT
from tests.core.toy import make_engine, make_experiment, run_to_end

TRAINED_ON_WHAT_STAYS = {"finetune": 60, "l1-sparse": 60, "cf-k": 60, "eu-k": 60, "retrain": 2 * 60,
                         "msg": 60, "ct": 60}  # fmt: skip
ON_THE_FORGET_SET_ALONE = {"gradient-ascent": 2 * 20, "boundary-shrink": 2 * 20, "boundary-expand": 2 * 20,
                           "delete": 3 * 20, "lipschitz": 2 * 20 * (1 + 3), "negmerge": 2 * 20}  # fmt: skip
ON_ONE_AFTER_THE_OTHER = {"muda": (2 * 20, 48), "scrub": (20, 2 * 60), "random-labels": (20, 60), "salun": (20, 60)}
ON_BOTH_TOGETHER = {"neggrad-plus": 60, "bad-teacher": 18, "lotus": 2 * 18,
                    "trw": 60, "munba": 60}  # that stay; of the others go beside  # fmt: skip


def read_by(method: str) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Ids of the images in all batches, (n,) in order, and batch by batch which of them are to be forgotten."""
    experiment = make_experiment(method, **SHORT[method])
    engine, batches = make_engine(experiment), []
    given = engine._forward.batch
    engine._forward.batch = lambda *asked: batches.append(given(*asked)) or batches[-1]
    run_to_end(engine)
    ids = [batch.whole.ids for batch in batches]
    return torch.cat(ids), [experiment.splits.forget[part] for part in ids]


@pytest.mark.parametrize("method", TRAINED_ON_WHAT_STAYS)
def test_images_to_forget_are_never_read(method):
    ids, forget = read_by(method)
    assert not torch.cat(forget).any() and len(ids) == TRAINED_ON_WHAT_STAYS[method] and len(ids.unique()) == 60


@pytest.mark.parametrize("method", ON_THE_FORGET_SET_ALONE)
def test_nothing_but_images_to_forget_is_read(method):
    ids, forget = read_by(method)
    assert torch.cat(forget).all() and len(ids) == ON_THE_FORGET_SET_ALONE[method] and len(ids.unique()) == 20


@pytest.mark.parametrize("method", ON_ONE_AFTER_THE_OTHER)
def test_forget_and_retain_set_are_read_apart(method):
    _, forget = read_by(method)
    count = [len(part) for part in forget if part.all()], [len(part) for part in forget if not part.any()]
    assert (sum(count[0]), sum(count[1])) == ON_ONE_AFTER_THE_OTHER[method]
    assert len(count[0]) + len(count[1]) == len(forget)  # no batch holds both


@pytest.mark.parametrize("method", ON_BOTH_TOGETHER)
def test_a_batch_of_the_forget_set_goes_beside_each_of_the_retain_set(method):
    ids, batches = read_by(method)
    forget = torch.cat(batches)
    assert int((~forget).sum()) == ON_BOTH_TOGETHER[method] and len(ids[forget].unique()) == 20
    assert all(part.any() and not part.all() for part in batches)


def test_losses_look_at_one_layer_unless_more_are_asked_for():
    assert {method.layers(resolve(method.parameters, {})) for method in METHODS.values()} == {1}
    muda = METHODS["muda"]
    assert muda.layers(resolve(muda.parameters, {"layers": 3})) == 3
