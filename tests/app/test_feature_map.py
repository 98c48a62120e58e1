"""The feature map of a run in the window: what it shows at which step, its ghosts, and its film."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QPainter

from app.plots.feature_map import FRAMES_MOST, FeatureMapPlot, Look, MapPicture, Placing, paint
from app.plots.features import NO_MAP, FeaturesPanel
from app.plots.film import write_gif
from app.services.theme import theme
from app.workers.run_history import RunHistory
from core.session.feature_maps import Clouds
from tests.app.scripted import Script


def recorded(*steps: int, mapped: bool = True) -> RunHistory:
    history, script = RunHistory(), Script("r")
    history.add([script.started()])
    for step in steps:
        history.add([*script.measured(step), *(script.mapped(step) if mapped else ())])
    return history


@pytest.fixture
def panel(qtbot):
    panel = FeaturesPanel()
    qtbot.addWidget(panel)
    panel.resize(520, 240)
    return panel


def shown(panel: FeaturesPanel) -> MapPicture:
    panel.map.flush()
    assert panel.map.canvas.picture is not None
    return panel.map.canvas.picture


def test_points_stand_where_they_were_at_the_step_of_the_slider(panel):
    panel.show_history(recorded(0, 10, 20), "class")
    assert panel._switches[0].value() == "map" and shown(panel).laid.forget_from == 4
    assert panel.map.canvas.moment.coordinates()[4:].tolist() == [[4, 2], [5, 2]]  # the newest
    panel.show_until(10)
    panel.map.flush()
    assert panel.map.canvas.moment.step == 10
    assert panel.map.canvas.moment.coordinates()[4:].tolist() == [[4, 1], [5, 1]]
    assert panel.map.canvas.moment.coordinates()[:4].tolist() == shown(panel).start[:4].tolist()
    words = "Main plane of the start: 50.0 % of the variance, 40.0 % now · turned · test images"
    assert panel.map.caption_label.text() == words
    assert panel.map.caption().startswith(f"{words}. All networks are turned")
    assert "middle is 1.0 radii from where it was" in panel.map.canvas.accessibleDescription()


def test_the_axes_stay_while_the_slider_moves_and_grow_with_what_comes(panel):
    history = recorded(0, 10)
    panel.show_history(history, "class")
    area = shown(panel).area
    assert area.ravel().tolist() == [0.0, 0.0, 5.0, 1.0]
    panel.show_until(0)
    assert (shown(panel).area == area).all()
    panel.show_until(None)
    history.add(Script("r").mapped(25))
    panel.show_until(None)
    assert shown(panel).area.ravel().tolist() == [0.0, 0.0, 5.0, 2.5]
    history.add(Script("r").mapped(900))  # flown away: twice the extent is added at most, and it stands at the edge
    panel.show_until(None)
    assert shown(panel).area.ravel().tolist() == [0.0, 0.0, 5.0, 3.0]
    panel.show_history(recorded(0, 10), "class")
    assert (shown(panel).area == area).all()


def test_a_resume_takes_back_what_came_later(panel):
    history = recorded(0, 10, 20)
    panel.show_history(history, "class")
    panel.map.flush()
    resumed = Script("r").started(10)
    history.add([resumed])
    panel.show_until(None)
    panel.map.flush()
    assert panel.map.canvas.moment.step == 10


def test_a_picture_fills_its_area():
    placing = Placing(np.array([[0, 0], [4, 1]]), QRectF(0, 0, 400, 300))
    found = placing.pixels(np.array([[2, 0.5], [4, 0], [0, 1], [99, 0.5], [np.nan, 1]]))
    assert found[0].tolist() == [200, 150] and found[3].tolist() == [400, 150] and len(found) == 4
    assert 0 < found[2, 0] < 30 and 370 < found[1, 0] < 400  # a little room all around
    assert 0 < found[2, 1] < 30 and 270 < found[1, 1] < 300  # up is up


def test_retrained_models_are_a_ghost_or_said_to_be_missing(panel):
    panel.show_history(recorded(0, 10), "class")
    panel.map.set_clouds(Clouds(why="No retrained model yet."))
    panel.map.flush()
    box = panel.map.ghosts["retrained"]
    assert not box.isEnabled() and panel.map.why.text() == "No retrained model yet."
    cloud = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [4, 3], [5, 3]], np.float32)
    panel.map.set_clouds(Clouds({"seed 1": cloud}))
    assert shown(panel).area.ravel().tolist() == [0.0, 0.0, 5.0, 3.0]
    assert box.isEnabled() and panel.map.why.isHidden()
    assert panel.map.table()[0][-2:] == ["retrained seed 1 x", "retrained seed 1 y"]
    assert panel.map.table()[1][4] == ["c", "yes", 4.0, 1.0, 4.0, 0.0, 4.0, 3.0]
    panel.show_history(recorded(0), "class")  # another run
    panel.map.flush()
    assert not box.isEnabled()


def test_clouds_that_are_painted_once_look_as_if_painted_each_time(panel, tmp_path, monkeypatch):
    panel.show_history(recorded(0, 10), "class")
    cloud = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [4, 3], [5, 3]], np.float32)
    panel.map.set_clouds(Clouds({"seed 1": cloud, "seed 2": cloud + 0.3}))
    panel.show()
    canvas = panel.map.canvas

    def grabbed() -> np.ndarray:
        image = canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        return np.frombuffer(image.constBits(), np.uint8).astype(int)

    for width in (520, 700):
        panel.resize(width, 240)
        panel.map.flush()
        first, again = grabbed(), grabbed()
        with monkeypatch.context() as without:
            without.setattr(canvas, "_painted_clouds", lambda *_: None)
            each_time = grabbed()
            without.setattr(canvas, "ghosts", ())
            assert np.abs(first - grabbed()).max() > 50  # they are seen
        assert (first == again).all() and np.abs(first - each_time).max() <= 3
    panel.map.save_to(tmp_path / "map.svg")
    assert b"<image" not in (tmp_path / "map.svg").read_bytes()


def painted(picture: MapPicture, points, *ghosts: str) -> set[str]:
    """What of a map is seen: the colours that come near to those of the look."""
    look, image = Look.now(), QImage(300, 200, QImage.Format.Format_RGB32)
    image.fill(look.color("surface"))
    painter = QPainter(image)
    paint(painter, picture, points, Placing(picture.area, QRectF(0, 0, 300, 200)), look, ghosts)
    painter.end()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(200, 300, 4)[..., 2::-1].astype(int)
    known = {**{name: look.color(name) for name in ("forget", "head_only", "retrained")}, "class": look.ramp[0]}
    return {name for name, colour in known.items()
            if np.abs(pixels - colour.getRgb()[:3]).sum(-1).min() < 60}  # fmt: skip


def test_what_is_painted(panel):
    panel.show_history(recorded(0, 10), "class")
    picture, points = shown(panel), panel.map.canvas.moment.coordinates()
    assert painted(picture, points) == {"forget", "class"}
    assert painted(picture, points, "start", "head_only") == {"forget", "class", "head_only"}
    assert panel.map._shown_ghosts() == ("start",)  # the head-only edit where it is wanted
    panel.map.ghosts["head_only"].click()
    panel.map.flush()
    assert panel.map.canvas.ghosts == ("start", "head_only")


def test_the_legend_is_german_and_whole(qtbot, german):
    made = FeatureMapPlot()
    qtbot.addWidget(made)
    made.set_clouds(Clouds(why="No retrained model yet."))
    assert made.why.text() == "Noch kein neu trainiertes Modell."
    assert made.forgotten.minimumWidth() > made.forgotten.fontMetrics().horizontalAdvance("▲ Vergessensbilder")


def test_a_run_without_a_map_says_why_and_shows_eigenvalues(panel):
    panel.show_history(recorded(0, 10, mapped=False), "class")
    assert panel._switches[0].value() == "values" and panel.currentWidget() is panel.eigenvalues
    assert not panel._switches[0]._buttons["map"].isEnabled()
    assert panel._switches[0]._buttons["map"].toolTip() == NO_MAP
    panel.show_history(RunHistory(), "class")  # one that has not begun
    assert panel._switches[0].value() == "map"
    panel.map.flush()
    assert panel.map.canvas.accessibleDescription() == "The map begins with the first measurement."


def test_energies_are_those_of_the_step_beside_the_start(panel):
    history = recorded(0, 10, 20)
    panel.show_history(history, "class")
    panel.set_view("energy")
    panel.energy.flush()
    retain = np.asarray(history.spectra[0].retain)
    shares = {series.key: series.y for series in panel.energy.all_series()}
    assert shares["retain"][:9].tolist() == pytest.approx((100 * retain / retain.sum())[:9].tolist())
    assert shares["forget/start"][-1] == 50.0 and shares["forget"][0] == 25.0
    assert panel.energy._bars["forget"].opts["height"].tolist() == shares["forget"].tolist()
    assert "forget 50.0 % at the start (dashed), 50.0 % now" in panel.energy.caption()
    assert panel.energy.table()[1][-1][0] == "beyond" and len(panel.energy.table()[1]) == 10
    assert panel.energy.bottom_axis._tickLevels[0][-1] == (10, "> 9")
    assert panel.energy.readout(2.0).startswith("direction 2 · Retain ")
    panel.show_until(10)
    assert panel.currentWidget() is panel.energy  # the view stays


def test_the_class_under_the_mouse_is_named(panel):
    panel.show_history(recorded(0, 10), "class")
    canvas = panel.map.canvas
    panel.map.flush()
    at = canvas.placing(canvas.picture).pixels(canvas.moment.coordinates())[1]
    assert canvas._class_at(QPointF(*at)) == "a" and canvas._class_at(QPointF(0, 0)) == ""
    canvas.mouseMoveEvent(QMouseEvent(QMouseEvent.Type.MouseMove, QPointF(*at), QPointF(*at), Qt.MouseButton.NoButton,
                                      Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier))  # fmt: skip
    assert canvas.toolTip() == "a"


def test_a_film_has_a_frame_for_every_recorded_step(panel, tmp_path):
    panel.show_history(recorded(0, 10, 20, 30), "class")
    panel.map.provenance = "run a, muda, seed 0"
    told = []
    name = write_gif(panel.map.film(), tmp_path / "map.gif", lambda *what: told.append(what))
    with Image.open(tmp_path / name) as film:
        assert film.n_frames == 4 and film.info["loop"] == 0
        assert film.info["comment"] == b"run a, muda, seed 0"
    assert [done for _, done, _ in told] == [0, 1, 2, 3]
    panel.show_history(recorded(0, mapped=False), "class")
    assert panel.map.film() is None


def test_a_film_of_very_many_steps_is_thinned_to_its_ends(panel):
    panel.show_history(recorded(0, 10), "class")
    film = panel.map.film()
    many = replace(film, moments=[msgspec.structs.replace(film.moments[0], step=n) for n in range(5000)])
    frames = [moment.step for moment in many.frames()]
    assert len(frames) == FRAMES_MOST and (frames[0], frames[-1]) == (0, 4999)


def test_its_menu_offers_the_film_and_its_picture_is_saved(panel, tmp_path):
    panel.show_history(recorded(0, 10), "class")
    panel.show_until(0)
    plot = panel.map
    plot.flush()
    plot._fill_menu()
    texts = [action.text() for action in plot._menu.actions()]
    assert texts[0] == "Save GIF…"
    assert {"Enlarge", "Save PNG, 2×…", "Save values as CSV…"} <= set(texts)
    window = plot.enlarge()
    panel.show_until(None)
    window.close()
    assert plot.window() is panel.window() and panel.currentWidget() is plot
    plot.save_to(tmp_path / "map.png")
    assert not QImage(str(tmp_path / "map.png")).isNull()


def test_the_film_is_of_the_run_in_view_when_it_was_asked_for(panel, tmp_path, monkeypatch):
    plot, chosen, films = panel.map, [], []
    monkeypatch.setattr("app.plots.feature_map.choose_file", lambda plot, kind, then: chosen.append(then))
    plot.film_wanted.connect(lambda film, path: films.append(film))
    panel.show_history(recorded(0, 10), "class")
    plot.provenance = "run a"
    plot._choose_film()
    panel.show_history(recorded(0, 10, 20), "class")
    plot.provenance = "run b"
    chosen[0](tmp_path / "map.gif")
    assert films[0].about == "run a" and len(films[0].moments) == 2


def test_it_is_drawn_once_and_not_while_hidden(qtbot):
    plot = FeatureMapPlot()
    qtbot.addWidget(plot)
    history = recorded(0)
    plot.show_history(history)
    assert plot.dirty and not plot._drawing.isActive()
    plot.show()
    plot.flush()
    history.add(Script("r").mapped(10))
    plot.mark_dirty()
    qtbot.waitUntil(lambda: not plot.dirty)
    assert plot.canvas.moment.step == 10


@pytest.mark.parametrize("name", ["light contrast", "dark contrast"])
def test_it_is_painted_under_the_systems_high_contrast(panel, monkeypatch, name):
    monkeypatch.setattr(theme, "current", replace(theme.current, name=name))
    panel.show_history(recorded(0, 10), "class")
    assert painted(shown(panel), panel.map.canvas.moment.coordinates()) >= {"forget", "class"}
