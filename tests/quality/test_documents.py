"""Documents say what is true: commands that exist, links that lead somewhere, a page made from the program."""

from __future__ import annotations

import math
import re

import pytest
from repository import ROOT, relative, text_files

from core.cli import LISTED
from core.version import VERSION

DOCUMENTS = {relative(path): text for path, text in text_files() if path.suffix == ".md"}
DECISIONS = sorted(name for name in DOCUMENTS if re.match(r"docs/adr/\d{4}-", name))

# Words the README leaves to advertisements: they claim more than a measurement can.
NOT_IN_README = ("state of the art", "state-of-the-art", "guarantee", "compliant", "erase")


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def commands(text: str) -> list[str]:
    """All code of a document: spans in backticks and lines of blocks, continued lines joined."""
    blocks = re.findall(r"^```(?:sh|bat)?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def headings(text: str) -> set[str]:
    """The anchors of a document's headings, as rendered on code-hosting sites."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_commands_exist(name):
    targets = make_targets()
    named = {
        word
        for line in commands(DOCUMENTS[name])
        if (match := re.search(r"(?:^|\s)make ([a-z-]+)", line))
        for word in [match.group(1)]
    }
    assert named <= targets, f"no such target: {sorted(named - targets)}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_subcommands_exist(name):
    unknown = []
    for line in commands(DOCUMENTS[name]):
        match = re.search(r"(?:main\.py|unlearn-studio)\s+(.*)", line.partition("  #")[0])
        word = next(iter(match.group(1).split()), "") if match else ""
        if re.fullmatch(r"[a-z][a-z-]*", word) and word not in LISTED:
            unknown.append(line)
    assert not unknown


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", DOCUMENTS[name]):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        known = headings(file.read_text(encoding="utf-8")) if anchor and file.is_file() else set()
        if not file.exists() or (anchor and anchor not in known):
            broken.append(target)
    assert not broken


def test_readme_names_both_commands_and_claims_nothing():
    text = DOCUMENTS["README.md"]
    assert "\nmake run\n" in text and "\nmake test\n" in text
    assert '\npip install ".[gui]"\n```\n' in text and "```sh\nunlearn-studio --example\n```" in text
    assert not [word for word in NOT_IN_README if word in text.lower()]


def test_changelog_has_this_version():
    assert re.search(rf"^## \[{re.escape(VERSION)}\]", DOCUMENTS["CHANGELOG.md"], flags=re.MULTILINE)


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions_are_complete_and_listed(name):
    text, file = DOCUMENTS[name], name.rpartition("/")[2]
    assert text.startswith(f"# {file[:4]}: ")
    for part in ("Status: ", "## Context", "## Decision", "## Consequences"):
        assert part in text
    title = text.splitlines()[0].partition(": ")[2]
    row = next((line for line in DOCUMENTS["docs/adr/README.md"].splitlines() if f"({file})" in line), "")
    assert title.lower() in row.lower(), f"docs/adr/README.md does not list {file} under its title"


def test_decisions_are_numbered_without_gaps():
    numbers = [int(name.rpartition("/")[2][:4]) for name in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1)) and numbers


def test_reference_page_is_what_the_program_declares():
    from scripts.reference import PAGE, render

    assert PAGE.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_the_method_in_the_documents_works():
    """The example of plugins.md is short, plans its stages and computes its loss."""
    import torch

    from core.methods.base import Facts, StageOutput
    from core.parameters import resolve

    text = DOCUMENTS["docs/plugins.md"]
    code = re.search(r'^```python\n("""Flat outputs.*?)^```', text, flags=re.MULTILINE | re.DOTALL)
    assert code and code.group(1).count("\n") < 65
    names: dict = {}
    exec(compile(code.group(1), "docs/plugins.md", "exec"), names)
    method = names["FLAT_OUTPUTS"]
    values = resolve(method.parameters)
    stages = method.plan(values, Facts(10, 0, 90, 4))
    assert [stage.reads for stage in stages] == ["forget", "retain"]

    def loss(logits: torch.Tensor) -> float:
        return names["flatten"](StageOutput(logits, torch.zeros(3, 2)), None, {}, values)["loss"].item()

    assert loss(torch.zeros(3, 4)) == pytest.approx(math.log(4))
    assert loss(torch.tensor([[9.0, 0, 0, 0]] * 3)) > math.log(4)


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", text, flags=re.MULTILINE)[1] == VERSION
