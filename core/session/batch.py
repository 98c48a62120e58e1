"""Runs a batch: one run after the other into folders of their own; what is done is skipped, what fails is noted.

    for each run of the batch file:
        done before: skip        begun before: go on        else: begin
        failed: note why and go on with the next
        write batch.json: one row a run

The model and the data are opened once.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.engine.control import Control, Interrupted
from core.errors import FaultError, InputError, StoppedError, UnprovenError, of_system
from core.events import Emit, State
from core.files import file_sha256, write_json
from core.job import Job
from core.runs.folder import RunFolder
from core.selection import Selection
from core.session.batch_file import Batch, Item
from core.session.bench import Bench
from core.session.chains import all_requests
from core.session.checking import check
from core.session.jobs import create_run, make_unlearn_job, require_same_job
from core.session.library import MEASURES, check_state
from core.session.measuring import FULL
from core.session.proof import proven
from core.session.running import run
from core.session.starts import stated_start
from core.text import cell
from core.verify.comparison import mean_interval
from core.verify.numbers import DASH, count, duration
from core.verify.shown import ShownTable, shares_over_seeds

BATCH = "batch.json"
FORMAT = 1
OTHER_RUN = "Give the changed entry of the batch file another name, or choose another --out"
OUTCOMES = ("finished", "skipped", "stopped", "failed", "waiting")


@dataclass(frozen=True)
class Row:
    """One run of a batch: how it ended (one of OUTCOMES), its measures on unseen and training images (0..1)."""

    run: str
    forget: str
    method: str
    seed: int
    outcome: str = "waiting"
    error: str = ""
    exit_code: int = 0
    measures: dict[str, float | None] | None = None
    seconds: float | None = None
    verdict: str | None = None


class BatchRun:
    """The rows of a batch as it goes; `step` works on one run after the other."""

    def __init__(self, batch: Batch, out: Path, control: Control, bench: Bench | None = None) -> None:
        """Open model and data on `bench`, which says what is trusted and whom to tell; `out` is where runs go.

        Raises their AppErrors, and InputError where `out` is in use for something else.
        """
        self._batch, self.out, self._control = batch, out, control
        if RunFolder(out).exists:
            raise InputError(f"{out} holds a single run", "Choose another folder for the batch")
        self.bench = open_batch(batch, bench or Bench())
        self.items = batch.items()
        self.rows = [_planned(item) for item in self.items]

    def step(self, number: int, emit: Emit) -> Row:
        """Do run `number` (from 0) or skip it where it is done; its error goes into its row, and nothing is raised."""
        return self.ended(number, lambda: self._do(number, emit))

    @property
    def check(self) -> str:
        """The suite that results are checked with; empty where none is."""
        return self._batch.check

    @property
    def retrained(self) -> tuple[int, ...]:
        """The seeds of retrained models that results are held against."""
        return self._batch.retrained

    def ended(self, number: int, work: Callable[[], str]) -> Row:
        """Write down how run `number` ended: what `work` returns, one of OUTCOMES, or its error."""
        folder, planned = self.folder(number), _planned(self.items[number])
        try:
            row = with_result(planned, folder, work())
        except (Interrupted, StoppedError):  # a check, or the training of what it needs: they go on another time
            row = with_result(planned, folder, "stopped")
        except Exception as error:  # whatever it is, it must not cost the night's other runs; the run's log has it
            fault = FaultError(f"{type(error).__name__}: {error}", "This is a bug in Unlearn Studio")
            said = of_system(error) or fault
            row = replace(planned, outcome="failed", error=said.text, exit_code=said.exit_code)
        self.rows[number] = row
        self.write()
        return row

    def folder(self, number: int) -> RunFolder:
        """Return the folder of run `number`."""
        return RunFolder(self.out / self.items[number].name)

    def prepare(self, number: int) -> str:
        """Make the folder of run `number`; returns how the run has ended where it is done, else nothing.

        Raises the AppErrors of its forget set and job, and MismatchError where the folder holds another run.
        """
        folder = self.folder(number)
        selection, job = make_item(self.items[number], self.bench, self._batch)
        if folder.exists and not folder.never_started:
            require_same_job(folder, job, OTHER_RUN)
            if folder.is_done:
                return "skipped" if folder.status().state == State.FINISHED else "stopped"
        else:
            create_run(folder.path, job, selection, self.bench.dataset)
        return ""

    def lacks_check(self, number: int) -> bool:
        """Whether the result of run `number` was not held against all the retrained models it is to be."""
        if not self.check:
            return False
        report = self.folder(number).report() or {}
        wanted = {f"seed {seed}" for seed in self.retrained}
        fully = self.check != FULL or report.get("suite") == FULL
        return not (fully and wanted <= set(report.get("retrained") or {}))

    def write(self) -> None:
        """Write batch.json. Raises InputError where it cannot be written."""
        try:
            write_json(self.out / BATCH, self.document())
        except OSError as error:
            raise InputError(f"{self.out / BATCH} cannot be written: {error.strerror or error}") from error

    def document(self) -> dict[str, Any]:
        """Return the batch as plain data: its file, a row a run, and means over seeds."""
        return {
            "schema_version": FORMAT,
            "batch": self._batch.path.name,
            "batch_sha256": file_sha256(self._batch.path),
            "model_sha256": self.bench.model.sha256,
            "data": self._batch.dataset,
            "counts": {name: sum(row.outcome == name for row in self.rows) for name in OUTCOMES},
            "runs": [asdict(row) for row in self.rows],
            "groups": [group.as_dict() for group in grouped(self.rows)],
        }

    def exit_code(self, only: int | None = None) -> int:
        """Return 0 where every run has its result, 5 where it was stopped, else the code of the worst failure.

        only: the number of the run, from 1, that alone was to be done.
        """
        rows = self.rows if only is None else self.rows[only - 1 : only]
        without = [row for row in rows if row.outcome not in ("finished", "skipped")]
        codes = {row.exit_code if row.outcome == "failed" else StoppedError.exit_code for row in without}
        return next((code for code in (1, 4, 3, 2) if code in codes), StoppedError.exit_code if codes else 0)

    def _do(self, number: int, emit: Emit) -> str:
        """Run, resume or skip one run, and check its result where that is wanted; returns how it ended."""
        folder, outcome = self.folder(number), self.prepare(number)
        if not outcome:
            state = run(folder, self._control, emit, self.bench, resume=True)
            outcome = "finished" if state is State.FINISHED else "stopped"
        if folder.finished and self.lacks_check(number):
            check(folder, self._control, emit, self.bench, seeds=self.retrained, which=self.check)
            outcome = "finished"
        return outcome


def _planned(item: Item) -> Row:
    return Row(item.name, item.forget.name, item.method.id, item.seed)


def with_result(row: Row, folder: RunFolder, outcome: str) -> Row:
    """Return the row of a run that has ended in `outcome` with what its folder says of the result."""
    card = folder.card() or {}
    measures = card.get("measures") or {}
    return replace(
        row,
        outcome=outcome,
        measures={key: measures.get(key) for key in MEASURES},
        seconds=(card.get("cost") or {}).get("seconds"),
        verdict=(check_state(folder)["verdict"] or {}).get("code"),
    )


def open_batch(batch: Batch, bench: Bench) -> Bench:
    """Open a batch's model and data; raises their AppErrors, in which options are called as in the batch file."""
    bench = bench.on(**batch.machine).open(
        batch.model, batch.dataset, batch.options, arch=batch.arch, key=batch.key
    )
    bench.model.require_trainable()
    if batch.start is not None:
        bench = replace(bench, start=stated_start(*batch.start, bench.trust))
    try:
        return proven(bench, accept=batch.accept_accuracy, expect=batch.expect_accuracy)
    except UnprovenError as error:
        hint = f"{error.hint.rstrip('.')} = true in {batch.path.name}"
        raise UnprovenError(_as_fields(error.message), _as_fields(hint), error.proof) from error


def _as_fields(text: str) -> str:
    """Return a text with the fields of a batch file in the place of options."""
    return re.sub("--(accept-accuracy|arch|preprocess|classes)", lambda option: option[1].replace("-", "_"), text)


def make_item(item: Item, bench: Bench, batch: Batch) -> tuple[Selection, Job]:
    """Return forget set and job of one run. Raises the AppErrors of both."""
    selection = all_requests(Path(bench.model.path), item.forget.selection(bench.dataset), bench.dataset)
    job = make_unlearn_job(
        bench, selection, item.method.id, preset=item.method.preset, settings=item.method.settings, seed=item.seed,
        **batch.run_options,
    )  # fmt: skip
    return selection, job



# --- the table of results ------------------------------------------------------------------------------------------

SHOWN = (
    ("retain_test_accuracy", "retain-test"),
    ("forget_accuracy", "forget"),
    ("forget_test_accuracy", "forget-test"),
)
"""The measures of the table, and what they are called in it."""

_PARTS = ("mean", "low", "high")
HEADER = ("forget set", "method", "runs", *(title for _, title in SHOWN), "time", "verdict")
ENDED = ("finished", "skipped", "stopped")


@dataclass(frozen=True)
class Group:
    """The runs of one method on one forget set. `measures` and `seconds`: n, mean, low and high over seeds."""

    forget: str
    method: str
    rows: tuple[Row, ...]
    measures: Mapping[str, Mapping[str, Any]]
    seconds: Mapping[str, Any]

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs' names."""
        return tuple(row.run for row in self.rows)

    @property
    def outcomes(self) -> Counter[str]:
        """How many runs ended how."""
        return Counter(row.outcome for row in self.rows)

    @property
    def ended(self) -> int:
        """How many runs have a result."""
        return sum(row.outcome in ENDED for row in self.rows)

    @property
    def verdicts(self) -> Counter[str]:
        """How many runs got which verdict; those that were not checked are left out."""
        return Counter(row.verdict for row in self.rows if row.verdict)

    def cells(self) -> list[str]:
        """Return the row's cells as text, in the order of HEADER."""
        values = [shares_over_seeds(self.measures[key]) for key, _ in SHOWN]
        verdicts = ", ".join(
            f"{count(number)} {_plain(code)}" if len(self.verdicts) > 1 or number < len(self.rows) else _plain(code)
            for code, number in self.verdicts.most_common()
        )
        return [
            self.forget, self.method, f"{count(self.ended)} of {count(len(self.rows))}", *values,
            duration(self.seconds["mean"]), verdicts or DASH,
        ]  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "forget": self.forget, "method": self.method, "runs": list(self.runs),
            "seeds": [row.seed for row in self.rows], "outcomes": dict(self.outcomes), "measures": dict(self.measures),
            "seconds": dict(self.seconds), "verdicts": dict(self.verdicts),
        }  # fmt: skip


def grouped(rows: Sequence[Row]) -> tuple[Group, ...]:
    """Return the rows of a batch by forget set and method, in the order they stand in."""
    members_of: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        # Two entries may be the same method with other settings: the run's name tells them apart, the seed does not.
        members_of.setdefault((row.forget, row.method, row.run.removesuffix(f"-s{row.seed}")), []).append(row)
    return tuple(
        Group(
            forget, _entry(name, forget, method), tuple(members),
            {key: mean_interval([(row.measures or {}).get(key) for row in members]) for key, _ in SHOWN},
            mean_interval([row.seconds for row in members]),
        )
        for (forget, method, name), members in members_of.items()
    )  # fmt: skip


def results_block(groups: Sequence[Group]) -> ShownTable:
    """Return the table of results as it is shown and written into files."""
    return ShownTable("Results", list(HEADER), [group.cells() for group in groups])


def csv_text(groups: Sequence[Group]) -> str:
    """Return the table as CSV: shares 0..1, times in seconds; an empty field where nothing was measured."""
    keys = [key for key, _ in SHOWN]
    header = ["forget_set", "method", "runs", "ended", "seeds"]
    header += [f"{key}_{part}" for key in (*keys, "seconds") for part in _PARTS]
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([*header, "verdicts"])
    for group in groups:
        intervals = [*(group.measures[key] for key in keys), group.seconds]
        values = [interval[part] for interval in intervals for part in _PARTS]
        numbers = ["" if value is None else repr(float(value)) for value in values]
        seeds = " ".join(str(row.seed) for row in group.rows)
        verdicts = " ".join(f"{code}:{number}" for code, number in group.verdicts.most_common())
        out.writerow([cell(group.forget), cell(group.method), len(group.rows), group.ended, seeds, *numbers, verdicts])
    return text.getvalue()


def _entry(name: str, forget: str, method: str) -> str:
    """Name a method's entry as the batch file does; where that is not the method's id, with the id in brackets."""
    own = name.removeprefix(f"{forget}-")
    return method if own in (method, name) else f"{own} ({method})"


def _plain(code: str) -> str:
    return code.replace("_", " ")
