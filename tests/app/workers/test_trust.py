"""What the user allowed: one file that is trusted trusts no other."""

from __future__ import annotations

import json
import os

import pytest

from app.services.trust import TrustedFiles
from core.files import file_sha256
from core.models.formats import write_safetensors
from tests.app.scripted import job


@pytest.fixture
def coded(tmp_path):
    """A job on a network of the user's own, and a model brought that another program makes."""
    for name in ("own.py", "brought.py"):
        (tmp_path / name).write_text("def net(): ...\n")
    model = tmp_path / "brought.safetensors"
    write_safetensors(model, {}, {})
    card = {"schema_version": 1, "architecture": f"{tmp_path / 'brought.py'}:net", "files": {}}
    model.with_suffix(".json").write_text(json.dumps(card))
    asked = job()
    part = asked.model.__class__(**{**asked.model.__dict__, "user_code": f"{tmp_path / 'own.py'}:net"})
    return asked.__class__(**{**asked.__dict__, "model": part}), model, tmp_path


def test_all_code_must_be_allowed(coded):
    asked, brought, folder = coded
    trust = TrustedFiles()
    trust.allow([folder / "own.py"])
    assert trust.of(asked).code and not trust.of(asked, [brought]).code
    assert trust.asked(asked, [brought]) == [folder / "brought.py"]
    trust.allow([folder / "brought.py"])
    assert trust.of(asked, [brought]).code and trust.asked(asked, [brought]) == []


def test_all_model_files_that_can_run_code_must_be_allowed(tmp_path):
    one, other, harmless = tmp_path / "a.pt", tmp_path / "b.pt", tmp_path / "c.safetensors"
    for path in (one, other, harmless):
        path.write_bytes(b"x")
    asked = job()

    def pickle(*brought) -> bool:
        return trust.of(asked.__class__(**{**asked.__dict__, "model": part}), brought).pickle

    part = asked.model.__class__(**{**asked.model.__dict__, "path": str(harmless)})
    trust = TrustedFiles()
    assert not pickle(one) and not pickle()
    trust.allow([one])
    assert pickle(one) and not pickle(one, other)
    one.write_bytes(b"changed")
    assert not pickle(one)


def test_files_that_allowed_code_imports_are_allowed_with_it_as_they_are(coded):
    asked, _, folder = coded
    (folder / "own.py").write_text("from layers import net\n")
    (folder / "layers.py").write_text("def net(): ...\n")
    trust = TrustedFiles()
    assert trust.asked(asked) == [folder / "own.py", folder / "layers.py"]
    trust.allow(trust.asked(asked))
    assert trust.of(asked).code
    (folder / "layers.py").write_text("import os\n\ndef net(): ...\n")
    assert not trust.of(asked).code and trust.asked(asked) == [folder / "layers.py"]


def test_what_is_allowed_is_content_whatever_the_times_of_a_file_say(coded):
    """Size and time of the last change can be set: what runs is held against the SHA-256 of what was allowed."""
    asked, _, folder = coded
    code = folder / "own.py"
    trust = TrustedFiles()
    trust.allow([code])
    assert trust.of(asked).only == {file_sha256(code)}
    times, text = code.stat(), code.read_text()
    code.write_text(text.replace("...", "1.0"))
    os.utime(code, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert code.stat().st_size == times.st_size and code.stat().st_mtime_ns == times.st_mtime_ns
    assert file_sha256(code) not in trust.of(asked).only
    assert os.name == "nt" or not trust.allows(code)
