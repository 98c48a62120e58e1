"""Following a run on another machine that answers too much, too little or something else; no ssh is needed."""

from __future__ import annotations

import queue
import shlex
import subprocess
import threading

import msgspec
import pytest

from core.engine.control import Control
from core.errors import InputError, ProcessEndedError, UsageError
from core.events import Log, RunFinished, State
from core.files import dumps
from core.job import Launcher
from core.launch import remote, ssh
from core.launch.host import Begun, Described, Frame
from core.launch.remote import _Mirror
from core.launch.ssh import Host, Lines
from core.models.trust import NO_TRUST
from core.runs.asked import ask
from core.runs.folder import EVENTS, MODEL, RunFolder


class Scripted(Host):
    """A machine on which each command is a script of a shell; `scripts`: those of a subcommand, one after the other."""

    def __init__(self, **scripts: list[str]) -> None:
        super().__init__(Launcher("ssh", host="there"), lambda: None)
        self.scripts = scripts

    def started(self, *arguments, source=subprocess.PIPE):
        script = self.scripts[arguments[0]].pop(0)
        return subprocess.Popen(
            ["sh", "-c", script], stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )


def frame(**fields) -> str:
    return f"printf '%s\\n' {shlex.quote(msgspec.json.encode(Frame(**fields)).decode())}"


def mirror(folder: RunFolder, control: Control, told=None, **scripts) -> _Mirror:
    return _Mirror(Scripted(**scripts), "/there", folder, control, (told if told is not None else []).append)


def given(**files: bytes) -> str:
    sizes = msgspec.json.encode({name.replace("_", "."): len(data) for name, data in files.items()}).decode()
    text = sizes + "\n" + "".join(data.decode() for data in files.values())
    return f"printf %s {shlex.quote(text)}"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE_SECONDS", (0.0,))


def test_what_was_asked_in_a_connection_that_was_lost_is_asked_again(folder, tmp_path):
    control = Control()
    control.pause()
    control.request_checkpoint()
    heard = tmp_path / "heard"
    scripts = [
        "read one; read two; exit 255",  # both came to the machine's door and were not heard
        f"{frame(state='running')}; read one; {frame(state='running', heard=1)}; exit 255",
        f"read one; echo $one > {heard}; {frame(state='discarded', over=True)}",
    ]
    with pytest.raises(ProcessEndedError):
        mirror(folder, control, follow=scripts).follow()
    assert heard.read_text() == "pause\n"  # the checkpoint was heard


def test_a_machine_that_writes_without_end_takes_no_memory(monkeypatch):
    monkeypatch.setattr(ssh, "LONGEST_ANSWER", 1000)
    with subprocess.Popen(["sh", "-c", "tr '\\0' x < /dev/zero"], stdout=subprocess.PIPE) as process:
        lines = Lines(process.stdout)
        assert len(lines.get(5)) == 1000
        while lines._lines.qsize() < ssh.FRAMES_AHEAD:
            threading.Event().wait(0.01)
        with pytest.raises(queue.Empty):
            while True:  # of what was read ahead all is handed over
                lines._lines.get(timeout=0.1)
        process.kill()
        lines.close()


def test_a_machine_that_answers_without_end_is_told_of(monkeypatch):
    monkeypatch.setattr(ssh, "LONGEST_ANSWER", 1000)
    monkeypatch.setattr(ssh, "WAIT_SECONDS", 0.01)
    with pytest.raises(InputError, match="there answered something else than Unlearn Studio does"):
        Scripted(describe=["while echo too much; do :; done"]).asked("describe", str, b"[]")


def test_a_wait_for_a_machine_that_hangs_ends_when_it_is_told_to(monkeypatch):
    monkeypatch.setattr(ssh, "WAIT_SECONDS", 0.01)
    host, looks = Scripted(describe=["exec sleep 60"]), iter([None, None, InputError("told to end")])

    def look() -> None:
        if (error := next(looks)) is not None:
            raise error

    host.look = look
    with pytest.raises(InputError, match="told to end"):
        host.asked("describe", str, b"[]")


def test_only_files_of_a_run_are_taken_over_and_only_whole_ones(folder, tmp_path):
    done = frame(state="finished", over=True)
    ends = RunFinished(run="r", step=1, time=1.0, state="finished", seconds=1.0, measures={}, unchanged=False)
    log = frame(lines=dumps(ends) + b"\n")
    folder.file(MODEL).write_bytes(b"old")
    told = []
    scripts = {
        "follow": [f"{log}; {done}", done, done, done],
        "give": [
            given(**{"../stray": b"x", "report.html": b"x"}),
            given(report_html=b"half")[:-3] + "'",
            "echo nonsense",
            given(report_html=b"whole", report_json=b"{}"),
        ],
    }
    assert mirror(folder, Control(), told, **scripts).follow() is State.FINISHED
    assert not (tmp_path / "stray").exists() and folder.file(MODEL).read_bytes() == b"old"
    assert folder.file("report.html").read_bytes() == b"whole"
    assert [event.what for event in told if event.type == "progress"].count(
        "there: the result did not come whole (A file is none that a run has); trying again"
    ) == 1
    assert told[-1] == msgspec.structs.replace(ends, run=folder.id)


def test_a_run_that_was_deleted_there_costs_nothing_here(folder):
    folder.file(EVENTS).write_bytes(b"kept\n")
    with pytest.raises(ProcessEndedError, match="there has the run no more"):
        mirror(folder, Control(), follow=[frame(state="discarded", over=True)]).follow()
    assert folder.file(EVENTS).read_bytes() == b"kept\n"


def test_a_line_that_was_cut_off_here_is_not_counted(folder):
    whole = dumps(Log(run="r", step=1, time=1.0, level="info", message="hello")) + b"\n"
    folder.file(EVENTS).write_bytes(whole + whole[:9])
    offsets = []

    class Asked(Scripted):
        def started(self, *arguments, source=subprocess.PIPE):
            offsets.append(arguments[-1])
            return super().started(*arguments, source=source)

    lost = [f"{frame(lines=whole)}; {frame(state='discarded', over=True)}"]
    with pytest.raises(ProcessEndedError):
        _Mirror(Asked(follow=lost), "/there", folder, Control(), lambda event: None).follow()
    assert offsets == [str(len(whole))]
    assert folder.file(EVENTS).read_bytes() == 2 * whole


@pytest.fixture
def waiting(monkeypatch):
    """Runs of which the machine is waited for, until something is asked."""
    monkeypatch.setattr(remote, "_consent", lambda launcher, chosen: None)

    def run(folder: RunFolder, control: Control, act) -> State:
        def begun(host, folder, emit, trust):
            act()
            while True:
                host.look()
                threading.Event().wait(0.01)

        monkeypatch.setattr(remote, "_begun", begun)
        return remote.run_remotely(Launcher("ssh", host="there"), folder, control, print, NO_TRUST, chosen=True)

    return run


def test_other_processes_ask_a_run_that_goes_elsewhere_through_its_folder_here(folder, waiting):
    assert waiting(folder, Control(), lambda: ask(folder, "stop")) is State.DISCARDED
    assert not folder.path.exists()


def test_a_run_that_is_parted_from_before_it_is_there_stays_to_be_begun(folder, waiting):
    control = Control()
    assert waiting(folder, control, control.part) is State.INTERRUPTED
    assert folder.exists and not folder.locked


def test_checkpoints_of_this_machine_are_not_left_behind_in_silence(folder):
    folder.file("checkpoints").mkdir()
    folder.file("checkpoints").joinpath("step-000000004.pt").write_bytes(b"state")
    with pytest.raises(UsageError, match="has checkpoints of a run on this machine"):
        remote._begun(Scripted(), folder, lambda event: None, NO_TRUST)


def test_a_log_of_another_attempt_begins_anew(folder):
    folder.file(EVENTS).write_bytes(b"failed before the first step\n")
    answers = {"describe": Described("there", remote.VERSION, {"cpu": "CPU"}, {}), "begin": Begun("/there/run", False)}
    host = Scripted(**{what: [f"cat > /dev/null; echo {shlex.quote(msgspec.json.encode(answer).decode())}"]
                       for what, answer in answers.items()})  # fmt: skip
    assert remote._begun(host, folder, lambda event: None, NO_TRUST) == "/there/run"
    assert not folder.file(EVENTS).exists()


def test_a_file_is_sent_with_its_progress(tmp_path, monkeypatch):
    monkeypatch.setattr(ssh, "WAIT_SECONDS", 0.01)
    with (tmp_path / "model").open("wb") as file:
        file.truncate(5 << 20)
    told = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))
        tmp_path.joinpath(f"told-{done}").touch()

    def until(told: int) -> str:
        return f"while [ ! -e {tmp_path}/told-{told} ]; do sleep 0.01; done"

    host = Scripted(receive=[f"{until(0)}; head -c 4194304 > /dev/null; {until(4)}; cat > /dev/null"])
    host.send(ssh.Wanted(str(tmp_path / "model"), ""), tell)
    assert told[0] == (0, 5) and (4, 5) in told
