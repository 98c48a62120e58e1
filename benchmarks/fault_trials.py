"""One fault done to one scenario, and all there are to do: by kind, each at the calls, moments or levels it has."""

from __future__ import annotations

import errno
import hashlib
import random
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fault_place import Done, Fault, LostError, NotPossibleError, Place
from benchmarks.fault_scenarios import (
    EVERY_CALL,
    SCENARIOS,
    Scenario,
    Whole,
    finished,
    folders,
    honest,
    nothing_left,
    read_json,
)

WRITING = ("write", "pwrite", "pwrite64", "writev", "fwrite", "sendfile", "copy_file_range")
NAMING = ("open", "open64", "openat", "openat64", "fopen", "fopen64", "rename", "link", "unlink", "unlinkat", "mkdir",
          "rmdir", "chmod")  # fmt: skip
GROWING = (*WRITING, *NAMING[:8], "mkdir", "fsync", "fdatasync", "ftruncate", "ftruncate64")
WITHIN = tuple(name for name in GROWING if name != "mkdir")  # calls that do not themselves ask for a folder
YEAR = 365 * 86_400
HANGS = 5  # seconds
LEVELS = 20
FEW = 6  # of a kind, in scenarios that are slow
MOMENTS = 10  # a scenario; runs of methods whose calls are not tried have twice as many


class Kind(NamedTuple):
    """A kind of fault: what it is called, how it is done, to which calls, and to how many of those in one place."""

    title: str
    mode: str
    worth: int = 0
    functions: tuple[str, ...] = ()  # () for all
    each: int = 1
    most: int = 1 << 30  # in one scenario
    once: bool = False  # a place that several scenarios share is tried in the first of them


KINDS = {
    "kill": Kind("killed at a call", "kill", each=2),
    "torn": Kind("killed when half was written", "tear", functions=WRITING, each=2),
    "full": Kind("disk full at a call", "fail", errno.ENOSPC, GROWING, once=True),
    "full-on": Kind("disk full from a call on", "fail on", errno.ENOSPC, GROWING, once=True),
    "read-only": Kind("read-only disk", "fail on", errno.EROFS, each=1, most=1),
    "eio": Kind("disk faulty at a call", "fail", errno.EIO, once=True),
    "eacces": Kind("not permitted at a call", "fail", errno.EACCES, NAMING, once=True),
    "second": Kind("a second process on the folder", "stop", most=8),
    "moved": Kind("run folder moved away", "stop", functions=WITHIN, most=8),
    "removed": Kind("run folder removed", "stop", functions=WITHIN, most=8),
    "clock": Kind("clock set back a year", "clock", YEAR, most=5),
    "hang": Kind("a call takes five seconds", "sleep", HANGS, most=3),
    "level": Kind("disk full at a level", "fill"),
    "moment": Kind("killed at a random moment", "moment", signal.SIGKILL),
    "sigterm": Kind("SIGTERM at a random moment", "moment", signal.SIGTERM),
    "sighup": Kind("SIGHUP at a random moment", "moment", signal.SIGHUP),
    "sigint": Kind("SIGINT at a random moment", "moment", signal.SIGINT),
}
FOLDER_GOES = ("moved", "removed")
SIGNALS = ("sigterm", "sighup", "sigint")


@dataclass(frozen=True)
class Point:
    """One fault to do. `at`: which call of its place, which level of 20, or which thousandth of the processor time."""

    scenario: Scenario
    kind: str
    at: int
    place: str = ""

    @property
    def name(self) -> str:
        """What --only calls it."""
        return f"{self.scenario.name}/{self.kind}/{self.at}" + (f"/{self.place}" if self.place else "")


class Trials:
    """The scenarios in one place, with how each ends unharmed."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._wholes: dict[str, Whole] = {}
        self._templates: dict[str, Path] = {}
        self._tried: dict[tuple[str, str], str] = {}
        self._original = _hashes(place.original)

    def whole(self, scenario: Scenario) -> Whole:
        """Return how a scenario ends without a fault; it is run once."""
        if scenario.name not in self._wholes:
            case = self.place.fresh(f"start-{scenario.name}")
            scenario.start(self.place, case)
            self._templates[scenario.name] = case
            case = self.case(scenario, "whole")
            done = scenario.call(self.place, case, scenario.command(self.place, case)).expect(0)
            written = sum(call.size for call in done.calls)
            self._wholes[scenario.name] = Whole(case, done.calls, done.seconds, written)
            finished(scenario, case, case)
        return self._wholes[scenario.name]

    def points(self, scenario: Scenario, kind: str, draw: random.Random) -> Iterator[Point]:
        """Return the faults of one kind to do to a scenario; moments are drawn."""
        how, whole = KINDS[kind], self.whole(scenario)
        most = FEW if scenario.slow else len(whole.calls)
        every = not scenario.name.startswith("run-") or scenario.name.removeprefix("run-") in EVERY_CALL
        if kind == "moment":
            count = (MOMENTS if every else 2 * MOMENTS) // (3 if scenario.slow else 1)
            yield from (Point(scenario, kind, draw.randrange(20, 970)) for _ in range(count))
        elif not every or (kind in FOLDER_GOES and scenario.runs != ("run",)):
            return
        elif kind in SIGNALS:
            yield from (Point(scenario, kind, draw.randrange(20, 970)) for _ in range(MOMENTS // 2))
        elif kind == "read-only":
            yield Point(scenario, kind, 1)
        elif kind == "level":
            yield from (Point(scenario, kind, level) for level in _spread(range(LEVELS), most))
        else:
            places: dict[str, int] = {}
            for call in whole.calls:
                shared = (kind, call.place.replace("/3-ssd-s0/", "/run/").replace("/3-neggrad-plus-s0/", "/run/"))
                if how.once and self._tried.setdefault(shared, scenario.name) != scenario.name:
                    continue
                if (not how.functions or call.function in how.functions) and (kind != "torn" or call.size > 1):
                    places[call.place] = places.get(call.place, 0) + 1
            found = [(at, name) for name, count in places.items() for at in _spread(range(1, count + 1), how.each)]
            yield from (Point(scenario, kind, at, name) for at, name in _spread(found, min(how.most, most)))

    def do(self, point: Point) -> None:
        """Do a fault and all that must hold after it.

        Raises LostError where it was not survived, NotPossibleError where the program did not come to it.
        """
        scenario, how = point.scenario, KINDS[point.kind]
        whole = self.whole(scenario)
        case = self.case(scenario, "fault")
        at = {"level": whole.written * point.at // LEVELS, "moment": round(point.at * whole.seconds * 1_000)}
        number = at.get(how.mode if how.mode == "moment" else point.kind, point.at)
        fault = Fault(how.mode, number, how.worth, point.place)
        meanwhile = partial(_MEANWHILE[point.kind], self, scenario, case) if how.mode == "stop" else None
        try:
            done = scenario.call(self.place, case, scenario.command(self.place, case), fault, meanwhile=meanwhile)
            if point.place and not any(call.hit for call in done.calls):
                raise NotPossibleError("the program did not come to this call")
            if point.kind in FOLDER_GOES:
                honest(scenario, case, whole.case)
                _put_back(case)
            if point.kind == "removed" and not (case / "out" / "run").exists() and scenario.begins_with_run:
                done.expect(0, 2, 3, 4, 5, 6)
                return
            self._after(point, done, case, whole.case)
        finally:
            shutil.rmtree(case, ignore_errors=True)

    def _after(self, point: Point, done: Done, case: Path, whole: Path) -> None:
        scenario = point.scenario
        if point.kind in ("kill", "torn", "moment"):
            if done.code != -signal.SIGKILL:
                raise NotPossibleError("the program ended before")
        elif point.kind in SIGNALS:
            number = KINDS[point.kind].worth
            if done.code not in (0, 5, 128 + number, -number):
                done.expect(0, 5)
            if done.code and not done.err.strip():
                raise LostError("ended without a word")
        else:
            done.expect(0, 2, 3, 4, 5, 6)
        self._require_original()
        if done.code == 0 and point.kind != "removed":
            finished(scenario, case, whole)
        honest(scenario, case, whole)
        self._go_on(scenario, case)
        if point.kind in SIGNALS and _stopped(case):
            honest(scenario, case, whole)  # the model as it was then is kept, and stays
            return
        finished(scenario, case, whole)
        nothing_left(case, whole)
        self._require_original()

    def _go_on(self, scenario: Scenario, case: Path) -> None:
        """Go on with what was left, in the first way that works."""
        said = ""
        for command in scenario.again(self.place, case):
            done = scenario.call(self.place, case, command).expect(0, 2, 3, 4, 5, 6)
            if done.code == 0 or (done.code == 5 and _stopped(case)):  # one that was stopped stays as it is
                return
            said = done.err.strip().splitlines()[-1][-300:]
        raise LostError(f"cannot be gone on with: {said}")

    def case(self, scenario: Scenario, name: str) -> Path:
        """Return a folder in which all stands that stands there before the scenario's command."""
        case = self.place.fresh(f"{name}-{scenario.name}")
        shutil.copytree(self._templates[scenario.name], case, dirs_exist_ok=True, symlinks=True)
        return case

    def _require_original(self) -> None:
        if _hashes(self.place.original) != self._original:
            raise LostError("the original model was changed")

    # -- while a process stands still ------------------------------------------------------------------------------

    def _second(self, scenario: Scenario, case: Path) -> None:
        """Do the same in a second process."""
        for command in scenario.again(self.place, case):
            if (
                self.place.call(*command, home=case, environment=scenario.environment).expect(0, 2, 3, 4, 5, 6).code
                == 0
            ):
                return

    def _moved(self, scenario: Scenario, case: Path) -> None:
        if (case / "out" / "run").exists():
            (case / "out" / "run").rename(case / "out" / "elsewhere")

    def _removed(self, scenario: Scenario, case: Path) -> None:
        shutil.rmtree(case / "out" / "run", ignore_errors=True)


_MEANWHILE: dict[str, Callable[[Trials, Scenario, Path], None]] = {
    "second": Trials._second,
    "moved": Trials._moved,
    "removed": Trials._removed,
}


def _stopped(case: Path) -> bool:
    """Whether a run was stopped and its model kept."""
    return any(read_json(run / "status.json")["state"] == "stopped" for run in folders(case))


def _put_back(case: Path) -> None:
    """Give a run that was moved away its place again; what was made anew there must be told as the run it is."""
    moved, place = case / "out" / "elsewhere", case / "out" / "run"
    if not moved.exists():
        return
    if place.exists():
        if not (place / "job.json").exists():
            made = sorted(path.name for path in place.rglob("*"))
            raise LostError(f"left behind where the run was: {', '.join(made[:4])}")
        shutil.rmtree(place)
    moved.rename(place)


def _spread(found: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many, evenly from the first to the last."""
    if len(found) <= most:
        return list(found)
    if most == 1:
        return [found[len(found) // 2]]
    return [found[index * (len(found) - 1) // (most - 1)] for index in range(most)]


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def named(words: str) -> Point:
    """Return the fault that --only names in full. Raises ValueError where it is none."""
    name, kind, at, place = [*words.split("/", 3), ""][:4]
    scenario = next((scenario for scenario in SCENARIOS if scenario.name == name), None)
    if scenario is None or kind not in KINDS:
        raise ValueError(f"there is no fault {words}")
    return Point(scenario, kind, int(at), place)
