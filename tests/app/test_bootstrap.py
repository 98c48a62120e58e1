"""The start: nothing heavy before the window shows, torch after the first paint, signals close it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEAD_S, SOON_S = 240, 100  # how long a dead disk takes, and what is far from it on a machine whose cores are taken
HEAVY = ("torch", "torchvision", "scipy", "sklearn")

AT_SHOW = """
import json, sys, threading
sys.path.insert(0, {root!r})
beside = []
class Watch:
    def find_spec(self, name, *_):
        if threading.current_thread() is not threading.main_thread():
            beside.append(name.partition(".")[0])
sys.meta_path.insert(0, Watch())
from PySide6.QtCore import QTimer
from app.bootstrap import Options, Session, create_application
app = create_application()
session = Session(app, Options())
session.show()
found = {{"at_show": [name for name in {heavy!r} if name in sys.modules]}}
def look():
    if "pyqtgraph" in sys.modules and not session.context.device_jobs.active():
        found["after"] = [name for name in {heavy!r} if name in sys.modules]
        found["device"] = session.window.header.device.text()
        found["switch"] = sys.getswitchinterval()
        found["beside"] = sorted(set(beside))
        session.window.close()
timer = QTimer(interval=20)
timer.timeout.connect(look)
session.loaded.connect(timer.start)
code = app.exec()
session.close()
print(json.dumps(found))
sys.exit(code)
"""


def start(script: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "UNLEARN_STUDIO_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"},
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_nothing_heavy_is_imported_before_the_window_shows(tmp_path):
    result = start(AT_SHOW.format(root=str(ROOT), heavy=HEAVY), tmp_path)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["at_show"] == []
    assert "torch" in found["after"]
    assert found["device"]
    assert "sklearn" in found["beside"]
    assert not {"app", "PySide6", "pyqtgraph"} & set(found["beside"])  # a class of Qt made in a worker ends the process
    assert found["switch"] <= 0.001  # a training does not keep Python from the window for longer


SIGNAL = """
import os, signal, sys
sys.path.insert(0, {root!r})
from PySide6.QtCore import QTimer
import app.bootstrap as bootstrap
bootstrap.load_libraries = lambda device: ("none", "")  # these keep the test short
bootstrap.load_on_the_way = int
application = bootstrap.create_application()
session = bootstrap.Session(application, bootstrap.Options())
session.show()
QTimer.singleShot(200, lambda: os.kill(os.getpid(), {number}))
code = application.exec()
session.close()
print("closed", session.window.isVisible())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_window(tmp_path, number):
    result = start(SIGNAL.format(root=str(ROOT), number=int(number)), tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "closed False"


def test_the_log_file_tells_of_the_start(tmp_path):
    result = start(SIGNAL.format(root=str(ROOT), number=int(signal.SIGTERM)), tmp_path)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "log" / "unlearn-studio.log").read_text(encoding="utf-8")
    assert "Unlearn Studio" in text
    assert "stopping and saving" in text


DEAD_DISK = """
import sys, time
sys.path.insert(0, {root!r})
from PySide6.QtCore import QTimer
import app.bootstrap as bootstrap
from app.services import window_state
from app.workers.thumbnails import Thumbnails

def dead(*_):
    time.sleep({dead})

bootstrap.load_libraries = dead  # a job on the device
window_state.found = dead
application = bootstrap.create_application()

class Session(bootstrap.Session):
    def show(self):
        super().show()
        context = self.context
        context.window_state.add_recent("model", "/far/away/model.pt")
        context.jobs.submit(dead)
        context.run_controller._store._do(dead)
        pictures = self.pictures = Thumbnails(self)
        pictures.set_source(dead, 8)
        pictures.get(("train", 0))
        self.loaded.connect(print)

    def _load(self):
        super()._load()
        QTimer.singleShot(500, self.leave)

    def leave(self):
        print("closing", time.time(), flush=True)
        self.window.close()

bootstrap.Session = Session
sys.exit(bootstrap.run(bootstrap.Options()))
"""


@pytest.mark.slow
def test_closing_does_not_wait_until_a_dead_disk_answers(tmp_path):
    result = start(DEAD_DISK.format(root=str(ROOT), dead=DEAD_S), tmp_path)
    ended = time.time()
    assert result.returncode == 0, result.stderr
    asked = float(result.stdout.split()[1])
    assert ended - asked < SOON_S
    log = (tmp_path / "log" / "unlearn-studio.log").read_text(encoding="utf-8")
    for name in ("short jobs", "a job on the device", "a look for recent files", "thumbnails",
                 "a run or the queue on disk"):
        assert f"{name} did not end in time" in log
