"""Batches on a cluster of Dask: the same rows as one by one, though a worker dies; and what keeps one from starting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import msgspec
import pytest

from benchmarks.cluster import compare
from core.engine.control import Control
from core.errors import InputError, MismatchError, UsageError
from core.launch import cluster, task
from core.launch.child import Answer, Request
from core.launch.cluster import ADDRESS, run_on_cluster
from core.models.trust import NO_TRUST
from core.runs.asked import ask, asked_until_now
from core.runs.folder import RunFolder
from core.runs.waiting import Check

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_gives_the_rows_of_the_batch_one_by_one(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", "")  # set by the comparison, and put back after it
    figures = compare(tmp_path, ["3"], ["finetune"])
    assert figures["workers_killed"] == 1
    assert figures["serial_finished"] == figures["cluster_finished"] == figures["runs"] == 2
    assert figures["rows_that_differ"] == 0


@pytest.mark.parametrize(
    ("text", "workers", "scheduler"),
    [("dask://local", None, None), ("dask://local/3", "3", None), ("dask://gpu-1:8786", None, "gpu-1:8786"),
     ("dask://[::1]:8786", None, "[::1]:8786")],
)  # fmt: skip
def test_addresses(text, workers, scheduler):
    found = ADDRESS.fullmatch(text)
    assert (found["workers"], found["scheduler"]) == (workers, scheduler)


@pytest.mark.parametrize(
    "text", ["slurm", "dask:", "dask://", "dask://local/0", "dask://local/x", "tcp://a:1", "dask://a b"]
)
def test_what_names_no_cluster_is_said_before_anything_begins(text):
    with pytest.raises(UsageError, match="names no cluster"):
        run_on_cluster(None, text, NO_TRUST, Control(), print)


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install \"unlearn-studio\[dask\]\""):
        run_on_cluster(None, "dask://local/1", NO_TRUST, Control(), print)


class Workers:
    """Stands for a client whose workers say these things of themselves."""

    def __init__(self, said) -> None:
        self.said = said

    def run(self, function, path):
        return self.said


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({}, InputError, "The cluster has no worker"),
        ({"a": ("one", cluster.VERSION, True), "b": ("two", cluster.VERSION, False)}, InputError, "two does not see"),
        ({"a": ("gpu-1", "0.0.0", True)}, MismatchError, r"gpu-1 has Unlearn Studio 0\.0\.0"),
    ],
)
def test_workers_must_see_the_folder_and_have_this_version(tmp_path, said, error, words):
    with pytest.raises(error, match=words):
        cluster._require_alike(Workers(said), [tmp_path])
    assert not list(tmp_path.iterdir())


def test_a_worker_says_whether_it_sees_a_file(tmp_path):
    assert task.seen_here(str(tmp_path))[1:] == (cluster.VERSION, True)
    assert task.seen_here(str(tmp_path / "gone"))[2] is False


class Worked:
    """Stands for the process of a task: it goes until it is told to leave, or is over at once."""

    made: ClassVar[list[Worked]] = []

    def __init__(self) -> None:
        self.over, self.asked, self.left = True, None, False
        Worked.made.append(self)

    def begin(self, request) -> None:
        self.asked = request

    def leave(self) -> None:
        self.over = self.left = True

    def answer(self):
        return None if self.left else Answer(state="finished")


class Going(Worked):
    def begin(self, request) -> None:
        super().begin(request)
        self.over = False
        Path(self.asked.run).parent.joinpath("ending").touch()  # the batch is to end once this has begun


@pytest.fixture
def worked(tmp_path, monkeypatch):
    """Do a task of the run in a folder with a stand-in for its process; returns what it came to."""
    monkeypatch.setattr(task, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(Worked, "made", [])

    def do(process=Worked, after=(), **request) -> Answer:
        monkeypatch.setattr(task, "Child", process)
        asked = msgspec.json.encode(Request(str(tmp_path / "run"), **request))
        done = task.work(asked, [msgspec.json.encode(one) for one in after], str(tmp_path / "ending"))
        return msgspec.json.decode(done, type=task.Done).answer

    return do


def test_no_task_begins_once_the_batch_is_to_end(worked, tmp_path):
    assert worked() == Answer(state="finished")
    (tmp_path / "ending").touch()
    assert worked() == worked(check=Check()) == worked(reference=1) == task.NOT_BEGUN
    assert len(Worked.made) == 1


def test_a_task_whose_run_another_process_holds_does_not_keep_the_batch_from_ending(worked, tmp_path):
    (tmp_path / "ending").touch()
    with RunFolder(tmp_path / "run").lock():
        assert worked() == task.NOT_BEGUN


@pytest.mark.parametrize("request_of", [{"check": Check(which="full")}, {"reference": 3}])
def test_checks_and_references_leave_when_the_batch_is_to_end(worked, request_of):
    assert worked(Going, **request_of) == task.NOT_BEGUN
    assert Worked.made[0].left


def test_what_comes_after_a_task_that_did_not_begin_does_not_begin(worked):
    before = [task.Done("a", Answer(state="finished")), task.Done("b", task.NOT_BEGUN)]
    assert worked(check=Check(), after=before) == task.NOT_BEGUN
    assert not Worked.made


def test_what_was_asked_before_the_batch_is_not_asked_of_its_runs(tmp_path):
    """A machine that died may have left a pause or a stop unread."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    ask(folder, "stop")
    submitted = []

    class Client:
        def submit(self, function, request, *arguments, **options):
            submitted.append(msgspec.json.decode(request, type=Request))
            return object()

    going = SimpleNamespace(out=tmp_path, folder=lambda number: folder, check="", retrained=())
    tasks = cluster._Cluster(Client(), going, NO_TRUST, Control(), print)
    tasks._submit(0, "run", "")
    assert submitted[0].asked_from == asked_until_now(folder) > 0


def test_a_worker_does_not_load_what_its_processes_load():
    code = "import sys; from core.launch import task; print('torch' in sys.modules, 'numpy' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout == "False False\n"
