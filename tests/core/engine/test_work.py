"""What a run computes, counted: against operations written out by hand for the toy network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.data.batches import ImageStore
from core.data.dataset import ImageSet
from core.data.preprocessing import Preprocessing
from core.engine.work import FORWARD, GRADIENT, Work
from core.models.tap import TappedModel
from tests.core.toy import make_engine, make_setting, run_to_end

# Multiply-adds of one 6x6 image: 3x3 convolution to 6 channels, 54 -> 10, 10 -> 4; torch counts two operations each.
CONV, HIDDEN, HEAD = 2 * 36 * 9 * 6, 2 * 54 * 10, 2 * 10 * 4


def test_kinds_of_passes_cost_what_they_compute():
    setting = make_setting("finetune")

    def of(kind: str) -> float:
        return Work({kind: 3}).operations(setting.model, setting.train) / 3

    whole = CONV + HIDDEN + HEAD
    assert of(FORWARD) == whole
    assert of(GRADIENT) == of("step:all") == 3 * whole - CONV  # images get no gradient
    assert of("front:last-2") == CONV
    assert of("tail:last-2") == 3 * (HIDDEN + HEAD) - HIDDEN  # nor do the cached activations
    assert of("step:head") == whole + HEAD


def test_a_run_counts_all_its_images_once_and_over_a_resume():
    engine = make_engine(make_setting("finetune", epochs=2, batch=16))
    run_to_end(engine)
    assert dict(engine.work.counts) == {"step:all": engine.samples_seen}
    first = make_engine(make_setting("finetune", epochs=2, batch=16))
    first.advance()
    resumed = make_engine(make_setting("finetune", epochs=2, batch=16))
    resumed.restore(first.state())
    run_to_end(resumed)
    assert resumed.work.counts == engine.work.counts


def test_a_cached_tail_counts_the_front_once():
    values = {"relearn_blocks": 2, "relearn_min_steps": 4, "rounds": 1, "min_steps": 4, "batch": 16, "w_sd": 0.0}
    engine = make_engine(make_setting("muda", **values))
    run_to_end(engine)
    counts = dict(engine.work.counts)
    assert counts.pop("front:last-2") == 80
    assert counts.pop("tail:last-2") == engine.samples_seen
    assert counts.pop(FORWARD) == 60  # the basis of the round
    assert not counts


@pytest.mark.parametrize("method", ["ssd", "scrub", "bad-teacher"])
def test_gradients_and_other_networks_are_counted(method):
    engine = make_engine(make_setting(method))
    run_to_end(engine)
    kinds = set(engine.work.counts)
    assert kinds & {GRADIENT, FORWARD}
    assert engine.work.operations(engine.setting.model, engine.setting.train) > 0


class Attending(nn.Module):
    """Three tokens of four values, one layer of attention, a head of two outputs."""

    def __init__(self):
        super().__init__()
        self.input_shape = (1, 3, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        tokens = x.flatten(1, 2)
        return self.head(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(dim=1))


def test_attention_is_counted_where_it_would_run_in_one_kernel():
    model = TappedModel(Attending().eval(), 2)
    projections, products, head = 3 * 4 * 12 + 3 * 4 * 4, 2 * 3 * 3 * 4, 4 * 2
    preprocessing = Preprocessing((3, 4), (0.5,), (0.5,))
    images = ImageSet(torch.zeros(2, 3, 4, 1, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))
    store = ImageStore(images, preprocessing, torch.device("cpu"))
    whole = 2 * (projections + products + head)  # a product and a sum each
    assert Work({FORWARD: 1}).operations(model, store) == whole
