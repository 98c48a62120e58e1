"""The look of the window: one theme per process, like the QApplication it dresses.

`from app.services.theme import theme`; colours are asked for by token (`theme.color("retain")`), sizes by the
logical pixels of the design (`theme.px(16)`), fonts by role (`theme.font("section")`). Whoever keeps a colour
connects to `theme.changed`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QFont, QFontInfo, QPalette, QPen, QStyleHints, qGray
from PySide6.QtWidgets import QApplication, QStyle, QWidget

from app.services.stylesheet import build_stylesheet
from app.services.tokens import CLASS_TONES, DARK, LIGHT, Scheme, Tokens

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
PALETTE = {  # the roles of Qt's palette, by the token that they show
    "window": ("Window",),
    "surface": ("Base", "AlternateBase", "Button", "ToolTipBase", "Light"),
    "text": ("WindowText", "Text", "ButtonText", "ToolTipText"),
    "placeholder": ("PlaceholderText",),
    "accent": ("Link", "LinkVisited", "Highlight", "Accent"),
    "on_accent": ("HighlightedText",),
    "danger": ("BrightText",),
    "sunken": ("Midlight",),
    "line": ("Mid",),
    "outline": ("Dark", "Shadow"),
}
CONTRAST = {  # the tokens that show the system's own colours where it asks for high contrast, by its role
    "Window": "window sunken pressed accent_tint danger_ground caution_ground",
    "Base": "surface",
    "WindowText": "line outline text text_2 text_3 danger caution original",
    "Highlight": "accent accent_hover accent_pressed selected unlearned",
    "HighlightedText": "on_accent on_selected",
}
_CAPTION_MIN_PX = 11
LARGE_FONT_PX = 16  # of the system font; above, not all of a page fits side by side in a small window


class Theme(QObject):
    """Tokens, fonts and sizes of the current scheme."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.current = LIGHT
        self.scheme: Scheme = "system"  # what was asked for
        self._app: QApplication | None = None
        self._hints: QStyleHints | None = None  # kept: PySide takes what it gives out away with it
        self._applied: tuple[Tokens, float] | None = None
        self._sheet = ""

    def color(self, token: str, alpha: float = 1.0) -> QColor:
        """Return the colour of a token ("text-2", "retain", ...) with an opacity of 0..1."""
        colour = QColor(self.current.value(token))
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
        return QBrush(self.color(token, alpha))

    @property
    def class_colors(self) -> list[QColor]:
        """The colours of the retain classes in a map of few classes (greys and blues)."""
        return [self.color(f"class_{number}") for number in range(1, CLASS_TONES + 1)]

    def px(self, size: float) -> int:
        """Scale a size of the design with the system font; never below one pixel for a size above zero."""
        return max(1, round(size * self._scale)) if size > 0 else 0

    @property
    def large(self) -> bool:
        """Whether the system font is so large that what stands side by side on a page goes below one another."""
        return self.px(BASE_PX) > LARGE_FONT_PX

    def font(self, role: Role = "body") -> QFont:
        """Return the font of a role, made from the system font."""
        size, bold, tabular = _ROLES[role]
        font = QFont(self._base)
        if role == "fixed":
            font.setFamilies(["DejaVu Sans Mono", "Menlo", "Consolas", "monospace"])
            font.setStyleHint(QFont.StyleHint.Monospace)
        if role == "caption":
            size = max(size, _CAPTION_MIN_PX / (BASE_PX * self._scale))
        font.setPointSizeF(font.pointSizeF() * size)
        font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        if tabular:
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
        self._app, self.scheme = app, scheme
        hints = self._hints = app.styleHints()
        if first:
            app.setStyle("Fusion")
            self._forget_font()
            hints.colorSchemeChanged.connect(self._dress)
            if hasattr(hints, "accessibility"):  # Qt below 6.10 does not say what contrast the system asks for
                hints.accessibility().contrastPreferenceChanged.connect(self._dress)
        wanted = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        hints.setColorScheme(wanted.get(scheme, Qt.ColorScheme.Unknown))
        self._dress()

    @contextlib.contextmanager
    def borrow_light(self) -> Iterator[None]:
        """Answer in light tokens for a picture that leaves the window; nobody is told, so restyle what is drawn."""
        before, self.current = self.current, LIGHT
        try:
            yield
        finally:
            self.current = before

    def set_font(self, widget: QWidget, role: Role) -> None:
        """Give a widget the font of a role, also when the system's font changes."""
        widget.setProperty("font_role", role)
        widget.setFont(self.font(role))

    def set_height(self, widget: QWidget, size: int) -> None:
        """Fix a widget's height in pixels of the design, also when the system's font changes."""
        widget.setProperty("design_height", size)
        widget.setFixedHeight(self.px(size))

    def follow_font(self) -> None:
        """Take the system's font where it is another one than before; fonts by role and fixed heights follow."""
        if self._app is None or _in_points(self._app.font()) == self._base:
            return
        self._forget_font()
        for widget in self._app.allWidgets():
            role, height = widget.property("font_role"), widget.property("design_height")
            if role:
                self.set_font(widget, role)
            if height:
                self.set_height(widget, height)
        self._dress()

    def dress(self, widget: QWidget) -> None:
        """Give the style sheet of today to a new window, or to what was not in sight when the theme changed."""
        own = widget.styleSheet()
        if self._app is not None and self._sheet != (own or self._app.styleSheet()):
            widget.setStyleSheet(self._sheet)

    @property
    def high_contrast(self) -> bool:
        """Whether the system asks for high contrast; then its own colours are used, whatever scheme was chosen."""
        if self._hints is None or not hasattr(self._hints, "accessibility"):
            return False
        return bool(self._hints.accessibility().contrastPreference() == Qt.ContrastPreference.HighContrast)

    def _dress(self, *_: object) -> None:
        # setColorScheme does nothing on many Linux platforms, so the palette is always our own.
        app = self._app
        if app is None:
            return
        system_dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        tokens = DARK if self.scheme == "dark" or (self.scheme == "system" and system_dark) else LIGHT
        if self.high_contrast:
            app.setPalette(QPalette())  # nothing of ours over the system's
            tokens = system_tokens(app.palette())
        if self._applied == (tokens, self._scale):
            return
        self.current, self._applied = tokens, (tokens, self._scale)
        if not self.high_contrast:
            app.setPalette(self.palette())
        self._sheet = build_stylesheet(tokens, self.px, self.font("caption").pointSizeF())
        windows = [widget for widget in app.topLevelWidgets()
                   if widget.isVisible() or (widget.parent() is None and widget.windowTitle())]  # fmt: skip
        if not windows:
            app.setStyleSheet(self._sheet)
        # For the application, Qt would dress every widget once for each widget around it: fifteen times as long.
        for window in windows:
            for part in window.themed_parts() if hasattr(window, "themed_parts") else (window,):
                part.setStyleSheet(self._sheet)
                while part is not window and (part := part.parentWidget()) is not None:
                    part.setPalette(app.palette())  # what only holds others keeps the palette it was dressed in
        self.changed.emit()

    def palette(self) -> QPalette:
        """Return the palette of the current scheme."""
        palette, roles, disabled = QPalette(), QPalette.ColorRole, QPalette.ColorGroup.Disabled
        for token, names in PALETTE.items():
            for name in names:
                palette.setColor(roles[name], self.color(token))
        for name in ("WindowText", "Text", "ButtonText", "PlaceholderText"):
            palette.setColor(disabled, roles[name], self.color("disabled"))
        palette.setColor(disabled, roles.Highlight, self.color("line"))
        palette.setColor(disabled, roles.Base, self.color("window"))
        return palette

    @functools.cached_property
    def _base(self) -> QFont:
        """The system's font, in points."""
        return _in_points(QApplication.font())

    @functools.cached_property
    def _scale(self) -> float:
        return (QFontInfo(self._base).pixelSize() or BASE_PX) / BASE_PX

    def _forget_font(self) -> None:
        for name in ("_base", "_scale"):
            self.__dict__.pop(name, None)


def system_tokens(palette: QPalette) -> Tokens:
    """Return tokens that are the system's own colours: text and lines alike, and one accent, its selection."""
    role = QPalette.ColorRole

    dark = qGray(palette.color(role.Window).rgb()) < 118  # white is read better on it than black
    base = DARK if dark else LIGHT
    colours = dict(base.colours)
    for which, names in CONTRAST.items():
        colours |= dict.fromkeys(names.split(), palette.color(role[which]).name())
    colours["disabled"] = colours["placeholder"] = palette.color(QPalette.ColorGroup.Disabled, role.Text).name()
    return Tokens(f"{base.name} contrast", colours)


theme = Theme()


def _in_points(font: QFont) -> QFont:
    # A system font may be given in pixels; sizes below are fractions of it, so it is turned into points once.
    copy = QFont(font)
    if copy.pointSizeF() <= 0:
        copy.setPointSizeF(QFontInfo(copy).pointSizeF())
    return copy


def set_tone(widget: QWidget, tone: str) -> None:
    """Give a label or text button a text colour by token: "text-2", "accent", "danger", "forget"; "" for none."""
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
