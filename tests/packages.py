"""Packages of others as an installer leaves them: modules, and a dist-info folder with entry points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.entry_points import MEASURES, METHODS


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
