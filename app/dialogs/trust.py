"""Asks whether a file that can run program code may be opened; names the danger, and the default is not to open it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from app.dialogs.confirm import Choice, ConfirmDialog, ask

REFUSED = "This file can run program code when opened, so it was not opened."
ADVICE = "Save its state dict, or open it anyway if you trust who made it."
DANGER = (
    "That code runs with your rights: it can read, change and send your files, and nothing here can stop it. "
    "A state dict or a .safetensors file of the same model cannot do that."
)


def ask_trust(parent: QWidget | None, name: str, on_trust: Callable[[], object]) -> ConfirmDialog:
    """Ask about the file `name`; `on_trust` is called only where the user chose to open it anyway."""

    def answered(key: str) -> None:
        if key == "open":
            on_trust()

    choices = [Choice("keep", "Do not open"), Choice("open", "Open anyway", destructive=True)]
    return ask(parent, f"{REFUSED} {ADVICE}", choices, answered, f"{name}: {_lower(DANGER)}")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
