"""Closings at random moments of a run: nothing crashes, no thread is left, every run folder can be read."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from core.runs.folder import RunFolder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
ROOT = Path(__file__).resolve().parents[2]
ANSWERS = ("Stop, save and quit", "Discard and quit")


def closing_script(step: int, answer: str):
    """Wait for a step of the run, close the window and answer the question."""

    def script(d):
        yield lambda: d.context.run_controller is not None and d.context.run_controller.current is not None
        run = d.context.run_controller.current
        yield lambda: run.step >= step or d.context.run_controller.current is None
        d.close()
        if d.window is not None and d.window.isVisible() and d.context.run_controller.current is not None:
            yield lambda: d.press(answer) or d.context.run_controller.current is None
            if d.window is not None and d.context.run_controller.current is None:
                d.close()
        yield lambda: False

    return script


def check_folder(out: Path) -> str:
    """Return the state a run was left in; its events and job must be readable."""
    if not out.exists():
        return "discarded"
    folder = RunFolder(out)
    assert folder.job().method == "muda"
    assert folder.events() and not folder.locked
    return folder.status().state


CLOSINGS = """
import json, random, sys, threading
from pathlib import Path
from tests.e2e.driver import drive
from tests.digits import stand_in_for_the_example
from tests.e2e.test_closing import ANSWERS, check_folder, closing_script
stand_in_for_the_example()
rng, states = random.Random(1), []
drive(["--example", "--out", str(Path(sys.argv[1]) / "first")], closing_script(0, ANSWERS[0]))
before = {thread.name for thread in threading.enumerate()}
for number in range(5):
    out = Path(sys.argv[1]) / f"run-{number}"
    drive(["--example", "--out", str(out)], closing_script(rng.randint(0, 60), rng.choice(ANSWERS)))
    states.append(check_folder(out))
left = [thread.name for thread in threading.enumerate() if not thread.daemon and thread.name not in before]
print(json.dumps({"states": states, "left": left}))
"""


def test_six_closings_in_one_application(tmp_path):
    """In a process of its own, so that nothing other tests leave in this one slows it down."""
    done = subprocess.run(
        [sys.executable, "-c", CLOSINGS, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr and "QThread" not in done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert {"stopped", "discarded"} <= set(found["states"]) <= {"stopped", "discarded", "finished"}
    assert not found["left"]


PROCESSES = """
import json, os, sys
import core.session.checking, pyqtgraph, sklearn.cluster, sklearn.linear_model, torch._dynamo
from tests.digits import stand_in_for_the_example
from tests.e2e.driver import drive
from tests.e2e.test_closing import closing_script
stand_in_for_the_example()
for out, step, answer in json.loads(sys.argv[1]):
    child = os.fork() if sys.platform == "linux" else 0
    if not child:
        sys.exit(drive(["--example", "--out", out], closing_script(step, answer)))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_three_closings_of_real_processes(tmp_path):
    """Each begins and ends as a process of its own; where the system can, they share what one of them imported."""
    rng = random.Random(1)
    runs = [(str(tmp_path / f"run-{number}"), rng.randint(0, 60), rng.choice(ANSWERS)) for number in range(3)]
    forked = sys.platform == "linux"
    for some in [runs] if forked else [[single] for single in runs]:
        command = [sys.executable, "-c", PROCESSES, json.dumps(some)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.split() == ["0"] * len(runs) * forked, done.stderr[-2000:]
        assert "Traceback" not in done.stderr and "QThread" not in done.stderr
    for out, _, _ in runs:
        assert check_folder(Path(out)) in ("stopped", "discarded", "finished")
