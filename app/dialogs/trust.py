"""Asks whether a file that can run program code may be opened; names the danger, and the default is not to open it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtWidgets import QWidget

from app.dialogs.sheet import Choice, ConfirmDialog, ask
from app.services.translation import mark, tr
from app.services.trust import TrustedFiles

REFUSED = mark("This file can run program code when opened, so it was not opened.")
DANGER = mark(
    "The code in {files} runs with your rights: it can read, change and send your files, and nothing here can stop it."
)


def ask_trust(parent: QWidget | None, name: str, on_trust: Callable[[], object]) -> ConfirmDialog:
    """Ask about the file `name`; `on_trust` is called only where the user chose to open it anyway."""
    choices = [Choice("keep", tr("Do not open")), Choice("open", tr("Open anyway"), True, on_trust)]
    advice = tr("Save its state dict, or open it anyway if you trust who made it.")
    harmless = tr("A state dict or a .safetensors file of the same model cannot do that.")
    return ask(parent, f"{tr(REFUSED)} {advice}", choices, f"{tr(DANGER, files=name)} {harmless}")


def ask_code(parent: QWidget | None, files: Sequence[Path], on_trust: Callable[[], object]) -> ConfirmDialog:
    """Ask whether the program code that makes a network may run."""
    names = ", ".join(dict.fromkeys(path.name for path in files))
    question = tr("The network of this model is program code: {files}. Run it only if you trust who wrote it.",
                  files=names)  # fmt: skip
    choices = [Choice("keep", tr("Do not run")), Choice("run", tr("Run the code"), True, on_trust)]
    return ask(parent, question, choices, tr(DANGER, files=", ".join(map(str, files))))


def with_trusted_code(
    trust: TrustedFiles, files: Sequence[Path], parent: QWidget | None, then: Callable[[], object]
) -> None:
    """Call `then` once the user allows the program code in these files, at once where there is none."""

    def trusted() -> None:
        trust.allow(files)
        then()

    if files:
        ask_code(parent, files, trusted)
    else:
        then()
