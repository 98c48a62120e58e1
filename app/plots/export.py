"""What every figure has: a title, a caption, drawing once a turn, and the ways to take it along.

PNG at 2x and 4x, SVG, CSV, the clipboard, and a larger window.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QIODevice, QPoint, QRect, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QFont, QGuiApplication, QImage, QPaintEngine, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QGraphicsView,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import IconButton
from app.widgets.labels import ElidedLabel, caption
from app.widgets.layout import STRETCH, column, row
from app.widgets.terms import TermLabel, heading
from core.text import cell, visible
from core.version import VERSION

PNG_SCALES = (2, 4)
FILTERS = {"png": mark("PNG image (*.png)"), "svg": mark("SVG drawing (*.svg)"), "csv": mark("CSV table (*.csv)"),
           "gif": mark("GIF film (*.gif)")}  # fmt: skip
_SAID_MS = 4000

Text = tuple[str, QFont, str, QRect]  # what, font, colour token, where
Cell = float | str | None
Table = tuple[list[str], list[list[Cell]]]  # header and rows


class Figure(QWidget):
    """Subclasses say what is drawn and from which numbers.

    `mark_dirty` says that something changed: `_draw` is called once when the event loop comes round, or when it is the
    figure's turn, and not while it is hidden; `flush` draws now.
    """

    canvas: Any  # what is painted
    enlargeable = False

    def __init__(self, parent: QWidget | None = None, title: str = "") -> None:
        super().__init__(parent)
        self.title = title
        self.provenance = ""  # run id and settings, written into exported files
        self.dirty = False  # something changed that is not drawn yet
        self.ask_turn: Callable[[], object] = self._draw_soon  # another one: a turn with plots that change with it
        self.caption_label = one_line()
        self.said = caption()  # what became of a file
        self.said.hide()
        self._quiet = self._timer(_SAID_MS, self.said.hide)
        self._drawing = self._timer(0, self.flush)
        self._styled = False
        theme.changed.connect(self.restyle)

    def caption(self) -> str:
        """What stands below the figure."""
        return self.caption_label.text()

    def set_caption(self, text: str) -> None:
        if text != self.caption_label.text():
            self.caption_label.setText(text)
        self.caption_label.setVisible(bool(text))

    # ---- drawing

    def mark_dirty(self, *_: object) -> None:
        """Something changed."""
        self.dirty = True
        if self.isVisible():
            self.ask_turn()

    def flush(self) -> None:
        """Draw what changed, now."""
        self._drawing.stop()
        if self.dirty:
            self.dirty = False
            self._draw()

    def showEvent(self, event: object) -> None:
        if self._styled:
            self.mark_dirty()
        else:
            self._styled = True
            self.restyle()

    def restyle(self) -> None:
        """Take on the theme's colours again."""
        self.mark_dirty()

    def _draw(self) -> None:
        """Draw what changed."""

    def _draw_soon(self) -> None:
        if not self._drawing.isActive():
            self._drawing.start()

    def _timer(self, milliseconds: int, act: Callable[[], object]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(act)
        return timer

    # ---- its parts

    def make_head(self, *buttons: QWidget) -> QHBoxLayout:
        """Return the row with the title, `buttons`, and the button that copies and saves."""
        self._heading = heading(self.title)
        self._head = row(self._heading, STRETCH, *buttons, self.export_button())
        return self._head

    def add_head_widget(self, widget: QWidget) -> None:
        """Put a switch beside the title."""
        self._head.insertWidget(1, widget)

    def export_button(self) -> IconButton:
        """Make the button that copies and saves."""
        button = IconButton("more", tr("{title}: copy, save", title=self.title))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        button.setMenu(self._menu)
        return button

    def add_menu_entries(self, menu: QMenu) -> None:
        """Add further entries to the menu."""

    def _fill_menu(self) -> None:
        menu = self._menu
        menu.clear()
        self.add_menu_entries(menu)
        if self.enlargeable:
            menu.addSeparator()
            menu.addAction(tr("Enlarge"), self.enlarge)
        menu.addAction(tr("Copy image"), lambda: QGuiApplication.clipboard().setImage(as_image(self)))
        for scale in PNG_SCALES:
            menu.addAction(tr("Save PNG, {scale}×…", scale=scale), partial(self._choose, "png", scale))
        menu.addAction(tr("Save SVG…"), partial(self._choose, "svg"))
        menu.addAction(tr("Save values as CSV…"), partial(self._choose, "csv"))

    def enlarge(self) -> QDialog:
        """Show the figure in a window of its own; closing that puts it back into its place."""
        window, place, page = QDialog(self.window()), QWidget(), self.parentWidget()
        layout = page.layout() if page is not None else None
        assert layout is not None
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        window.setWindowTitle(self.title)
        window.setProperty("ground", "surface")
        theme.dress(window)
        place.setMinimumSize(self.minimumSizeHint())
        layout.replaceWidget(self, place)
        column(self, on=window, margins=t.L)

        def put_back() -> None:
            layout.replaceWidget(place, self)
            place.deleteLater()
            self.show()

        window.finished.connect(put_back)
        window.resize(theme.px(1040), theme.px(640))
        window.show()
        self.show()
        return window

    # ---- taking it along

    def texts(self) -> list[Text]:
        """Texts that are labels on screen, and what is ticked, each with its place in the picture: all of one line."""
        kinds = QLabel | TermLabel | QCheckBox
        labels = [label for label in self.findChildren(QWidget) if isinstance(label, kinds)]
        return [
            self.text_of(label) for label in labels
            if label.text() and label.isVisibleTo(self) and label is not self.said
            and not (isinstance(label, QLabel) and label.wordWrap())
            and not (isinstance(label, QCheckBox) and not (label.isChecked() and label.isEnabled()))
        ]  # fmt: skip

    def drawn_parts(self) -> list[tuple[QWidget, QPoint]]:
        """The parts that draw themselves in the theme's colours, each with its place in the picture."""
        views = [view for view in self.findChildren(QGraphicsView) if view.isVisibleTo(self)]
        return [(view, self.place(view).topLeft()) for view in views]

    def picture_size(self) -> QSize:
        """The size of a picture of the figure."""
        return whole_size(self.width(), self.height())

    def table(self) -> Table:
        """The numbers that are drawn."""
        raise NotImplementedError

    def place(self, widget: QWidget) -> QRect:
        """Where a child stands in the figure."""
        return QRect(widget.mapTo(self, QPoint(0, 0)), widget.size())

    def text_of(self, label: QLabel | TermLabel | QCheckBox) -> Text:
        """A label as a text of the picture."""
        return label.accessibleName() or label.text(), label.font(), label.property("tone") or "text", self.place(label)

    def say(self, text: str, stays: bool = False) -> None:
        """Say what became of a file: for a moment, or until something else is said."""
        self.said.setText(text)
        self.said.show()
        self._quiet.stop() if stays else self._quiet.start()

    def save_to(self, path: Path, made: bytes = b"") -> None:
        """Write the figure as .png, .svg or .csv, or what was made of it before, and say what became of it."""
        try:
            path.write_bytes(made or contents(self, path.suffix.lower().lstrip(".")))
        except (OSError, ValueError) as error:  # the latter of an ending nobody offered
            self.say(tr("Not saved: {error}", error=str(error)), stays=True)
        else:
            self.say(tr("Saved {name}", name=path.name))

    def _choose(self, kind: str, scale: int = 2) -> None:
        made = contents(self, kind, scale)  # of the run that is in view now, whatever is when its file is chosen
        choose_file(self, kind, lambda path: self.save_to(path, made if path.suffix.lower() == f".{kind}" else b""))


def one_line(text: str = "") -> ElidedLabel:
    """Return a line of small text that takes the width there is."""
    label = ElidedLabel(text, "caption", "text-2", mode=Qt.TextElideMode.ElideRight)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return label


def choose_file(plot: Figure, kind: str, then: Callable[[Path], object]) -> None:
    """Ask for a file of one of FILTERS to save a figure in, and go on with it."""
    dialog = QFileDialog(plot.window(), tr("Save {title}", title=plot.title))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilter(tr(FILTERS[kind]))
    dialog.setDefaultSuffix(kind)
    dialog.selectFile(f"{plot.title.lower().replace(' ', '-')}.{kind}")
    dialog.fileSelected.connect(lambda name: then(Path(name)))
    dialog.open()


def contents(plot: Figure, kind: str, scale: int = 2) -> bytes:
    """Return a plot as the file that is saved: "png", "svg" or "csv"."""
    if kind == "csv":
        return as_csv(plot).encode()
    if kind == "svg":
        return _as_svg(plot)
    if kind == "png":
        drawing = QBuffer()
        as_image(plot, scale).save(drawing, "png")  # type: ignore[call-overload]  # bytes, say the stubs; Qt gets none
        return bytes(drawing.data().data())
    raise ValueError(tr("a plot is saved as .png, .svg or .csv, not {ending}", ending=repr(f".{kind}")))


def as_image(plot: Figure, scale: int = 2) -> QImage:
    """Draw a plot in the light theme, whatever the window wears; title and provenance go into the file."""
    image = QImage(_size(plot) * scale, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(scale)  # lines and markers of a fixed number of pixels grow with it
    with _light(plot):
        image.fill(theme.color("surface"))
        painter = QPainter(image)
        _paint(plot, painter)
        painter.end()
    for key, text in _metadata(plot).items():
        image.setText(key, text)
    return image


def as_csv(plot: Figure) -> str:
    """The numbers that are drawn as a table, with title and provenance as comments above it; nine digits."""
    plot.flush()
    text = io.StringIO()
    for key, value in _metadata(plot).items():
        text.write(f"# {key}: {visible(value)}\n")
    writer = csv.writer(text, lineterminator="\n")
    header, rows = plot.table()
    writer.writerow(map(_written, header))
    writer.writerows([_written(cell) for cell in row] for row in rows)
    return text.getvalue()


def table_of(x_title: str, curves: Sequence[tuple[str, NDArray[np.float64], NDArray[np.float64]]]) -> Table:
    """Return curves (title, x, y) as a table: one column of x, one for each curve, None where it has no point."""
    xs = np.unique(np.concatenate([x for _, x, _ in curves])) if curves else np.empty(0)
    columns = [dict(zip(x.tolist(), y.tolist(), strict=True)) for _, x, y in curves]
    rows: list[list[Cell]] = [[x, *(column.get(x) for column in columns)] for x in xs.tolist()]
    return [x_title, *(title for title, *_ in curves)], rows


def whole_size(width: int, height: int) -> QSize:
    """A size no smaller than what can be read."""
    return QSize(max(width, theme.px(320)), max(height, theme.px(200)))


def _written(value: Cell) -> str:
    if isinstance(value, str):
        return cell(value)
    return f"{value:.9g}" if value is not None and np.isfinite(value) else ""


def _size(plot: Figure) -> QSize:
    pad = 2 * theme.px(t.L)
    return plot.picture_size() + QSize(pad, pad)


def _paint(plot: Figure, painter: QPainter) -> None:
    # Texts are drawn here rather than by their labels, whose colours belong to the window's theme.
    origin = QPoint(theme.px(t.L), theme.px(t.L))
    for text, font, token, rect in plot.texts():
        painter.setFont(font)
        painter.setPen(theme.color(token))
        area = QRectF(rect.translated(origin))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextDontClip), text)
    for widget, place in plot.drawn_parts():
        painter.save()
        painter.translate(place + origin)
        if widget.property("many") and painter.paintEngine().type() == QPaintEngine.Type.SVG:
            painter.drawPixmap(QPoint(), widget.grab())
        elif isinstance(widget, QGraphicsView):
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
    generator.setResolution(plot.logicalDpiX())  # else what was recorded for the screen, as axes are, shrinks
    generator.setSize(size)
    generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
    generator.setTitle(plot.title)
    generator.setDescription("; ".join(f"{key}: {value}" for key, value in _metadata(plot).items()))
    with _light(plot):
        painter = QPainter(generator)
        painter.fillRect(generator.viewBox(), theme.color("surface"))
        _paint(plot, painter)
        painter.end()
    return bytes(drawing.data().data())


@contextlib.contextmanager
def _light(plot: Figure) -> Iterator[None]:
    plot.flush()
    with theme.borrow_light():
        plot.restyle()
        plot.flush()
        yield
    plot.restyle()


def _metadata(plot: Figure) -> dict[str, str]:
    known = {"Title": plot.title, "Software": f"Unlearn Studio {VERSION}", "Caption": plot.caption(),
             "Run": plot.provenance}  # fmt: skip
    return {key: text for key, text in known.items() if text}
