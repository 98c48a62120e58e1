"""Resolves what the program needs for systems that are not at hand, and says which versions they get.

    python -m scripts.platforms [--python 3.11 3.14] [--extras gui onnx]

Asks the package index that pip uses by default, by `uv pip compile` with wheels alone: nothing is downloaded but
metadata, and nothing installed but uv itself, into a temporary environment. Exit code 1 where a system that the README
names has no solution.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SYSTEMS = {  # name -> uv's name of the oldest one that is meant, and the environment it needs
    "Linux, x86-64, glibc 2.34": ("x86_64-manylinux_2_34", {}),
    "Linux, ARM, glibc 2.39": ("aarch64-manylinux_2_39", {}),
    "macOS 14, Apple silicon": ("aarch64-apple-darwin", {"MACOSX_DEPLOYMENT_TARGET": "14.0"}),
    "Windows, x86-64": ("x86_64-pc-windows-msvc", {}),
}
REFUSED = {  # PyTorch has no wheels for these; asked too, so that a change is noticed
    "macOS 14, Intel": ("x86_64-apple-darwin", {"MACOSX_DEPLOYMENT_TARGET": "14.0"}),
    "Windows, ARM": ("aarch64-pc-windows-msvc", {}),
}
SHOWN = ("torch", "torchvision", "numpy", "pyside6-essentials", "pyqtgraph")


def main() -> int:
    """Print a line for each system and Python; return 1 where one that should work has no solution."""
    parser = argparse.ArgumentParser(prog="python -m scripts.platforms", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", nargs="+", default=["3.11", "3.14"], metavar="V", help="versions of Python")
    parser.add_argument("--extras", nargs="*", default=["gui", "onnx"], metavar="E", help="extras of the program")
    given = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="unlearn-studio-") as folder:
        uv = _uv(Path(folder))
        for system, (platform, environment) in (SYSTEMS | REFUSED).items():
            for python in given.python:
                command = [
                    uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:",
                    "--python-platform", platform, "--python-version", python,
                    *[part for extra in given.extras for part in ("--extra", extra)], "pyproject.toml",
                ]  # fmt: skip
                done = subprocess.run(
                    command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
                )
                found = done.returncode == 0
                failed |= not found and system in SYSTEMS
                said = _versions(done.stdout) if found else f"no solution: {_reason(done.stderr)}"
                sys.stdout.write(f"{system:27} Python {python:5} {said}\n")
                sys.stdout.flush()
    return int(failed)


def _uv(folder: Path) -> str:
    """Install uv into a new environment; return its command."""
    venv.create(folder, with_pip=True)
    bin = folder / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([bin / "python", "-m", "pip", "install", "--quiet", "uv"], check=True)
    return str(bin / "uv")


def _versions(requirements: str) -> str:
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.+]+)", requirements, flags=re.MULTILINE))
    return ", ".join(f"{name} {pinned[name]}" for name in SHOWN if name in pinned) + f" and {len(pinned)} in all"


def _reason(errors: str) -> str:
    """Return what uv says is missing, without its way there."""
    lines = re.findall(r"(\S+) has no wheels with a matching ([\w ]+) tag", errors)
    return "; ".join(dict.fromkeys(f"{name} has no wheel for this {what}" for name, what in lines)) or errors.strip()


if __name__ == "__main__":
    sys.exit(main())
