"""End-to-end tests share one home."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory):
    """The folder all end-to-end tests keep settings, models and runs in."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def home(shared_home, monkeypatch):
    """Point the application to the shared home."""
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(shared_home))
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    return shared_home
