"""What is asked of a run through its folder."""

from __future__ import annotations

import threading

import pytest

from core.errors import InputError
from core.runs.asked import ASKS, answering, ask, asked_until_now
from core.runs.folder import ASKED, RunFolder


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


class Heard:
    """Keeps what it is told, and says when that is so many."""

    def __init__(self, count: int) -> None:
        self.asks, self.count, self.all = [], count, threading.Event()

    def __call__(self, what: str) -> None:
        self.asks.append(what)
        if len(self.asks) == self.count:
            self.all.set()


def test_what_is_asked_is_heard_once_and_in_order_and_the_file_goes(folder):
    heard = Heard(len(ASKS))
    with answering(folder, heard, 0):
        for what in ASKS:
            ask(folder, what)
        assert heard.all.wait(10)
    assert heard.asks == list(ASKS)
    assert not folder.file(ASKED).exists()


def test_what_an_earlier_process_did_not_read_is_passed_over(folder):
    ask(folder, "stop")
    since = asked_until_now(folder)
    ask(folder, "checkpoint")  # after the launch and before the process reads
    heard = Heard(1)
    with answering(folder, heard, since):
        assert heard.all.wait(10)
    assert heard.asks == ["checkpoint"]


def test_lines_that_ask_for_nothing_known_are_passed_over(folder):
    folder.file(ASKED).write_bytes(b'{"ask": "explode"}\nnonsense\n[]\n{"ask": 3}\n{"ask": "pause", "by": "me"}\n')
    heard = Heard(1)
    with answering(folder, heard, 0):
        assert heard.all.wait(10)
    assert heard.asks == ["pause"]


def test_a_line_that_is_still_written_is_waited_for(folder):
    folder.file(ASKED).write_bytes(b'{"ask": "pause"}\n{"ask": "st')
    heard, both = Heard(1), Heard(2)

    def answer(what: str) -> None:
        heard(what)
        both(what)

    with answering(folder, answer, 0):
        assert heard.all.wait(10)
        with folder.file(ASKED).open("ab") as file:
            file.write(b'op"}\n')
        assert both.all.wait(10)
    assert both.asks == ["pause", "stop"]


def test_a_link_is_neither_read_nor_written_through(folder, tmp_path):
    other = tmp_path / "other.txt"
    other.write_bytes(b"mine\n")
    folder.file(ASKED).symlink_to(other)
    with pytest.raises(InputError):
        ask(folder, "stop")
    assert other.read_bytes() == b"mine\n"


def test_a_folder_that_is_gone_is_said(folder):
    with pytest.raises(InputError, match=r"asked\.jsonl cannot be written"):
        ask(RunFolder(folder.path / "gone"), "stop")


def test_a_file_that_was_begun_anew_is_read_from_its_beginning(folder):
    ask(folder, "pause")
    ask(folder, "resume")
    since = asked_until_now(folder)
    folder.file(ASKED).unlink()  # as a process does that ends
    heard = Heard(1)
    with answering(folder, heard, since):
        ask(folder, "stop")
        assert heard.all.wait(10)
    assert heard.asks == ["stop"]
