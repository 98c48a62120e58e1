"""Pictures for README and docs: small, in the theme's colours, and saying what the report says."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QColor, QImage

from app.services.tokens import LIGHT
from scripts import recording
from scripts.readme_picture import caption, draw, panels, probe_words
from scripts.recording import Recorder, save_png
from tests.app.verify.reports import bare_report, full_report

pytestmark = pytest.mark.usefixtures("qapp")


def noise(width: int = 320, height: int = 180) -> QImage:
    values = np.random.default_rng(0).integers(0, 255, (height, width, 4), dtype=np.uint8)
    values[: height // 2, :, :3] = 255
    values[0, 0, :3] = (0xBF, 0x4C, 0xE6)  # the control's colour, in one pixel (blue first)
    return QImage(values.tobytes(), width, height, QImage.Format.Format_RGB32).copy()


def report() -> dict:
    found = full_report(seed=0, model={"architecture": "small-cnn"})
    found["dataset"] = {**found["dataset"], "title": "Digits"}
    return found


def test_a_picture_keeps_the_colours_of_the_theme_exactly(tmp_path):
    size = save_png(noise(), tmp_path / "picture.png")
    written = Image.open(tmp_path / "picture.png")
    assert written.mode == "P" and size == (tmp_path / "picture.png").stat().st_size
    colours = written.convert("RGB")
    assert colours.getpixel((50, 10)) == (255, 255, 255)
    assert colours.getpixel((0, 0)) == QColor(LIGHT.value("head_only")).getRgb()[:3]


def test_a_picture_that_is_too_large_gets_fewer_colours_or_is_refused(tmp_path):
    free = save_png(noise(), tmp_path / "free.png")
    small = save_png(noise(), tmp_path / "small.png", most=free - 4000)
    assert small <= free - 4000
    with pytest.raises(ValueError, match="does not fit"):
        save_png(noise(), tmp_path / "none.png", most=500)


def test_a_loop_plays_in_real_time_while_it_is_short(tmp_path, monkeypatch):
    words = record(tmp_path, monkeypatch, seconds=4)
    assert "in real time" in words
    assert played(tmp_path / "loop.gif") == pytest.approx(4.0 + 1.5, abs=0.2)


def test_a_long_loop_is_faster_and_says_so(tmp_path, monkeypatch):
    words = record(tmp_path, monkeypatch, seconds=20)
    assert "at 3 times the speed" in words
    assert played(tmp_path / "loop.gif") <= 10


def test_a_loop_that_is_too_large_leaves_frames_out(tmp_path, monkeypatch):
    whole = record(tmp_path, monkeypatch, seconds=4)
    size = (tmp_path / "loop.gif").stat().st_size
    thinned = record(tmp_path, monkeypatch, seconds=4, most=size - 1)
    assert int(thinned.split()[0]) < int(whole.split()[0])
    assert (tmp_path / "loop.gif").stat().st_size < size


def test_a_loop_without_frames_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        Recorder(100).save(tmp_path / "loop.gif")


def record(tmp_path, monkeypatch, seconds: int, most: int = recording.MOST_LOOP) -> str:
    clock = iter(np.arange(0, seconds + 0.5, 0.5))
    monkeypatch.setattr(recording.time, "perf_counter", lambda: float(next(clock)))
    recorder = Recorder(160)
    for number in range(2 * seconds + 1):
        frame = QImage(320, 180, QImage.Format.Format_RGB32)
        frame.fill(QColor.fromHsv(8 * number % 360, 200, 200))
        recorder.add(frame)
    return recorder.save(tmp_path / "loop.gif", most)


def played(path) -> float:
    loop = Image.open(path)
    total = 0.0
    for number in range(loop.n_frames):
        loop.seek(number)
        total += loop.info["duration"]
    return total / 1000


def test_the_three_panels_say_what_the_report_says():
    titles = [(panel.title, panel.accuracy, panel.probe) for panel in panels(report())]
    assert titles == [("Head-only edit", 0.0, 0.98), ("Unlearned (MUDA)", 0.0, 0.92), ("Retrained", 0.0, 0.908)]


def test_a_run_that_was_not_checked_has_no_picture():
    with pytest.raises(ValueError, match="held against a retrained model"):
        panels(bare_report())


def test_the_lines_below_name_run_machine_and_gap():
    first, second, _ = caption(report(), "one core of a test machine")
    assert first == "Digits, class “3” forgotten by a small-cnn, seed 0, in 5 s on one core of a test machine."
    assert second == (
        "Of the probe's gap between original and retraining 86 % is closed (2 retrained models: 90.8 to 91.2 %)."
    )


def test_a_probe_that_tells_nothing_is_said():
    found = report()
    for each in found["retrained"].values():
        each["probe"] = {**each["probe"], "forget": 0.99}
    assert probe_words(found).startswith("The probe cannot tell the original from retraining here")
    weak = report()
    for row in weak["verdict"]["measures"]:
        row["informative"] = False
    assert probe_words(weak).endswith("the gap is no larger than retrained models differ among themselves.")


def test_the_picture_is_drawn():
    points = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    found = SimpleNamespace(
        points={"original": points, "unlearned": points, "retrained": points}, forget=np.arange(50) > 40
    )
    image = draw(report(), found)
    assert image.width() == 2400
    colours = {QColor(image.pixel(x, y)).name().upper() for x in range(0, 2400, 2) for y in range(200, 700, 2)}
    assert LIGHT.value("forget") in colours and LIGHT.value("surface") in colours
