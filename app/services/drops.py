"""What files and folders open as, said in the same words while they are dragged and when they have been dropped."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.services.translation import mark, tr
from core.errors import InputError
from core.runs.folder import RunFolder
from core.session.inspecting import Kind, kind_of

OPENS: dict[Kind, str] = {  # what the window opens, in this order
    "model": mark("{name} opens as the model."),
    "dataset": mark("{name} opens as the data."),
    "forget list": mark("{name} is imported as a forget list."),
    "batch": mark("The runs of {name} are queued."),
    "run": mark("The run {name} opens."),
}


@dataclass(frozen=True)
class Plan:
    """What becomes of some paths: of each kind the first opens, the others of its kind and what is none are left."""

    opens: dict[Kind, Path]
    left: tuple[Path, ...] = ()
    unknown: tuple[Path, ...] = ()
    list_needs_data: bool = False  # a forget list is left because no data is open

    @property
    def whole(self) -> bool:
        """Whether all of it opens."""
        return not self.left and not self.unknown and not self.list_needs_data

    @property
    def sentence(self) -> str:
        """What opens, and what is left and why."""
        said = [tr(OPENS[kind], name=self.opens[kind].name) for kind in OPENS if kind in self.opens]
        if self.left:
            said.append(tr("Left, for one of a kind opens at a time: {names}.", names=_named(self.left)))
        if self.list_needs_data:
            said.append(tr("Open the data first: a forget list names its images."))
        if self.unknown:
            what = tr("no model, data, run, forget list or batch file")
            said.append(tr("{names} is {what}.", names=_named(self.unknown), what=what) if len(self.unknown) == 1
                        else tr("{names}: {what}.", names=_named(self.unknown), what=what))  # fmt: skip
        return " ".join(said)


def look(paths: Sequence[Path], data_open: bool) -> Plan:
    """Return what opening these paths would do; runs in a worker, for a disk may be slow."""
    opens: dict[Kind, Path] = {}
    left, unknown = [], []
    for path in paths:
        kind = opens_as(path)
        # A quick look stops at the first sub-folder: opening a folder says what it holds, or what is missing in it.
        kind = "dataset" if kind is None and path.is_dir() else kind
        if kind is None:
            unknown.append(path)
        elif kind in opens:
            left.append(path)
        else:
            opens[kind] = path
    needs_data = "forget list" in opens and "dataset" not in opens and not data_open
    if needs_data:
        del opens["forget list"]
    return Plan(opens, tuple(left), tuple(unknown), needs_data)


def opens_as(path: Path) -> Kind | None:
    """Return what the window opens a path as; None for what it does not open.

    A run that trained a model is opened as that model. A damaged run is a run: opening it says what is wrong.
    """
    kind = kind_of(path)
    if kind == "run":
        folder = RunFolder(path)
        with contextlib.suppress(InputError):
            if folder.exists and folder.job().kind == "train" and folder.has_result:
                return "model"
    return kind if kind in OPENS else None


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)
