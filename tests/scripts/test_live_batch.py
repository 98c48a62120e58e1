"""One batch of a run that goes enters few files of the window: counted with a scripted run, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import json, sys
from pathlib import Path
from scripts.window_walks import Window, _live_batch
from tests.app.scripted import Script, job, write_run

home, script = Path(sys.argv[1]), Script("r")
window = Window(home)
events = script.whole()
_live_batch(window, write_run(home / "runs" / "r", job(), [
    *events[:4], *script.mapped(0), *events[4:-4], *script.mapped(90), *script.measured(95),
]))
print(json.dumps(window.figures))
window.close()
"""


def test_a_live_batch_enters_few_files_of_the_window(tmp_path):
    command = [sys.executable, "-c", CODE, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    assert figures["a live batch"]["files"] <= 24  # 22, and what a timer more enters; 43 when it was first counted
