"""The benchmark of the Forget page runs, at a small size, and measures all that has a limit."""

from __future__ import annotations

import pytest

from benchmarks import gallery
from benchmarks.gallery_choosing import choosing
from benchmarks.gallery_folder import folder
from benchmarks.scaling import make_up


@pytest.mark.slow
def test_all_figures_with_a_limit_are_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))  # it names others, and this one comes back
    make_up(tmp_path / "images", 300)
    few = gallery._alone(choosing, 2000, 5)
    streamed = gallery._alone(folder, str(tmp_path / "images"))
    assert set(gallery.LIMITS) <= set(few) | set(streamed)
    assert all(value > 0 for key, value in (few | streamed).items() if key in gallery.LIMITS and "lateness" not in key)
    assert set(few["filter_ms"]) == {
        "class", "test", "wrong", "confidence", "loss", "margin", "distance", "name", "duplicate",
    }  # fmt: skip
    rows = gallery._rows(few, few)
    assert {len(row) for row in rows} == {4}
    assert ["select all, ms", f"{few['select_all_ms']:,}", f"{few['select_all_ms']:,}", "50"] in rows
