"""MSG and CT: which weights begin anew and how slowly the others move; kernels that are transposed, then trained."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.engine.passes import SetPasses
from core.errors import RunError
from core.methods.challenge import fresh_weights, smallest_share
from tests.core.toy import CLASSES, forget_mask, make_engine, make_experiment, run_to_end, same, trained_net, weights

CONV = "block1.0.weight"  # the toy's one convolution, (6, 1, 3, 3)
SHORT = {"epochs": 1, "batch": 16}


class Perceptron(nn.Module):
    """A network without any convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU())
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def after_edit(method, net=None, **values):
    """The network and the constants after the first stage, which is the edit."""
    experiment = make_experiment(method, net, **{**SHORT, **values})
    engine = make_engine(experiment)
    engine.advance()
    return weights(experiment.model.module), engine.context.aux, experiment


def gradient_by_hand(experiment, net, mask):
    """The mean gradient of the cross-entropy over training images, taken at once."""
    batch = experiment.train.batch(torch.nonzero(mask).flatten())
    loss = F.cross_entropy(net.eval()(batch.images), batch.labels)
    return torch.autograd.grad(loss, net.get_parameter(CONV))[0]


def test_the_smallest_entries_are_chosen_by_size_and_as_many_as_asked_for():
    gradient = torch.tensor([[3.0, -0.5], [-0.1, 2.0]])
    assert smallest_share(gradient, 0.5).tolist() == [[False, True], [True, False]]
    assert smallest_share(gradient, 0.25).tolist() == [[False, False], [True, False]]
    assert smallest_share(torch.zeros(10), 0.3).sum() == 3
    assert not smallest_share(gradient, 0.0).any()


def test_fresh_weights_have_the_published_spread():
    drawn = fresh_weights(torch.zeros(64, 32, 3, 3), seed=0)
    assert float(drawn.std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    expected = torch.empty(64, 32, 3, 3)
    nn.init.kaiming_normal_(expected, mode="fan_out", nonlinearity="relu")
    assert float(drawn.std()) == pytest.approx(float(expected.std()), rel=0.03)
    assert torch.equal(drawn, fresh_weights(torch.zeros(64, 32, 3, 3, dtype=torch.float32), seed=0))


def test_msg_renews_where_forget_and_retain_gradients_are_nearly_equal():
    net = trained_net()
    after, aux, experiment = after_edit("msg", share=0.4)
    forget = forget_mask()
    # Of images to keep as many as of the others: the same draw is made through the passes' own door.
    context = SetPasses(make_experiment("msg", **SHORT), lambda: None)
    retain = context.gradient("retain", lambda logits, labels: F.cross_entropy(logits, labels, reduction="none"), 20)
    difference = (gradient_by_hand(experiment, net, forget) - retain[CONV]).abs().flatten()
    renewed = (after[CONV] != net.get_parameter(CONV)).flatten()
    assert int(renewed.sum()) == round(0.4 * 54)
    assert float(difference[renewed].max()) <= float(difference[~renewed].min()) + 1e-7
    rate = aux[f"rate/{CONV}"].flatten()
    assert torch.equal(rate, torch.where(renewed, 1.0, 0.1))
    others = [name for name in after if name != CONV]
    assert all(torch.equal(after[name], weights(net)[name]) for name in others)


def test_fresh_weights_follow_the_seed_of_the_run_and_differ_between_layers():
    def drawn(seed):
        after, _, _ = after_edit("msg", layers="all", share=1.0, seed=seed)
        return {name: after[name].flatten()[:54] for name in (CONV, "block2.2.weight")}

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert same(first, again) and not any(torch.equal(first[name], other[name]) for name in first)
    one, two = (part / part.norm() for part in first.values())
    assert abs(float(one @ two)) < 0.6  # of independent draws; 1 where both are the same draw, in two sizes


def test_old_weights_move_at_a_tenth_of_the_rate():
    """One step without momentum or decay: its size is the gradient's, times the rate."""
    plain = {"momentum": 0.0, "weight_decay": 0.0, "batch": 128, "schedule": "constant", "lr": 0.01}
    moved = {}
    for rate in (1.0, 0.1, 0.0):
        before, aux, _ = after_edit("msg", share=0.4, old_rate=rate, **plain)
        experiment = make_experiment("msg", share=0.4, old_rate=rate, **{**SHORT, **plain})
        run_to_end(make_engine(experiment))
        moved[rate] = weights(experiment.model.module)[CONV] - before[CONV]
        fresh = aux[f"rate/{CONV}"] == 1.0
    whole = moved[1.0]
    assert torch.allclose(moved[0.1][fresh], whole[fresh], atol=1e-7)
    assert torch.allclose(moved[0.1][~fresh], 0.1 * whole[~fresh], atol=1e-7) and whole[~fresh].abs().max() > 1e-5
    assert not moved[0.0][~fresh].any()


def test_msg_renews_linear_layers_where_asked_and_never_the_head():
    before = weights(trained_net())
    after, aux, _ = after_edit("msg", layers="all")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {CONV, "block2.2.weight"}
    assert {name.removeprefix("rate/") for name in aux if name.startswith("rate/")} == moved


def test_a_network_without_convolutions_is_refused_and_left_alone():
    net = Perceptron()
    before = weights(net)
    for method, words in (("msg", "no convolutions"), ("ct", "no square kernels")):
        with pytest.raises(RunError, match=words):
            after_edit(method, net)
    assert same(before, weights(net))
    after, _, _ = after_edit("msg", net, layers="all")
    assert not torch.equal(after["body.1.weight"], before["body.1.weight"])


def test_ct_mirrors_kernels_at_their_diagonal_and_nothing_else():
    before = weights(trained_net())
    after, _, _ = after_edit("ct")
    for y in range(3):
        for x in range(3):
            assert torch.equal(after[CONV][:, :, y, x], before[CONV][:, :, x, y])
    assert not torch.equal(after[CONV], before[CONV])
    assert all(torch.equal(after[name], before[name]) for name in before if name != CONV)


def test_ct_leaves_kernels_alone_that_have_no_diagonal():
    net = nn.Sequential(
        nn.Conv2d(1, 2, (1, 3), padding=(0, 1)), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3), nn.Flatten(),
        nn.Linear(32, CLASSES),
    )  # fmt: skip
    before = weights(net)
    after, _, _ = after_edit("ct", net)
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["2.weight"]


@pytest.mark.parametrize("method", ["msg", "ct"])
def test_the_class_goes_and_the_others_come_back(method):
    experiment = make_experiment(method, epochs=15, batch=16, lr=0.1)
    context = SetPasses(experiment, lambda: None)
    kept = context.accuracy("retain")
    assert context.accuracy("forget") > 0.8
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") < 0.1
    assert context.accuracy("retain") > kept - 0.1
