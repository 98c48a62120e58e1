"""The same model is measured in three places: each says of which images its accuracy is."""

from __future__ import annotations

import msgspec
import pytest

from app.plots.curves import AccuracyPlot
from app.services.run_words import change
from app.workers.live_run import LiveRun
from tests.app.scripted import Script, job, write_run

ALL, SOME = {"retain_test": 540, "forget_test": 59}, {"retain_test": 120, "forget_test": 30}


@pytest.mark.parametrize(("counts", "title"), [
    (SOME, "Accuracy on a sample of unseen images, %"), (ALL, "Accuracy on unseen images, %"),
])  # fmt: skip
def test_curves_say_whether_they_are_of_all_unseen_images_and_the_summary_of_how_many(counts, title, tmp_path, qtbot):
    events = [
        msgspec.structs.replace(event, counts=ALL if event.scope == "full" else counts)
        if hasattr(event, "retain_test_accuracy") else event
        for event in Script("r").whole()
    ]  # fmt: skip
    run = LiveRun.from_folder(write_run(tmp_path / "r", job(), events))
    assert "Forget accuracy on 59 unseen images went" in change(run) and "retain accuracy on 540 from" in change(run)
    plot = AccuracyPlot()
    qtbot.addWidget(plot)
    plot.show()
    plot.show_history(run.history, "class")
    plot.flush()
    assert plot._y_title.text() == title
