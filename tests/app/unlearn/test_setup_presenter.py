"""What is set for a method: its first preset until it is changed, and then what it was left at."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

from app.pages.unlearn.setup_presenter import Draft, SetupPresenter


def test_a_method_has_its_first_preset_until_something_was_set():
    presets = {"muda": [SimpleNamespace(name="samples"), SimpleNamespace(name="default")], "finetune": []}
    shown = Mock(_drafts={}, _presets=presets.get, _preset_values=lambda method, preset: {"of": (method, preset)})
    first = SetupPresenter._draft(shown, "muda")
    assert first == Draft("samples", {"of": ("muda", "samples")})
    first.values["lr"] = 0.5
    assert SetupPresenter._draft(shown, "muda") is first
    assert SetupPresenter._draft(shown, "finetune") == Draft("", {"of": ("finetune", "")})
