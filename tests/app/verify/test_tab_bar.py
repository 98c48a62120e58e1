"""The tabs beside the table of measures stand side by side, in German as well."""

from __future__ import annotations

import pytest

from app.pages.verify.plots_panel import PlotsPanel
from app.services.theme import theme

ROOM = 392  # beside the table at 1280 x 720, in pixels of the design


@pytest.mark.parametrize("language", ["english", "german"])
def test_the_tabs_need_no_arrows_in_the_smallest_window(qtbot, request, language):
    if language == "german":
        request.getfixturevalue("german")
    panel = PlotsPanel()
    qtbot.addWidget(panel)
    panel.show()
    for single_images in (False, True):
        panel.set_report({}, "run-1", single_images)
        assert panel.tabBar().sizeHint().width() <= theme.px(ROOM)
