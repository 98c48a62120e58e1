"""The look of the window: one theme per process, like the QApplication it dresses.

`from app.services.theme import theme`; colours are asked for by token (`theme.color("retain")`), sizes by the
logical pixels of the design (`theme.px(16)`), fonts by role (`theme.font("section")`). Whoever keeps a colour
connects to `theme.changed`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QFont, QFontInfo, QPalette, QPen
from PySide6.QtWidgets import QApplication, QStyle, QWidget

from app.services import icon_files
from app.services.stylesheet import build_stylesheet
from app.services.tokens import CLASS_RAMPS, DARK, LIGHT, Scheme, Tokens

log = logging.getLogger(__name__)

Role = Literal["title", "verdict", "section", "body", "number", "table", "caption", "fixed"]
BASE_PX = 13  # the system font the design's pixel sizes were drawn for
_ROLES: dict[str, tuple[float, bool, bool]] = {  # size x system, semi-bold, tabular figures
    "title": (1.50, True, False),
    "verdict": (1.30, True, False),
    "section": (1.10, True, False),
    "body": (1.00, False, False),
    "number": (1.60, True, True),
    "table": (1.00, False, True),
    "caption": (0.88, False, True),
    "fixed": (1.00, False, False),
}
_CAPTION_MIN_PX = 11
LARGE_FONT_PX = 16  # of the system font; above, not all of a page fits side by side in a small window


class Theme(QObject):
    """Tokens, fonts and sizes of the current scheme."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._tokens = LIGHT
        self._scheme: Scheme = "system"
        self._base: QFont | None = None
        self._app: QApplication | None = None
        self._applied: tuple[str, float] | None = None

    @property
    def current(self) -> Tokens:
        """The tokens in use."""
        return self._tokens

    @property
    def scheme(self) -> Scheme:
        """What was asked for: "system", "light" or "dark"."""
        return self._scheme

    @property
    def is_dark(self) -> bool:
        """Whether the dark tokens are in use."""
        return self._tokens is DARK

    def color(self, token: str, alpha: float = 1.0) -> QColor:
        """Return the colour of a token ("text-2", "retain", ...) with an opacity of 0..1."""
        colour = QColor(self._tokens.value(token))
        colour.setAlphaF(alpha)
        return colour

    def pen(self, token: str, width: float = 1.0, dash: tuple[int, ...] = (), alpha: float = 1.0) -> QPen:
        """Return a cosmetic pen; `dash` is in pixels on, off."""
        pen = QPen(self.color(token, alpha), width)
        pen.setCosmetic(True)
        if dash:
            pen.setDashPattern([part / max(width, 1.0) for part in dash])
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        return pen

    def brush(self, token: str, alpha: float = 1.0) -> QBrush:
        """Return a solid brush."""
        return QBrush(self.color(token, alpha))

    @property
    def class_tones(self) -> int:
        """How many colours `class_color` tells apart."""
        return len(CLASS_RAMPS[self._tokens.name])

    def class_color(self, index: int) -> QColor:
        """Return the colour of the `index`-th retain class in a map of few classes (greys and blues)."""
        ramp = CLASS_RAMPS[self._tokens.name]
        return QColor(ramp[index % len(ramp)])

    def px(self, size: float) -> int:
        """Scale a size of the design with the system font; never below one pixel for a size above zero."""
        if size <= 0:
            return 0
        return max(1, round(size * self._scale()))

    @property
    def large(self) -> bool:
        """Whether the system font is so large that what stands side by side on a page goes below one another."""
        return self.px(BASE_PX) > LARGE_FONT_PX

    def font(self, role: Role = "body") -> QFont:
        """Return the font of a role, made from the system font."""
        size, bold, tabular = _ROLES[role]
        font = QFont(self._base_font())
        if role == "fixed":
            font.setFamilies(["DejaVu Sans Mono", "Menlo", "Consolas", "monospace"])
            font.setStyleHint(QFont.StyleHint.Monospace)
        if role == "caption":
            size = max(size, _CAPTION_MIN_PX / self._base_px())
        font.setPointSizeF(font.pointSizeF() * size)
        font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        if tabular and hasattr(QFont, "Tag"):
            font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def motion_ms(self, wanted: int) -> int:
        """Return `wanted`, or 0 where the system asks for reduced motion."""
        if self._app is None:
            return 0
        duration = self._app.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration)
        return wanted if duration > 0 else 0

    def apply(self, app: QApplication, scheme: Scheme = "system") -> None:
        """Dress `app`: Fusion, colour scheme, palette and style sheet. Emits `changed` where something changed."""
        first = self._app is not app
        self._app, self._scheme = app, scheme
        hints = app.styleHints()
        if first:
            app.setStyle("Fusion")
            self._base = _in_points(app.font())
            hints.colorSchemeChanged.connect(self._system_changed)
        wanted = {
            "system": Qt.ColorScheme.Unknown,
            "light": Qt.ColorScheme.Light,
            "dark": Qt.ColorScheme.Dark,
        }
        hints.setColorScheme(wanted[scheme])
        self._dress()

    @contextlib.contextmanager
    def borrow_light(self) -> Iterator[None]:
        """Answer in light tokens for a picture that leaves the window; nobody is told, so restyle what is drawn."""
        before = self._tokens
        self._tokens = LIGHT
        try:
            yield
        finally:
            self._tokens = before

    def _system_changed(self, _scheme: object) -> None:
        if self._scheme == "system":
            self._dress()

    def _dress(self) -> None:
        # setColorScheme does nothing on many Linux platforms, so the palette is always our own.
        app = self._app
        if app is None:
            return
        dark = self._scheme == "dark"
        if self._scheme == "system":
            dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        tokens = DARK if dark else LIGHT
        key = (tokens.name, self._scale())
        if self._applied == key:
            return
        self._tokens, self._applied = tokens, key
        app.setPalette(self.palette())
        app.setStyleSheet(build_stylesheet(tokens, self.px, self.font("caption").pointSizeF(), self._image))
        self.changed.emit()

    def palette(self) -> QPalette:
        """Return the palette of the current scheme."""
        palette, roles = QPalette(), QPalette.ColorRole
        table = {
            roles.Window: "window", roles.WindowText: "text", roles.Base: "surface",
            roles.AlternateBase: "surface", roles.Text: "text", roles.Button: "surface",
            roles.ButtonText: "text", roles.BrightText: "danger", roles.ToolTipBase: "surface",
            roles.ToolTipText: "text", roles.PlaceholderText: "text_3", roles.Link: "accent",
            roles.LinkVisited: "accent", roles.Highlight: "accent", roles.HighlightedText: "on_accent",
            roles.Light: "surface", roles.Midlight: "sunken", roles.Mid: "line", roles.Dark: "outline",
            roles.Shadow: "outline",
        }  # fmt: skip
        if hasattr(roles, "Accent"):
            table[roles.Accent] = "accent"
        for role, token in table.items():
            palette.setColor(role, self.color(token))
        for role in (roles.WindowText, roles.Text, roles.ButtonText, roles.PlaceholderText):
            palette.setColor(QPalette.ColorGroup.Disabled, role, self.color("disabled"))
        palette.setColor(QPalette.ColorGroup.Disabled, roles.Highlight, self.color("line"))
        palette.setColor(QPalette.ColorGroup.Disabled, roles.Base, self.color("window"))
        return palette

    def _image(self, name: str, token: str) -> str:
        return Path(icon_files.tinted_file(name, self._tokens.value(token))).as_posix()

    def _base_font(self) -> QFont:
        if self._base is None:
            self._base = _in_points(QApplication.font())
        return self._base

    def _base_px(self) -> float:
        return float(QFontInfo(self._base_font()).pixelSize()) or float(BASE_PX)

    def _scale(self) -> float:
        return self._base_px() / BASE_PX


theme = Theme()


def _in_points(font: QFont) -> QFont:
    # A system font may be given in pixels; sizes below are fractions of it, so it is turned into points once.
    copy = QFont(font)
    if copy.pointSizeF() <= 0:
        copy.setPointSizeF(QFontInfo(copy).pointSizeF())
    return copy


def set_tone(widget: QWidget, tone: str) -> None:
    """Give a label or text button a text colour by token: "text-2", "text-3", "accent", "danger", "caution", ""."""
    set_property(widget, "tone", tone)


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Set a dynamic property the style sheet selects on and restyle the widget where it changed."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()
