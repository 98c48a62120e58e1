"""Libraries that a run loads on its way, loaded ahead where somebody would wait for them."""

from __future__ import annotations

import contextlib
import importlib

ON_THE_WAY = (
    "scipy.optimize",  # assignments of classes
    "torch._dynamo",  # by torch itself, when a network's blocks are traced
    "sklearn.linear_model", "sklearn.cluster", "sklearn.metrics",  # the measures of a result
)  # fmt: skip


def load_on_the_way() -> None:
    """Load what the first run of a process would load while one watches it, two seconds in all.

    Loading holds up every other thread of Python. What is not there, a run does without.
    """
    for name in ON_THE_WAY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
