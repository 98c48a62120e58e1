"""Where a file that a job names is found, on a machine that the job was sent to."""

from __future__ import annotations

import hashlib

import pytest

from core import received
from core.received import located, received_file


@pytest.fixture
def named(tmp_path):
    """A path that a job names, and where this machine keeps what it has received of it."""
    path = tmp_path / "theirs" / "model.pt"
    kept = received_file(path)
    path.parent.mkdir()
    kept.parent.mkdir(parents=True)
    return path, kept


def test_a_file_is_taken_where_it_is_and_not_hashed_for_it(named, monkeypatch):
    path, kept = named
    monkeypatch.setattr(received, "file_sha256", None)
    assert located(str(path), "00") == str(path)  # neither is there: an error is to name it
    kept.write_bytes(b"sent")
    assert located(str(path), "00") == str(kept)
    kept.unlink()
    path.write_bytes(b"here")
    assert located(str(path), "00") == str(path)
    assert located("") == ""


@pytest.mark.parametrize("content", [b"here", b"sent"])
def test_where_both_are_there_the_hash_decides(named, content):
    path, kept = named
    path.write_bytes(b"here")
    kept.write_bytes(b"sent")
    wanted = path if content == b"here" else kept
    assert located(str(path), hashlib.sha256(content).hexdigest()) == str(wanted)
