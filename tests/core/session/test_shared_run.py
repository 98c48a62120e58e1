"""A run that torchrun starts on two processes ends as one in this process does, and leaves one run folder."""

from __future__ import annotations

import pytest

from core.engine.control import Control
from core.errors import UsageError
from core.events import State
from core.job import Launcher
from core.launch import launch
from core.session.running import run

pytestmark = pytest.mark.slow

TWO = Launcher("torchrun", 2)


def test_torchrun_comes_to_the_result_of_one_process(new_run, bench):
    one, two = (new_run(settings={"rounds": 1, "relearn_min_steps": 10}) for _ in range(2))
    assert run(one, Control(), lambda event: None, bench) is State.FINISHED
    told = []
    assert launch(two, Control(), told.append, launcher=TWO) is State.FINISHED
    assert [event.processes for event in told if event.type == "run_started"] == [2]
    assert [event.type for event in told].count("run_finished") == 1
    assert _losses(two) == pytest.approx(_losses(one), abs=1e-4)
    assert len(_losses(one)) > 5
    for model in ("original", "unlearned", "head_only"):
        figures = [folder.report()["models"][model] for folder in (one, two)]
        for name in ("retain_accuracy", "forget_accuracy", "retain_test_accuracy", "forget_test_accuracy"):
            assert figures[1][name] == pytest.approx(figures[0][name], abs=0.003)
    assert {path.name for path in two.path.iterdir()} == {path.name for path in one.path.iterdir()}


def test_what_cannot_be_shared_is_refused_before_anything_starts(new_run):
    folder = new_run("ssd")
    with pytest.raises(UsageError, match="cannot share a run of Selective synaptic dampening"):
        launch(folder, Control(), lambda event: None, launcher=TWO)
    assert not folder.read_events()


def _losses(folder) -> dict[int, float]:
    steps = [event for event in folder.events() if event["type"] == "step_metrics"]
    return {step: loss for event in steps for step, loss in zip(event["steps"], event["terms"]["loss"], strict=True)}
