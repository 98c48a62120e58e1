"""Icons drawn from `currentColor` SVGs in the theme's colours; they follow a change of theme."""

from __future__ import annotations

import weakref
from typing import Protocol

import shiboken6
from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from app.services import icon_files
from app.services.paths import resources_dir
from app.services.theme import theme

_SIZES = (16, 20, 24, 32)
_RATIOS = (1.0, 2.0)
_LARGE = 28


class HasIcon(Protocol):
    """Anything an icon can be set on: buttons, actions."""

    def setIcon(self, icon: QIcon) -> None: ...


def names() -> list[str]:
    """Names of all icons."""
    return sorted(path.stem for path in (resources_dir() / "icons").glob("*.svg"))


def pixmap(name: str, size: int = 16, token: str = "text", ratio: float = 1.0) -> QPixmap:
    """Draw an icon at `size` logical pixels in a token's colour, for a screen of pixel ratio `ratio`."""
    svg = icon_files.tinted(name, theme.current.value(token))
    if size >= theme.px(_LARGE):
        svg = svg.replace('stroke-width="1.5"', 'stroke-width="1"')  # else lines of 3 px outweigh the text beside
    renderer = QSvgRenderer(QByteArray(svg.encode()))
    image = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, image.width(), image.height()))
    painter.end()
    image.setDevicePixelRatio(ratio)
    return image


def icon(name: str, token: str = "text") -> QIcon:
    """Return an icon in the current theme's colours; use `set_icon` for one that follows theme changes."""
    key = (name, token, theme.current.name)
    if key not in _cache:
        result = QIcon()
        for size in _SIZES:
            for ratio in _RATIOS:
                result.addPixmap(pixmap(name, size, token, ratio), QIcon.Mode.Normal)
                result.addPixmap(pixmap(name, size, "disabled", ratio), QIcon.Mode.Disabled)
        _cache[key] = result
    return _cache[key]


def set_icon(target: HasIcon, name: str, token: str = "text") -> None:
    """Set an icon on a button or action and set it again whenever the theme changes. An empty name removes it."""
    _binder.bind(target, name, token)


class _Binder(QObject):
    """Remembers which icon sits where, without keeping the owners alive."""

    def __init__(self) -> None:
        super().__init__()
        self._bound: weakref.WeakKeyDictionary[HasIcon, tuple[str, str]] = weakref.WeakKeyDictionary()
        theme.changed.connect(self.refresh)

    def bind(self, target: HasIcon, name: str, token: str) -> None:
        if name:
            self._bound[target] = (name, token)
            target.setIcon(icon(name, token))
        else:
            self._bound.pop(target, None)
            target.setIcon(QIcon())

    def refresh(self) -> None:
        for target, (name, token) in list(self._bound.items()):
            if shiboken6.isValid(target):
                target.setIcon(icon(name, token))


_cache: dict[tuple[str, str, str], QIcon] = {}
_binder = _Binder()
