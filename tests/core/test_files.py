"""The door for files: what is read is regular, bounded and of its shape; what is written is whole, or not there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from core.errors import InputError
from core.files import file_sha256, json_lines, loads, open_to_append, read_bytes, read_json, replacing, write_json


class Shape(msgspec.Struct):
    """A document with a list."""

    steps: list[int]


@pytest.mark.parametrize("read", [read_bytes, read_json, file_sha256])
def test_a_pipe_is_refused_at_once(read, tmp_path):
    os.mkfifo(pipe := tmp_path / "status.json")
    raised = []

    def try_it() -> None:
        try:
            read(pipe)
        except InputError as error:
            raised.append(error.text)

    thread = threading.Thread(target=try_it, daemon=True)
    thread.start()
    thread.join(5)
    assert raised == [f"{pipe} cannot be read: it is no regular file. Put the file itself in its place."]


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read: it is no regular file"):
        read_bytes(tmp_path)


def test_a_link_is_followed_only_where_it_may_be(tmp_path):
    (target := tmp_path / "elsewhere").write_text("1")
    (link := tmp_path / "link").symlink_to(target)
    assert read_json(link) == 1
    for read in (read_bytes, read_json, file_sha256):
        with pytest.raises(InputError, match="is a link, and none is followed here"):
            read(link, follow=False)


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    with pytest.raises(InputError, match="null byte"):
        read_bytes(tmp_path / "a\0b")


def test_a_file_that_is_too_large_is_refused_with_both_numbers(tmp_path):
    (path := tmp_path / "x.json").write_bytes(b"[1, 2, 3]")
    assert read_bytes(path, 9) == b"[1, 2, 3]"
    with pytest.raises(InputError, match="has 9 bytes, and at most 8 are read"):
        read_bytes(path, 8)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_that_is_too_deep_is_a_reason(opening, tmp_path):
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(opening * 100_000)
    assert json_lines(opening * 100_000 + b'\n{"a": 1}') == [{"a": 1}]
    (path := tmp_path / "x.json").write_bytes(opening * 100_000)
    with pytest.raises(InputError, match=r"x\.json is not valid JSON: it is nested too deeply"):
        read_json(path)


@pytest.mark.parametrize(("opening", "end"), [("[", "]"), ('{"[": ', "}"), ('[{"a\\"[[": ', "}]")])
def test_plain_data_may_be_a_hundred_levels_deep(opening, end):
    levels = 100 // len(end)
    assert loads(opening * levels + "0" + end * levels)
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(opening * (levels + 1) + "0" + end * (levels + 1))
    assert loads(("[" + ",".join([opening + "0" + end] * 200) + "]").encode())  # many beside one another
    assert loads('["' + "[{" * 200 + '"' + ", []" * 101 + "]")  # in a text


def test_a_document_of_another_shape_is_refused_with_the_place(tmp_path):
    (path := tmp_path / "x.json").write_text('{"steps": [1, "x"], "more": 1}')
    with pytest.raises(InputError, match=r"x.json is damaged: expected int, got str at steps\[1\]"):
        read_json(path, Shape)
    path.write_text('{"steps": [1, 2], "more": 1}')
    assert read_json(path, Shape) == Shape([1, 2])


@pytest.mark.parametrize("kept", [b"", b'{"a": 1}\n', b"x" * 70_000 + b"\n", b"\n"])
@pytest.mark.parametrize("torn", [b"", b'{"b"', b"y" * 140_000])
def test_what_is_appended_begins_a_line_of_its_own(kept, torn, tmp_path):
    (path := tmp_path / "events.jsonl").write_bytes(kept + torn)
    with open_to_append(path) as file:
        file.write(b'{"c": 1}\n')
    assert path.read_bytes() == kept + b'{"c": 1}\n'


def test_nothing_is_appended_through_a_link_or_into_a_pipe(tmp_path):
    (target := tmp_path / "elsewhere").write_bytes(b"no end of line")
    (tmp_path / "link").symlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(InputError, match=f"{name} is no regular file, so nothing is written to it"):
            open_to_append(tmp_path / name)
    assert target.read_bytes() == b"no end of line"


def test_a_file_and_its_folder_are_on_disk_before_it_counts(tmp_path, monkeypatch):
    done: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: (done.append(str(Path(f"/proc/self/fd/{handle}").readlink())), real_sync(handle))
    )
    monkeypatch.setattr(Path, "replace", lambda self, to: (done.append(f"to {to.name}"), real_replace(self, to)))
    write_json(tmp_path / "a.json", 1)
    temporary, renamed, folder = done
    assert Path(temporary).parent == tmp_path
    assert (renamed, folder) == ("to a.json", str(tmp_path))


def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path, monkeypatch):
    real = os.fsync

    def sync(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        real(handle)

    monkeypatch.setattr(os, "fsync", sync)
    write_json(tmp_path / "a.json", 1)
    assert read_json(tmp_path / "a.json") == 1


def test_a_list_of_people_is_for_its_owner_alone(tmp_path):
    write_json(tmp_path / "people.json", [], private=True)
    write_json(tmp_path / "numbers.json", [])
    assert (tmp_path / "people.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "numbers.json").stat().st_mode & 0o044


def test_a_link_in_the_place_of_a_file_is_replaced_and_its_target_stays(tmp_path):
    (target := tmp_path / "elsewhere").write_text("old")
    (link := tmp_path / "report.json").symlink_to(target)
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert (target.read_text(), link.read_text(), link.is_symlink()) == ("old", "new", False)


def test_threads_that_meet_a_structure_for_the_first_time_do_not_end_the_process():
    code = """
import sys, threading
sys.setswitchinterval(1e-6)
from core.files import convert, loads
from core.runs import shapes
start = threading.Barrier(8)
def read(number):
    start.wait()
    for _ in range(20):
        convert({"models": {}}, shapes.Report, "a") if number % 2 else loads(b"{}", shapes.Card)
threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    for _ in range(3):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
