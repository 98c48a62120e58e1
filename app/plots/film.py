"""A feature map from its first to its last moment as a GIF, painted in a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFontMetricsF, QImage, QPainter

from app.plots.feature_map import TITLE, Film, Moment, Placing, legend_of, paint
from app.services import format as fmt
from app.services.translation import tr
from core.files import replacing

FILM_MS, LAST_MS, SHORTEST_MS = 8000, 1500, 20
FILM_SIZE = (720, 540)


def film_frame(film: Film, moment: Moment) -> QImage:
    """Paint one frame: title and step, the map, what is what, the caption."""
    look, picture = film.look, film.picture
    image = QImage(*FILM_SIZE, QImage.Format.Format_RGB32)
    image.fill(look.color("surface"))
    painter = QPainter(image)
    whole, line = QRectF(image.rect()).adjusted(16, 12, -16, -10), QFontMetricsF(look.font).height() + 4
    top, bottom = whole.top() + QFontMetricsF(look.heading).height() + line, whole.bottom() - line
    legend = [("▲ " + ", ".join(picture.forgotten[:3]), "forget"), *legend_of(film.ghosts)]
    painter.setFont(look.heading)
    painter.setPen(look.color("text"))
    painter.drawText(whole, 0, f"{tr(TITLE)} · {tr('step {step}', step=fmt.count(moment.step))}")
    painter.setFont(look.font)
    place = QPointF(whole.left(), top - 6)
    for text, token in legend:
        painter.setPen(look.color(token))
        painter.drawText(place, text)
        place.setX(place.x() + QFontMetricsF(look.font).horizontalAdvance(f"{text}   "))
    painter.setPen(look.color("text_3"))
    painter.drawText(QRectF(whole.left(), bottom, whole.width(), line), 0, picture.caption(moment))
    area = QRectF(whole.left(), top, whole.width(), bottom - top - 4)
    paint(painter, picture, moment.coordinates(), Placing(picture.area, area), look, film.ghosts)
    painter.end()
    return image


def write_gif(film: Film, path: Path, progress: Callable[[str, int, int], object] = lambda *_: None) -> str:
    """Write a map from its first to its last moment as a GIF that runs again and again; return the file's name.

    `progress(what, done, total)` may raise to end it; the file is whole or not there. Raises OSError.
    """
    from PIL import Image

    moments = film.frames()
    each = max(SHORTEST_MS, FILM_MS // len(moments))
    pictures = []
    for number, moment in enumerate(moments):
        progress(tr("Drawing the film"), number, len(moments))
        frame = film_frame(film, moment)
        size = (frame.width(), frame.height())
        whole = Image.frombuffer("RGB", size, bytes(frame.constBits()), "raw", "BGRX", frame.bytesPerLine(), 1)
        pictures.append(whole.quantize(96, method=Image.Quantize.FASTOCTREE))
    with replacing(path) as temporary:
        durations = [*[each] * (len(pictures) - 1), each + LAST_MS]
        pictures[0].save(temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0,
                         comment=film.about)  # fmt: skip
    return path.name
