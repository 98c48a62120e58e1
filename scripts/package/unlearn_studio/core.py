"""`unlearn_studio.core` of a checkout: the modules of `core` by the names they have in the installed program.

So what is written against the program, such as a plug-in, is the same for both. A wheel has `core` itself here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import core


class _Names(MetaPathFinder, Loader):
    """Finds unlearn_studio.core.X as the module core.X, of which there is one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module below `unlearn_studio.core` is; None for every other."""
        return ModuleSpec(fullname, self) if fullname.startswith(f"{__name__}.") else None

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of `core` in place of the new one."""
        sys.modules[module.__name__] = importlib.import_module(module.__name__.partition(".")[2])


sys.meta_path.insert(0, _Names())
sys.modules[__name__] = core
