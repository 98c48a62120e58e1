"""Names from files on a terminal: nothing of them steers it, in whatever command they come up."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import unicodedata

import numpy as np
import pytest

from core.cli.output import RunProgress, Screen, facts, shown, table
from core.errors import InputError
from core.events import Log
from core.files import write_json
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.runs.folder import FORGET, RunFolder

STEERING = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202eevil"
NAME = f"{STEERING}\nerror: none"


def check(text: str) -> None:
    """Assert that a text holds no character but line ends that a terminal obeys."""
    assert "evil" in text
    assert [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n"] == []
    assert "\nerror: none" not in text


@pytest.fixture
def run(tmp_path) -> RunFolder:
    """A run whose folder and class are called to steer a terminal."""
    job = Job(
        model=ModelPart(path=f"/m/{NAME}.pt", sha256="ab" * 32, architecture="mlp", num_classes=2, in_channels=1,
                        input_size=(8, 8)),
        data=DataPart(spec=f"/d/{NAME}", fingerprint="f" * 64), method="muda",
        forget=ForgetPart(mode="class", classes=(0,), class_names=(NAME,), count=4, total=12),
    )  # fmt: skip
    folder = RunFolder.create(tmp_path / NAME, job)
    folder.file(FORGET).write_text("index\n1\n")
    return folder


@pytest.mark.parametrize("command", ["runs {up}", "inspect {run}", "inspect {up}", "kept {run}", "verify-report {run}"])
@pytest.mark.parametrize("more", ["", "--json", "--debug"])
def test_a_run_of_hostile_names(cli, run, command, more):
    words = command.split()
    given = [word.format(up=run.path.parent, run=run.path) for word in words]
    result = cli(*given, *more.split())
    if more == "--json":
        assert "evil" in json.dumps(result.document)
    for text in filter(None, (result.out, result.err)):
        check(text + "evil")
    assert "evil" in result.out + result.err or command == "kept {run}"


def test_classes_of_data_and_options_that_are_refused(cli, tmp_path):
    x = np.zeros((8, 8, 8), dtype="uint8")
    np.savez(tmp_path / "d.npz", x_train=x, y_train=np.arange(8) % 2, x_test=x, y_test=np.arange(8) % 2)
    (tmp_path / "names.json").write_text(json.dumps([NAME, "b"]))
    check(cli("inspect", tmp_path / "d.npz", "--classes", tmp_path / "names.json").out)
    refused = cli("inspect", tmp_path / "d.npz", "--classes", tmp_path / "names.json", "--forget-class", NAME + "x")
    check(refused.err)
    check(cli("inspect", tmp_path / f"{STEERING}.npz").err)
    check(cli("inspect", tmp_path, f"--{NAME}").err)


@pytest.mark.parametrize("live", [False, True])
def test_progress_notices_tables_and_paths(monkeypatch, capsys, live, tmp_path):
    monkeypatch.setattr("sys.stdout.isatty", lambda: live, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen()
    screen.over(NAME)
    progress = RunProgress(screen)
    progress(Log(run="r", step=1, time=0.0, level="warning", message=NAME))
    screen.say(table(["a", "b"], [(NAME, "x")]))
    screen.say(facts([(NAME, NAME)]))
    screen.say(shown(tmp_path / NAME))
    written = capsys.readouterr()
    check(written.out.replace("\r", ""))
    check(written.err)
    assert r"\x1b]0;pwned\x07" in written.out


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are no text")
def test_a_name_that_is_no_text_is_shown_and_not_written_down(cli, tmp_path):
    name = os.fsdecode(b"evil\xff")
    (tmp_path / name).mkdir()
    (tmp_path / name / "job.json").write_text("{")
    (row,) = cli("runs", tmp_path, "--json").document
    assert row["run"] == r"evil\udcff" and row["state"] == "damaged"
    check(cli("runs", tmp_path).out)
    with pytest.raises(InputError, match=r"evil\\udcff is no text in UTF-8, so it cannot be written down\. Rename"):
        write_json(tmp_path / "a.json", {"path": name})
    assert not (tmp_path / "a.json").exists()


def test_titles_are_bold_and_a_name_cannot_be(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Screen().say("\x1b[1mname\n" + table(["title"], [["\x1b[1mcell"]]))
    name, title, cell = capsys.readouterr().out.splitlines()
    assert name == r"\x1b[1mname" and title.startswith("\x1b[1mtitle") and cell == r"\x1b[1mcell"


def test_a_closed_terminal_silences_and_does_not_end_the_work(monkeypatch):
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("sys.stdout", Closed())
    monkeypatch.setattr("sys.stderr", Closed())
    screen = Screen()
    screen.say("a")
    screen.notice("b")
