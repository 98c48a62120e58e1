"""An encoder in the window: opened, made to forget and checked, and what needs classes is absent and says so."""

from __future__ import annotations

import pytest
import torch

from app.pages.verify.plots_panel import CONTENT
from app.services.project import open_doubts
from core.events import State
from core.models.weights import read_weights
from tests.app.runner import window

__all__ = ["window"]


@pytest.fixture
def encoder(example, tmp_path):
    """The network of the digits without its head, as a file."""
    tensors = read_weights(example.bench.model.path).tensors
    file = tmp_path / "encoder.pt"
    torch.save({name: value for name, value in tensors.items() if not name.startswith("head.")}, file)
    return file


def offered(combo):
    """The data of the entries that can be chosen."""
    return {combo.itemData(place) for place in range(combo.count()) if combo.model().item(place).isEnabled()}


def test_an_encoder_goes_through_all_pages(window, context, encoder, example, qtbot, home):
    project, opening = context.project, context.opening
    opening.open_data("digits")
    opening.open_model(encoder)
    qtbot.waitUntil(lambda: "proof" in project.evaluation and not opening.measuring.active)
    page = window.page("project")
    assert open_doubts(project.proof) and page.proof_card.isVisible()
    assert "Nothing says how images are prepared" in page.proof_card.text.text()
    opening.accept()
    assert not page.proof_card.isVisible() and "names no class" in page.fit_card.said.text()
    assert not page.fit_card.match_button.isEnabled()

    window.show_page("forget")
    forget = window.page("forget")
    assert offered(forget.tools.answer) == {"all"}
    assert offered(forget.tools.sort).isdisjoint({"loss", "confidence", "margin", "damage", "trigger"})
    assert offered(forget.tools.sort) >= {"distance", "near", "wrong-label"}
    forget.tools.sort.setCurrentIndex(forget.tools.sort.findData("distance"))
    project.set_selection(project.selection.with_classes([3]))
    qtbot.waitUntil(lambda: not forget.presenter.gallery.busy)

    window.show_page("unlearn")
    unlearn = window.page("unlearn").setup
    assert unlearn.methods.ticked() == ["muda"] and unlearn.parameters.preset_name() == "encoder"
    assert unlearn.methods.choice("scrub").reason == "Needs a network that names classes."
    qtbot.waitUntil(lambda: unlearn.start.isEnabled())
    unlearn.start.click()
    qtbot.waitUntil(lambda: project.run is not None and project.run.ended)
    assert project.run.state is State.FINISHED
    qtbot.waitUntil(lambda: context.run_controller.current is None)

    window.show_page("verify")
    verify = window.page("verify")
    qtbot.waitUntil(lambda: verify.presenter.facts is not None)
    checks = verify.presenter.checks
    assert verify.offer.isVisible() and "is not retrained here" in verify.offer.text()
    assert "attack what a model says" in checks.why_not_full() and not verify.lanes.isVisible()
    checks.run()
    qtbot.waitUntil(lambda: context.run_controller.current is None and not checks.runs)
    qtbot.waitUntil(lambda: not context.jobs.active())
    assert checks.facts.report["models"]["unlearned"]["probe"] and not checks.facts.seeds
    shown = [place for place in range(verify.plots.count()) if verify.plots.isTabVisible(place)]
    assert [verify.plots.tabText(place) for place in shown] == ["Alignment", "Spectra", "Map"]
    for place in shown:
        verify.plots.setCurrentIndex(place)
    looks = verify.plots.tab("Map")
    qtbot.waitUntil(lambda: looks.currentIndex() == CONTENT)

    window.show_page("export")
    exporting = window.page("export")
    qtbot.waitUntil(lambda: exporting.presenter.facts is not None)
    box = exporting.file_card.quantised
    assert box.isVisible() and not box.isEnabled() and "An encoder names no class" in box.toolTip()
