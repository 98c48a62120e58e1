"""Has hatchling put the installed program together for a wheel, as `layout.py` says.

For an editable install it does nothing, because there the checkout itself is used.
"""

from __future__ import annotations

import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LAYOUT = runpy.run_path(str(Path(__file__).resolve().with_name("layout.py")))  # hatchling runs this file by its path


class PackageHook(BuildHookInterface):
    """Adds the package to a wheel, and takes the folder that it was made in away afterwards."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the package where a wheel is built."""
        self._made = Path(tempfile.mkdtemp(prefix="unlearn-studio-wheel-"))
        if version != "editable":
            LAYOUT["assemble"](self._made)
            build_data["force_include"][str(self._made)] = LAYOUT["PACKAGE"]

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made."""
        shutil.rmtree(self._made)
