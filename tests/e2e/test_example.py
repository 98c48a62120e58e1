"""The example through main(): it ends in the verdict without a click, is exported, and plain torch loads the file."""

from __future__ import annotations

import time

import pytest
import torch

from core.runs.folder import RunFolder
from tests.e2e.driver import drive
from tests.e2e.fit_walk import problems

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_the_example_ends_in_its_verdict_and_is_exported_and_loaded_with_plain_torch(tmp_path):
    out, target = tmp_path / "run", tmp_path / "unlearned.pt"
    seen = {}

    def script(d):
        yield lambda: d.context.run_controller is not None and d.context.run_controller.current is not None
        controller = d.context.run_controller
        run = controller.current
        assert d.window.current_page == "unlearn"
        lanes = d.page("unlearn").lanes
        yield lambda: lanes.isVisible()  # what is known of the other models comes with the run
        assert lanes.claim.isVisible() and lanes.claim.text() == "Accuracy 0 does not mean forgotten."
        seen["before"] = {model: lanes.probes[model].words for model in lanes.probes}

        def counts():
            history = run.history
            return len(history.evaluations), len(history.alignments), len(history.spectra), run.step

        # Held at its start: however late this is looked at, there is more to come.
        yield lambda: run.state == "running" and d.press("Pause")
        yield lambda: run.state == "paused"
        first = counts()
        assert d.press("Resume")
        yield lambda: all(now > then for now, then in zip(counts(), first, strict=True))
        seen["grab"] = d.window.grab()
        yield lambda: run.ended
        assert run.state == "finished"
        yield lambda: bool(lanes.verdict.text()) and controller.current is None  # nobody has asked for the check
        seen["verdict"] = lanes.verdict.text()
        seen["after"] = {model: lanes.probes[model].words for model in lanes.probes}
        assert all(bar.words != "–" for bar in lanes.images.values())
        # From the verdict, which is there already, to an exported checkpoint: two clicks.
        yield lambda: d.click("Export checkpoint")
        yield lambda: d.window.current_page == "export"
        page = d.window.page("export")
        yield lambda: page.presenter.facts is not None and d.click("Export checkpoint")
        yield lambda: page.file_card.outcome.isVisible()
        assert d.clicks <= 2 and page.file_card.path().is_file()
        d.window.resize(1280, 720)
        for page_id in ("project", "forget", "unlearn", "verify", "export", "runs"):
            d.page(page_id)
            since = time.monotonic()
            # Until the page is laid out and what it reads has come, which takes a while on a busy machine.
            yield lambda since=since: time.monotonic() > since + 0.3 and (
                not list(problems(d.window)) or time.monotonic() > since + 8
            )
            seen.setdefault("cut", []).extend(problems(d.window))
        page = d.page("export")
        yield lambda: page.presenter.facts is not None and page.export_button.isEnabled()
        page.file_card.clear_outcome()  # of the export before
        page.file_card.radios["pt"].click()
        page.file_card.path_edit.setText(str(target))
        page.export_button.click()
        yield lambda: page.file_card.outcome.isVisible() and not page.presenter.busy
        seen["outcome"] = page.file_card.outcome.text()
        d.close()

    drive(["--example", "--out", str(out)], script)
    assert not seen["cut"], "\n".join(seen["cut"])
    folder = RunFolder(out)
    report = folder.report()
    assert folder.status().state == "finished" and report is not None
    # On processors without bfloat16 one of the measures, on 78 images, lies beside its interval: the verdict says so.
    assert report["verdict"]["code"] in (("close",) if report["precision"] == "bfloat16" else ("close", "partly"))
    assert report["verdict"]["sentence"] == seen["verdict"]
    assert seen["before"]["unlearned"] == "–" and seen["after"]["unlearned"] != "–"
    assert {seen["before"][model] == seen["after"][model] for model in ("head_only", "retrained")} == {True}
    # What the example claims: close to retrained, and no measure that decides takes the head-only edit for better.
    assert list(report["retrained"]) == ["seed 1", "seed 2", "seed 3"] and report["suite"] == "full"
    assert not report["verdict"]["damaged"]
    original, unlearned = report["models"]["original"], report["models"]["unlearned"]
    assert unlearned["forget_test_accuracy"] <= 0.02
    assert original["retain_test_accuracy"] - unlearned["retain_test_accuracy"] <= 0.02
    assert report["models"]["head_only"]["probe"] == original["probe"]
    rows = {row["key"]: row for row in report["verdict"]["measures"]}
    deciding = {key for key, row in rows.items() if row["decides"]}
    assert deciding >= {"forget_accuracy", "output_distance", "relearn"} and len(deciding) >= 4
    for key in (deciding | {"dimensional_alignment"}) - {"forget_accuracy"}:
        goal = rows[key]["retrained"]
        assert abs(rows[key]["unlearned"] - goal) < abs(rows[key]["head_only"] - goal), key
    state = torch.load(target, weights_only=True)
    from core.models.architectures import SmallCNN

    net = SmallCNN(num_classes=10, in_channels=1, input_size=(28, 28))
    net.load_state_dict(state)
    assert seen["outcome"].startswith("Written and read back: same 22 keys, types and shapes")
    assert not seen["grab"].isNull()
