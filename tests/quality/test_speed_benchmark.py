"""The benchmark of whole jobs: what both sides read is the same, both learn it, and what is missing is said."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks import speed
from benchmarks.plain import FORGET, Job, digits
from core.data.batches import ImageStore


@pytest.fixture(scope="module")
def job() -> Job:
    return Job("small-cnn", digits(28, 1, 400), 4, 32, 0.05)


def test_both_sides_read_the_same_pixels(job):
    train, test = job.sets
    store = ImageStore(job.dataset.train, job.dataset.preprocessing, speed.CPU)
    stay = torch.nonzero(job.dataset.train.labels != FORGET).flatten()
    batch = store.batch(stay)
    assert len(train) == len(stay) and FORGET not in train.labels + test.labels
    assert batch.labels.tolist() == list(train.labels)
    read = torch.stack([train[index][0] for index in range(len(train))])
    assert torch.allclose(read, batch.images, atol=1e-6) and read.std() > 0.5


def test_both_sides_learn_it(job):
    done = speed.against_plain(job, "float32", 1)
    assert done.ratio == pytest.approx(done.plain / done.engine)
    assert done.plain_accuracy > 0.85 and done.engine_accuracy > 0.85


def test_a_library_that_cannot_be_had_is_said(monkeypatch, capsys):
    monkeypatch.setattr(speed, "compared", lambda quick: {"missing": "it does not install: no network"})
    monkeypatch.setattr(speed, "plain_jobs", lambda quick: [])
    monkeypatch.setattr("sys.argv", ["speed", "--jobs", "--library"])
    speed.main()
    assert "no public library: it does not install: no network" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["speed", "--jobs", "--library", "--json"])
    speed.main()
    assert json.loads(capsys.readouterr().out)["figures"]["library"] == {"missing": "it does not install: no network"}
