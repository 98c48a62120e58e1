"""Where the window keeps its files: settings, logs, caches and window state, all under one root where asked for."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

HOME_VARIABLE = "UNLEARN_STUDIO_HOME"
_APP = "unlearn-studio"


def _folder(kind: str, default: str) -> Path:
    root = os.environ.get(HOME_VARIABLE)
    return Path(root).expanduser() / kind if root else Path(default)


def config_dir() -> Path:
    """Folder of settings and window state; not created here."""
    return _folder("config", platformdirs.user_config_dir(_APP, appauthor=False))


def data_dir() -> Path:
    """Folder of data sets and runs."""
    return _folder("data", platformdirs.user_data_dir(_APP, appauthor=False))


def cache_dir() -> Path:
    """Folder of what can be made again: thumbnails, theme images."""
    return _folder("cache", platformdirs.user_cache_dir(_APP, appauthor=False))


def log_dir() -> Path:
    """Folder of the log and of crash records."""
    return _folder("log", platformdirs.user_log_dir(_APP, appauthor=False))


def resources_dir() -> Path:
    """Folder of icons and templates that ship with the program."""
    return Path(__file__).resolve().parents[2] / "resources"
