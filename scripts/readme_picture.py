"""The picture on top of the README: one run's feature maps with what accuracy and a linear probe say, drawn with Qt."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QImage, QPainter, QPen

from app.plots.items import draw_symbol
from app.services.theme import theme

if TYPE_CHECKING:
    from core.session.feature_maps import Embeddings

HEADLINE = "Accuracy 0 does not mean forgotten."
ACCURACY, PROBE = "accuracy on the forgotten class", "found again by a linear probe"
TURNED = "Two principal components a model, turned onto the first by an orthogonal fit of the retain class means."
SCALE = 2  # for screens with twice the pixels
WIDTH, PANEL, MAP, MARGIN, GAP = 1200, 376, 300, 16, 20
_TITLE, _FIGURES, _FOOT = 60, 100, 76


@dataclass(frozen=True)
class Panel:
    """One model: its title, the model whose map it has, and its two figures (0..1)."""

    title: str
    model: str
    map_of: str
    accuracy: float | None
    probe: float | None


def panels(report: dict[str, Any]) -> tuple[Panel, ...]:
    """Return the three panels of a checked run; raises ValueError where it was not checked."""
    retrained = report.get("retrained") or {}
    if not retrained:
        raise ValueError("the picture needs a run that was held against a retrained model")
    models = report["models"]
    first = next(iter(retrained.values()))
    method = str(report["method_details"]["title"]).split(" (")[0]
    chosen = (
        ("Head-only edit", "head_only", "original", models["head_only"]),
        (f"Unlearned ({method})", "unlearned", "unlearned", models["unlearned"]),
        ("Retrained", "retrained", "retrained", first),
    )
    return tuple(
        Panel(title, key, source, found.get("forget_test_accuracy"), (found.get("probe") or {}).get("forget"))
        for title, key, source, found in chosen
    )


def caption(report: dict[str, Any], machine: str = "") -> tuple[str, str, str]:
    """Return the lines below: what was run where, how much of the probe's gap is closed, and what the maps are."""
    forgotten = " and ".join(report["forget_classes"])
    seconds = float(report["cost"]["seconds"])
    where = machine or f"one thread of an {platform.machine()} processor"
    first = (
        f"{report['dataset']['title']}, class “{forgotten}” forgotten by a {report['model']['architecture']}, "
        f"seed {report['seed']}, in {seconds:.0f} s on {where}."
    )
    return first, probe_words(report), TURNED


def probe_words(report: dict[str, Any]) -> str:
    """Say how far the probe moved from the original's value to the retrained one."""
    models = report["models"]
    original, unlearned = (models[key]["probe"]["forget"] for key in ("original", "unlearned"))
    each = [found["probe"]["forget"] for found in report["retrained"].values()]
    mean = sum(each) / len(each)
    spread = f"{100 * min(each):.1f} to {100 * max(each):.1f} %" if len(each) > 1 else f"{100 * mean:.1f} %"
    kind = f"{len(each)} retrained models" if len(each) > 1 else "one retrained model"
    gap = original - mean
    if gap <= 0:
        return f"The probe cannot tell the original from retraining here ({kind}: {spread})."
    words = f"Of the probe's gap between original and retraining {100 * (original - unlearned) / gap:.0f} % is closed"
    informative = any(row["key"] == "probe" and row["informative"] for row in report["verdict"]["measures"])
    weak = "" if informative else "; the gap is no larger than retrained models differ among themselves"
    return f"{words} ({kind}: {spread}){weak}."


def draw(report: dict[str, Any], found: Embeddings, machine: str = "") -> QImage:
    """Draw the picture. `found` holds the maps of original, unlearned and retrained model."""
    height = _TITLE + 28 + MAP + _FIGURES + _FOOT
    image = QImage(WIDTH * SCALE, height * SCALE, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(SCALE)
    image.fill(theme.color("surface"))
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    _text(painter, QRectF(MARGIN, 12, WIDTH, 40), HEADLINE, 24, "text", bold=True)
    for number, panel in enumerate(panels(report)):
        left = MARGIN + number * (PANEL + GAP)
        _panel(painter, QRectF(left, _TITLE, PANEL, height - _TITLE - _FOOT), panel, found)
    for number, line in enumerate(caption(report, machine)):
        area = QRectF(MARGIN, height - _FOOT + 20 * number, WIDTH - 2 * MARGIN, 20)
        _text(painter, area, line, 12, "text_2")
    painter.end()
    return image


def _panel(painter: QPainter, area: QRectF, panel: Panel, found: Embeddings) -> None:
    _text(painter, QRectF(area.left(), area.top(), area.width(), 24), panel.title, 15, "text", bold=True)
    frame = QRectF(area.left(), area.top() + 28, area.width(), MAP)
    painter.setPen(QPen(theme.color("line"), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(frame, 6, 6)
    _map(painter, frame.adjusted(12, 12, -12, -12), panel.map_of, found)
    top = frame.bottom() + 14
    half = area.width() / 2
    for column, (value, words) in enumerate(((panel.accuracy, ACCURACY), (panel.probe, PROBE))):
        left = area.left() + column * half
        _text(painter, QRectF(left, top, half - 8, 36), _percent(value), 28, "text", bold=True)
        _text(painter, QRectF(left, top + 38, half - 8, 34), words, 12, "text_2", wrap=True)


def _map(painter: QPainter, area: QRectF, model: str, found: Embeddings) -> None:
    points = found.points[model]
    low, high = points.min(axis=0), points.max(axis=0)
    # All panels have one scale: coordinates are in units of each model's own spread.
    span = max(float((p.max(axis=0) - p.min(axis=0)).max()) for p in found.points.values())
    centre = (low + high) / 2
    unit = min(area.width(), area.height()) / span
    for forget in (False, True):
        for (x, y), chosen in zip(points.tolist(), found.forget.tolist(), strict=True):
            if chosen is not forget:
                continue
            at = QPointF(area.center().x() + (x - centre[0]) * unit, area.center().y() - (y - centre[1]) * unit)
            if forget:
                draw_symbol(painter, at, "t1", "forget", True, 3.2)
            else:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.brush("text_3", 0.45))
                painter.drawEllipse(at, 1.5, 1.5)


def _text(
    painter: QPainter, area: QRectF, text: str, size: int, token: str, bold: bool = False, wrap: bool = False
) -> None:
    font = QFont(theme.font("table"))
    font.setPixelSize(size)
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    painter.setFont(font)
    painter.setPen(theme.color(token))
    flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    painter.drawText(area, flags | (int(Qt.TextFlag.TextWordWrap) if wrap else 0), text)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
