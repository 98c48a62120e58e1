"""Where the application keeps what it makes: runs, references, caches. UNLEARN_STUDIO_HOME moves all of it."""

from __future__ import annotations

import os
from pathlib import Path

APP = "unlearn-studio"


def data_home() -> Path:
    """Return the folder of runs, references and downloaded data."""
    return _home("data")


def cache_home() -> Path:
    """Return the folder of what can be made again: thumbnails, outputs of original models."""
    return _home("cache")


def runs_home() -> Path:
    """Return the folder new runs are put into unless another one is named."""
    return data_home() / "runs"


def models_home() -> Path:
    """Return the folder of models trained by the application, the example's among them."""
    return data_home() / "models"


def queue_home() -> Path:
    """Return the folder of the runs that wait in the window's queue, each with its job and its forget list."""
    return data_home() / "queue"


def references_home() -> Path:
    """Return the folder of retrained references, named by content and shared by all runs."""
    return data_home() / "references"


def _home(kind: str) -> Path:
    home = os.environ.get("UNLEARN_STUDIO_HOME")
    if home:
        return Path(home) / kind
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")(APP, appauthor=False))
