"""How this program was started, so that what it says can be typed again."""

from __future__ import annotations

import sys
from pathlib import Path

NAME = "unlearn-studio"  # of the program where it is installed


def command_name() -> str:
    """Return what was typed before the subcommand: "unlearn-studio", "python -m unlearn_studio" or "python main.py".

    A notebook and the window's own command are told the installed program's name.
    """
    started = Path(sys.argv[0]) if sys.argv else Path()
    if started.name == "main.py":
        return "python main.py"
    if started.name == "__main__.py" and started.parent.name == NAME.replace("-", "_"):
        return f"python -m {started.parent.name}"
    return NAME
