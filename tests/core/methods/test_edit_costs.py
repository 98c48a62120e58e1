"""What edits say of their cost is what they compute: estimates of time rest on it."""

from __future__ import annotations

import pytest

from core.engine.experiment import FORWARD, GRADIENT
from core.methods.base import Edit
from tests.core.toy import make_engine, make_experiment, run_to_end


def counted(method, **values):
    engine = make_engine(make_experiment(method, **values))
    edits = [segment.stage for segment in engine.timeline.segments if isinstance(segment.stage, Edit)]
    run_to_end(engine)
    return edits[0], engine.experiment.work


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("fisher", {"alpha": 1e-6}),
        ("fisher", {"alpha": 1e-6, "labels": 2, "samples": 10}),
        ("influence", {"scale": 1.0}),
        ("ssd", {"alpha": 1.0}),
        ("lfssd", {"alpha": 1.0, "importance_samples": 8}),
    ],
)
def test_gradients_without_a_search_are_as_said(method, values):
    edit, counts = counted(method, search=False, **values)
    assert edit.gradients == pytest.approx(counts[GRADIENT], abs=4)  # samples are rounded class by class
    assert edit.looks == counts.get(FORWARD, 0) == 0


def test_msg_takes_gradients_of_as_many_images_to_keep_as_there_are_to_forget():
    edit, counts = counted("msg", epochs=1, batch=16)
    assert edit.gradients == 2 * 20 == pytest.approx(counts[GRADIENT], abs=4)  # samples are rounded class by class
    assert edit.looks == counts.get(FORWARD, 0) == 0


@pytest.mark.parametrize("method", ["fisher", "influence", "ssd", "lfssd"])
def test_a_search_looks_no_more_often_than_said(method):
    edit, counts = counted(method, search=True, max_drop=0.9)
    assert 0 < counts[FORWARD] <= edit.looks <= 20 * counts[FORWARD]


@pytest.mark.parametrize("method", ["esc", "loft", "damp"])
def test_projections_look_at_features_once(method):
    edit, counts = counted(method)
    assert edit.looks == counts[FORWARD] > 0 and edit.gradients == 0
