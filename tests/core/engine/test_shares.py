"""Two processes that share a run come to the numbers of one."""

from __future__ import annotations

import signal

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.common import on_ranks
from core import distributed
from core.engine import outputs, passes
from core.engine.control import Control
from core.errors import UsageError
from core.events import State
from core.methods import METHODS
from core.methods.base import Edit, Facts
from core.parameters import resolve
from core.runs.folder import RunFolder
from core.runs.recorder import load_checkpoint
from core.session import jobs
from core.session.running import run
from tests.core import ranks
from tests.core.methods.cases import Case, case_id

pytestmark = pytest.mark.slow

CLOSE = 2e-6  # networks are in float64, and losses are taken of float32 outputs


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What two processes make of all cases; they are started once, and the second is killed at last."""
    folder = tmp_path_factory.mktemp("ranks")
    result, ended = on_ranks(ranks.everything, folder)
    assert ended == [0, -signal.SIGKILL]
    return {**result, "folder": RunFolder(folder / "run")}


@pytest.fixture(autouse=True)
def chunks(monkeypatch):
    monkeypatch.setattr(outputs, "MOST_IMAGES", 16)
    monkeypatch.setattr(passes, "CHUNK", 8)


@pytest.mark.parametrize("case", ranks.SHARED, ids=case_id)
def test_every_method_takes_the_steps_of_one_process(shared, case):
    agree(shared["cases"][case_id(case)], ranks.walked(case))


def test_shares_may_be_uneven_and_a_batch_smaller_than_the_ranks(shared):
    agree(shared["uneven"], ranks.walked(Case("retrain", "class", {"epochs": 2, "batch": 7, "lr": 0.05})))
    few = shared["fewer images than ranks"]
    agree(few, ranks.walked(Case("finetune", "class", {"epochs": 0.1, "batch": 1, "lr": 0.01})))
    assert few["step"] > 3


def agree(two, one):
    """Losses, every term of them, weights and counts of two processes and of one."""
    assert two["terms"].keys() == one["terms"].keys()
    for step, terms in one["terms"].items():
        assert two["terms"][step] == pytest.approx(terms, abs=CLOSE, rel=CLOSE)
    for name, value in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], value, atol=CLOSE, rtol=CLOSE)
    assert {name: two[name] for name in ("work", "samples", "step")} == {
        name: one[name] for name in ("work", "samples", "step")
    }


@pytest.mark.parametrize("kind", ranks.NETWORKS)
def test_batch_norm_and_draws_are_those_of_the_whole_batch(shared, kind):
    """With bfloat16 inputs gradients are as coarse as these: three digits."""
    whole = ranks.passed(kind)
    close = {"atol": 0.02, "rtol": 0.02} if kind == "bfloat16" else {"atol": 1e-4, "rtol": 1e-4}
    for name, value in whole.items():
        scale = float(value.abs().max().clamp_min(1))
        torch.testing.assert_close(shared["networks"][kind][name] / scale, value / scale, **close)
    assert float(whole["gradient of conv.weight"].abs().max()) > 1e-3


def test_all_ranks_leave_where_the_first_is_told_to(shared):
    assert shared["left"] == {"first": [3, 3], "second": [3, 3]}


def test_the_first_rank_alone_reports_what_all_measured(shared):
    told = shared["watched"]
    assert told["first"] >= 2
    assert told["second"] == 0
    (together,), (alone,) = told["start"], told["alone"]
    figures = ("retain_accuracy", "forget_accuracy", "retain_loss", "forget_loss", "counts")  # to the last bit
    assert [getattr(together, name) for name in figures] == [getattr(alone, name) for name in figures]


def test_a_rank_with_another_job_says_so(shared):
    assert shared["refused"].startswith("Process 1 of 2 has another job than the first")


def test_a_killed_process_leaves_a_run_that_goes_on_from_the_step_before(shared, tmp_path):
    assert shared["lost"].startswith("One of the 2 processes of this run ended, so the others end, too.")
    folder = shared["folder"]
    assert folder.status().state == State.INTERRUPTED
    state, damaged = load_checkpoint(folder, folder.job_sha256())
    assert (state["step"], damaged) == (ranks.LOST_AT, [])
    # What the step that was cut short had changed is put back: it had come to its gradients.
    assert state["weights"]["block1.norm.num_batches_tracked"] == ranks.LOST_AT
    assert state["work"]["step:all"] == ranks.LOST_AT * 128

    assert run(folder, Control(), lambda event: None, resume=True) is State.FINISHED
    assert ranks.training(tmp_path / "undisturbed") is State.FINISHED
    whole, again = (load_file(path / "model.safetensors") for path in (tmp_path / "undisturbed", folder.path))
    for name, value in whole.items():  # one unit that is 0 here and not quite there moves a few weights further
        torch.testing.assert_close(again[name], value, atol=0.005, rtol=0.005)
    logged = [event for event in folder.read_events() if event["type"] == "log"]
    assert {event["code"] for event in logged} == {"process_lost", "processes"}
    starts = [event["processes"] for event in folder.read_events() if event["type"] == "run_started"]
    assert starts == [2, 1]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_method_that_takes_no_step_is_refused_by_name(method):
    """That a record says so is held to its plan: with every preset a method that is not shared only edits."""
    record = METHODS[method]
    if record.shared:
        jobs.require_shareable(record)
        return
    with pytest.raises(UsageError, match=f"cannot share a run of {record.title}: it changes the weights at one go"):
        jobs.require_shareable(record)
    for preset in record.presets:
        plan = record.plan(resolve(record.parameters, preset.values), Facts(20, 0, 60, 4))
        assert all(isinstance(stage, Edit) for stage in plan)


def test_one_process_exchanges_nothing():
    rows = torch.arange(6.0).view(3, 2)
    assert distributed.all_gather(rows, [3]) is rows
    assert distributed.first_says(lambda: rows) is rows
    assert distributed.own_share(5) == slice(0, 5)
    assert not distributed.launched()
