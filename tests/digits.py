"""An example for tests that is smaller than the one that ships: the digits, and a model of them."""

from __future__ import annotations

import core.session.example
from core.engine.control import Control
from core.files import models_home
from core.runs.folder import MODEL, RunFolder
from core.session.bench import Bench
from core.session.example import Example, example_of
from core.session.training import train

DIGITS = {
    "dataset": "digits", "architecture": "small-cnn", "recipe": {"epochs": 12}, "seed": 0, "forget_class": "3",
    "method": "muda", "preset": "slow-motion", "retrained": [],
}  # fmt: skip


def open_digits() -> Example:
    """Return the digits with a model of them, which is trained where it is missing, and the forget set of one digit."""
    bench = Bench().with_data(DIGITS["dataset"])
    folder = RunFolder(models_home() / "digits")
    if not folder.has_result:
        train(
            folder.path, bench.on("cpu", "float32", 1), DIGITS["architecture"], Control(), lambda event: None,
            recipe=DIGITS["recipe"], seed=DIGITS["seed"],
        )  # fmt: skip
    return example_of(bench.with_model(folder.file(MODEL)), DIGITS)


def stand_in_for_the_example() -> None:
    """Let `--example` open the digits in this process: their runs end in a moment."""
    core.session.example.open_example = lambda control=None, tell=None: open_digits()
