"""Fixtures of tests about runs: a model of the digits trained once, a context with a controller, a real window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.bootstrap import install_runs, page_specs
from app.context import AppContext, create_context
from app.main_window import MainWindow
from tests.digits import open_digits


@pytest.fixture(scope="session")
def example_home(tmp_path_factory) -> Path:
    """A home folder in which the model of the digits is trained."""
    import torch

    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("example-home")
    before = os.environ.get("UNLEARN_STUDIO_HOME")
    os.environ["UNLEARN_STUDIO_HOME"] = str(home)
    try:
        open_digits()
    finally:
        if before is None:
            del os.environ["UNLEARN_STUDIO_HOME"]
        else:
            os.environ["UNLEARN_STUDIO_HOME"] = before
    return home


@pytest.fixture
def home(example_home, tmp_path, monkeypatch) -> Path:
    """A home folder of the test's own that holds the model of the digits and nothing else."""
    mine = tmp_path / "home"
    shutil.copytree(example_home / "data" / "models", mine / "data" / "models")
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(mine))
    return mine


@pytest.fixture
def example(home):
    """The model of the digits and a forget set, opened as the example is."""
    return open_digits()


@pytest.fixture
def context(qapp, tmp_path) -> Iterator[AppContext]:
    """Services with a controller of runs and the list of known runs, without a window."""
    made = create_context()
    shown: list[str] = []
    made.shell.page_wanted.connect(shown.append)
    made.shown_pages = shown  # type: ignore[attr-defined]
    yield made
    assert made.run_controller.shutdown()
    assert made.jobs.shutdown() and made.window_state.shutdown()
    assert made.device_jobs.shutdown()


@pytest.fixture
def opened(context, example) -> AppContext:
    """The context with the model of the digits, its data and a forget set."""
    context.project.set_opened(example.bench.model, example.bench.dataset, example.bench.options)
    context.project.set_selection(example.selection)
    return context


@pytest.fixture
def window(context, qtbot) -> Iterator[MainWindow]:
    """The whole window, with the pages and commands of the program."""
    made = MainWindow(context, page_specs())
    install_runs(context, made, ask_interrupted=False)
    made.resize(1280, 720)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    yield made
    for page in ("project", "forget"):
        assert made.page(page).thumbnails.shutdown()
