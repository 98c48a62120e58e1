"""How long the window takes to show, over a bare import of Qt with an empty window; and the example to its verdict.

python -m benchmarks.start [--quick] [--json]

The example is started on a fresh home, as `make run` does, and nobody touches it: seconds from the start of the process
to the window, the first point of its curves, the end of the run, and the verdict.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import arguments, report

ROOT = Path(__file__).resolve().parents[1]

BARE = """
import time; began = time.perf_counter()
from PySide6.QtWidgets import QApplication, QMainWindow
app = QApplication([]); window = QMainWindow(); window.show(); app.processEvents()
import json; print(json.dumps({"seconds": time.perf_counter() - began}))
"""

OURS = """
import time; began = time.perf_counter()
import json, sys
import app.bootstrap as bootstrap
def painted(self):
    heavy = [name for name in ("torch", "torchvision", "scipy", "sklearn") if name in sys.modules]
    print(json.dumps({"seconds": time.perf_counter() - began, "heavy": heavy}), flush=True)
    import os; os._exit(0)
bootstrap.Session._load = painted
bootstrap.run(bootstrap.Options())
"""

EXAMPLE = """
import time; began = time.perf_counter()
import json, os, resource
from PySide6.QtCore import QTimer
import app.bootstrap as bootstrap
from core.events import Evaluation
marks = {}
def mark(name):
    marks.setdefault(name, round(time.perf_counter() - began, 2))
load = bootstrap.Session._load
def painted(self):
    mark("window")
    controller = self.context.run_controller
    def events(batch):
        if any(isinstance(event, Evaluation) for event in batch):
            mark("first point")
    def ended(run):
        mark("end of the run" if run.kind == "unlearn" else "verdict")
        if run.kind == "check":
            used = resource.getrusage(resource.RUSAGE_SELF)
            marks["processor"] = round(used.ru_utime + used.ru_stime, 1)
            marks["code"] = ((run.result or {}).get("verdict") or {}).get("code")
            QTimer.singleShot(500, lambda: (print(json.dumps(marks), flush=True), os._exit(0)))
    controller.events.connect(events)
    controller.run_ended.connect(ended)
    self.kept = (events, ended)
    load(self)
bootstrap.Session._load = painted
bootstrap.run(bootstrap.Options(example=True))
"""


def seconds(code: str, home: str) -> dict:
    """Run a start in a process of its own and return what it measured."""
    environment = {**os.environ, "UNLEARN_STUDIO_HOME": home}
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode or not done.stdout.strip():
        raise SystemExit(done.stderr.strip()[-2000:] or "the window did not show")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    options = arguments(__doc__ or "")
    rounds = 3 if options.quick else 9
    with tempfile.TemporaryDirectory() as home:
        seconds(OURS, home), seconds(BARE, home)  # compiled files and disk cache
        pairs = [(seconds(OURS, home), seconds(BARE, home)) for _ in range(rounds)]
    ours = statistics.median(pair[0]["seconds"] for pair in pairs)
    bare = statistics.median(pair[1]["seconds"] for pair in pairs)
    heavy = sorted({name for pair in pairs for name in pair[0]["heavy"]})
    with tempfile.TemporaryDirectory() as home:
        example = seconds(EXAMPLE, home)
    figures = {
        "window_seconds": round(ours - bare, 3), "window_total_seconds": round(ours, 3), "heavy_modules": heavy,
        **{f"example_{name.replace(' ', '_')}": value for name, value in example.items()},
    }  # fmt: skip
    rows = [
        ["", "seconds"],
        ["the window, first paint", f"{ours:.2f}"],
        ["bare Qt and an empty window", f"{bare:.2f}"],
        ["difference", f"{ours - bare:.2f}"],
        ["heavy modules loaded by then", ", ".join(heavy) or "none"],
        *([f"the example on a fresh home: {name}", str(value)] for name, value in example.items()),
    ]
    report("Start of the window (medians, in turn, each in a process of its own)", figures, rows, options)


if __name__ == "__main__":
    main()
