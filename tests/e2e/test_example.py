"""The example through main(): curves grow, stop and keep, export, and plain torch loads the file."""

from __future__ import annotations

import pytest
import torch

from core.runs.folder import RunFolder
from tests.e2e.driver import drive

pytestmark = pytest.mark.slow


def test_the_example_is_watched_stopped_exported_and_loaded_with_plain_torch(tmp_path):
    out, target = tmp_path / "run", tmp_path / "unlearned.pt"
    seen = {}

    def script(d):
        yield lambda: d.context.run_controller is not None and d.context.run_controller.current is not None
        controller = d.context.run_controller
        run = controller.current
        assert d.window.current_page == "unlearn"

        def counts():
            kept = run.history
            steps = max((len(curve) for curve in kept.losses.values()), default=0)
            return {"evaluation": len(kept.evaluations), "alignment": len(kept.alignments),
                    "spectrum": len(kept.spectra), "step_metrics": steps}  # fmt: skip

        yield lambda: counts()["evaluation"] >= 3
        first = counts()
        yield lambda: counts()["evaluation"] > first["evaluation"] + 2 and run.step > 600
        later = counts()
        assert all(later[kind] > first[kind] for kind in later)
        plots = d.page("unlearn").run_view
        seen["grab"] = d.window.grab()
        assert plots.isVisible()
        assert d.press("Pause")
        yield lambda: run.state == "paused"
        assert d.press("Resume")
        yield lambda: run.state == "running"
        assert d.press("Stop and keep")
        yield lambda: controller.current is None
        assert run.state in ("stopped", "finished")
        page = d.page("export")
        yield lambda: page.presenter.facts is not None and page.export_button.isEnabled()
        page.file_card.choose("same") if hasattr(page.file_card, "choose") else None
        page.file_card.set_format("pt")
        page.file_card.path_edit.setText(str(target))
        page.export_button.click()
        yield lambda: page.file_card.outcome() and not page.presenter.busy
        seen["outcome"] = page.file_card.outcome()
        d.close()

    drive(["--example", "--out", str(out)], script)
    folder = RunFolder(out)
    assert folder.status().state in ("stopped", "finished") and folder.report() is not None
    state = torch.load(target, weights_only=True)
    from core.models.architectures import SmallCNN

    net = SmallCNN(num_classes=10, in_channels=1, input_size=(8, 8))
    net.load_state_dict(state)
    assert seen["outcome"].startswith("Written and read back: same 22 keys, types and shapes")
    assert not seen["grab"].isNull()
