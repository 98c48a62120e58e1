"""Runs a batch: one run after the other into folders of their own; what is done is skipped, what fails is noted.

    for each run of the batch file:
        done before: skip        begun before: go on        else: begin
        failed: note why and go on with the next
        write batch.json: one row a run

The model and the data are opened once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.engine.control import Control
from core.errors import AppError, InputError, MismatchError, StoppedError
from core.events import Event
from core.files import file_sha256
from core.job import Job
from core.jsonio import write_json
from core.runs.folder import RunFolder
from core.selection import Selection
from core.session.batch_file import Batch, Item
from core.session.chain import all_requests
from core.session.jobs import create_run, make_unlearn_job
from core.session.opening import Pair, open_pair
from core.session.overview import MEASURES, check_state, is_done
from core.session.running import run
from core.states import State

BATCH = "batch.json"
FORMAT = 1
OUTCOMES = ("finished", "skipped", "stopped", "failed", "waiting")

Tell = Callable[[str, int, int], None]


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

    def __init__(
        self, batch: Batch, out: Path, control: Control, *, tell: Tell | None = None, trust_pickle: bool = False,
        trust_code: bool = False,
    ) -> None:  # fmt: skip
        """Open model and data. Raises their AppErrors, and InputError where `out` is in use for something else."""
        self._batch, self._out, self._control = batch, out, control
        self._pickle, self._code = trust_pickle, trust_code
        if RunFolder(out).exists:
            raise InputError(f"{out} holds a single run", "Choose another folder for the batch")
        self._pair = open_batch(batch, tell=tell, cancelled=lambda: control.ending, trust_pickle=trust_pickle,
                                trust_code=trust_code)  # fmt: skip
        self.items = batch.items()
        self.rows = [Row(item.name, item.forget.name, item.method.id, item.seed) for item in self.items]

    def step(self, number: int, emit: Callable[[Event], None]) -> Row:
        """Do run `number` (from 0), or see that it is done; an error of it is its row's, and nothing is raised."""
        item = self.items[number]
        folder = RunFolder(self._out / item.name)
        try:
            outcome = self._do(item, folder, emit)
            row = row_of(folder, item.name, item.forget.name, item.method.id, item.seed, outcome)
        except AppError as error:
            row = self._failed(number, error.text, error.exit_code)
        except Exception as error:  # a fault in one run must not cost the night's other ones; the run's log has it
            row = self._failed(number, f"{type(error).__name__}: {error}. This is a bug in Unlearn Studio.", 1)
        self.rows[number] = row
        self.write()
        return row

    def write(self) -> None:
        """Write batch.json. Raises InputError where it cannot be written."""
        try:
            self._out.mkdir(parents=True, exist_ok=True)
            write_json(self._out / BATCH, self.document())
        except OSError as error:
            raise InputError(f"{self._out / BATCH} cannot be written: {error.strerror or error}") from error

    def document(self) -> dict[str, Any]:
        """Return the batch as plain data: its file, a row a run, and means over seeds."""
        from core.session.batch_table import grouped

        return {
            "schema_version": FORMAT,
            "batch": self._batch.path.name,
            "batch_sha256": file_sha256(self._batch.path),
            "model_sha256": self._pair.model.sha256,
            "data": self._batch.dataset,
            "counts": {name: sum(row.outcome == name for row in self.rows) for name in OUTCOMES},
            "runs": [asdict(row) for row in self.rows],
            "groups": [group.as_dict() for group in grouped(self.rows)],
        }

    def exit_code(self) -> int:
        """Return 0 where every run has its result, 5 where it was stopped, else the code of the worst failure."""
        failed = {row.exit_code for row in self.rows if row.outcome == "failed"}
        for code in (1, 4, 3, 2):
            if code in failed:
                return code
        if failed or any(row.outcome in ("stopped", "waiting") for row in self.rows):
            return StoppedError.exit_code
        return 0

    def _do(self, item: Item, folder: RunFolder, emit: Callable[[Event], None]) -> str:
        selection, job = make_item(item, self._pair, self._batch)
        if folder.exists:
            require_same(folder, job)
            if is_done(folder) and folder.status().state == State.FINISHED.value:
                return "skipped"
            if is_done(folder):
                return "stopped"
        else:
            create_run(folder.path, job, selection, self._pair.dataset)
        state = run(
            folder, self._control, emit, pair=self._pair, resume=True, trust_pickle=self._pickle,
            trust_code=self._code,
        )  # fmt: skip
        return "finished" if state is State.FINISHED else "stopped"

    def _failed(self, number: int, error: str, exit_code: int) -> Row:
        item = self.items[number]
        return Row(item.name, item.forget.name, item.method.id, item.seed, "failed", error, exit_code)


def row_of(folder: RunFolder, name: str, forget: str, method: str, seed: int, outcome: str) -> Row:
    """Return the row of a run with a result, from its folder."""
    card = folder.card() or {}
    measures = card.get("measures") or {}
    return Row(
        name, forget, method, seed, outcome,
        measures={key: measures.get(key) for key in MEASURES},
        seconds=(card.get("cost") or {}).get("seconds"),
        verdict=(check_state(folder)["verdict"] or {}).get("code"),
    )  # fmt: skip


def open_batch(
    batch: Batch, *, tell: Tell | None = None, cancelled: Callable[[], bool] | None = None, trust_pickle: bool = False,
    trust_code: bool = False,
) -> Pair:  # fmt: skip
    """Open a batch's model and data."""
    pair = open_pair(
        batch.model, batch.dataset, batch.options, arch=batch.arch, trust_pickle=trust_pickle, trust_code=trust_code,
        progress=tell, cancelled=cancelled,
    )  # fmt: skip
    pair.model.require_trainable()
    return pair


def make_item(item: Item, pair: Pair, batch: Batch) -> tuple[Selection, Job]:
    """Return forget set and job of one run. Raises the AppErrors of both."""
    selection = all_requests(Path(pair.model.path), item.forget.selection(pair.dataset), pair.dataset)
    job = make_unlearn_job(
        pair, selection, item.method.id, preset=item.method.preset, settings=item.method.settings, seed=item.seed,
        **batch.machine,
    )  # fmt: skip
    return selection, job


def require_same(folder: RunFolder, asked: Job) -> None:
    """Raise MismatchError where a folder holds another run than the batch asks for now."""
    held = folder.job()
    for what, one, other in (
        ("model", held.model.sha256, asked.model.sha256),
        ("data", held.data.fingerprint, asked.data.fingerprint),
        ("forget set", held.forget, asked.forget),
        ("method", held.method, asked.method),
        ("parameters", held.parameters, asked.parameters),
    ):
        if one != other:
            raise MismatchError(
                f"{folder.path} holds a run with another {what} than the batch file asks for now",
                "Give the changed entry another name, or choose another --out",
            )
