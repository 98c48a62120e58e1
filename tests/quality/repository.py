"""What the rules look at: the files git tracks, and the syntax trees of the Python ones."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {".git", ".venv", "__pycache__", "node_modules", "build", "dist", "runs", "data", "bench-results"}


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """All files that belong to the project; outside a git checkout, all that are not made by tools."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=False,
    )
    if listing.returncode == 0 and listing.stdout:
        paths = (ROOT / name for name in listing.stdout.decode().split("\0") if name)
    else:
        paths = (path for path in ROOT.rglob("*") if not SKIPPED & set(path.relative_to(ROOT).parts))
    return tuple(sorted(path for path in paths if path.is_file()))


def text_files() -> Iterator[tuple[Path, str]]:
    """The tracked files that hold text, with it."""
    for path in tracked_files():
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        yield path, data.decode("utf-8", errors="replace")


def python_files(*folders: str) -> tuple[Path, ...]:
    """The tracked Python files below `folders` (all where none is given)."""
    files = (path for path in tracked_files() if path.suffix == ".py")
    return tuple(path for path in files if not folders or relative(path).split("/")[0] in folders)


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def relative(path: Path) -> str:
    """The path below the root, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def at(path: Path, line: int) -> str:
    """A place to jump to: "core/job.py:12"."""
    return f"{relative(path)}:{line}"
