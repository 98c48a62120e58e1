"""Fixtures of tests about what is open: a window with its services, a small trained network, folders of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtWidgets import QDialog

from app.bootstrap import page_specs
from app.context import AppContext, create_context
from app.main_window import MainWindow, PageSpec
from app.widgets.page import Page
from app.workers.live_run import LiveRun
from app.workers.run_controller import RunController
from core.events import State
from core.models.architectures import ModelSpec, build_model
from core.runs.folder import RunFolder
from core.session.bench import Bench

torch.set_num_threads(1)
INSECTS = ("ant", "bee", "cat")


def note_starts(controller: RunController) -> None:
    """Have a controller note what is to be started, and start nothing."""
    controller.started, controller.trainings, controller.checks = [], [], []

    def start(job, bench, selection, folder=None):
        controller.started.append((job, bench, selection, folder))
        controller.run = _run()
        return controller.run

    def start_reference(folder, check, bench):
        controller.checks.append((folder, check, bench))

    def start_training(*args, **settings):
        controller.trainings.append((args, settings))
        return _run()

    controller.start, controller.start_training = start, start_training
    controller.start_reference = start_reference


def _run() -> LiveRun:
    run = LiveRun(RunFolder(Path("somewhere")), "unlearn")
    run.state = State.FINISHED
    return run


@pytest.fixture
def context(qapp) -> AppContext:
    made = create_context()
    note_starts(made.run_controller)
    yield made
    assert made.jobs.shutdown() and made.window_state.shutdown()
    assert made.device_jobs.shutdown()


@pytest.fixture
def window(context, qtbot) -> MainWindow:
    """A window with the two pages about what is open, and an empty one in place of the others."""
    own = [spec for spec in page_specs() if spec.id in ("project", "forget")]
    other = PageSpec("unlearn", "Unlearn", "Unlearn", "unlearn", Page)
    made = MainWindow(context, [*own, other])
    made.resize(1280, 720)
    qtbot.addWidget(made)
    made.show()
    yield made
    for page in ("project", "forget"):
        if made.page(page) is not None:
            made.page(page).thumbnails.shutdown()


@pytest.fixture(scope="session")
def digits():
    return Bench().with_data("digits").dataset


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory, digits) -> Path:
    """A bare state dict of a network that knows the digits well, without a card."""
    torch.manual_seed(0)
    model = build_model(ModelSpec("mlp", 10, 1, (8, 8)))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    images, labels = digits.preprocessing.apply(digits.train.images), digits.train.labels
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
    path = tmp_path_factory.mktemp("models") / "digits.pt"
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture
def insects(tmp_path) -> Path:
    """Class folders with a test part; the file broken.png cannot be read, and twin.png is in two folders."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 4), ("test", 2)):
        for name in INSECTS:
            place = tmp_path / "insects" / part / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 255, (12, 12), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{part}-{name}{i}.png")
    (tmp_path / "insects" / "train" / "ant" / "broken.png").write_bytes(b"none")
    for name in ("ant", "bee"):
        Image.fromarray(rng.integers(0, 255, (12, 12), dtype=np.uint8)).save(
            tmp_path / "insects" / "train" / name / "twin.png"
        )
    return tmp_path / "insects"


@pytest.fixture
def idle(context, qtbot):
    """Wait until nothing is being opened or measured."""

    def wait() -> None:
        opening = context.opening
        qtbot.waitUntil(lambda: not context.jobs.active() and not opening.measuring.active, timeout=20000)

    return wait


@pytest.fixture
def open_digits(context, digits_file, idle):
    """Open the digits and their network, wait until it is measured, and take it as it is."""

    def do() -> None:
        context.opening.open_data("digits")
        context.opening.open_model(digits_file)
        idle()
        assert "baseline" in context.project.evaluation
        context.opening.accept()

    return do


def dialog_of(window: MainWindow, kind: type[QDialog]) -> QDialog:
    """The dialog of a kind that is open over a window."""
    found = [dialog for dialog in window.findChildren(kind) if dialog.isVisible()]
    assert len(found) == 1, f"{len(found)} dialogs of {kind.__name__}"
    return found[0]
