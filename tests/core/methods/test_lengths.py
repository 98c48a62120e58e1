"""Lengths of phases: default presets take as many forget steps on a large set as on a small one."""

from __future__ import annotations

import pytest

from core.data.batches import batches_per_epoch
from core.methods import get_method
from core.methods.base import Facts, Length, Train
from core.parameters import resolve

SMALL = Facts(150, 0, 1200, 10)
LARGE = Facts(6000, 0, 54000, 10)


def stages(method: str, preset: str, facts: Facts) -> list[Train]:
    """Return the training stages of a preset."""
    chosen = get_method(method)
    found = chosen.plan(resolve(chosen.parameters, chosen.preset(preset).values), facts)
    return [stage for stage in found if isinstance(stage, Train)]


def read_by(stage: Train, facts: Facts) -> int:
    """Return how many images a stage reads."""
    return {"forget": facts.forget, "retain": facts.retain}[stage.reads]


def steps(stage: Train, facts: Facts) -> int:
    """Return how many steps a stage takes."""
    return stage.length.steps_over(read_by(stage, facts), stage.batch)


@pytest.mark.parametrize(
    ("epochs", "images", "most", "steps"),
    [
        (1, 100, 0, 10),  # 0: no limit
        (1, 100, 10, 10),  # just reached
        (1, 100, 11, 10),
        (1, 101, 10, 10),  # a single image left over joins the batch before
        (1, 102, 0, 11),
        (1, 102, 10, 10),
        (2.5, 100, 24, 24),
        (0, 100, 10, 0),
    ],
)
def test_most_steps_cut_passes_off(epochs, images, most, steps):
    assert Length(epochs, most=most).steps_over(images, 10) == steps


@pytest.mark.parametrize(
    ("epochs", "images", "least", "steps"),
    [
        (1, 100, 0, 10),
        (1, 100, 10, 10),
        (1, 100, 11, 11),
        (1, 101, 11, 11),  # a pass has 10 steps, the last with 11 images
        (0.5, 100, 5, 5),
        (0.5, 100, 4, 5),
        (3, 5, 4, 4),
    ],
)
def test_few_images_are_visited_again(epochs, images, least, steps):
    assert Length(epochs, least=least).steps_over(images, 10) == steps


def test_steps_stand_where_they_are_given():
    assert Length(steps=7).steps_over(100, 10) == 7


@pytest.mark.parametrize(("method", "most"), [("scrub", 5), ("random-labels", 10), ("salun", 10)])
def test_default_presets_take_few_forget_steps_on_large_data(method, most):
    large, small = (
        [stage for stage in stages(method, "default", facts) if stage.phase == "forget"] for facts in (LARGE, SMALL)
    )
    assert large and {steps(stage, LARGE) for stage in large} == {most}
    for stage in small:  # shorter than the limit anyway
        assert steps(stage, SMALL) == batches_per_epoch(SMALL.forget, stage.batch) <= most


@pytest.mark.parametrize(("method", "most"), [("gradient-ascent", 200), ("boundary-expand", 30)])
def test_methods_without_images_to_keep_take_few_steps_in_all(method, most):
    assert sum(steps(stage, LARGE) for stage in stages(method, "default", LARGE)) == most


@pytest.mark.parametrize(
    ("method", "least"), [("finetune", 200), ("cf-k", 400), ("l1-sparse", 400), ("boundary-shrink", 400)]
)
def test_default_presets_visit_small_data_again(method, least):
    assert [steps(stage, SMALL) for stage in stages(method, "default", SMALL)] == [least]
    (large,) = stages(method, "default", LARGE)
    assert steps(large, LARGE) == round(large.length.epochs * batches_per_epoch(read_by(large, LARGE), large.batch))


@pytest.mark.parametrize(
    ("method", "preset"), [("scrub", "published-large"), ("random-labels", "every-pass"), ("salun", "published")]
)
def test_published_presets_pass_over_the_whole_forget_set(method, preset):
    forgetting = [stage for stage in stages(method, preset, LARGE) if stage.phase == "forget"]
    assert forgetting
    assert all(steps(stage, LARGE) == batches_per_epoch(LARGE.forget, stage.batch) for stage in forgetting)
