"""The tabs beside the table of measures stand side by side, in German as well."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QFontMetrics

from app.pages.verify.comparison_view import ComparisonPlots
from app.pages.verify.plots_panel import FIRST, PlotsPanel
from app.pages.verify.verdict_card import CODES
from app.services.theme import theme
from app.services.translation import tr

ROOM = 392  # beside the table at 1280 x 720, in pixels of the design
BESIDE_RUNS = 325  # beside several runs
RAIL = 126  # for how far a page is


@pytest.mark.parametrize("language", ["english", "german"])
def test_the_tabs_need_no_arrows_in_the_smallest_window(qtbot, request, language):
    if language == "german":
        request.getfixturevalue("german")
    panel = PlotsPanel()
    qtbot.addWidget(panel)
    panel.show()
    for about in FIRST:
        panel.set_report({}, "run-1", about)
        assert panel.tabBar().sizeHint().width() <= theme.px(ROOM)


def test_several_runs_are_told_in_the_room_there_is_in_german(qtbot, german):
    tabs = ComparisonPlots()
    qtbot.addWidget(tabs)
    assert tabs.tabBar().sizeHint().width() <= theme.px(BESIDE_RUNS)
    said = [*map(tr, CODES.values()), tr("%n runs side by side", n=10), tr("Batch results")]
    metrics = QFontMetrics(theme.font("caption"))
    assert [words for words in said if metrics.horizontalAdvance(words) > theme.px(RAIL)] == []
