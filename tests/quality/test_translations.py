"""The window's texts can be translated, and are: every literal is in the files, and German is complete."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QLocale
from repository import at, python_files, tree

from app.services import format as fmt
from app.services import translation
from app.services.translation import LANGUAGES, SOURCE, language_of, mark, tr, use_language
from scripts import translations


@pytest.fixture
def german():
    use_language("de")
    yield
    use_language("en")
    QLocale.setDefault(QLocale.system())


def test_every_text_is_one_that_can_be_translated():
    found = [at(path, call.lineno) + f": {why}" for path in python_files("app")
             for call, at_import in translations.calls(tree(path)) if (why := translations.mistake(call, at_import))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_files_hold_every_text_and_nothing_is_left_to_translate(language):
    found = list(translations.problems(language, translations.all_messages()))
    assert not found, "\n".join(["python -m scripts.translations brings the files up to date.", *found])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_program_reads_what_the_files_say(language, tmp_path):
    translations.compile_to(language, tmp_path / "made.qm")
    assert (tmp_path / "made.qm").read_bytes() == (translations.FOLDER / f"{language}.qm").read_bytes()


@pytest.mark.parametrize(
    "source",
    ['TEXT = tr("Constant")', 'def f():\n    tr(f"{name} is gone")', 'def f():\n    tr("One " + word)',
     'def f():\n    tr(tr("Twice"))', 'TEXT = mark(f"{name}")'],
)  # fmt: skip
def test_the_rule_catches(source):
    assert [call for call, at_import in translations.calls(ast.parse(source)) if translations.mistake(call, at_import)]


@pytest.mark.parametrize("source", ['TEXT = mark("Constant")', 'def f():\n    return tr(TEXT), tr("%n steps", n=3)'])
def test_the_rule_lets_pass(source):
    assert not [one for one in translations.calls(ast.parse(source)) if translations.mistake(*one)]


def test_a_translation_fills_in_what_the_text_does():
    assert translations.same_places("{done} of %n images", "Ein Bild von {done}")
    assert not translations.same_places("{done} of {all}", "{done} von {alle}")
    assert not translations.same_places("{done} images", "%n Bilder")


@pytest.mark.parametrize("number, text", [(1, "1 image"), (2, "2 images"), (60_000, "60,000 images"), (0, "0 images")])
def test_english_has_plural_forms(number, text):
    assert tr("%n images", n=number) == text


def test_german_speaks_german_and_writes_numbers_so(german):
    assert tr("%n images", n=1) == "1 Bild"
    assert tr("%n images", n=60_000) == "60.000 Bilder"
    assert tr(mark("&Quit")) == "&Beenden"


def test_qt_speaks_the_same_language(german, qapp):
    assert QCoreApplication.translate("QPlatformTheme", "Cancel") == "Abbrechen"
    use_language("en")
    assert QCoreApplication.translate("QPlatformTheme", "Cancel") == "Cancel"


def test_what_nobody_translated_is_said_in_english(german):
    assert tr("Said in English by {whom}.", whom="a test") == "Said in English by a test."


@pytest.mark.parametrize(
    "system, language",
    [(["de-AT", "en-US"], "de"), (["fr-FR", "de"], "de"), (["C"], SOURCE), ([], SOURCE), (["en_GB", "de"], "en")],
)
def test_the_language_of_the_system_is_the_first_there_is(monkeypatch, system, language):
    class System:
        def uiLanguages(self) -> list[str]:
            return system

    monkeypatch.setattr(translation.QLocale, "system", lambda: System())
    assert language_of("system") == language
    assert language_of("de") == "de"


def test_a_file_that_is_gone_leaves_english(monkeypatch, tmp_path):
    monkeypatch.setattr(translation, "RESOURCES", Path(tmp_path))
    monkeypatch.setattr(translation, "_loaded", {})
    assert tr("There is nothing to undo.") == "There is nothing to undo."


def test_titles_inside_a_sentence_and_short_numbers_are_written_as_the_language_does(german):
    assert translation.inside("Schritt") == "Schritt" and fmt.brief(0.5) == "0,5" and fmt.brief(-1e-5) == "−1e−05"
    use_language("en")
    QLocale.setDefault(QLocale.c())
    assert translation.inside("Step") == "step" and fmt.brief(0.5) == "0.5"
