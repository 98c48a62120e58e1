"""Packages of others as an installer leaves them: modules, and a dist-info folder with entry points."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from core.entry_points import MEASURES, METHODS

ROOT = Path(__file__).resolve().parents[1]


def template() -> tuple[dict, str]:
    """The package of docs/plugins.md: its pyproject.toml, read, and its module."""
    page = ROOT.joinpath("docs", "plugins.md").read_text(encoding="utf-8")
    (project,), (module,) = (re.findall(rf"```{kind}\n(.*?)```", page, re.S) for kind in ("toml", "python"))
    return tomllib.loads(project), module


def install_template(folder: Path) -> Path:
    """Put the package of docs/plugins.md into a folder, as its pyproject.toml says."""
    project, text = template()
    (module,) = project["tool"]["setuptools"]["py-modules"]
    points = project["project"]["entry-points"]
    named = {key: project["project"][key] for key in ("name", "version")}
    return install(folder, {module: text}, methods=points[METHODS], measures=points[MEASURES], **named)


def install(
    folder: Path,
    modules: Mapping[str, str],
    methods: Mapping[str, str] | None = None,
    measures: Mapping[str, str] | None = None,
    name: str = "forget-more",
    version: str = "1.2",
) -> Path:
    """Put a package into a folder that is to be on the path; returns the folder."""
    for module, text in modules.items():
        folder.joinpath(f"{module}.py").write_text(text, encoding="utf-8")
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = {METHODS: methods or {}, MEASURES: measures or {}}
    lines = (f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items())
    info.joinpath("entry_points.txt").write_text("\n".join(lines))
    return folder
