"""The look: contrasts of the token table, fonts, sizes, icons, and that a change of theme reaches everything."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QFont, QFontInfo, QIcon, QPalette, QPixmap
from PySide6.QtWidgets import QLineEdit, QPushButton

from app.services import icons
from app.services import tokens as t
from app.services.stylesheet import SHEET_IMAGES, build_stylesheet
from app.services.theme import system_tokens, theme
from app.widgets.buttons import Chip
from app.widgets.labels import Label
from core.files import RESOURCES
from core.verify.pages import TEMPLATES
from core.verify.report import render_report
from core.verify.table import MODELS
from scripts.sheet_images import images
from tests.core.verify.sample_report import sample_events, sample_report

SCHEMES = (t.LIGHT, t.DARK)
TEXT, GRAPHIC = 4.5, 3.0


def luminance(colour: str) -> float:
    """Relative luminance of "#RRGGBB" (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2.2)."""
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("tokens", SCHEMES, ids=lambda s: s.name)
class TestContrast:
    @pytest.mark.parametrize("ground", ["surface", "window"])
    @pytest.mark.parametrize("token", ["text", "text_2", "text_3", "placeholder", "accent", "danger", "caution"])
    def test_text(self, tokens, token, ground):
        assert contrast(tokens.value(token), tokens.value(ground)) >= TEXT

    @pytest.mark.parametrize("ground", ["surface", "window"])
    def test_outline_of_controls(self, tokens, ground):
        assert contrast(tokens.value("outline"), tokens.value(ground)) >= GRAPHIC

    @pytest.mark.parametrize("token", ["retain", "forget", *t.MODELS])
    def test_curves(self, tokens, token):
        assert contrast(tokens.value(token), tokens.value("surface")) >= GRAPHIC

    def test_sets_are_text_as_well(self, tokens):
        for token in ("retain", "forget"):
            assert contrast(tokens.value(token), tokens.value("surface")) >= TEXT

    def test_class_ramp(self, tokens):
        for number in range(1, t.CLASS_TONES + 1):
            assert contrast(tokens.value(f"class_{number}"), tokens.value("surface")) >= GRAPHIC

    @pytest.mark.parametrize("state", ["accent", "accent_hover", "accent_pressed"])
    def test_primary_button(self, tokens, state):
        assert contrast(tokens.value("on_accent"), tokens.value(state)) >= TEXT

    @pytest.mark.parametrize(
        "token, ground",
        [("text", "accent_tint"), ("text", "sunken"), ("text_2", "sunken"), ("danger", "danger_ground"),
         ("caution", "caution_ground"), ("text", "danger_ground"), ("text", "caution_ground")],
    )
    def test_text_on_grounds(self, tokens, token, ground):
        assert contrast(tokens.value(token), tokens.value(ground)) >= TEXT


@pytest.mark.parametrize("ground, text, chosen, on_chosen", [
    ("#000000", "#FFFFFF", "#1AEBFF", "#000000"), ("#FFFFFF", "#000000", "#37006E", "#FFFFFF"),
])  # fmt: skip
def test_what_is_chosen_or_pressed_is_seen_and_read_in_high_contrast(qapp, ground, text, chosen, on_chosen):
    role, palette = QPalette.ColorRole, QPalette(QColor(ground))
    for which, colour in ((role.Window, ground), (role.Base, ground), (role.WindowText, text), (role.Text, text),
                          (role.Highlight, chosen), (role.HighlightedText, on_chosen)):  # fmt: skip
        palette.setColor(which, QColor(colour))
    for tokens in (*SCHEMES, system_tokens(palette)):
        assert contrast(tokens.value("on_selected"), tokens.value("selected")) >= TEXT
        assert contrast(tokens.value("text"), tokens.value("pressed")) >= TEXT
    assert contrast(tokens.value("selected"), tokens.value("surface")) >= GRAPHIC
    sheet = build_stylesheet(tokens, round, 8.5)
    for item in ("QTableView", "QListView", "QMenu", "QMenuBar", "QComboBox QAbstractItemView"):
        rule = sheet.split(f"{item}::item:selected", 1)[1].split("}")[0]
        assert f"background: {chosen.lower()}; color: {on_chosen.lower()}" in rule


# The table of the design, so that a colour cannot drift without its number.
TABLE = [
    ("outline", 3.8, 3.5, 3.8, 4.2), ("text", 16.6, 15.2, 13.2, 14.6), ("text_2", 7.3, 6.7, 8.2, 9.0),
    ("text_3", 5.2, 4.8, 5.8, 6.4), ("accent", 6.7, 6.2, 6.5, 7.2),
]


@pytest.mark.parametrize("token, light, light_window, dark, dark_window", TABLE)
def test_the_stated_contrasts(token, light, light_window, dark, dark_window):
    for tokens, on_surface, on_window in ((t.LIGHT, light, light_window), (t.DARK, dark, dark_window)):
        assert contrast(tokens.value(token), tokens.value("surface")) == pytest.approx(on_surface, abs=0.06)
        assert contrast(tokens.value(token), tokens.value("window")) == pytest.approx(on_window, abs=0.06)


def test_contrast_of_black_and_white_is_21():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#777777") == pytest.approx(1.0)


def test_an_unknown_token_is_an_error():
    with pytest.raises(KeyError, match="'purple'"):
        theme.color("purple")


def test_dashes_and_underscores_are_the_same():
    assert theme.color("text-2") == theme.color("text_2")


@pytest.mark.parametrize("tokens", SCHEMES, ids=lambda s: s.name)
def test_the_style_sheet_leaves_no_placeholder(tokens):
    sheet = build_stylesheet(tokens, lambda n: round(n), 8.5)
    assert "@" not in sheet
    assert sheet.count("{") == sheet.count("}")


def test_the_style_sheet_writes_out_the_states_of_buttons():
    sheet = build_stylesheet(t.LIGHT, lambda n: round(n), 8.5)
    for kind in ("primary", "destructive", "destructive-filled", "text"):
        for state in ("hover", "pressed", "disabled"):
            assert f'QPushButton[kind="{kind}"]:{state}' in sheet


def test_the_hint_in_a_field_has_its_colour(qtbot):
    field = QLineEdit(placeholderText="\N{FULL BLOCK}" * 3)
    qtbot.addWidget(field)
    field.ensurePolished()
    image = field.grab().toImage()
    across = {image.pixelColor(x, image.height() // 2).name() for x in range(image.width())}
    assert theme.color("placeholder").name() in across


def test_font_roles(qapp):
    body = QFontInfo(theme.font("body")).pixelSize()
    assert QFontInfo(theme.font("title")).pixelSize() == pytest.approx(1.5 * body, abs=1)
    assert QFontInfo(theme.font("caption")).pixelSize() >= 11
    assert theme.font("section").weight() == 600
    assert theme.font("body").weight() == 400


def test_sizes_follow_the_font(qapp):
    assert theme.px(16) == 16  # at 13 px
    assert theme.px(0) == 0
    assert theme.px(0.2) == 1


def test_apply_changes_palette_and_tells(qapp, qtbot):
    with qtbot.waitSignal(theme.changed):
        theme.apply(qapp, "dark")
    try:
        assert theme.current.name == "dark"
        assert qapp.palette().window().color() == theme.color("window")
        assert theme.color("window").name().upper() == t.DARK.value("window")
    finally:
        theme.apply(qapp, "light")
    assert theme.current.name == "light"


def test_the_system_s_high_contrast_is_not_painted_over(qapp, qtbot, monkeypatch):
    yellow, black = QColor(255, 255, 0), QColor(0, 0, 0)
    system, role = QPalette(black), QPalette.ColorRole
    for one in (role.WindowText, role.Text, role.ButtonText):
        system.setColor(one, yellow)
    own = qapp.palette()
    window = QPushButton("x")
    qtbot.addWidget(window)
    window.show()
    monkeypatch.setattr(type(theme), "high_contrast", property(lambda self: True))
    monkeypatch.setattr(type(qapp), "palette", lambda *_: system)
    set_to: list[QPalette] = []
    monkeypatch.setattr(type(qapp), "setPalette", lambda *given: set_to.append(given[-1]))
    with qtbot.waitSignal(theme.changed):
        theme.apply(qapp, "light")
    try:
        assert set_to == [QPalette()]  # the system's own, whatever was chosen here
        assert theme.color("text") == yellow and theme.color("window") == black
        assert theme.color("line") == theme.color("text-2") == yellow
        assert yellow.name() in window.styleSheet()
        assert theme.class_colors[0].name().upper() == t.DARK.value("class_1")
    finally:
        monkeypatch.undo()
        theme.apply(qapp, "light")
    assert qapp.palette() == own and theme.current is t.LIGHT


def test_another_font_of_the_system_is_followed(qapp, qtbot):
    label, before = Label("Text", "section"), qapp.font()
    chip = Chip("A fact")
    for widget in (label, chip):
        qtbot.addWidget(widget)
    height = chip.height()
    larger = QFont(before)
    larger.setPixelSize(26)
    qapp.setFont(larger)
    try:
        theme.follow_font()
        assert theme.px(16) == 32
        assert label.font() == theme.font("section") and chip.height() == 2 * height
    finally:
        qapp.setFont(before)
        theme.follow_font()
    assert theme.px(16) == 16 and chip.height() == height


def test_no_file_is_written_for_the_theme(qapp, tmp_path, monkeypatch):
    """A full disk, or a home that cannot be written, must not keep the window from starting."""
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: pytest.fail("written"))
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: pytest.fail("made"))
    theme.apply(qapp, "dark")
    theme.apply(qapp, "light")


def test_the_images_of_the_style_sheet_are_there_in_the_colours_of_the_tokens():
    written = {str(path.relative_to(SHEET_IMAGES).as_posix()): path.read_text("utf-8")
               for path in SHEET_IMAGES.rglob("*.svg")}  # fmt: skip
    assert written == images(), "python -m scripts.sheet_images"
    for scheme in SCHEMES:
        named = re.findall(r'url\("([^"]+)"\)', build_stylesheet(scheme, lambda n: round(n), 8.5))
        assert named and all(Path(name).is_file() for name in named)


def test_icons_are_drawn_for_the_scale_of_the_screen(qapp):
    for ratio in (1.0, 1.25, 1.5, 2.0):
        pixmap = icons.icon("open").pixmap(QSize(16, 16), ratio)
        assert pixmap.width() == round(16 * ratio) and pixmap.devicePixelRatio() == ratio
    copy = QIcon(icons.icon("open"))
    copy.addPixmap(QPixmap(4, 4))  # Qt copies what draws it
    gc.collect()
    assert not copy.pixmap(16).isNull()


def test_an_icon_in_a_selected_row_is_as_its_text(qapp):
    def ink(mode):
        image = icons.icon("tick", "text_2").pixmap(QSize(16, 16), 1.0, mode).toImage()
        colours = (image.pixelColor(x, y) for x in range(16) for y in range(16))
        return {colour.name() for colour in colours if colour.alpha() > 250}

    assert theme.color("on_selected").name() in ink(QIcon.Mode.Selected) - ink(QIcon.Mode.Normal)


def test_apply_twice_changes_nothing(qapp, qtbot):
    theme.apply(qapp, "light")
    with qtbot.assertNotEmitted(theme.changed):
        theme.apply(qapp, "light")


def test_borrowed_light_is_given_back(qapp):
    theme.apply(qapp, "dark")
    try:
        with theme.borrow_light():
            assert theme.current is t.LIGHT
        assert theme.current is t.DARK
    finally:
        theme.apply(qapp, "light")


NEEDED = (
    "model", "data", "forget", "unlearn", "verify", "export", "runs", "open", "search", "filter", "sort", "undo",
    "redo", "lasso", "rectangle", "pause", "play", "stop", "checkpoint", "discard", "device", "warning", "error",
    "info", "tick", "copy", "image-export", "enlarge", "follow",
)  # fmt: skip


@pytest.mark.parametrize("name", NEEDED)
def test_every_icon_of_the_design_draws_something(qapp, name):
    image = icons.icon(name).pixmap(QSize(16, 16), 2.0).toImage()
    assert image.width() == 32
    drawn = sum(image.pixelColor(x, y).alpha() > 0 for x in range(32) for y in range(32))
    assert 20 < drawn < 700


def test_all_icons_are_of_one_family(qapp):
    for name in sorted(path.stem for path in (RESOURCES / "icons").glob("*.svg")):
        text = icons.svg_text(name)
        assert 'viewBox="0 0 16 16"' in text, name
        assert 'stroke-width="1.5"' in text, name
        assert "currentColor" in text, name
        assert "#" not in text, name


def test_icons_follow_the_theme(qapp, qtbot):
    button = QPushButton("x")
    qtbot.addWidget(button)
    icons.set_icon(button, "open", "text")
    before = button.icon().pixmap(16).toImage()
    theme.apply(qapp, "dark")
    try:
        assert button.icon().pixmap(16).toImage() != before
    finally:
        theme.apply(qapp, "light")


def test_a_missing_icon_is_an_error(qapp):
    with pytest.raises(KeyError, match="no icon 'nonsense'"):
        icons.icon("nonsense")


def test_reports_have_the_colours_of_the_window():
    css = (Path(TEMPLATES) / "plot.css.j2").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{([^}]*)\}", css)
    assert len(blocks) == 2
    for block, scheme in zip(blocks, (t.LIGHT, t.DARK), strict=True):
        pairs = dict(re.findall(r"--([\w-]+): (#[0-9A-F]{6})", block))
        assert {"retain", "forget", "unlearned", "retrained", "text", "surface"} <= set(pairs)
        assert pairs == {name: scheme.value(name) for name in pairs}
    assert set(re.findall(r"var\(--([\w-]+)\)", render_report(sample_report(), sample_events()))) <= set(pairs)


def test_reports_call_models_what_the_window_calls_them():
    titles = {**MODELS, "head_only": "Head-only edit (control)"}
    assert {name: style.title for name, style in t.MODELS.items()} == titles
