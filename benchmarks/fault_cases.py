"""Faults that are no call gone wrong: damaged files of a run, strange data, numbers that run away, hostile files."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.fault_place import FORGOTTEN, OLD, Command, Fault, LostError, Place, write_folder
from benchmarks.fault_scenarios import METHODS, SCENARIOS, STREAMED, finished, same_weights
from benchmarks.fault_trials import Trials

BOMB_SIDE = 20_000
PNG = b"\x89PNG\r\n\x1a\n"
SAVED = "rename out/run/checkpoints/step-*.pt"
RESUME = next(scenario for scenario in SCENARIOS if scenario.name == "resume")


@dataclass(frozen=True)
class Case:
    """One fault; raises LostError where it was not survived."""

    title: str
    act: Callable[[Trials], None]

    @property
    def name(self) -> str:
        """What --only calls it."""
        return f"case: {self.title}"


# --- damaged files of a run ----------------------------------------------------------------------------------------


@contextmanager
def _killed(trials: Trials) -> Iterator[tuple[Path, Path]]:
    """Give a case with a run that was killed, and its folder; go on with it then, to the weights of the unharmed."""
    whole = trials.whole(RESUME)
    case = trials.case(RESUME, "damaged")
    yield case, case / "out" / "run"
    trials.place.call("resume", case / "out" / "run", home=case).expect(0)
    finished(RESUME, case, whole.case)


def cut_checkpoint(which: slice, trials: Trials) -> None:
    with _killed(trials) as (_, run):
        for path in sorted((run / "checkpoints").glob("step-*.pt"))[which]:
            os.truncate(path, path.stat().st_size // 2)


def flip_bit(trials: Trials) -> None:
    """Flip a bit of the weights, which stay numbers that a network may have."""
    import torch

    with _killed(trials) as (_, run):
        path = max((run / "checkpoints").glob("step-*.pt"))
        weights = torch.load(path, weights_only=True)["weights"]
        largest = max(weights.values(), key=lambda tensor: tensor.numel()).numpy().tobytes()
        content = bytearray(path.read_bytes())
        content[content.index(largest) + 2] ^= 64
        path.write_bytes(content)


def damage_event_log(trials: Trials) -> None:
    with _killed(trials) as (case, run):
        log = run / "events.jsonl"
        lines = log.read_bytes().splitlines(keepends=True)
        lines[len(lines) // 2] = b'\xff\x00{"type": "step_met\n'
        log.write_bytes(b"".join(lines)[:-20])
        trials.place.call("inspect", run, home=case).expect(0)


def damage_status(content: bytes, trials: Trials) -> None:
    with _killed(trials) as (_, run):
        (run / "status.json").write_bytes(content)


def damage_job(trials: Trials) -> None:
    trials.whole(RESUME)
    case = trials.case(RESUME, "damaged-job")
    run = case / "out" / "run"
    shutil.copytree(run, case / "out" / "other")
    os.truncate(run / "job.json", 100)
    for command in ("resume", "inspect"):
        trials.place.call(command, run, home=case).expect(3).says("job.json")
    trials.place.call("runs", case / "out", home=case).expect(0)  # the others are listed


def look_at_read_only_run(trials: Trials) -> None:
    whole = trials.whole(RESUME)
    read_only = Fault("fail on", 1, errno.EROFS)
    trials.place.call("inspect", whole.case / "out" / "run", home=whole.case, fault=read_only).expect(0)


# --- numbers -------------------------------------------------------------------------------------------------------


def diverge(trials: Trials) -> None:
    case = trials.place.fresh("diverging")
    out = case / "out" / "run"
    command = trials.place.unlearn(out, "finetune", "--set", "lr=10", "min_steps=200")
    if trials.place.call(*command, home=case).expect(0, 4).code == 4:
        if (out / "model.safetensors").exists():
            raise LostError("a model that is not finite was written")
        return
    from safetensors.numpy import load_file

    if not all((abs(value) < float("inf")).all() for value in load_file(out / "model.safetensors").values()):
        raise LostError("a model that is not finite was written")


# --- data ----------------------------------------------------------------------------------------------------------


def _on(place: Place, images: Path, case: Path) -> Command:
    """Return the arguments of a short run on a folder of images."""
    return place.unlearn(case / "out" / "run", "finetune", "--set", *METHODS["finetune"], data=images)


def _images(case: Path) -> Path:
    write_folder(case / "images")
    return case / "images"


def wild_folder(trials: Trials) -> None:
    case = trials.place.fresh("wild")
    root = _images(case)
    wrong = make_wild(root)
    document = trials.place.call("inspect", root, "--json", home=case).expect(0).document
    found = {file["path"]: file["reason"] for file in document["unreadable"]}
    if set(found) != wrong or not all(found.values()):
        raise LostError(f"left out but not listed, or the other way round: {sorted(set(found) ^ wrong)}")
    listed = trials.place.call("inspect", root, home=case).expect(0).out
    if "more pixels than the limit" not in listed or "not followed" not in listed:
        raise LostError("reasons are not shown")


def run_on_wild_folder(trials: Trials) -> None:
    case = trials.place.fresh("wild")
    root = _images(case)
    make_wild(root)
    held, streamed = trials.place.fresh("wild-held"), trials.place.fresh("wild-streamed")
    trials.place.call(*_on(trials.place, root, held), home=held).expect(0)
    trials.place.call(*_on(trials.place, root, streamed), home=streamed, environment=STREAMED).expect(0)
    same_weights(streamed / "out" / "run", held / "out" / "run")


def make_wild(root: Path) -> set[str]:
    """Put into a folder of images what people's folders hold; return the paths of what cannot be used."""
    folder = root / "train" / FORGOTTEN
    whole = sorted((root / "train").rglob("*.png"))
    sample = whole[0].read_bytes()
    names = ["ünïcödé 梨 🍐.png", "two\nlines.png", "quote'\"$(x);.png", " blank .png", "-dash.png"]
    for name in names:
        (folder / name).write_bytes(sample)
    spoilt = {folder / f"broken\n{i}.png": b for i, b in enumerate((b"", b"no image", sample[:40], sample[:80]))}
    for number in range(max(0, len(whole) // 100 - len(spoilt))):  # about 1 %
        spoilt[folder / f"broken {number}.jpg"] = bytes(range(number + 1))
    for path, content in spoilt.items():
        path.write_bytes(content)
    bomb, loop, itself = folder / "bomb.png", folder / "loop", folder / "itself.png"
    write_bomb(bomb)
    loop.symlink_to("..")
    itself.symlink_to("itself.png")
    os.mkfifo(folder / "pipe.png")  # reading it would wait for ever
    return {path.relative_to(root).as_posix() for path in (*spoilt, bomb, loop, itself, folder / "pipe.png")}


def write_bomb(path: Path) -> None:
    """Write a valid PNG of BOMB_SIDE × BOMB_SIDE pixels, a few hundred kilobytes that unpack to 400 MB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(1)
    rows = bytes((BOMB_SIDE + 1) * 100)
    pixels = b"".join(packer.compress(rows) for _ in range(BOMB_SIDE // 100)) + packer.flush()
    head = struct.pack(">IIBBBBB", BOMB_SIDE, BOMB_SIDE, 8, 0, 0, 0, 0)
    path.write_bytes(PNG + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def change_while_it_is_read(vanish: bool, trials: Trials) -> None:
    whole, case = trials.place.fresh("unchanged"), trials.place.fresh("changing")
    images = _images(case)
    never_held = {**STREAMED, "UNLEARN_STUDIO_DECODED": "0"}
    trials.place.call(*_on(trials.place, images, whole), home=whole, environment=never_held).expect(0)
    victim, other = sorted((images / "train" / "2").iterdir())[:2]
    content = victim.read_bytes()

    def change() -> None:
        if vanish:
            victim.unlink()
        else:
            victim.write_bytes(other.read_bytes())

    stopped = Fault("stop", 1, place=SAVED)
    command = _on(trials.place, images, case)
    done = trials.place.call(*command, home=case, fault=stopped, meanwhile=change, environment=never_held)
    done.expect(3, 4).says(victim.name)
    victim.write_bytes(content)
    os.utime(victim, (OLD, OLD))
    trials.place.call("resume", case / "out" / "run", home=case, environment=never_held).expect(0)
    same_weights(case / "out" / "run", whole / "out" / "run")


def change_before_going_on(trials: Trials) -> None:
    whole, case = trials.place.fresh("unchanged"), trials.place.fresh("changed")
    images = _images(case)
    trials.place.call(*_on(trials.place, images, whole), home=whole).expect(0)
    trials.place.call(*_on(trials.place, images, case), home=case, fault=Fault("kill", 2, place=SAVED)).expect(-9)
    victim, other = sorted((images / "train" / "2").iterdir())[:2]
    content = victim.read_bytes()
    victim.write_bytes(other.read_bytes())
    trials.place.call("resume", case / "out" / "run", home=case).expect(3).says("content differs")
    victim.write_bytes(content)
    os.utime(victim, (OLD, OLD))
    trials.place.call("resume", case / "out" / "run", home=case).expect(0)
    same_weights(case / "out" / "run", whole / "out" / "run")


class _Hostile:
    """Runs a command where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self._path}'",)


def hostile_pickle(trials: Trials) -> None:
    import pickle

    import numpy as np
    import torch

    case = trials.place.fresh("hostile")
    mark = case / "mark"
    wrapped, bare, arrays = (case / f"hostile{suffix}" for suffix in (".pt", ".ckpt", ".npz"))
    torch.save({"state_dict": {"fc.weight": torch.zeros(2, 2)}, "extra": _Hostile(mark)}, wrapped)
    bare.write_bytes(pickle.dumps(_Hostile(mark)))
    np.savez(arrays, x_train=np.array([_Hostile(mark)], dtype=object), y_train=np.zeros(1))
    for path in (wrapped, bare, arrays):
        trials.place.call("inspect", path, home=case).expect(3)
        _require_absent(mark)


def hostile_checkpoint(trials: Trials) -> None:
    import torch

    with _killed(trials) as (case, run):
        mark = case.parent / "hostile-mark"
        torch.save({"schema_version": 1, "step": 9, "x": _Hostile(mark)}, run / "checkpoints" / "step-999999999.pt")
    _require_absent(mark)


def _require_absent(mark: Path) -> None:
    if mark.exists():
        raise LostError("code out of a file was run")


CASES = (
    Case("newest checkpoint cut in half", partial(cut_checkpoint, slice(-1, None))),
    Case("all checkpoints cut in half", partial(cut_checkpoint, slice(None))),
    Case("a flipped bit in the newest checkpoint", flip_bit),
    Case("event log with a broken line and a cut end", damage_event_log),
    Case("empty status file", partial(damage_status, b"")),
    Case("status file of another kind", partial(damage_status, b'{"state": "running", "step": "x"}')),
    Case("job file cut", damage_job),
    Case("a run on a read-only disk looked at", look_at_read_only_run),
    Case("step size that diverges", diverge),
    Case("broken files, links in circles, a bomb, strange names", wild_folder),
    Case("a run on such a folder, in memory and streamed", run_on_wild_folder),
    Case("image changes between index and reading", partial(change_while_it_is_read, False)),
    Case("image vanishes between index and reading", partial(change_while_it_is_read, True)),
    Case("image changed before going on", change_before_going_on),
    Case("hostile pickles as models and data", hostile_pickle),
    Case("hostile pickle as a checkpoint", hostile_checkpoint),
)
