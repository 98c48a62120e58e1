"""The colour and shape tokens of the window, light and dark, and the arithmetic of contrast."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

from app.services.translation import mark, tr

Scheme = Literal["system", "light", "dark"]

# Spacing, radii and heights in logical pixels at a 13 px system font; `theme.px` scales them.
XS, S, M, L, XL, XXL = 4, 8, 12, 16, 24, 32
RADIUS_CONTROL, RADIUS_CARD, RADIUS_CHIP = 4, 6, 10
CONTROL_HEIGHT, TABLE_ROW, LIST_ROW, ICON_BUTTON, CHIP_HEIGHT, TABLE_HEADER = 28, 26, 44, 28, 20, 28
RAIL_WIDTH, HEADER_HEIGHT, STATUS_HEIGHT, RAIL_ENTRY = 184, 48, 28, 52
FADE_MS = 120


@dataclass(frozen=True)
class Tokens:
    """One colour scheme; every colour the window uses, by meaning."""

    name: str
    window: str
    surface: str
    sunken: str
    line: str
    outline: str
    text: str
    text_2: str
    text_3: str
    disabled: str
    accent: str
    accent_hover: str
    accent_pressed: str
    on_accent: str
    accent_tint: str
    danger: str
    danger_ground: str
    caution: str
    caution_ground: str
    retain: str
    forget: str
    unlearned: str
    original: str
    retrained: str
    head_only: str
    fresh: str
    term_1: str
    term_2: str
    term_3: str
    term_4: str
    term_5: str
    term_6: str

    def value(self, token: str) -> str:
        """Return the colour of `token`; dashes and underscores are the same ("text-2", "text_2")."""
        name = token.replace("-", "_")
        if name not in TOKEN_NAMES:
            raise KeyError(f"there is no colour token {token!r}")
        return str(getattr(self, name))


LIGHT = Tokens(
    name="light",
    window="#F4F5F7", surface="#FFFFFF", sunken="#EBEDF0", line="#D5D9DF", outline="#7C848F",
    text="#1B1F24", text_2="#4F5763", text_3="#656D79", disabled="#9CA3AF",
    accent="#5B3FD6", accent_hover="#4A30BC", accent_pressed="#3C269C", on_accent="#FFFFFF",
    accent_tint="#EEEBFB",
    danger="#B3261E", danger_ground="#FCEBE9", caution="#7A5200", caution_ground="#FDF3DC",
    retain="#1C69B0", forget="#B84E06",
    unlearned="#5B3FD6", original="#292D32", retrained="#04956E", head_only="#E64CBF", fresh="#998500",
    term_1="#0B7F95", term_2="#8C3A67", term_3="#5B7F1A", term_4="#7B5A3A", term_5="#5A6B84", term_6="#A63D40",
)  # fmt: skip
DARK = Tokens(
    name="dark",
    window="#17191D", surface="#1F2227", sunken="#121417", line="#363B43", outline="#757D89",
    text="#E8EAED", text_2="#B4BAC4", text_3="#959DA9", disabled="#5E6672",
    accent="#A897FF", accent_hover="#BBAEFF", accent_pressed="#9180F0", on_accent="#14161C",
    accent_tint="#2E2950",
    danger="#FF8A80", danger_ground="#3A2222", caution="#E5B454", caution_ground="#33291A",
    retain="#63B0F2", forget="#FF9A4D",
    unlearned="#A897FF", original="#DDE0E3", retrained="#29A383", head_only="#CE3BA9", fresh="#FFDA47",
    term_1="#4CC3D9", term_2="#E08DB8", term_3="#A9CF62", term_4="#C9A27C", term_5="#9FB2CC", term_6="#E88A8C",
)  # fmt: skip
TOKEN_NAMES = frozenset(field.name for field in fields(Tokens)) - {"name"}

# Retain classes in a map of at most seven: greys and blues of falling lightness, each at least 3:1 on `surface`.
CLASS_RAMPS: dict[str, tuple[str, ...]] = {
    "light": ("#858D99", "#5A92C8", "#6B7380", "#3A7CBB", "#545C68", "#1C5F9E", "#3C434D"),
    "dark": ("#D3D8DF", "#A5D0F7", "#AEB5C0", "#79BBF3", "#8B93A0", "#5595D0", "#737B88"),
}


@dataclass(frozen=True)
class SeriesStyle:
    """How one set or model is drawn everywhere: colour token, dash and marker together."""

    key: str
    name: str
    token: str
    dash: tuple[int, ...] = ()  # pixels on, off; empty is solid
    symbol: str = "o"  # pyqtgraph's symbol name
    filled: bool = True
    glyph: str = "●"  # the marker in text

    @cached_property
    def title(self) -> str:
        """Its name in the language of the window."""
        return tr(self.name)


SETS = {
    "retain": SeriesStyle("retain", mark("Retain"), "retain"),
    "forget": SeriesStyle("forget", mark("Forget"), "forget", (), "t1", True, "▲"),
}
MODELS = {
    "unlearned": SeriesStyle("unlearned", mark("Unlearned"), "unlearned"),
    "original": SeriesStyle("original", mark("Original"), "original", (8, 4), "s", False, "□"),
    "retrained": SeriesStyle("retrained", mark("Retrained"), "retrained", (2, 3), "d", True, "◆"),
    "head_only": SeriesStyle("head_only", mark("Head-only edit (control)"), "head_only", (8, 3, 2, 3), "x", True, "✕"),
    "fresh": SeriesStyle("fresh", mark("Untrained"), "fresh", (1, 5), "o", False, "○"),
}
OVERLAY_DASHES = ((6, 3), (2, 3), (8, 3, 2, 3), (1, 4))  # other runs on the same axes: the same colours, dashed
RUN_SYMBOLS = ("o", "s", "d", "t1", "star", "+")  # further runs: unlearned's violet, told apart by marker

# Loss terms that are of no set: colours that are neither a set's nor a model's, dashed as well where there are many.
_TERM_DASHES: tuple[tuple[int, ...], ...] = ((), (6, 3), (2, 3), (8, 3, 2, 3), (1, 4), (4, 2))
TERM_STYLES = tuple(
    SeriesStyle(f"term_{number}", "", f"term_{number}", dash, symbol)
    for number, (dash, symbol) in enumerate(zip(_TERM_DASHES, RUN_SYMBOLS, strict=True), start=1)
)


def model_style(key: str) -> SeriesStyle:
    """Return the style of a model by its key in reports; anything unknown is a run, in unlearned's violet."""
    return MODELS.get(key.replace("-", "_"), MODELS["unlearned"])


def luminance(colour: str) -> float:
    """Relative luminance of "#RRGGBB" (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2.2)."""
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
