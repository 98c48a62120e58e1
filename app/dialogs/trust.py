"""Asks whether a file that can run program code may be opened; names the danger, and the default is not to open it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PySide6.QtWidgets import QWidget

from app.dialogs.sheet import Choice, ConfirmDialog, ask
from app.services.trust import TrustedFiles
from core.job import Job

REFUSED = "This file can run program code when opened, so it was not opened."
ADVICE = "Save its state dict, or open it anyway if you trust who made it."
DANGER = (
    "That code runs with your rights: it can read, change and send your files, and nothing here can stop it. "
    "A state dict or a .safetensors file of the same model cannot do that."
)
CODE = "The network of this model is program code. {doing} runs {names}. Go on only if you trust who wrote it."
CODE_DANGER = "Code runs with your rights: it can read, change and send your files, and nothing here can stop it."


def ask_trust(parent: QWidget | None, name: str, on_trust: Callable[[], object]) -> ConfirmDialog:
    """Ask about the file `name`; `on_trust` is called only where the user chose to open it anyway."""

    def answered(key: str) -> None:
        if key == "open":
            on_trust()

    choices = [Choice("keep", "Do not open"), Choice("open", "Open anyway", destructive=True)]
    return ask(parent, f"{REFUSED} {ADVICE}", choices, answered, f"{name}: {_lower(DANGER)}")


def ask_code(
    parent: QWidget | None, doing: str, files: Sequence[Path], on_trust: Callable[[], object]
) -> ConfirmDialog:
    """Ask whether the program code that makes a network may run; `doing` names what needs it: "Checking the run"."""

    def answered(key: str) -> None:
        if key == "run":
            on_trust()

    choices = [Choice("keep", "Do not run"), Choice("run", "Run the code", destructive=True)]
    question = CODE.format(doing=doing, names=_names(files))
    return ask(parent, question, choices, answered, f"{', '.join(map(str, files))}. {CODE_DANGER}")


def with_trusted_code(
    trust: TrustedFiles,
    job: Job,
    doing: str,
    parent: QWidget | None,
    then: Callable[[], object],
    brought: Iterable[Path] = (),
) -> ConfirmDialog | None:
    """Call `then` at once where a job's network is no program code, or was allowed; else once the user allows it.

    `brought`: further models that are opened with it.
    """
    files = trust.asked(job, brought)
    if not files:
        then()
        return None

    def trusted() -> None:
        trust.allow(files)
        then()

    return ask_code(parent, doing, files, trusted)


def _names(files: Sequence[Path]) -> str:
    return " and ".join(dict.fromkeys(path.name for path in files))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
