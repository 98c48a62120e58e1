"""The language of the window: `tr` says every sentence, in English as it is written or in a translation of it.

`tr("Written and read back: {keys} keys.", keys=count)` and `tr("%n images", n=number)`. The first argument is a whole
sentence or a whole label, a literal that the translator sees as it stands: no f-string, nothing glued to it. A second
argument tells apart what English says with one word: `tr("Open", "state of a run")`. Translations lie in
resources/translations; `make translations` brings them up to date and compiles them.
"""

from __future__ import annotations

import logging
from typing import Literal

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from core.files import RESOURCES

log = logging.getLogger(__name__)

CONTEXT = "app"  # one for all texts; where one English word needs two, the second argument of `tr` tells them apart
SOURCE = "en"
LANGUAGES = {"en": "English", "de": "Deutsch"}  # each named in itself, so that everybody finds their own
Language = Literal["system", "en", "de"]

_loaded: dict[str, QTranslator] = {}
_current = SOURCE


def tr(text: str, meaning: str = "", /, *, n: int | None = None, **values: object) -> str:
    """Return `text` in the window's language with its {placeholders} filled in.

    `n` chooses the plural form and stands where the text has %n, with the separators of `locale()`. To be called where
    the text is shown: a constant of a module would keep the language of its import, so it is marked with `mark` and
    given to `tr` when it is shown.
    """
    forms = -1 if n is None else n
    found = (_translator(name).translate(CONTEXT, text, meaning or None, forms) for name in (_current, SOURCE))
    said = next(filter(None, found), text)
    if n is not None:
        said = said.replace("%n", locale().toString(n))
    return said.format(**values) if values else said


def mark(text: str, meaning: str = "", /) -> str:
    """Return `text` as it is: a constant that is given to `tr`, with the same meaning, when it is shown."""
    return text


def inside(title: str) -> str:
    """Return a title as it stands inside a sentence: small, but where the language writes its nouns large."""
    return title if _current == "de" else title.lower()


def locale() -> QLocale:
    """Return the locale numbers and dates are written in."""
    # The C locale separates no thousands, which is meant for programs, not for people.
    found = QLocale()
    if found.language() == QLocale.Language.C:
        return QLocale(QLocale.Language.English, QLocale.Country.UnitedStates)
    return found


def language_of(choice: Language) -> str:
    """Return the language that a preference means: the first of the system's languages that there is, else English."""
    if choice != "system":
        return choice
    wanted = (name.replace("_", "-").split("-")[0] for name in QLocale.system().uiLanguages())
    return next((name for name in wanted if name in LANGUAGES), SOURCE)


def use_language(choice: Language) -> None:
    """Say everything in the language of `choice` from now on, Qt's own texts too; texts shown already stay.

    Called once, before there is a window. A language that was chosen brings its way to write numbers; the system's
    keeps the system's.
    """
    global _current
    _current = language_of(choice)
    if choice != "system":
        system = QLocale.system()
        QLocale.setDefault(system if system.name().startswith(_current) else QLocale(_current))
    QCoreApplication.removeTranslator(_qt_texts)
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    if _qt_texts.load(f"qtbase_{_current}", folder):
        QCoreApplication.installTranslator(_qt_texts)
    else:
        log.warning("Qt's own texts are not there in %s", LANGUAGES[_current])


def _translator(language: str) -> QTranslator:
    if language not in _loaded:
        translator = _loaded[language] = QTranslator()
        file = RESOURCES / "translations" / f"{language}.qm"
        if not translator.load(str(file)):
            log.warning("the translation %s cannot be read", file)
    return _loaded[language]


_qt_texts = QTranslator()
