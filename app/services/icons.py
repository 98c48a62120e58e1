"""Icons drawn from `currentColor` SVGs when they are painted: sharp at every scale, in the theme's colours."""

from __future__ import annotations

import functools

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton

from app.services.theme import theme
from core.files import RESOURCES

_LARGE = 28


@functools.cache
def icon(name: str, token: str = "text") -> QIcon:
    """Return an icon that is drawn in whatever colours the theme has when it is painted."""
    svg_text(name)
    return QIcon(_Engine(name, token))


def set_icon(target: QAbstractButton | QAction, name: str, token: str = "text") -> None:
    """Set an icon on a button or action. An empty name removes it."""
    target.setIcon(icon(name, token) if name else QIcon())


@functools.cache
def svg_text(name: str) -> str:
    """Return the SVG of an icon; raises KeyError for a name that has no drawing."""
    path = RESOURCES / "icons" / f"{name}.svg"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise KeyError(f"there is no icon {name!r}") from error


class _Engine(QIconEngine):
    """Paints the drawing at the size asked for."""

    _clones: list[_Engine] = []  # noqa: RUF012  # Qt owns them, and Python must not take them away

    def __init__(self, name: str, token: str) -> None:
        super().__init__()
        self._name, self._token = name, token

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        scale = painter.device().devicePixelRatioF()
        painter.drawPixmap(rect, self.scaledPixmap(rect.size(), mode, state, scale))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        return _drawn(self._name, self._colour(mode), size.width(), size.height(), scale)

    def isNull(self) -> bool:
        return False

    def clone(self) -> QIconEngine:
        made = _Engine(self._name, self._token)
        self._clones.append(made)
        return made

    def _colour(self, mode: QIcon.Mode) -> str:
        special = {QIcon.Mode.Disabled: "disabled", QIcon.Mode.Selected: "on_selected"}
        return theme.current.value(special.get(mode, self._token))


@functools.lru_cache(maxsize=512)
def _drawn(name: str, colour: str, width: int, height: int, scale: float) -> QPixmap:
    """Return an icon in the middle of so many logical pixels; the same ones are painted again and again."""
    svg = svg_text(name).replace("currentColor", colour)
    if min(width, height) >= theme.px(_LARGE):  # else lines of 3 px outweigh the text beside
        svg = svg.replace('stroke-width="1.5"', 'stroke-width="1"')
    image = QPixmap(QSize(round(width * scale), round(height * scale)))
    image.fill(Qt.GlobalColor.transparent)
    side = min(image.width(), image.height())
    painter = QPainter(image)
    place = QRectF((image.width() - side) / 2, (image.height() - side) / 2, side, side)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, place)
    painter.end()
    image.setDevicePixelRatio(scale)
    return image
