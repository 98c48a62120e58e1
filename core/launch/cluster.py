"""A batch on a cluster: each run, retrained reference and check is a task of Dask, done by a process of its own.

    for each run of the batch: make its folder here, or skip it
    tasks:   run ──────────────┐
             reference, once ──┼── check        (where the batch checks its results)
             reference, once ──┘
    for each that ends: its row into batch.json

All machines see the batch's folder under the same path, and where references are trained, the folder of references.
So a machine that disappears costs what a kill costs: Dask gives its tasks to others, which go on from the last
checkpoints. A process that outlives its worker is waited for, and not run beside. What is to end is told through the
batch's folder, too: a file in it lets no further task begin, and whoever works on a task sees it.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from core.engine.control import Control
from core.errors import AppError, InputError, MismatchError, UsageError
from core.events import ENDED, State
from core.files import references_home
from core.launch.child import Request, error_of_code, trusting
from core.launch.task import LOOK_SECONDS, NOT_BEGUN, Done, seen_here, work
from core.runs.asked import Ask, ask, asked_until_now
from core.runs.waiting import Check
from core.session.checking import attackers_of
from core.session.measuring import FULL
from core.session.references import reference_key
from core.version import VERSION

if TYPE_CHECKING:
    from distributed import Client, Future

    from core.models.trust import Trust
    from core.session.batch import BatchRun, Row

ADDRESS = re.compile(r"dask://(local(?:/(?P<workers>[1-9]\d{0,2}))?|(?P<scheduler>[\w.:\[\]-]+))")
"""What names a cluster: dask://HOST:PORT of a scheduler, or dask://local/N, that many workers on this machine."""

Told = Callable[["Row", str], object]
"""Told the row of a run that has ended, and the machine it ran on."""


def run_on_cluster(going: BatchRun, address: str, trust: Trust, control: Control, told: Told) -> None:
    """Do all runs of a batch on the cluster at `address`; `control` stops those that go and lets no other begin.

    Raises UsageError for an address that is none, InputError where no worker sees the batch's folder, MismatchError
    where one has another version of the program.
    """
    with _connected(address) as client:
        _require_alike(client, [going.out, *([references_home()] if going.retrained else [])])
        _Cluster(client, going, trust, control, told).go()


class _Cluster:
    """The tasks of a batch and what they come to."""

    def __init__(self, client: Client, going: BatchRun, trust: Trust, control: Control, told: Told) -> None:
        self._client, self._going, self._control, self._told = client, going, control, told
        self._asked = Request("", **trusting(trust))
        self._references: dict[str, Future[Any]] = {}
        self._draw = secrets.token_hex(4)  # keys of tasks: a scheduler remembers those of other batches
        self._ending = going.out / f".ending-{self._draw}"

    def go(self) -> None:
        """Submit all tasks and take in what they come to, until none is left."""
        try:
            self._go()
        finally:
            self._ending.unlink(missing_ok=True)

    def _go(self) -> None:
        tasks: dict[int, tuple[Future[Any], str]] = {}
        for number, item in enumerate(self._going.items):
            if self._control.ending:
                break
            outcome, failed = "", list[AppError]()
            try:
                outcome = self._going.prepare(number)
            except AppError as error:
                failed.append(error)
            if failed or (outcome and not self._to_check(number, outcome)):
                self._ended(number, outcome, failed[0] if failed else None, "")
            else:
                tasks[number] = self._submit(number, item.name, outcome), outcome
        stopped = False
        while tasks:
            if self._control.ending and not stopped:
                stopped = True
                self._stop(list(tasks))
            for number in [number for number, (task, _) in tasks.items() if task.done()]:
                task, outcome = tasks.pop(number)
                self._take(number, task, outcome)
            time.sleep(LOOK_SECONDS)

    def _to_check(self, number: int, outcome: str) -> bool:
        return outcome == "skipped" and self._going.lacks_check(number)

    def _submit(self, number: int, name: str, outcome: str) -> Future[Any]:
        """Submit what is to be done of a run; returns the last task of it."""
        folder = self._going.folder(number)
        run = str(folder.path.absolute())
        request = replace(self._asked, run=run, asked_from=asked_until_now(folder))
        last = None if outcome else self._task(f"run-{name}", request)
        if not self._going.check:
            assert last is not None
            return last
        seeds = self._going.retrained
        wanted = (*seeds, *(attackers_of(len(seeds)) if self._going.check == FULL else ()))
        references = [self._reference(number, run, seed) for seed in wanted]
        request = replace(self._asked, run=run, check=Check(seeds, which=self._going.check), ended=True)
        return self._task(f"check-{name}", request, [*([last] if last is not None else []), *references])

    def _reference(self, number: int, run: str, seed: int) -> Future[Any]:
        """Return the task that trains a retrained reference; runs with the same forget set share it."""
        key = reference_key(self._going.folder(number).job(), seed)
        if key not in self._references:
            request = replace(self._asked, run=run, reference=seed)
            self._references[key] = self._task(f"reference-{key}", request)
        return self._references[key]

    def _task(self, name: str, request: Request, after: list[Future[Any]] | None = None) -> Future[Any]:
        return self._client.submit(
            work, msgspec.json.encode(request), after or [], str(self._ending.absolute()),
            key=f"{name}-{self._draw}", pure=False,
        )  # fmt: skip

    def _take(self, number: int, task: Future[Any], outcome: str) -> None:
        """Write down what a run's last task came to."""
        if task.status == "cancelled":
            self._ended(number, "waiting", None, "")
            return
        if (error := task.exception()) is not None:  # a worker that died again and again, a fault of the program
            self._ended(number, "", InputError(f"The cluster gave it up: {error}", "See the workers' logs"), "")
            return
        done = msgspec.json.decode(task.result(), type=Done)
        answer = done.answer
        if answer == NOT_BEGUN:
            state = self._going.folder(number).status().state
            self._ended(number, "stopped" if State.named(state) in ENDED else "waiting", None, "")
            return
        failed = error_of_code(answer.exit_code, answer.message, answer.hint) if answer.message else None
        state = self._going.folder(number).status().state if failed is None else ""
        ended = "finished" if state == State.FINISHED else "stopped"
        self._ended(number, ended, failed, done.host)

    def _ended(self, number: int, outcome: str, failed: AppError | None, host: str) -> None:
        def work() -> str:
            if failed is not None:
                raise failed
            return outcome

        self._told(self._going.ended(number, work), host)

    def _stop(self, numbers: list[int]) -> None:
        """Let nothing further begin, and have what goes stop and keep, or be discarded."""
        self._ending.touch()
        what: Ask = "discard" if self._control.discarding else "stop" if self._control.stopping else "leave"
        for folder in map(self._going.folder, numbers):
            with suppress(AppError):  # it was deleted, or is none of this version's
                if State.named(folder.status().state) not in ENDED:  # it goes, or its process is about to begin
                    ask(folder, what)


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    """Connect to a cluster, or start one here for as long."""
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise UsageError(
            f"{address!r} names no cluster", "Use dask://HOST:PORT of a scheduler, or dask://local/2 to try it here"
        )
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UsageError(
            "A cluster needs Dask's distributed, which is not installed",
            'Install the extra: pip install "unlearn-studio[dask]"',
        ) from error
    local = found["scheduler"] is None
    cluster = LocalCluster(
        n_workers=int(found["workers"] or 2), threads_per_worker=1, dashboard_address=None, silence_logs=50,
        memory_limit=0,
    ) if local else None  # fmt: skip
    try:
        client = Client(cluster or f"tcp://{found['scheduler']}", timeout=15, set_as_default=False)
    except OSError as error:
        raise InputError(f"No Dask scheduler answers at {address}: {error}", "Check its address and port") from error
    try:
        yield client
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def _require_alike(client: Client, folders: list[Path]) -> None:
    """Prove that all workers see these folders as they are here, and have this version of the program."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        proof = folder / f".seen-{secrets.token_hex(8)}"
        proof.write_bytes(b"")
        try:
            seen: dict[str, Any] = client.run(seen_here, str(proof.absolute()))
        except ModuleNotFoundError as error:
            raise InputError("The workers do not have Unlearn Studio", f"Install {VERSION} on each") from error
        finally:
            proof.unlink(missing_ok=True)
        if not seen:
            raise InputError("The cluster has no worker", "Start one: `dask worker SCHEDULER`")
        for host, version, sees in seen.values():
            if version != VERSION:
                raise MismatchError(
                    f"{host} has Unlearn Studio {version}, and this is {VERSION}", f"Install {VERSION} there"
                )
            if not sees:
                raise InputError(
                    f"{host} does not see {folder}",
                    "Choose a folder that all machines share under one path (UNLEARN_STUDIO_HOME moves references)",
                )
