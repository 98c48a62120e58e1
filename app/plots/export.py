"""Taking a plot along: PNG at 2x and 4x, SVG, CSV, the clipboard, and a larger window."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QIODevice, QPoint, QRect, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QGraphicsView,
    QLabel,
    QMenu,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.services import icons
from app.services import tokens as t
from app.services.theme import Role, theme
from app.widgets.buttons import IconButton
from app.widgets.labels import caption
from core.version import VERSION

PNG_SCALES = (2, 4)
FILTERS = {"png": "PNG image (*.png)", "svg": "SVG drawing (*.svg)", "csv": "CSV table (*.csv)",
           "gif": "GIF film (*.gif)"}  # fmt: skip


def fill_menu(menu: QMenu, plot: Figure) -> None:
    """Append the entries every plot has."""
    copy = menu.addAction("Copy image", lambda: copy_image(plot))
    icons.set_icon(copy, "copy", "text_2")
    for scale in PNG_SCALES:
        entry = menu.addAction(f"Save PNG, {scale}×…", functools.partial(_choose, plot, "png", scale))
        icons.set_icon(entry, "image-export", "text_2")
    menu.addAction("Save SVG…", lambda: _choose(plot, "svg"))
    menu.addAction("Save values as CSV…", lambda: _choose(plot, "csv"))


def save(plot: Figure, path: Path, scale: int = 2) -> None:
    """Write a plot as what the file's name ends with: .png, .svg or .csv."""
    kind = path.suffix.lower().lstrip(".")
    if kind == "csv":
        path.write_text(as_csv(plot), encoding="utf-8")
    elif kind == "svg":
        path.write_bytes(_as_svg(plot))
    elif kind == "png":
        if not as_image(plot, scale).save(str(path)):  # as PNG, by the file's name
            raise OSError(f"{path} could not be written")
    else:
        raise ValueError(f"a plot is saved as .png, .svg or .csv, not {path.suffix!r}")


def save_and_say(plot: Figure, path: Path, scale: int = 2) -> tuple[bool, str]:
    """Write a plot as `save` does; returns whether it was written, and what became of it in words."""
    try:
        save(plot, path, scale)
    except (OSError, ValueError) as error:  # the latter of an ending nobody offered
        return False, f"Not saved: {error}"
    return True, f"Saved {path.name}"


def as_image(plot: Figure, scale: int = 2) -> QImage:
    """Draw a plot in the light theme, whatever the window wears; title and provenance go into the file."""
    size = _size(plot)
    image = QImage(size * scale, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(scale)  # lines and markers of a fixed number of pixels grow with it
    with _light(plot):
        image.fill(theme.color("surface"))
        painter = QPainter(image)
        _paint(plot, painter)
        painter.end()
    for key, text in _metadata(plot).items():
        image.setText(key, text)
    return image


def copy_image(plot: Figure) -> None:
    """Put a picture of the plot on the clipboard."""
    QGuiApplication.clipboard().setImage(as_image(plot))


def as_csv(plot: Figure) -> str:
    """The numbers that are drawn as a table, with title and provenance as comments above it."""
    plot.flush()
    text = io.StringIO()
    for key, value in _metadata(plot).items():
        text.write(f"# {key}: {value}\n")
    writer = csv.writer(text, lineterminator="\n")
    header, rows = plot.table()
    writer.writerow(header)
    writer.writerows([written(cell) for cell in row] for row in rows)
    return text.getvalue()


def enlarge(plot: Figure) -> None:
    """Show the plot in a window of its own until that is closed."""
    EnlargedPlot(plot).show()


class EnlargedPlot(QDialog):
    """Borrows a plot from its page and puts it back on closing."""

    def __init__(self, plot: Figure) -> None:
        super().__init__(plot.window())
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(plot.title)
        self.setProperty("ground", "surface")
        theme.dress(self)
        self._plot = plot
        self._place = QWidget()
        self._place.setMinimumSize(plot.minimumSizeHint())
        _replace(plot, self._place)
        column = QVBoxLayout(self)
        margin = theme.px(t.L)
        column.setContentsMargins(margin, margin, margin, margin)
        column.addWidget(plot)
        plot.show()
        self.resize(theme.px(1040), theme.px(640))
        self.finished.connect(self._put_back)

    def _put_back(self, _code: int) -> None:
        _replace(self._place, self._plot)
        self._place.deleteLater()
        self._plot.show()


def _replace(old: QWidget, new: QWidget) -> None:
    parent = old.parentWidget()
    if isinstance(parent, QSplitter):
        parent.replaceWidget(parent.indexOf(old), new)
        return
    layout = parent.layout() if parent is not None else None
    if layout is not None:
        layout.replaceWidget(old, new)
        old.setParent(None)


def _choose(plot: Figure, kind: str, scale: int = 2) -> None:
    choose_file(plot, kind, lambda path: plot.save_to(path, scale))


def choose_file(plot: Figure, kind: str, then: Callable[[Path], object]) -> None:
    """Ask for a file of one of FILTERS to save a figure in, and go on with it."""
    dialog = QFileDialog(plot.window(), f"Save {plot.title}")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilter(FILTERS[kind])
    dialog.setDefaultSuffix(kind)
    dialog.selectFile(f"{plot.title.lower().replace(' ', '-')}.{kind}")
    dialog.fileSelected.connect(lambda name: then(Path(name)))
    dialog.open()


def _size(plot: Figure) -> QSize:
    pad = 2 * theme.px(t.L)
    return plot.picture_size() + QSize(pad, pad)


def _paint(plot: Figure, painter: QPainter) -> None:
    # Texts are drawn here rather than by their labels, whose colours belong to the window's theme.
    origin = QPoint(theme.px(t.L), theme.px(t.L))
    for text, role, token, rect in plot.texts():
        painter.setFont(theme.font(role))
        painter.setPen(theme.color(token))
        area = QRectF(rect.translated(origin))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextDontClip), text)
    for widget, place in plot.drawn_parts():
        painter.save()
        painter.translate(place + origin)
        if isinstance(widget, QGraphicsView):
            widget.render(painter, QRectF(widget.rect()), widget.rect())
        else:
            widget.render(painter, QPoint(0, 0), renderFlags=QWidget.RenderFlag(0))
        painter.restore()


def _as_svg(plot: Figure) -> bytes:
    size = _size(plot)
    drawing = QBuffer()
    drawing.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(drawing)  # a file that cannot be written would only be a warning of Qt's
    generator.setSize(size)
    generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
    metadata = _metadata(plot)
    generator.setTitle(metadata["Title"])
    generator.setDescription("; ".join(f"{key}: {value}" for key, value in metadata.items()))
    with _light(plot):
        painter = QPainter(generator)
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), theme.color("surface"))
        _paint(plot, painter)
        painter.end()
    return bytes(drawing.data().data())


@contextlib.contextmanager
def _light(plot: Figure) -> Iterator[None]:
    plot.flush()
    with theme.borrow_light():
        plot.restyle()
        yield
    plot.restyle()


def _metadata(plot: Figure) -> dict[str, str]:
    metadata = {"Title": plot.title, "Software": f"Unlearn Studio {VERSION}"}
    if plot.caption():
        metadata["Caption"] = plot.caption()
    if plot.provenance:
        metadata["Run"] = plot.provenance
    return metadata


# ---- figures that are no line plots

Text = tuple[str, Role, str, QRect]  # what, role, colour token, where
_SAID_MS = 4000


class Figure(QWidget):
    """Subclasses say what is drawn and from which numbers; `export_button` is the way to it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.provenance = ""  # run id and settings, written into exported files
        self._said = caption("")
        self._said.hide()
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_SAID_MS)
        self._quiet.timeout.connect(self._said.hide)

    @property
    def title(self) -> str:
        """The title."""
        raise NotImplementedError

    def caption(self) -> str:
        """What stands below the figure."""
        return ""

    def texts(self) -> list[Text]:
        """Texts that are labels on screen, each with its place in the picture."""
        return []

    def drawn_parts(self) -> list[tuple[QWidget, QPoint]]:
        """The parts that draw themselves in the theme's colours, each with its place in the picture."""
        raise NotImplementedError

    def picture_size(self) -> QSize:
        """The size of a picture of the figure."""
        return self.size()

    def table(self) -> Table:
        """The numbers that are drawn: header and rows."""
        raise NotImplementedError

    def flush(self) -> None:
        """Draw what changed, now."""

    def restyle(self) -> None:
        """Take on the theme's colours again."""

    def export_button(self) -> IconButton:
        """Make the button that copies and saves."""
        button = IconButton("more", f"{self.title}: copy, save")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        button.setMenu(self._menu)
        return button

    def said_label(self) -> QLabel:
        """The label that says for a moment what became of a file."""
        return self._said

    def save_to(self, path: Path, scale: int = 2) -> None:
        """Write the figure as .png, .svg or .csv, and say what became of it."""
        written, said = save_and_say(self, path, scale)
        self._said.setText(said)
        self._said.show()
        if written:
            self._quiet.start()

    def place(self, widget: QWidget) -> QRect:
        """Where a child stands in the figure."""
        return QRect(widget.mapTo(self, QPoint(0, 0)), widget.size())

    def text_of(self, label: QLabel, role: Role, token: str = "text") -> Text:
        """A label as a text of the picture."""
        return label.text(), role, token, self.place(label)

    def _fill_menu(self) -> None:
        self._menu.clear()
        fill_menu(self._menu, self)


def whole_size(width: int, height: int) -> QSize:
    """A size no smaller than what can be read."""
    return QSize(max(width, theme.px(320)), max(height, theme.px(200)))


# ---- the data of a figure as a table, for CSV

Cell = float | str | None
Table = tuple[list[str], list[list[Cell]]]
Curve = tuple[str, NDArray[np.float64], NDArray[np.float64]]  # title, x (n,), y (n,) with NaN as a gap


def table_of(x_title: str, curves: Sequence[Curve]) -> Table:
    """Return curves as a table: one column of x, one for each curve, None where a curve has no point."""
    xs = np.unique(np.concatenate([x for _, x, _ in curves])) if curves else np.empty(0)
    columns = [dict(zip(x.tolist(), y.tolist(), strict=True)) for _, x, y in curves]
    rows: list[list[Cell]] = [[x, *(_known(column.get(x)) for column in columns)] for x in xs.tolist()]
    return [x_title, *(title for title, *_ in curves)], rows


def written(cell: Cell) -> str:
    """Write a cell: numbers with nine digits, nothing where there is no value."""
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else f"{cell:.9g}"


def _known(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
