"""A check that is really run: the window's own controller trains a retrained model and rewrites the report."""

from __future__ import annotations

import pytest
import torch
from PySide6.QtWidgets import QApplication, QLabel

from app.context import AppContext, create_context
from app.dialogs.sheet import ConfirmDialog
from app.pages.verify import VerifyPage
from app.workers.live_run import LiveRun
from app.workers.run_controller import RunController
from core.engine.control import Control
from core.files import write_json
from core.models.architectures import ModelSpec, build_model
from core.models.formats import write_safetensors
from core.models.trust import Trust
from core.models.user_code import build_from_user_code
from core.runs.folder import RunFolder
from core.selection import Selection
from core.session.bench import Bench
from core.session.jobs import create_run, make_unlearn_job
from core.session.running import run
from tests.app.verify.conftest import Library


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    write_safetensors(path, build_model(ModelSpec("mlp", 10, 1, (8, 8))).state_dict(), {})
    bench = Bench().open(path, "digits")
    card = {
        "schema_version": 1, "architecture": "mlp", "recipe": {"epochs": 40}, "cost": {"seconds": 40.0},
        "num_classes": 10, "in_channels": 1, "input_size": [8, 8],
    }  # fmt: skip
    write_json(path.with_suffix(".json"), card)
    chosen = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes([3])
    job = make_unlearn_job(bench.on("cpu", threads=1), chosen, "finetune", settings={"epochs": 1})
    made = create_run(tmp_path / "runs" / "one", job, chosen, bench.dataset)
    run(made, Control(), lambda event: None, bench=bench)
    return made


@pytest.fixture
def context(qapp) -> AppContext:
    made = create_context()
    made.run_controller = RunController(made.runs_folder, trust=made.trust)
    made.run_library = Library()
    yield made
    assert made.run_controller.shutdown()
    assert made.jobs.shutdown() and made.window_state.shutdown()
    assert made.device_jobs.shutdown()


def test_training_one_gives_a_verdict_a_table_and_pictures(qtbot, context, folder):
    page = VerifyPage(context)
    qtbot.addWidget(page)
    page.resize(1096, 644)
    page.show()
    context.project.set_run(LiveRun.from_folder(folder))
    qtbot.waitUntil(lambda: page.presenter.facts is not None)
    assert page.offer.text().startswith("No retrained model yet. Training one takes about 35 s")
    seen: list[str] = []
    measured: list[set[str]] = []
    page.presenter.checks.measured.connect(lambda facts: measured.append(set(facts.report["models"])))
    context.run_controller.state_changed.connect(lambda live: seen.append(page.verdict.progress.text()))
    page.presenter.checks.train_one()
    qtbot.waitUntil(lambda: not page.presenter.checks.runs and page.presenter.facts.has_retrained, timeout=60_000)

    assert page.presenter.facts.seeds == (1,)
    assert not page.verdict.sentence.text().startswith("No retrained model")
    assert not page.offer.isVisible()
    assert any(text.startswith("Training a retrained model") for text in seen)
    # Numbers come before the end; how many of them are shown in between depends on how fast the machine is.
    assert measured and "original" in set().union(*measured)
    retrained = [row for row in page.presenter.facts.rows if row.values["retrained"] is not None]
    assert len(retrained) > 10

    page.plots.choose("Map")
    qtbot.waitUntil(lambda: page.plots.tab("Map").currentIndex() == 0, timeout=20_000)
    shown = [key for key, panel in page.plots.tab("Map").maps.panels.items() if not panel.isHidden()]
    assert shown == ["original", "unlearned", "retrained"]


CODE = """
from torch import nn

def net(num_classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, num_classes))
"""


def code_run(tmp_path, pickled: bool = False) -> RunFolder:
    """A run of the command line on a network of the user's own; with `pickled` its file holds the whole module."""
    code = tmp_path / "nets.py"
    code.write_text(CODE)
    arch = f"{code}:net"
    torch.manual_seed(0)
    module = build_from_user_code(arch, 10, trust_code=True)
    path = tmp_path / ("net.pt" if pickled else "net.safetensors")
    if pickled:
        torch.save(module, path)
    else:
        write_safetensors(path, module.state_dict(), {})
    bench = Bench(trust=Trust(pickled, True)).open(path, "digits", arch=arch)
    chosen = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes([3])
    job = make_unlearn_job(bench.on("cpu", threads=1), chosen, "finetune", settings={"epochs": 1})
    made = create_run(tmp_path / "runs" / "coded", job, chosen, bench.dataset)
    run(made, Control(), lambda event: None, bench=bench)
    return made


def asked() -> ConfirmDialog | None:
    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, ConfirmDialog) and w.isVisible()), None)


def test_a_run_of_user_code_is_checked_once_its_code_may_run(qtbot, context, tmp_path):
    folder = code_run(tmp_path)
    page = VerifyPage(context)
    qtbot.addWidget(page)
    context.project.set_run(LiveRun.from_folder(folder))
    qtbot.waitUntil(lambda: page.presenter.facts is not None)
    before = folder.file("report.json").read_bytes()
    page.presenter.checks.run()
    dialog = asked()
    assert "code: nets.py" in dialog.findChildren(QLabel)[0].text() and dialog.buttons["keep"].isDefault()
    dialog.reject()
    assert not page.presenter.checks.runs and not context.run_controller.busy

    page.presenter.checks.run()
    asked().buttons["run"].click()
    qtbot.waitUntil(lambda: folder.file("report.json").read_bytes() != before and not page.presenter.checks.runs)
    assert not page.banner.isVisible()
    page.presenter.checks.run()  # allowed in this session: no question
    assert asked() is None and page.presenter.checks.runs
    qtbot.waitUntil(lambda: not page.presenter.checks.runs, timeout=60_000)

    (tmp_path / "nets.py").write_text(CODE + "# changed")
    page.presenter.checks.run()
    assert asked() is not None and not page.presenter.checks.runs  # other code than was allowed
    asked().reject()


def test_a_file_that_can_run_code_is_asked_about_where_a_check_meets_it(qtbot, context, tmp_path):
    folder = code_run(tmp_path, pickled=True)
    context.trust.allow([tmp_path / "nets.py"])
    page = VerifyPage(context)
    qtbot.addWidget(page)
    context.project.set_run(LiveRun.from_folder(folder))
    qtbot.waitUntil(lambda: page.presenter.facts is not None)
    page.presenter.checks.run()
    qtbot.waitUntil(lambda: asked() is not None, timeout=60_000)
    assert not page.presenter.checks.runs and not page.banner.isVisible()
    asked().buttons["open"].click()
    qtbot.waitUntil(lambda: "verdict" in folder.report() and not page.presenter.checks.runs)
    assert asked() is None
