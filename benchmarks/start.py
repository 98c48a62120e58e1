"""How long the window takes to show, over a bare import of Qt with an empty window; what is loaded by then.

python -m benchmarks.start [--quick] [--json]
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
    figures = {"window_seconds": round(ours - bare, 3), "window_total_seconds": round(ours, 3), "heavy_modules": heavy}
    rows = [
        ["", "seconds"],
        ["the window, first paint", f"{ours:.2f}"],
        ["bare Qt and an empty window", f"{bare:.2f}"],
        ["difference", f"{ours - bare:.2f}"],
        ["heavy modules loaded by then", ", ".join(heavy) or "none"],
    ]
    report("Start of the window (medians, in turn, each in a process of its own)", figures, rows, options)


if __name__ == "__main__":
    main()
