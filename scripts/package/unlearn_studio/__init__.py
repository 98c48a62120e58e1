"""Unlearn Studio for notebooks and other programs: open a model and its data, unlearn, check, export.

Importing it takes a moment; torch is loaded by the first call.
"""

from core.api import check, export, open_data, open_model, unlearn
from core.engine.control import Control
from core.errors import AppError
from core.version import VERSION

__version__ = VERSION

__all__ = ["AppError", "Control", "check", "export", "open_data", "open_model", "unlearn"]
