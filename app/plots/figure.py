"""What a figure that is no line plot offers to be taken along as a picture or a table."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QSize, QTimer
from PySide6.QtWidgets import QLabel, QMenu, QToolButton, QWidget

from app.plots.tables import Table
from app.services.theme import Role, theme
from app.widgets.buttons import IconButton
from app.widgets.labels import caption

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
        from app.plots import export

        written, said = export.save_and_say(self, path, scale)
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
        from app.plots import export

        self._menu.clear()
        export.fill_menu(self._menu, self)


def whole_size(width: int, height: int) -> QSize:
    """A size no smaller than what can be read."""
    return QSize(max(width, theme.px(320)), max(height, theme.px(200)))
