"""Opens a model file in one call, as most tests want it."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from core.models.checkpoint import OpenedModel, Stated, read_model
from core.models.trust import Trust


def open_model(
    path: Path | str, *, trust_pickle: bool = False, trust_code: bool = False, **stated: Unpack[Stated]
) -> OpenedModel:
    """Read a weights file, or the one in a folder, and find its network."""
    return read_model(path, Trust(trust_pickle, trust_code)).opened(**stated)
