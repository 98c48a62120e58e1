"""Batches on a cluster of Dask: the same rows as one by one, though a worker dies; and what keeps one from starting."""

from __future__ import annotations

import sys

import pytest

from benchmarks.cluster import compare
from core.engine.control import Control
from core.errors import InputError, MismatchError, UsageError
from core.launch import cluster
from core.launch.cluster import ADDRESS, run_on_cluster
from core.models.trust import NO_TRUST


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
    assert cluster._sees(str(tmp_path))[1:] == (cluster.VERSION, True)
    assert cluster._sees(str(tmp_path / "gone"))[2] is False
