"""Finished measures in verify.jsonl, one a line, so that a check that was stopped goes on and a repeated one is quick.

A line is found again by what determines it: the model's hash, data, forget set, the version of the suite, the measure,
and the hashes of the models it was compared with. Lines of other versions, and those that are not what was written,
stay and are not read. What was measured of originals and retrained models is also kept in a folder that all runs share,
because all runs are compared with them.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct

from core.errors import InputError
from core.events import Number
from core.files import convert, dumps, json_lines, open_to_append, read_bytes, read_json, write_atomic
from core.runs.shapes import Measures
from core.verify.verdict import verdict_rows

SUITE_VERSION = 6
"""Counted up whenever a measure's definition changes, so that numbers of two definitions never meet."""


JUDGED = ("original", "unlearned", "head_only", "fresh")
"""Models of a check that are not retrained ones."""


@dataclass(frozen=True)
class Measured:
    """What came out of a measure: values under the contract's keys, and what intervals need of single samples."""

    values: Mapping[str, Any]
    samples: Mapping[str, list[Any]] = field(default_factory=dict)  # by measure key, one entry a sample


Keep = Callable[[str, tuple[str, ...], Callable[[], Measured]], Measured]
"""Takes a measure's name, the hashes of further models that it depends on, and how to compute it."""


def merge(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add measures to others; parts of one measure, such as attacks under `membership`, stand side by side."""
    for key, value in more.items():
        old = values.get(key)
        values[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value


def keep_nothing(measure: str, depends_on: tuple[str, ...], compute: Callable[[], Measured]) -> Measured:
    """Compute: for a measurement that leaves no trace."""
    return compute()


class NotKeptError(Exception):
    """A measure would have to be taken, where only what is kept was asked for."""


class MeasureLog:
    """Reads what is kept and appends what is computed."""

    def __init__(
        self, path: Path, context: tuple[str, ...], shared: Path | None = None, *, only_kept: bool = False
    ) -> None:
        """`context`: hashes of what all measures depend on, such as data and forget set. `shared`: a folder of measures
        that do not belong to one run. `only_kept`: nothing is computed, and what is missing raises NotKeptError.
        """  # noqa: D205
        self._path, self._context, self._shared, self._only_kept = path, context, shared, only_kept
        self._kept: dict[str, Measured] = {}
        ours = path.is_file() and not path.is_symlink()  # a link may lead anywhere
        for record in json_lines(read_bytes(path, follow=False)) if ours else ():
            if record.get("suite") == SUITE_VERSION and (measured := _proven(record)) is not None:
                self._kept[str(record.get("key"))] = measured

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, model: str, sha256: str) -> Keep:
        """Return what keeps the measures of one model; `sha256` is that of its weights. The `unlearned` model's are
        the run's own.
        """  # noqa: D205

        def keep(measure: str, depends_on: tuple[str, ...], compute: Callable[[], Measured]) -> Measured:
            key = self._key(sha256, measure, depends_on)
            if key in self._kept:
                return self._kept[key]
            shared = self._shared / f"{key}.json" if self._shared is not None and model != "unlearned" else None
            record = _shared_record(shared, key)
            if record is None:
                if self._only_kept:
                    raise NotKeptError(measure)
                began = time.perf_counter()
                measures = compute()
                record = sealed({
                    "measure": measure, "model": model, "key": key, "model_sha256": sha256, "suite": SUITE_VERSION,
                    "time": time.time(), "seconds": time.perf_counter() - began,
                    "values": dict(measures.values), "samples": dict(measures.samples),
                })  # fmt: skip
                _share(shared, record)
            self._append({**record, "model": model})
            self._kept[key] = Measured(record["values"], record["samples"])
            return self._kept[key]

        return keep

    def find(self, model: str, sha256: str, measure: str, depends_on: tuple[str, ...]) -> Measured | None:
        """Return what is kept of a measure of a model that is not the run's own; None where nothing is."""
        key = self._key(sha256, measure, depends_on)
        record = _shared_record(None if self._shared is None else self._shared / f"{key}.json", key)
        return self._kept.get(key) or (None if record is None else Measured(record["values"], record["samples"]))

    def _key(self, sha256: str, measure: str, depends_on: tuple[str, ...]) -> str:
        parts = (SUITE_VERSION, *self._context, sha256, measure, *depends_on)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def _append(self, record: dict[str, Any]) -> None:
        with open_to_append(self._path) as file:
            file.write(dumps(record) + b"\n")


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the SHA-256 of what was measured and of its key, by which one that was changed is told."""
    return {**record, "sha256": _sha256(record)}


def _sha256(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(dumps([record.get(name) for name in ("key", "values", "samples")])).hexdigest()


def _shared_record(path: Path | None, key: str) -> dict[str, Any] | None:
    """Return a measure that another run took; None where there is none, or its file is damaged or another one's."""
    if path is None or not path.is_file():
        return None
    with contextlib.suppress(InputError):
        record = read_json(path)
        if (measured := _proven(record)) is not None and record["key"] == key:
            return {**record, "samples": measured.samples}
    return None


class _Record(Struct):
    """What a line must hold to be taken for a measure."""

    key: str
    sha256: str
    values: Measures
    samples: dict[str, list[bool | Number | list[Number]]] | None = None


def _proven(record: Any) -> Measured | None:
    """Return the measure in a record; None where it is damaged, so that the measure is taken again."""
    try:
        found = convert(record, _Record, "The record")
    except InputError:
        return None
    if found.sha256 != _sha256(record):
        return None
    return Measured(record["values"], record.get("samples") or {})


def _share(path: Path | None, record: dict[str, Any]) -> None:
    if path is not None:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not results
            write_atomic(path, dumps(record), private=True)


def partial_report(report: Mapping[str, Any], taken: Mapping[str, Mapping[str, Any]], suite: str) -> dict[str, Any]:
    """Return `report` with the measures of a check under way in place of its own.

    `taken`: model -> what was measured of it so far. The verdict keeps the rows that can be told already, with neither
    code nor sentence: those need everything. `partial` tells such a report from a whole one.
    """
    old = report.get("verdict") or {}
    trained_on = {row["key"] for row in old.get("measures") or () if row.get("trained_on")}
    models = {name: dict(values) for name, values in taken.items() if name in JUDGED}
    retrained = {name: dict(values) for name, values in taken.items() if name not in JUDGED}
    if retrained:
        models["retrained"] = next(iter(retrained.values()))
    rows = verdict_rows(models, list(retrained.values()), trained_on, half_widths=None)
    return {
        **report,
        "models": models,
        "retrained": retrained,
        "published": {},
        "closure": {},
        "suite": suite,
        "partial": True,
        "verdict": {"code": None, "sentence": "", "damaged": False, "measures": [row.as_dict() for row in rows]},
    }
