"""The faults: each does one to the program and raises LostError where that was not survived."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.fault_place import (
    FORGOTTEN,
    OLD,
    LostError,
    Place,
    checkpoints,
    newest,
    read_json,
    read_only,
    small_disk,
    wait_for,
)

STREAMED = {"UNLEARN_STUDIO_MEMORY": "0", "UNLEARN_STUDIO_DECODED": "0"}  # images are read from files at every step
BOMB_SIDE = 20_000
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Fault:
    """One fault. `quick`: also done where time is short."""

    group: str
    title: str
    act: Callable[[Place], None]
    quick: bool = True


# --- killed --------------------------------------------------------------------------------------------------------


def kill_before_the_first_step(place: Place) -> None:
    out = place.fresh("kill-early")
    place.kill(place.start_until(out, lambda: read_json(out / "status.json").get("state") == "preparing"))
    place.resume(out)


def kill_at(share: float, place: Place) -> None:
    place.resume(place.killed("kill", share))


def kill_while_a_checkpoint_is_written(place: Place) -> None:
    out = place.fresh("kill-writing")
    half = place.steps // 2
    place.kill(place.start_until(out, lambda: newest(out) >= half and any(out.glob("checkpoints/*.tmp"))))
    place.resume(out)


def kill_while_results_are_written(place: Place) -> None:
    out = place.fresh("kill-results")
    place.kill(place.start_until(out, (out / "model.safetensors").exists))
    place.resume(out)


def kill_twice(place: Place) -> None:
    out = place.killed("kill-twice", 0.3)
    again = place.start("resume", out)
    wait_for(lambda: newest(out) >= 0.6 * place.steps, again)
    place.kill(again)
    place.resume(out)


def kill_check(place: Place) -> None:
    out = place.fresh("kill-check")
    shutil.copytree(place.whole, out)
    check = ["verify", out, "--retrained", "train", "--seeds", 1]
    references = place.home / "data" / "references"
    for reached in (lambda: any(references.glob("*/events.jsonl")), (out / "verify.jsonl").exists):
        process = place.start(*check)
        wait_for(reached, process)
        place.kill(process)
    place.call(*check).expect(0)
    if read_json(out / "report.json")["verdict"]["code"] == "no_reference":
        raise LostError("the retrained model is not in the report")
    place.call("verify-report", out).expect(0)


# --- damaged files of a run ----------------------------------------------------------------------------------------


def cut_checkpoint(which: slice, place: Place) -> None:
    out = place.killed("cut-checkpoint", 0.5)
    for path in checkpoints(out)[which]:
        os.truncate(path, path.stat().st_size // 2)
    place.resume(out)


def damage_event_log(place: Place) -> None:
    out = place.killed("damaged-log", 0.5)
    log = out / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = b'\xff\x00{"type": "step_met\n'
    log.write_bytes(b"".join(lines)[:-20])
    place.call("inspect", out).expect(0)
    place.resume(out)


def damage_status(place: Place) -> None:
    out = place.killed("damaged-status", 0.5)
    (out / "status.json").write_bytes(b"")
    place.resume(out)


def damage_job(place: Place) -> None:
    out = place.fresh("damaged-job")
    shutil.copytree(place.whole, out)
    os.truncate(out / "job.json", 100)
    for command in ("resume", "inspect"):
        place.call(command, out).expect(3).says("job.json")
    place.call("runs", place.root).expect(0)  # the others are listed


# --- a full disk, folders that cannot be written -------------------------------------------------------------------


def fill_disk_at_checkpoint(place: Place) -> None:
    out = place.fresh("full-limit")
    limit = checkpoints(place.whole)[-1].stat().st_size // 2
    # A home of its own: outputs and fingerprints do not fit either, and must cost nothing but time.
    home = str(place.fresh("full-home"))
    place.call(*place.unlearn(out), limit=limit, UNLEARN_STUDIO_HOME=home).expect(4).says("checkpoint")
    place.no_leftovers(out)
    place.resume(out)


def fill_disk(share: float, place: Place) -> None:
    """Run on a disk that holds this share of what a run leaves."""
    out, kept = place.fresh("full"), place.fresh("full-kept")
    size = sum(path.stat().st_size for path in place.whole.rglob("*") if path.is_file())
    inside = small_disk(out, round(share * size / 1024), kept)
    place.call(*place.unlearn(out), inside=inside).expect(3, 4).says("No space", "written", "disk")
    place.no_leftovers(kept)
    if (kept / "model.safetensors").exists():
        raise LostError("a run that failed left a model")
    place.resume(kept)


def fill_disk_at_export(formats: tuple[str, ...], place: Place) -> None:
    folder = place.fresh("full-export")
    folder.mkdir()
    old = b"an export of last week"
    limit = (place.whole / "model.pt").stat().st_size // 2
    for kind in formats:
        out = folder / f"model.{'pt' if kind == 'same' else kind}"
        out.write_bytes(old)
        place.call("export", place.whole, "--format", kind, "--out", out, "--force", limit=limit).expect(3, 4)
        if out.read_bytes() != old:
            raise LostError("half an export took the place of a whole one")
    place.no_leftovers(folder)


def start_in_read_only_folder(place: Place) -> None:
    folder = place.fresh("read-only")
    folder.mkdir()
    refused = place.call(*place.unlearn(folder / "run"), inside=read_only(folder))
    refused.expect(3, 4).says("Read-only", "cannot be used")


def go_on_in_read_only_folder(place: Place) -> None:
    out = place.killed("read-only-run", 0.5)
    place.call("resume", out, inside=read_only(out)).expect(3, 4).says("Read-only", "cannot be written")
    place.resume(out)


def look_at_read_only_run(place: Place) -> None:
    inside = read_only(place.whole)
    place.call("inspect", place.whole, inside=inside).expect(0)
    out = place.fresh("from-read-only.safetensors")
    place.call("export", place.whole, "--format", "safetensors", "--out", out, inside=inside).expect(0)


# --- two at once, interrupts ---------------------------------------------------------------------------------------


def go_on_with_a_run_that_goes(place: Place) -> None:
    out = place.fresh("two")
    first = place.start_until(out, lambda: newest(out) >= 0)
    place.call("resume", out).expect(3).says("in use")
    place.end(first).expect(0)
    place.same(out)


def start_two_into_one_folder(place: Place) -> None:
    out = place.fresh("two-starts")
    both = [place.start(*place.unlearn(out)) for _ in range(2)]
    ended = sorted((place.end(process) for process in both), key=lambda done: done.code)
    ended[0].expect(0)
    ended[1].expect(3).says("in use", "already holds a run")
    place.same(out)


def interrupt(place: Place) -> None:
    out = place.fresh("interrupt")
    process = place.start_until(out, lambda: newest(out) >= 0)
    place.end(process, signal.SIGINT).expect(5).says("Stopped at step")
    if read_json(out / "status.json")["state"] != "stopped" or not (out / "model.safetensors").exists():
        raise LostError("the model so far was not kept")


def interrupt_twice(place: Place) -> None:
    out = place.fresh("interrupt-twice")
    process = place.start_until(out, lambda: newest(out) >= 0.3 * place.steps)
    process.send_signal(signal.SIGINT)
    place.end(process, signal.SIGINT).expect(5)
    if read_json(out / "status.json")["state"] != "stopped":  # the first was faster than the second
        place.resume(out)


# --- numbers -------------------------------------------------------------------------------------------------------


def diverge(place: Place) -> None:
    out = place.fresh("diverging")
    command = place.unlearn(out)
    command[command.index("muda")] = "finetune"
    command[command.index(f"rounds={place.rounds}")] = "lr=10"
    if place.call(*command).expect(0, 4).code == 4:
        if (out / "model.safetensors").exists():
            raise LostError("a model that is not finite was written")
        return
    from safetensors.numpy import load_file

    if not all((abs(value) < float("inf")).all() for value in load_file(out / "model.safetensors").values()):
        raise LostError("a model that is not finite was written")


# --- data ----------------------------------------------------------------------------------------------------------


def wild_folder(place: Place) -> None:
    root = place.fresh("wild")
    shutil.copytree(place.images, root)
    wrong = make_wild(root)
    document = place.call("inspect", root, "--json").expect(0).document
    found = {file["path"]: file["reason"] for file in document["unreadable"]}
    if set(found) != wrong or not all(found.values()):
        raise LostError(f"left out but not listed, or the other way round: {sorted(set(found) ^ wrong)}")
    listed = place.call("inspect", root).expect(0).out
    if "more pixels than the limit" not in listed or "not followed" not in listed:
        raise LostError("reasons are not shown")


def run_on_wild_folder(place: Place) -> None:
    root = place.fresh("wild")
    shutil.copytree(place.images, root)
    make_wild(root)
    runs = [place.fresh("wild-held"), place.fresh("wild-streamed")]
    place.call(*place.unlearn(runs[0], images=root)).expect(0)
    place.call(*place.unlearn(runs[1], images=root), **STREAMED).expect(0)
    place.same(*runs)


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


def change_while_it_is_read(vanish: bool, place: Place) -> None:
    images = place.fresh("changing")
    shutil.copytree(place.images, images)
    out = place.fresh("changing-run")
    process = place.start_until(out, lambda: newest(out) >= 0, images=images, **STREAMED)
    victim, other = sorted((images / "train" / "5").iterdir())[:2]
    content = victim.read_bytes()
    if vanish:
        victim.unlink()
    else:
        victim.write_bytes(other.read_bytes())
    place.end(process).expect(3, 4).says(victim.name)
    victim.write_bytes(content)
    os.utime(victim, (OLD, OLD))
    place.resume(out)


def change_before_going_on(place: Place) -> None:
    images = place.fresh("changed")
    shutil.copytree(place.images, images)
    out = place.fresh("changed-run")
    place.kill(place.start_until(out, lambda: newest(out) >= 0.3 * place.steps, images=images))
    victim, other = sorted((images / "train" / "5").iterdir())[:2]
    content = victim.read_bytes()
    victim.write_bytes(other.read_bytes())
    place.call("resume", out).expect(3).says("content differs")
    victim.write_bytes(content)
    place.resume(out)


class _Hostile:
    """Runs a command where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self._path}'",)


def hostile_pickle(place: Place) -> None:
    import pickle

    import numpy as np
    import torch

    mark = place.fresh("hostile-mark")
    wrapped, bare, arrays = (place.fresh(f"hostile{suffix}") for suffix in (".pt", ".ckpt", ".npz"))
    torch.save({"state_dict": {"fc.weight": torch.zeros(2, 2)}, "extra": _Hostile(mark)}, wrapped)
    bare.write_bytes(pickle.dumps(_Hostile(mark)))
    np.savez(arrays, x_train=np.array([_Hostile(mark)], dtype=object), y_train=np.zeros(1))
    for path in (wrapped, bare, arrays):
        place.call("inspect", path).expect(3)
        _require_absent(mark)


def hostile_checkpoint(place: Place) -> None:
    import torch

    mark, out = place.fresh("hostile-mark"), place.killed("hostile-checkpoint", 0.3)
    torch.save({"schema_version": 1, "step": 9, "x": _Hostile(mark)}, out / "checkpoints" / "step-999999999.pt")
    place.resume(out)
    _require_absent(mark)


def _require_absent(mark: Path) -> None:
    if mark.exists():
        raise LostError("code out of a file was run")


FAULTS = (
    Fault("killed", "kill -9 before the first step", kill_before_the_first_step, quick=False),
    Fault("killed", "kill -9 at a tenth of the steps", partial(kill_at, 0.1), quick=False),
    Fault("killed", "kill -9 half way", partial(kill_at, 0.5)),
    Fault("killed", "kill -9 at nine tenths", partial(kill_at, 0.9), quick=False),
    Fault("killed", "kill -9 while a checkpoint is written", kill_while_a_checkpoint_is_written, quick=False),
    Fault("killed", "kill -9 while results are written", kill_while_results_are_written),
    Fault("killed", "kill -9, and again after going on", kill_twice, quick=False),
    Fault("killed", "check killed twice, and done again", kill_check, quick=False),
    Fault("damaged run", "newest checkpoint cut in half", partial(cut_checkpoint, slice(-1, None))),
    Fault("damaged run", "all checkpoints cut in half", partial(cut_checkpoint, slice(None)), quick=False),
    Fault("damaged run", "event log with a broken line and a cut end", damage_event_log),
    Fault("damaged run", "empty status file", damage_status, quick=False),
    Fault("damaged run", "job file cut", damage_job, quick=False),
    Fault("disk", "no file may grow large enough for a checkpoint", fill_disk_at_checkpoint),
    Fault("disk", "disk full at the first checkpoint", partial(fill_disk, 0.2), quick=False),
    Fault("disk", "disk full later on", partial(fill_disk, 0.6), quick=False),
    Fault("disk", "disk full while results are written", partial(fill_disk, 0.9), quick=False),
    Fault("disk", "disk full while an export is written", partial(fill_disk_at_export, ("safetensors",))),
    Fault("disk", "disk full while other forms are written", partial(fill_disk_at_export, ("same", "pt2")), False),
    Fault("disk", "run started in a read-only folder", start_in_read_only_folder),
    Fault("disk", "run gone on with in a read-only folder", go_on_in_read_only_folder, quick=False),
    Fault("disk", "run in a read-only folder looked at and exported", look_at_read_only_run, quick=False),
    Fault("processes", "a second process goes on with a run that goes", go_on_with_a_run_that_goes),
    Fault("processes", "two processes start a run in one folder", start_two_into_one_folder, quick=False),
    Fault("processes", "Ctrl+C", interrupt),
    Fault("processes", "Ctrl+C twice", interrupt_twice, quick=False),
    Fault("numbers", "step size that diverges", diverge),
    Fault("data", "1 % broken files, links in circles, a bomb, strange names", wild_folder),
    Fault("data", "a run on such a folder, in memory and streamed", run_on_wild_folder, quick=False),
    Fault("data", "image changes between index and reading", partial(change_while_it_is_read, False)),
    Fault("data", "image vanishes between index and reading", partial(change_while_it_is_read, True), quick=False),
    Fault("data", "image changed before going on", change_before_going_on, quick=False),
    Fault("data", "hostile pickles as models and data", hostile_pickle),
    Fault("data", "hostile pickle as a checkpoint", hostile_checkpoint, quick=False),
)  # fmt: skip
