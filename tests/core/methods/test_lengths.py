"""Lengths of phases: default presets take as many forget steps on a large set as on a small one."""

from __future__ import annotations

import pytest

from core.methods import get_method
from core.methods.base import Facts, Length, Train
from core.methods.common import at_least, limited
from core.parameters import resolve

SMALL = Facts(150, 0, 1200, 10)
LARGE = Facts(6000, 0, 54000, 10)


def stages(method: str, preset: str, facts: Facts) -> list[Train]:
    """Return the training stages of a preset."""
    chosen = get_method(method)
    found = chosen.plan(resolve(chosen.parameters, chosen.preset(preset).values), facts)
    return [stage for stage in found if isinstance(stage, Train)]


@pytest.mark.parametrize(
    ("epochs", "images", "batch", "most", "length"),
    [
        (1, 100, 10, 0, Length(epochs=1)),  # 0: no limit
        (1, 100, 10, 10, Length(epochs=1)),  # just reached
        (1, 101, 10, 10, Length(epochs=1)),  # a single image left over joins the batch before
        (1, 102, 10, 10, Length(steps=10)),
        (2.5, 100, 10, 24, Length(steps=24)),
    ],
)
def test_most_steps_cut_passes_off(epochs, images, batch, most, length):
    assert limited(epochs, images, batch, most) == length


@pytest.mark.parametrize(
    ("epochs", "images", "batch", "least", "length"),
    [
        (1, 100, 10, 0, Length(epochs=1)),
        (1, 100, 10, 10, Length(epochs=1)),
        (1, 100, 10, 11, Length(steps=11)),
        (1, 101, 10, 11, Length(steps=11)),  # a pass has 10 steps, the last with 11 images
        (0.5, 100, 10, 5, Length(epochs=0.5)),
        (3, 5, 10, 4, Length(steps=4)),
    ],
)
def test_few_images_are_visited_again(epochs, images, batch, least, length):
    assert at_least(epochs, images, batch, least) == length


@pytest.mark.parametrize(("method", "most"), [("scrub", 5), ("random-labels", 10), ("salun", 10)])
def test_default_presets_take_few_forget_steps_on_large_data(method, most):
    large = [stage.length for stage in stages(method, "default", LARGE) if stage.phase == "forget"]
    small = [stage.length for stage in stages(method, "default", SMALL) if stage.phase == "forget"]
    assert large and set(large) == {Length(steps=most)}
    assert set(small) == {Length(epochs=1)}  # shorter than the limit anyway


@pytest.mark.parametrize(("method", "most"), [("gradient-ascent", 200), ("boundary-expand", 30)])
def test_methods_without_images_to_keep_take_few_steps_in_all(method, most):
    assert sum(stage.length.steps for stage in stages(method, "default", LARGE)) == most


@pytest.mark.parametrize(
    ("method", "least"), [("finetune", 200), ("cf-k", 400), ("l1-sparse", 400), ("boundary-shrink", 400)]
)
def test_default_presets_visit_small_data_again(method, least):
    assert [stage.length for stage in stages(method, "default", SMALL)] == [Length(steps=least)]
    (large,) = stages(method, "default", LARGE)
    assert large.length.steps is None and large.length.epochs


@pytest.mark.parametrize(
    ("method", "preset"), [("scrub", "published-large"), ("random-labels", "every-pass"), ("salun", "published")]
)
def test_published_presets_pass_over_the_whole_forget_set(method, preset):
    forgetting = [stage.length for stage in stages(method, preset, LARGE) if stage.phase == "forget"]
    assert forgetting and set(forgetting) == {Length(epochs=1)}
