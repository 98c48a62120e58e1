"""A command line to call in-process, with its own home folder and a small trained model."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[3]
CLASSES, SIDE = 4, 12


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one error line; everything about errors that holds for all of them is checked here."""
        lines = [line for line in self.err.splitlines() if line.startswith("error:")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err + self.out
        assert lines[0].endswith((".", "?")), lines[0]
        return lines[0]


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """All that the application keeps, in a folder of this test session."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("home")
    before = os.environ.get("UNLEARN_STUDIO_HOME")
    os.environ["UNLEARN_STUDIO_HOME"] = str(path)
    yield path
    if before is None:
        del os.environ["UNLEARN_STUDIO_HOME"]
    else:
        os.environ["UNLEARN_STUDIO_HOME"] = before


@pytest.fixture(scope="session")
def cli(home) -> Callable[..., Result]:
    """Run a subcommand in this process."""
    from core.cli import main

    def run(*arguments: object) -> Result:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return Result(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def process(home) -> Callable[..., Result]:
    """Run main.py in a process of its own."""

    def run(*arguments: object, timeout: float = 120) -> Result:
        done = subprocess.run(
            [sys.executable, "main.py", *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=os.environ,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def model(cli, tmp_path_factory) -> Path:
    """A small network trained on digits; a folder of a finished training."""
    folder = tmp_path_factory.mktemp("models") / "digits"
    train = ["train", "--dataset", "digits", "--arch", "small-cnn", "--recipe", "epochs=3", "--seed", 1]
    result = cli(*train, "--out", folder)
    assert result.code == 0, result.err
    return folder


@dataclass(frozen=True)
class Counts:
    """Training images of digits: of class 3, and of all."""

    threes: int
    all: int


@pytest.fixture(scope="session")
def digits() -> Counts:
    """How many training images of digits there are."""
    from core.data.sources import open_dataset

    labels = open_dataset("digits").train.labels
    return Counts(int((labels == 3).sum()), len(labels))


@pytest.fixture(scope="session")
def unlearned(cli, model, tmp_path_factory) -> Path:
    """A finished run that forgot class 3 of digits."""
    folder = tmp_path_factory.mktemp("runs") / "without-3"
    result = cli(*unlearn(model, folder))
    assert result.code == 0, result.err
    return folder


def unlearn(model: Path, out: Path, *more: object, method: str = "muda", forget: tuple = ("--forget-class", 3)) -> list:
    """The arguments of a short run on digits."""
    return ["unlearn", "--model", model, "--dataset", "digits", "--method", method, "--out", out, *forget, *more]


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """A small coloured data set: an .npz file of four classes that differ in brightness."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    generator = np.random.default_rng(0)
    labels = generator.integers(0, CLASSES, 200)
    pixels = generator.integers(0, 90, (200, SIDE, SIDE, 3)) + labels[:, None, None, None] * 40
    x = pixels.astype("uint8")
    np.savez(path, x_train=x[:150], y_train=labels[:150], x_test=x[150:], y_test=labels[150:])
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with what is in it."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
