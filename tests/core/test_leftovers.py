"""Temporary files and folders: those of dead processes go, those of living ones stay."""

from __future__ import annotations

import os

import pytest

from core import leftovers
from core.files import replacing, write_atomic
from core.leftovers import building, clear_leftovers, is_temporary, process_lives, temporary_name

DEAD = 2**31 - 2  # above the largest number that systems give


def _name(path, *, pid=None, host=None, drawn=None):
    """The temporary name that another process would give."""
    ours = temporary_name(path).name
    ours = ours.replace(f"-{os.getpid()}-", f"-{os.getpid() if pid is None else pid}-")
    ours = ours.replace(leftovers._HOST, host or leftovers._HOST)
    return path.with_name(ours.replace(leftovers._DRAWN, drawn or leftovers._DRAWN))


def test_what_dead_processes_left_goes_and_what_living_ones_write_stays(tmp_path):
    file = tmp_path / "model.pt"
    dead = [_name(file, pid=DEAD), _name(file, drawn="ffffff"), _name(file, host="0" * 8)]
    living = [_name(file), _name(file, pid=os.getppid()), _name(tmp_path / "new", host="0" * 8)]
    others = [tmp_path / name for name in ("model.pt", ".model.pt.tmp", "a.tmp", ".model.pt.abcd1234.tmp")]
    for path in (*dead, *living, *others):
        path.write_bytes(b"x")
    os.utime(dead[-1], (1, 1))  # of another machine: only its age tells
    clear_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted((*living, *others))


def test_a_folder_built_aside_goes_with_all_in_it_and_nothing_a_link_leads_to(tmp_path):
    (tmp_path / "mine").write_text("x")
    left = _name(tmp_path / "run", pid=DEAD)
    left.mkdir()
    (left / ".tmpAbCd12").write_bytes(b"of a library")
    if os.name != "nt":
        (left / "link").symlink_to(tmp_path / "mine")
        _name(tmp_path / "link", pid=DEAD).symlink_to(tmp_path)
    clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_first_write_of_a_process_in_a_folder_clears_it(tmp_path):
    left = _name(tmp_path / "elsewhere" / "a", pid=DEAD)
    (tmp_path / "new").mkdir()
    left = tmp_path / "new" / left.name
    left.write_bytes(b"half")
    write_atomic(tmp_path / "new" / "b", b"whole")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b"]


def test_a_library_that_writes_beside_its_file_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="full"), replacing(tmp_path / "a.bin", alone=True) as temporary:
        assert temporary.name == "a.bin"
        temporary.with_name(".tmpXyZ").write_bytes(b"of a library")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []
    with replacing(tmp_path / "a.bin", alone=True) as temporary:
        temporary.with_name(".tmpXyZ").write_bytes(b"whole")
        temporary.with_name(".tmpXyZ").replace(temporary)  # as libraries do
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"whole"


def test_names_are_known_again_however_long_what_is_written_is_called(tmp_path):
    for name in ("a", "ä" * 120, "x" * 250, "line\nbreak"):
        made = temporary_name(tmp_path / name)
        assert is_temporary(made.name) and len(made.name.encode()) <= 255, name
    with building(tmp_path / "run") as folder:
        assert is_temporary(folder.name) and not is_temporary("run.tmp") and not is_temporary(".run.tmp")
    assert list(tmp_path.iterdir()) == []


def test_processes_that_live_are_known(tmp_path):
    assert process_lives(os.getpid()) and process_lives(os.getppid())
    assert not any(map(process_lives, (0, -1, DEAD, 2**40)))


def test_a_folder_that_cannot_be_removed_at_once_goes_all_the_same(tmp_path, monkeypatch):
    real, refused = os.rmdir, []

    def rmdir(path, **how):
        if not refused:
            refused.append(path)
            raise PermissionError(13, "Permission denied")
        real(path, **how)

    monkeypatch.setattr(os, "rmdir", rmdir)
    with building(tmp_path / "model.pt") as folder:
        (folder / "part").write_text("x")
    assert refused and not list(tmp_path.iterdir())
