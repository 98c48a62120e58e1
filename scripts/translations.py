"""Brings the translations of the window up to date: `python -m scripts.translations`.

Every literal of `tr` and `mark` in app becomes a message of resources/translations/LANGUAGE.ts, where what was
translated stays and what nobody says any more goes; Qt's lrelease makes the .qm that the program reads. Qt's lupdate
cannot do the first half: it takes the class around a call for its context and knows no plural given by name.

English is the source; its file holds plural forms alone. What is still to be translated is marked unfinished, printed,
and refused by the tests.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import PySide6

from app.services.translation import CONTEXT, LANGUAGES, SOURCE

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "resources" / "translations"
FORMS = 2  # of a plural, in every language there is so far: one, more
PLACEHOLDER = re.compile(r"\{[^{}]*\}|%n")


@dataclass(frozen=True, order=True)
class Message:
    """What `tr` is asked for: the English text, what tells it apart, and whether it has plural forms."""

    text: str
    meaning: str = ""
    plural: bool = False


Forms = tuple[str, ...]  # of a message in one language: one text, or one per plural form; empty ones are unfinished


def calls(module: ast.Module) -> Iterator[tuple[ast.Call, bool]]:
    """Every call of `tr` or `mark`; True with one that runs when the module is imported."""

    def walk(node: ast.AST, at_import: bool) -> Iterator[tuple[ast.Call, bool]]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"tr", "mark"}:
            yield node, at_import
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, at_import and not inside)

    yield from walk(module, True)


def mistake(call: ast.Call, at_import: bool) -> str:
    """Say why a call of `tr` or `mark` cannot be translated; empty where it can."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    literal = all(isinstance(argument, ast.Constant) for argument in call.args)
    if name == "mark" and not literal:
        return "mark takes a literal"
    if name == "tr" and at_import:
        return "tr keeps the language of the import here; use mark, and tr where it is shown"
    if isinstance(call.args[0], ast.JoinedStr | ast.BinOp) or (isinstance(call.args[0], ast.Call) and name == "tr"):
        return "tr takes a literal with {placeholders}, or what was marked"
    return ""


def messages(module: ast.Module) -> Iterator[Message]:
    """What the calls of a module ask for; a call without a literal asks for what was marked elsewhere."""
    for call, _ in calls(module):
        texts = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
        if texts and len(texts) == len(call.args):
            yield Message(texts[0], texts[1] if len(texts) > 1 else "", any(k.arg == "n" for k in call.keywords))


def all_messages() -> list[Message]:
    """All messages of the window in the order of the files."""
    found = {m for path in (ROOT / "app").rglob("*.py") for m in messages(ast.parse(path.read_text(encoding="utf-8")))}
    return sorted(found, key=lambda message: (message.text.casefold(), message))


def needed(language: str, wanted: Iterable[Message]) -> list[Message]:
    """Return those messages that a language's file holds."""
    return [message for message in wanted if message.plural or language != SOURCE]


def read(language: str) -> dict[Message, Forms]:
    """Return what a language's file holds."""
    path = FOLDER / f"{language}.ts"
    if not path.exists():
        return {}
    found: dict[Message, Forms] = {}
    for entry in ElementTree.parse(path).getroot().iter("message"):
        translation, plural = entry.find("translation"), entry.get("numerus") == "yes"
        forms = () if translation is None else translation.findall("numerusform") if plural else (translation,)
        key = Message(entry.findtext("source", ""), entry.findtext("comment", ""), plural)
        finished = translation is not None and translation.get("type") is None
        found[key] = tuple(form.text or "" for form in forms) if finished else ()
    return found


def write(language: str, known: dict[Message, Forms], wanted: Iterable[Message]) -> None:
    """Write a language's file: all `wanted`, with the translations that are known."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>", f'<TS version="2.1" language="{language}">',
             "<context>", f"    <name>{CONTEXT}</name>"]  # fmt: skip
    for message in wanted:
        forms = known.get(message, ())
        kind = "" if forms and all(forms) else ' type="unfinished"'
        lines += ['    <message numerus="yes">' if message.plural else "    <message>",
                  f"        <source>{escape(message.text)}</source>"]  # fmt: skip
        if message.meaning:
            lines.append(f"        <comment>{escape(message.meaning)}</comment>")
        if message.plural:
            lines.append(f"        <translation{kind}>")
            lines += [f"            <numerusform>{escape(form)}</numerusform>" for form in forms or [""] * FORMS]
            lines.append("        </translation>")
        else:
            lines.append(f"        <translation{kind}>{escape(forms[0]) if forms else ''}</translation>")
        lines.append("    </message>")
    path = FOLDER / f"{language}.ts"
    path.write_text("\n".join([*lines, "</context>", "</TS>", ""]), encoding="utf-8")


def problems(language: str, wanted: Iterable[Message]) -> Iterator[str]:
    """Say what is wrong with a language's file, a line each."""
    known, asked = read(language), needed(language, wanted)
    for message in asked:
        forms = known.get(message, ())
        if not forms or not all(forms):
            yield f"{language}: not translated: {message.text!r}"
        elif len(forms) != (FORMS if message.plural else 1):
            yield f"{language}: wrong number of plural forms: {message.text!r}"
        elif any(not same_places(message.text, form) for form in forms):
            yield f"{language}: other placeholders: {message.text!r}"
    for message in known.keys() - set(asked):
        yield f"{language}: nobody says {message.text!r}"


def same_places(text: str, translation: str) -> bool:
    """Tell whether two texts fill in the same; "one image" may leave out the number."""
    ours, theirs = (set(PLACEHOLDER.findall(one)) for one in (text, translation))
    return ours - {"%n"} == theirs - {"%n"} and (theirs & {"%n"}) <= ours


def compile_to(language: str, target: Path) -> None:
    """Make the file that the program reads from a language's file."""
    tool = Path(PySide6.__file__).parent / ("lrelease.exe" if sys.platform == "win32" else "lrelease")
    subprocess.run([tool, "-silent", FOLDER / f"{language}.ts", "-qm", target], check=True)


def main() -> int:
    """Bring all files up to date; 1 where something is left to translate."""
    wanted = all_messages()
    for language in LANGUAGES:
        write(language, read(language), needed(language, wanted))
        compile_to(language, FOLDER / f"{language}.qm")
    left = [line for language in LANGUAGES for line in problems(language, wanted)]
    sys.stdout.write("".join(f"{line}\n" for line in left) or f"{len(wanted)} texts, all translated\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
