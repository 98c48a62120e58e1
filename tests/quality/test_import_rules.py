"""The walls between the parts: import contracts, what starts without what, and core without Qt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from scripts.structure import APP, cycles, imports

WITHOUT_QT = ROOT / "tests" / "quality" / "without_qt"
HEAVY = ("torch", "torchvision", "scipy", "sklearn", "numpy", "PIL", "PySide6", "pyqtgraph")


def run_python(code: str, **environment: str) -> str:
    """Run `code` in a fresh interpreter at the root; return what it printed, or fail the test where it failed."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def heavy_modules_after(code: str) -> list[str]:
    """Which heavy packages a fresh interpreter holds after `code`; what `code` prints is ignored."""
    report = f"\nimport json, sys\nprint()\nprint(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    return json.loads(run_python(code + report).splitlines()[-1])


def test_import_contracts_hold():
    command = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]


def test_no_modules_of_the_window_import_one_another():
    assert cycles(imports(APP)) == []


def test_cycles_are_found_also_over_others():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"f"}, "f": {"e"}}
    assert cycles(graph) == [["a", "b", "c"], ["e", "f"]]


def test_main_imports_nothing_heavy():
    assert heavy_modules_after("import main") == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["no-such-file"], ["--wrong"]])
def test_main_answers_without_loading_anything_heavy(arguments):
    code = f"import main\ntry:\n    main.main({arguments!r})\nexcept SystemExit:\n    pass"
    assert heavy_modules_after(code) == []


def test_core_itself_loads_nothing_heavy():
    assert heavy_modules_after("import core, core.errors") == []


def test_reading_a_command_line_loads_no_torch_and_no_qt():
    code = "import main\ntry:\n    main.main(['unlearn', '--help'])\nexcept SystemExit:\n    pass"
    loaded = heavy_modules_after(code)
    assert not set(loaded) & {"torch", "torchvision", "scipy", "sklearn", "PySide6", "pyqtgraph"}, loaded


@pytest.mark.parametrize("module", ["PySide6", "PySide6.QtCore", "pyqtgraph"])
def test_without_qt_refuses_qt_in_child_processes_too(module):
    code = (
        "import subprocess, sys\n"
        f"child = 'try:\\n    import {module}\\nexcept ModuleNotFoundError:\\n    print(\"refused\")'\n"
        "print(subprocess.run([sys.executable, '-c', child], capture_output=True, text=True).stdout)"
    )
    assert run_python(code, PYTHONPATH=str(WITHOUT_QT)).strip() == "refused"


def test_without_qt_leaves_the_rest_alone():
    assert run_python("import core.job, numpy; print('fine')", PYTHONPATH=str(WITHOUT_QT)).strip() == "fine"
