"""Damaged files of every kind the program reads, by the thousand: each must be an answer or one of its own errors.

    python -m benchmarks.fuzz [--seconds N] [--cases N] [--seed TEXT …] [--only WORDS] [--json]
    python -m benchmarks.fuzz --repeat FILE

A case is a valid file, damaged by chance that the seed decides. It is found where anything but an AppError is raised,
where it takes more than two seconds, or more memory than four times the file or 512 MB. The first case of each place
is kept as a file in bench-results/fuzz, which --repeat reads again, with the whole traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import mmap
import multiprocessing
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.common import report
from benchmarks.fuzz_mutations import damaged
from benchmarks.fuzz_readers import READERS, Reader, load, make_samples
from benchmarks.fuzz_samples import run_samples
from core.errors import AppError

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "bench-results" / "fuzz"
SECONDS = 60  # a run takes, unless it is told
LIMIT_SECONDS = 2.0  # of the processor's time, for a case: other programs may be at work
GRACE_SECONDS = 4.0  # of the processor's time, after which a case that Python could not interrupt is ended
WAIT_SECONDS = 60.0  # of a clock, after which a case that waits for something is
SLICE_SECONDS = 0.2  # a reader is tried before it is the next one's turn
LIMIT_BYTES, LIMIT_TIMES = 512 << 20, 4  # of memory a case may take: so much, or so many times its file
_PROGRESS = "ddq"  # of a case: when it began, what of the processor's time was used until then, its number
ADDRESSES = 2 << 30  # bytes a process may ask for above what it begins with, so that no case takes the machine down


class HangError(BaseException):
    """A case took too long; no `except Exception` of the program catches it."""


@dataclass
class Tally:
    """What became of the cases of a reader."""

    cases: int = 0
    answers: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    found: Counter[str] = field(default_factory=Counter)  # by place: how often
    samples: dict[str, str] = field(default_factory=dict)  # by place: the file of the first

    def add(self, other: Tally) -> None:
        """Take in what another process counted."""
        self.cases, self.answers = self.cases + other.cases, self.answers + other.answers
        self.seconds, self.slowest = self.seconds + other.seconds, max(self.slowest, other.slowest)
        self.found += other.found
        self.samples = {**other.samples, **self.samples}

    def count(self, *kinds: str) -> int:
        """Return how many cases were found whose place begins with one of these words."""
        return sum(number for place, number in self.found.items() if place.startswith(kinds))


def case_of(reader: Reader, samples: list[bytes], seeds: Sequence[str], number: int) -> bytes:
    """Return one case: it follows from its number and the seeds alone, which take turns."""
    turn, place = divmod(number, len(samples))
    chance = random.Random(f"{seeds[turn % len(seeds)]}/{reader.name}/{number}")
    return damaged(samples[place], reader.kind, chance)


# --- in a process of its own ---------------------------------------------------------------------------------------


class Room:
    """Where one process reads cases: a folder for each reader in memory, and the limits it works under."""

    def __init__(self, made: Path, folder: Path) -> None:
        self._made, self.folder = made, folder

    def of(self, reader: Reader) -> tuple[Path, list[bytes]]:
        """Return the folder of a reader with all that lies beside its file, and its samples."""
        folder, made = self.folder / reader.name, self._made / reader.name
        if not folder.exists():
            shutil.copytree(made / "beside", folder)
        samples = [file.read_bytes() for file in sorted((made / "samples").iterdir())]
        return folder, samples


def judge(reader: Reader, folder: Path, case: bytes) -> tuple[str, str]:
    """Read one case and return what is wrong, "" where nothing is, and the traceback; "answer" where it was one."""
    file = folder / reader.file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(case)
    os.environ["UNLEARN_STUDIO_HOME"] = str(folder / "home")
    resident = _resident()
    signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
    said = "answer"
    try:
        reader.read(folder)
    except (AppError, MemoryError) as error:
        said = "memory" if _ran_out(error) else ""
        text = traceback.format_exc() if said else ""
    except HangError as error:
        said, text = f"hang {_place(error)}", traceback.format_exc()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        said, text = f"{type(error).__name__} {_place(error)}", traceback.format_exc()
    else:
        text = ""
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if highest - resident > max(LIMIT_BYTES, LIMIT_TIMES * len(case)) and not said.startswith("hang"):
        return f"memory {(highest - resident) >> 20} MB {said}", text
    return said, text


def _ran_out(error: BaseException) -> bool:
    """Whether an error of the program's own stands for memory that ran out: without a limit it would have been used."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, MemoryError):
            return True
        inner = inner.__cause__ or inner.__context__
    return False


def _place(error: BaseException) -> str:
    """Return the innermost place in the program that a traceback names."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name != _interrupt.__name__]
    ours = [frame for frame in frames if frame.filename.startswith((str(ROOT / "core"), str(ROOT / "app")))]
    frame = (ours or frames)[-1]
    return f"{frame.filename.removeprefix(str(ROOT) + '/')}:{frame.lineno} {frame.name}"


def _resident() -> int:
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * mmap.PAGESIZE


def _work(orders: Connection, shared: mmap.mmap, made: Path, folder: Path, seeds: Sequence[str]) -> None:
    """Read cases as ordered until the other end closes; end where memory has grown, so that the next is measured."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, _interrupt)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    warnings.simplefilter("ignore")
    space = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    gc.freeze()
    room, known, begun, fresh = Room(made, folder), set[str](), set[int](), True
    while True:
        try:
            index, first, most = orders.recv()
        except EOFError:
            return
        tally, reader, grown = Tally(), READERS[index], False
        place, samples = room.of(reader)
        if index not in begun:  # what a reader loads and keeps when it is first used is no case's
            begun.add(index)
            for valid in samples:
                judge(reader, place, valid)
        began, used = time.monotonic(), time.process_time()
        number = first
        while number < first + most and time.monotonic() - began < SLICE_SECONDS and not grown:
            case = case_of(reader, samples, seeds, number)
            start = time.process_time()
            shared[:] = struct.pack(_PROGRESS, time.monotonic(), start, number)
            said, text = judge(reader, place, case)
            if said == "memory" and not fresh:  # others may have used up the addresses: it is read again on its own
                grown = True
                break
            fresh = False
            tally.slowest = max(tally.slowest, time.process_time() - start)
            number += 1
            tally.cases += 1
            if said == "answer":
                tally.answers += 1
            elif said:
                grown = said.startswith("memory")
                key = f"memory {reader.name}" if grown else said
                tally.found[key] += 1
                if key not in known:
                    known.add(key)
                    tally.samples[key] = keep(reader, case, f"{said}\n{text}")
        shared[:] = struct.pack(_PROGRESS, 0.0, 0.0, 0)
        tally.seconds = time.process_time() - used
        orders.send((tally, number, grown))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise HangError


def keep(reader: Reader, case: bytes, words: str) -> str:
    """Keep a case that was found, with what became of it beside, and return its file."""
    FOUND.mkdir(parents=True, exist_ok=True)
    file = FOUND / f"{reader.name}--{hashlib.sha256(case).hexdigest()[:12]}"
    file.write_bytes(case)
    file.with_suffix(".txt").write_text(words)
    return str(file.relative_to(ROOT))


# --- in the process that counts ------------------------------------------------------------------------------------


def _used(process: int | None) -> float:
    """Return how many seconds of the processor's time a process has used; 0 of one that is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Worker:
    """A process that reads cases, begun again where it dies."""

    def __init__(self, number: int, made: Path, rooms: Path, seeds: Sequence[str]) -> None:
        self._fixed = (made, rooms / str(number), seeds)
        self._shared = mmap.mmap(-1, struct.calcsize(_PROGRESS))
        self.task: tuple[int, int, int] | None = None
        self._begin()

    def _begin(self) -> None:
        context = multiprocessing.get_context("fork")
        self.orders, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._shared, *self._fixed), daemon=True)
        self._process.start()
        theirs.close()

    def order(self, task: tuple[int, int, int]) -> None:
        """Have cases read: of which reader, from which number on, and at most how many."""
        self.task = task
        self._shared[:] = struct.pack(_PROGRESS, 0.0, 0.0, task[1])
        self.orders.send(task)

    def result(self) -> tuple[Tally, int] | None:
        """Return what was counted and the next case's number; None where it still works."""
        assert self.task is not None
        index = self.task[0]
        try:
            if self.orders.poll():
                tally, number, grown = self.orders.recv()
                if grown:
                    self._again()
                return tally, number
        except (EOFError, OSError):
            return self._died(index, "died")
        began, used, _ = struct.unpack(_PROGRESS, self._shared[:])
        if not self._process.is_alive():
            return self._died(index, "died")
        hangs = time.monotonic() - began > WAIT_SECONDS or _used(self._process.pid) - used > GRACE_SECONDS
        return self._died(index, "hang for good") if began and hangs else None

    def _died(self, index: int, how: str) -> tuple[Tally, int]:
        number = max(self.task[1] if self.task else 0, struct.unpack(_PROGRESS, self._shared[:])[2])
        made, _, seeds = self._fixed
        reader = READERS[index]
        self._again()
        _, samples = Room(made, self._fixed[1]).of(reader)
        key = f"{how} {reader.name}"
        sample = keep(reader, case_of(reader, samples, seeds, number), key)
        return Tally(1, found=Counter({key: 1}), samples={key: sample}), number + 1

    def _again(self) -> None:
        self.close()
        self._begin()

    def close(self) -> None:
        """End the process."""
        self.orders.close()
        self._process.kill()
        self._process.join()


def fuzz(seeds: Sequence[str], seconds: float, cases: int, only: str, processes: int) -> dict[str, Tally]:
    """Read damaged files until the time is over or so many cases were read; return the tally of each reader."""
    load()
    chosen = [index for index, reader in enumerate(READERS) if only in reader.name]
    with _memory_folder() as folder:
        made, rooms = folder / "made", folder / "rooms"
        maker = multiprocessing.get_context("fork").Process(target=make_samples, args=(made, chosen))
        maker.start()  # what makes samples starts threads, and a process that has some cannot be divided
        maker.join()
        if maker.exitcode:
            sys.exit("the samples could not be made")
        tallies = {READERS[index].name: Tally() for index in chosen}
        following = dict.fromkeys(chosen, 0)
        workers = [Worker(number, made, rooms, seeds) for number in range(min(processes, len(chosen)))]
        queue, busy, done, began, told = [*chosen], set[int](), 0, time.monotonic(), time.monotonic()
        try:
            while done < cases and time.monotonic() - began < seconds:
                for worker in (worker for worker in workers if worker.task is None):
                    index = next(index for index in queue if index not in busy)
                    queue.append(queue.pop(queue.index(index)))
                    busy.add(index)
                    worker.order((index, following[index], max(1, cases - done)))
                wait([worker.orders for worker in workers], 0.5)
                for worker in workers:
                    if worker.task is not None and (result := worker.result()) is not None:
                        index, worker.task = worker.task[0], None
                        busy.discard(index)
                        tally, following[index] = result
                        tallies[READERS[index].name].add(tally)
                        done += tally.cases
                if time.monotonic() - told > 60:
                    told = time.monotonic()
                    found = sum(tally.found.total() for tally in tallies.values())
                    print(f"{done:,} cases, {found:,} found …", file=sys.stderr, flush=True)
        finally:
            for worker in workers:
                worker.close()
    return tallies


@contextlib.contextmanager
def _memory_folder() -> Any:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def repeat(file: Path) -> str:
    """Read a kept case again in this process, without a limit of time, and return what became of it."""
    reader = next(reader for reader in READERS if reader.name == file.name.partition("--")[0])
    with _memory_folder() as folder:
        make_samples(folder / "made", [READERS.index(reader)])
        place, _ = Room(folder / "made", folder / "rooms").of(reader)
        signal.signal(signal.SIGPROF, _interrupt)
        began = time.monotonic()
        said, text = judge(reader, place, file.read_bytes())
    return f"{text}\n{reader.name}: {said or 'refused in words'} after {time.monotonic() - began:.2f} s"


def main() -> None:
    """Read cases and print the table of readers; end with an error where anything was found."""
    options = _arguments()
    if options.write_samples:
        run_samples()
        return
    if options.repeat:
        print(repeat(options.repeat))
        return
    warnings.simplefilter("ignore")
    seeds = options.seed or [str(random.randrange(10**9))]
    print(f"seeds {' '.join(seeds)}", file=sys.stderr, flush=True)
    seconds = options.seconds or (float("inf") if options.cases else SECONDS)
    began = time.monotonic()
    tallies = fuzz(seeds, seconds, options.cases or sys.maxsize, options.only, options.processes)
    total = Tally()
    rows = [["reader", "cases", "answers", "foreign", "hangs", "memory", "a second", "slowest, s"]]
    for name, tally in {**tallies, "all": total}.items():
        total.add(tally) if tally is not total else None
        hangs, memory = tally.count("hang", "died"), tally.count("memory")
        rows.append([
            name, f"{tally.cases:,}", f"{tally.answers:,}", f"{tally.found.total() - hangs - memory:,}", f"{hangs:,}",
            f"{memory:,}", f"{tally.cases / tally.seconds:,.0f}" if tally.seconds else "–", f"{tally.slowest:.2f}",
        ])  # fmt: skip
    found = {
        f"{name}: {place}": {"times": number, "sample": tally.samples.get(place, "")}
        for name, tally in tallies.items()
        for place, number in tally.found.most_common()
    }
    figures = {
        "seeds": seeds, "cases": total.cases, "seconds": round(time.monotonic() - began, 1), "readers": len(tallies),
        "by_reader": {name: tally.cases for name, tally in tallies.items()}, "found": found,
    }  # fmt: skip
    report(f"Damaged files, seeds {' '.join(seeds)}", figures, rows, options)
    if found:
        print(*(f"{place}: {about['times']:,}, {about['sample']}" for place, about in found.items()),
              sep="\n", file=sys.stderr)  # fmt: skip
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.0, help=f"how long; {SECONDS} unless --cases is given")
    parser.add_argument("--cases", type=int, default=0, help="how many, over all readers")
    parser.add_argument("--seed", nargs="*", help="of all chance, several take turns; drawn and printed unless given")
    parser.add_argument("--only", default="", metavar="WORDS", help="readers with these words in their name")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="read a case that was kept again")
    parser.add_argument("--write-samples", action="store_true", help="write the files of runs that cases begin as anew")
    parser.add_argument("--quick", action="store_true", help="what other benchmarks take; changes nothing here")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    return parser.parse_args()


if __name__ == "__main__":
    main()
