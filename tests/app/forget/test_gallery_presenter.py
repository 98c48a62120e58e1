"""What is said while images are arranged."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from app.pages.forget.gallery_presenter import GalleryPresenter


@pytest.mark.parametrize(
    ("done", "total", "said"),
    [(0, 0, "Arranging…"), (0, 2000, "Arranging… (0 of 2,000)"), (1500, 2000, "Arranging… (1,500 of 2,000)")],
)
def test_how_far_it_is_stands_where_the_count_will(done, total, said):
    shown: list[str] = []
    panel = SimpleNamespace(count=SimpleNamespace(setText=shown.append))
    GalleryPresenter._say_how_far(SimpleNamespace(_panel=panel), "Measuring", done, total)
    assert shown == [said]
