"""The colour and shape tokens of the window, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from app.services.translation import mark, tr

Scheme = Literal["system", "light", "dark"]

# Spacing, radii and heights in logical pixels at a 13 px system font; `theme.px` scales them.
XS, S, M, L, XL, XXL = 4, 8, 12, 16, 24, 32
RADIUS_CONTROL, RADIUS_CARD = 4, 6
CONTROL_HEIGHT, TABLE_ROW, CHIP_HEIGHT, TABLE_HEADER = 28, 26, 20, 28
RAIL_WIDTH, HEADER_HEIGHT, STATUS_HEIGHT = 184, 48, 28
FADE_MS = 120

_COLOURS = """
token           light    dark
window          #F4F5F7  #17191D
surface         #FFFFFF  #1F2227
sunken          #EBEDF0  #121417
line            #D5D9DF  #363B43
outline         #7C848F  #757D89
text            #1B1F24  #E8EAED
text_2          #4F5763  #B4BAC4
text_3          #656D79  #959DA9
placeholder     #656D79  #959DA9
disabled        #9CA3AF  #5E6672
accent          #5B3FD6  #A897FF
accent_hover    #4A30BC  #BBAEFF
accent_pressed  #3C269C  #9180F0
on_accent       #FFFFFF  #14161C
accent_tint     #EEEBFB  #2E2950
selected        #EEEBFB  #2E2950
on_selected     #1B1F24  #E8EAED
pressed         #D5D9DF  #363B43
danger          #B3261E  #FF8A80
danger_ground   #FCEBE9  #3A2222
caution         #7A5200  #E5B454
caution_ground  #FDF3DC  #33291A
retain          #1C69B0  #63B0F2
forget          #B84E06  #FF9A4D
unlearned       #5B3FD6  #A897FF
original        #292D32  #DDE0E3
retrained       #04956E  #29A383
head_only       #E64CBF  #CE3BA9
fresh           #998500  #FFDA47
term_1          #0B7F95  #4CC3D9
term_2          #8C3A67  #E08DB8
term_3          #5B7F1A  #A9CF62
term_4          #7B5A3A  #C9A27C
term_5          #5A6B84  #9FB2CC
term_6          #A63D40  #E88A8C
class_1         #858D99  #D3D8DF
class_2         #5A92C8  #A5D0F7
class_3         #6B7380  #AEB5C0
class_4         #3A7CBB  #79BBF3
class_5         #545C68  #8B93A0
class_6         #1C5F9E  #5595D0
class_7         #3C434D  #737B88
"""


@dataclass(frozen=True)
class Tokens:
    """One colour scheme: every colour the window uses, by meaning."""

    name: str
    colours: Mapping[str, str]

    def value(self, token: str) -> str:
        """Return the colour of `token`; dashes and underscores are the same ("text-2", "text_2")."""
        return self.colours[token.replace("-", "_")]


def _scheme(column: int) -> Tokens:
    (_, *names), *rows = (line.split() for line in _COLOURS.split("\n") if line)
    return Tokens(names[column], {token: colours[column] for token, *colours in rows})


LIGHT, DARK = _scheme(0), _scheme(1)
CLASS_TONES = 7  # class_1 to class_7: retain classes in a map of few, each at least 3:1 on `surface`


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

    @property
    def short(self) -> str:
        """Its name where there is little room."""
        return tr("Head-only") if self.key == "head_only" else self.title


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
