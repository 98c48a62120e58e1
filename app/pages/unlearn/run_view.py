"""A run on the page: banners, the bar, the plots and the time slider. Shows; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.pages.unlearn.plots import RunPlots
from app.pages.unlearn.run_bar import RunBar
from app.pages.unlearn.time_slider import TimeSlider
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.notices import Banner, Severity

BannerText = tuple[str, Severity, list[tuple[str, Callable[[], object]]]]
MOST_BANNERS = 2


class RunView(QWidget):
    """`bar.wanted` carries the buttons; `set_banners` says what needs a decision."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.banners = [Banner() for _ in range(MOST_BANNERS)]
        self.bar = RunBar()
        self.plots = RunPlots()
        self.slider = TimeSlider()
        self.slider.moved.connect(self.plots.show_until)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.M))
        for banner in self.banners:
            column.addWidget(banner)
        column.addWidget(self.bar)
        column.addWidget(self.plots, 1)
        column.addWidget(self.slider)
        self._texts: list[str] = []

    def set_banners(self, texts: Sequence[BannerText]) -> None:
        """Show at most two, the first ones; what is shown already stays as it is, dismissed or not."""
        wanted = [text for text, *_ in texts[:MOST_BANNERS]]
        if wanted == self._texts:
            return
        self._texts = wanted
        for number, banner in enumerate(self.banners):
            if number < len(wanted):
                text, severity, buttons = texts[number]
                banner.show_message(text, severity, buttons)
            else:
                banner.hide()

    def banner_texts(self) -> list[str]:
        """The sentences shown."""
        return list(self._texts)

    def update_slider(self, total: int) -> None:
        """Offer the steps recorded so far."""
        self.slider.set_steps(self.plots.recorded_steps, max(total, self.plots.last_overlaid))
