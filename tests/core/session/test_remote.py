"""Runs on another machine: a real sshd on this one's loopback, with keys, a port and a home of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from core.engine.control import Control
from core.errors import InputError, UsageError
from core.events import Progress, RunFinished, State, StepMetrics
from core.job import Launcher
from core.launch import launch, remote, ssh
from core.runs.asked import ask
from core.runs.folder import EVENTS, FORGET, JOB, MODEL, RunFolder
from core.session.bench import Bench
from core.session.jobs import create_run, make_unlearn_job
from core.session.running import run

ROOT = Path(__file__).resolve().parents[3]
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SSHD is None or shutil.which("ssh-keygen") is None, reason="needs OpenSSH's server"),
]


class Server:
    """An sshd of the test's own, and the home of the program that is reached through it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.program = folder / "bin" / "unlearn-studio"
        self.program.parent.mkdir(parents=True)
        self.program.write_text(
            f"#!/bin/sh\nexport UNLEARN_STUDIO_HOME={self.home} OMP_NUM_THREADS=1\n"
            f"cd /\nexec {sys.executable} {ROOT / 'main.py'} \"$@\"\n"
        )
        self.program.chmod(0o755)
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host_key'}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder / 'key.pub'}\nStrictModes no\nPasswordAuthentication no\n"
        )
        known = (folder / "host_key.pub").read_text().split()[:2]
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(known)}\n")
        (folder / "ssh_config").write_text(
            f"Host elsewhere\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {folder / 'key'}\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder / 'known_hosts'}\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it drops its rights; the package makes it at a start
        self.log = (folder / "sshd.log").open("wb")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=self.log)

    def cut(self) -> int:
        """End all connections there are, as a network does that goes away; returns how many."""
        ours, sessions, parents = {self.process.pid}, list[int](), dict(_parents())
        while found := [pid for pid, parent in parents.items() if parent in ours and pid not in ours]:
            ours.update(found)
            sessions += found
        for pid in sessions:  # sshd's own, not what it has started
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().startswith("sshd"):
                    os.kill(pid, signal.SIGKILL)
        return len(sessions)

    def close(self) -> None:
        self.cut()
        self.process.terminate()
        self.process.wait()
        self.log.close()


def _parents():
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        yield int(stat.parent.name), int(rest[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("sshd"))
    yield made
    made.close()


@pytest.fixture
def elsewhere(server, monkeypatch) -> Launcher:
    monkeypatch.setenv(ssh.SSH, f"ssh -F {server.folder / 'ssh_config'}")
    monkeypatch.setattr(remote, "PATIENCE_SECONDS", (0.1,))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return Launcher.parse(f"ssh elsewhere {server.program}")


def tensors(folder: RunFolder) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in load_file(folder.file(MODEL)).items()}


def there(server: Server, folder: RunFolder) -> Path:
    """The folder that a run has on the other machine."""
    (found,) = (path for path in (server.home / "data" / "runs").iterdir() if path.name.startswith(folder.id))
    return found


def test_a_run_goes_there_with_its_model_and_comes_back_whole(elsewhere, server, three, digits_model, tmp_path):
    shutil.copytree(digits_model, tmp_path / "mine")
    mine, away = tmp_path / "mine" / MODEL, tmp_path / "mine" / "away"
    bench = Bench(device="cpu", precision="float32", threads=1).open(mine, "digits")
    job = make_unlearn_job(bench, three, "finetune", settings={"epochs": 1.0}, launcher=str(elsewhere))
    folder, here = (create_run(tmp_path / name, job, three, bench.dataset) for name in ("whole", "here"))
    told = []

    def emit(event) -> None:
        """Keep events; the model is nowhere to be found but while it is sent."""
        told.append(event)
        if isinstance(event, Progress):
            if event.what.startswith(("Connecting", "Starting")):
                mine.rename(away)
            elif event.what == f"Sending {MODEL} to elsewhere" and away.exists():
                away.rename(mine)

    assert launch(folder, Control(), emit, bench, launcher=elsewhere) is State.FINISHED
    away.rename(mine)
    assert run(here, Control(), lambda event: None, bench) is State.FINISHED
    assert tensors(folder) == tensors(here)
    for name in (JOB, FORGET, EVENTS, MODEL, "report.json", "report.html", "model.json"):
        assert folder.file(name).read_bytes() == (there(server, folder) / name).read_bytes(), name
    assert not folder.missing() and folder.finished and isinstance(told[-1], RunFinished)


def test_a_run_that_is_left_is_followed_again_and_a_connection_that_is_cut_costs_no_event(
    elsewhere, server, new_run, bench
):
    folder, control, told, cut = new_run("finetune", settings={"epochs": 900.0}, seed=1), Control(), [], []

    def leave(event) -> None:
        told.append(event)
        if isinstance(event, StepMetrics):
            control.leave()

    assert launch(folder, control, leave, bench, launcher=elsewhere) is State.INTERRUPTED
    assert folder.status().state == State.INTERRUPTED and "It may still go on elsewhere" in folder.status().error
    left = len(told)

    def stop(event) -> None:
        told.append(event)
        again = [one for one in told[left:] if isinstance(one, Progress) and "trying again" in one.what]
        if isinstance(event, StepMetrics) and not cut:
            cut.append(server.cut())
        elif isinstance(event, StepMetrics) and again:
            ask(folder, "stop")  # as any process may, which knows nothing of the other machine

    assert launch(folder, Control(), stop, bench, resume=True, launcher=elsewhere) is State.STOPPED
    assert cut[0] and {event.run for event in told} == {folder.id}
    steps = [step for event in told if isinstance(event, StepMetrics) for step in event.steps]
    assert steps == list(range(folder.status().step)) and steps  # none twice, none missing
    assert folder.file(EVENTS).read_bytes() == (there(server, folder) / EVENTS).read_bytes()
    assert folder.has_result and not folder.missing()


def test_a_machine_that_only_a_job_names_is_not_connected_to(elsewhere, new_run, bench):
    folder = new_run("finetune", launcher=str(elsewhere))
    with pytest.raises(UsageError, match="was not chosen here before"):
        launch(folder, Control(), lambda event: None, bench)


def test_what_keeps_a_machine_from_running_it_is_said(elsewhere, server, new_run, bench, monkeypatch):
    folder = new_run("finetune", launcher=str(elsewhere))
    missing = Launcher.parse("ssh elsewhere no-such-program")
    with pytest.raises(InputError, match="elsewhere has no command no-such-program"):
        launch(folder, Control(), lambda event: None, bench, launcher=missing)
    monkeypatch.setattr(remote, "VERSION", "9.9.9")
    with pytest.raises(InputError, match=r"elsewhere has Unlearn Studio .* and this is 9\.9\.9"):
        launch(folder, Control(), lambda event: None, bench, launcher=elsewhere)
    monkeypatch.setenv(ssh.SSH, "ssh -F /dev/null -p 1")
    nowhere = Launcher.parse("ssh 127.0.0.1")
    with pytest.raises(InputError, match=r"127\.0\.0\.1 cannot be reached: .*refused"):
        launch(folder, Control(), lambda event: None, bench, launcher=nowhere)
    assert not folder.locked and not folder.file(EVENTS).exists()


def test_devices_are_named_with_the_memory_that_is_free():
    there = remote.Described("gpu", "1", {"cuda:0": "H100", "cpu": "Processor"}, {"cuda:0": 70 * 2**30})
    assert remote._devices(there) == ["H100, 70 GiB free", "Processor"]
