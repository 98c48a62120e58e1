"""A picture of training images before and after their preparation, as a look that says more than its words."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from core.data.dataset import Dataset

_ROWS = 6
_SIDE = 224  # pixels that each picture may take
_GAP = 8


def preview_sheet(dataset: Dataset) -> bytes:
    """Return a PNG: in each row a training image as it is stored, and beside it as a network sees it."""
    sheet = Image.new("RGB", (2 * _SIDE + 3 * _GAP, _ROWS * (_SIDE + _GAP) + _GAP), "white")
    ids = np.linspace(0, len(dataset.train) - 1, min(_ROWS, len(dataset.train))).round().astype(np.int64)
    for row, index in enumerate(ids.tolist()):
        for column, pixels in enumerate(dataset.preview(index, dataset.preprocessing)):
            picture = _shown(pixels)
            left = _GAP + column * (_SIDE + _GAP) + (_SIDE - picture.width) // 2
            sheet.paste(picture, (left, _GAP + row * (_SIDE + _GAP) + (_SIDE - picture.height) // 2))
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _shown(pixels: np.ndarray) -> Image.Image:
    """Return (H, W, C) uint8 as a picture that fits its place; small ones are enlarged pixel by pixel."""
    levels = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    picture = Image.fromarray(np.ascontiguousarray(levels))
    share = _SIDE / max(picture.size)
    size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
    return picture.resize(size, Image.Resampling.NEAREST if share > 1 else Image.Resampling.LANCZOS)
