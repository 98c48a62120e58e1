"""Pictures on disk: small PNG files, and a loop of a window made from frames taken in real time."""

from __future__ import annotations

import io
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageColor
from PySide6.QtCore import QBuffer, QIODevice, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from app.services.tokens import DARK, LIGHT

MOST_PNG = 200_000  # bytes of one picture
MOST_SECONDS, MOST_LOOP = 10.0, 3_000_000  # of the loop
_NEAR = 7  # of 255
_LAST_SECONDS = 1.5  # the last frame stays, so that the end is seen


def save_png(image: QImage, path: Path, most: int = MOST_PNG) -> int:
    """Write a picture with a palette, as few colours as `most` bytes need, and return its size.

    Raises ValueError where even 32 colours are too many.
    """
    picture = _pillow(image)
    path.parent.mkdir(parents=True, exist_ok=True)
    for colours in (256, 128, 64, 32):
        buffer = io.BytesIO()
        reduced = picture.quantize(palette=_palette([picture], colours), dither=Image.Dither.NONE)
        reduced.save(buffer, "PNG", optimize=True)
        if len(buffer.getvalue()) <= most:
            path.write_bytes(buffer.getvalue())
            return len(buffer.getvalue())
    raise ValueError(f"{path.name} does not fit into {most:,} bytes")


@dataclass(frozen=True)
class Frame:
    """A picture and when it was taken, in seconds."""

    image: QImage
    at: float


class Recorder:
    """Collects frames of a window, scaled down, until there is nothing more to see."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._frames: list[Frame] = []

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, image: QImage) -> None:
        """Take a frame now."""
        small = image.scaledToWidth(self._width, Qt.TransformationMode.SmoothTransformation)
        self._frames.append(Frame(small, time.perf_counter()))

    def save(self, path: Path, most: int = MOST_LOOP) -> str:
        """Write the loop as GIF and say how; frames are left out until it fits. Raises ValueError without frames."""
        if not self._frames:
            raise ValueError("there are no frames to write")
        length = self._frames[-1].at - self._frames[0].at
        speed = max(1, math.ceil(length / (MOST_SECONDS - _LAST_SECONDS)))
        for every in (1, 2, 3, 4, 6, 8):
            chosen = [*self._frames[::every]]
            if chosen[-1] is not self._frames[-1]:
                chosen.append(self._frames[-1])
            data = _gif(chosen, speed)
            if len(data) <= most:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                shown = "in real time" if speed == 1 else f"at {speed} times the speed"
                return f"{len(chosen)} frames, {length:.1f} s {shown}, {len(data):,} bytes"
        raise ValueError(f"the loop does not fit into {most:,} bytes")


def _gif(frames: list[Frame], speed: int) -> bytes:
    pictures = [_pillow(_labelled(frame.image, speed) if speed > 1 else frame.image) for frame in frames]
    # One palette for all frames, from the first, a middle and the last one: colours must not flicker.
    palette = _palette([pictures[0], pictures[len(pictures) // 2], pictures[-1]], 128)
    reduced = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(frames)]
    durations = [max(20, round(1000 * gap / speed)) for gap in gaps] + [round(1000 * _LAST_SECONDS)]
    buffer = io.BytesIO()
    reduced[0].save(
        buffer, "GIF", save_all=True, append_images=reduced[1:], duration=durations, loop=0, optimize=False, disposal=1
    )
    return buffer.getvalue()


def _palette(pictures: list[Image.Image], colours: int) -> Image.Image:
    """Choose colours for pictures of one size; colours of the theme are kept exactly, however few pixels have them."""
    width, height = pictures[0].size
    sample = Image.new("RGB", (width, len(pictures) * height))
    for place, picture in enumerate(pictures):
        sample.paste(picture, (0, place * height))
    seen = {colour for _, colour in sample.getcolors(width * sample.height) or ()}
    tokens = {*LIGHT.colours.values(), *DARK.colours.values()}
    exact = [colour for token in sorted(tokens) if (colour := ImageColor.getrgb(token)) in seen]
    exact = exact[: colours - 8]
    mixed = sample.quantize(colours - len(exact), method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    flat = mixed.getpalette() or []
    # What lies beside an exact colour would take its pixels: colours are looked up in steps of four.
    others = [
        colour for colour in zip(flat[0::3], flat[1::3], flat[2::3], strict=True)
        if all(max(abs(a - b) for a, b in zip(colour, kept, strict=False)) > _NEAR for kept in exact)
    ]  # fmt: skip
    palette = Image.new("P", (1, 1))
    palette.putpalette([*itertools.chain.from_iterable([*exact, *others])])
    return palette


def _labelled(image: QImage, speed: int) -> QImage:
    """Write the speed into the header, which is empty there."""
    copy = image.copy()
    painter = QPainter(copy)
    font = painter.font()
    font.setPixelSize(14)
    painter.setFont(font)
    text = f"{speed}× speed"
    painter.setPen(QColor(Qt.GlobalColor.darkGray))
    painter.drawText(QPointF(copy.width() * 0.4, copy.height() * 0.04), text)
    painter.end()
    return copy


def _pillow(image: QImage) -> Image.Image:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "BMP")  # type: ignore[call-overload]
    return Image.open(io.BytesIO(bytes(buffer.data().data()))).convert("RGB")
