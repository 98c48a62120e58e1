"""Makes PySide6 and pyqtgraph impossible to import, in this process and its children.

Python imports a module of this name at start when its folder is on PYTHONPATH; `make test` runs tests/core
that way, to prove that core needs no Qt. See docs/development.md.
"""

from __future__ import annotations

import importlib.abc
import sys

REFUSED = ("PySide6", "shiboken6", "pyqtgraph")


class QtRefuser(importlib.abc.MetaPathFinder):
    """Stands before all other finders and refuses Qt, as if it were not installed."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Raise ModuleNotFoundError for Qt; leave every other name to the finders behind."""
        if fullname.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {fullname!r} (refused: core is tested without Qt)")


sys.meta_path.insert(0, QtRefuser())
