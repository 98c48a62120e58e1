"""What tests of core share."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def found_once(request, tmp_path_factory, monkeypatch):
    """Like images are looked for once for a data set and forget set, not for the report of each test's run."""
    near = sys.modules.get("core.session.near")
    if near is not None and not request.path.name.startswith(("test_near", "test_kept")):
        monkeypatch.setattr(near, "cache_home", lambda: tmp_path_factory.getbasetemp() / "found")
