"""The window's own files, whatever stands in their place: it starts, says so once, keeps that, and goes on."""

from __future__ import annotations

import json
import os
import stat

import pytest

from app.services.last_project import LastProject
from app.services.settings import Pairings, Settings
from app.services.window_state import WindowState
from tests.app.runner import context

__all__ = ["context"]

DAMAGE = ("empty", "rubbish", "list", "text for all", "deep", "folder", "pipe", "lost link")


@pytest.fixture(params=DAMAGE)
def damage(request):
    """Put something into the place of a file, and return what kind of thing it is."""

    def put(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = request.param
        if kind == "folder":
            path.mkdir()
            (path / "mine").write_text("x")
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "lost link":
            path.symlink_to(path.parent / "gone")
        else:
            names = ("schema_version", "scheme", "model", "data", "chosen", "accepted", "w d")
            path.write_bytes({
                "empty": b"", "rubbish": bytes(range(256)), "list": b"[1]", "deep": b"[" * 100_000,
                "text for all": json.dumps(dict.fromkeys(names, "x")).encode(),
            }[kind])  # fmt: skip
        return path.lstat()

    return put


def assert_kept(path, there):
    aside = path.with_name(f"{path.stem}.damaged{path.suffix}")
    kept = aside.lstat()
    assert (stat.S_IFMT(kept.st_mode), kept.st_ino) == (stat.S_IFMT(there.st_mode), there.st_ino)
    return aside.name


def test_settings(damage, tmp_path, qapp):
    path = tmp_path / "settings.json"
    there = damage(path)
    settings = Settings(path)
    assert assert_kept(path, there) in settings.warning and settings.values.scheme == "system"
    settings.change(threads=3)
    again = Settings(path)
    assert (again.values.threads, again.warning) == (3, "")


def test_the_last_project(damage, context, tmp_path):
    said = []
    last = LastProject(context.project, context.opening, said.append)
    last.path = tmp_path / "last-project.json"
    there = damage(last.path)
    assert not last.restore() and len(said) == 1 and assert_kept(last.path, there) in said[0]
    assert not last.restore() and len(said) == 1
    last._had = True
    last.keep()


def test_accepted_pairs(damage, tmp_path, qapp):
    path = tmp_path / "pairings.json"
    there = damage(path)
    pairs = Pairings(path)
    assert pairs.accepted("w", "d") == ()
    pairs.accept("w", "d", ["poor"])
    assert pairs.accepted("w", "d") == ("poor",)
    assert_kept(path, there)


def test_the_windows_places(damage, tmp_path, qtbot):
    path = tmp_path / "window.ini"
    there = damage(path)
    state = WindowState(path)
    if path.is_file() and path.stat().st_ino == there.st_ino:  # a text that says nothing is no damage
        assert state.warning == ""
    else:
        assert assert_kept(path, there) in state.warning
    assert state.recent("run") == []
    state.add_recent("run", "/a")
    assert WindowState(path).recent("run") == ["/a"]
    assert state.shutdown()


def test_a_second_damaged_file_does_not_replace_the_first(tmp_path, qapp):
    path = tmp_path / "settings.json"
    for number, text in enumerate(("{", "}")):
        path.write_text(text)
        assert f"settings.damaged{'-2' if number else ''}.json" in Settings(path).warning
    assert (tmp_path / "settings.damaged.json").read_text() == "{"


def test_two_windows_keep_each_others_settings_and_recent_files(tmp_path, qtbot):
    one, other = Settings(tmp_path / "settings.json"), Settings(tmp_path / "settings.json")
    one.change(scheme="dark")
    other.change(threads=2)
    after = Settings(tmp_path / "settings.json").values
    assert (after.scheme, after.threads) == ("dark", 2) and other.values.scheme == "system"
    first, second = WindowState(tmp_path / "window.ini"), WindowState(tmp_path / "window.ini")
    first.add_recent("run", "/a")
    second.add_recent("run", "/b")
    first.add_recent("run", "/c")
    assert WindowState(tmp_path / "window.ini").recent("run") == ["/c", "/b", "/a"]
    assert first.shutdown() and second.shutdown()
