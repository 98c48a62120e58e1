"""What faults are done to: a run, a training, a check and so on; how each is gone on with, and what must hold after it.

After a fault the state that is told must be true, and no file that came before may be harmed. Then the work is gone on
with, and must end as it does without a fault: the same weights bit for bit, the same files, and none left lying.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.fault_place import NONE, PROGRAMS, Call, Command, Done, Fault, LostError, Place, write_folder

ENDED = ("finished", "stopped")
RESULT = ("model.safetensors", "model.pt", "model.json", "report.json", "report.html")
FOLDER = "checkpoints"
SAVED = f"{FOLDER}/step-*.pt"
STREAMED = {"UNLEARN_STUDIO_MEMORY": "0"}  # images are read from files at every step

# Settings with which a method takes a few steps, of several stages where it has several.
METHODS: dict[str, tuple[str, ...]] = {
    "muda": ("rounds=1", "min_steps=2", "relearn_min_steps=6", "batch=16"),
    "finetune": ("min_steps=15", "batch=16"),
    "gradient-ascent": ("epochs=2", "batch=16"),
    "neggrad-plus": ("epochs=2", "batch=16"),
    "random-labels": ("epochs=2", "batch=16"),
    "salun": ("epochs=2", "batch=16"),
    "scrub": ("epochs=2", "max_epochs=1", "batch=16"),
    "bad-teacher": ("epochs=2", "batch=16"),
    "delete": ("epochs=2", "batch=16"),
    "l1-sparse": ("min_steps=15", "batch=16"),
    "cf-k": ("min_steps=15", "batch=16"),
    "eu-k": ("epochs=2", "batch=16"),
    "boundary-shrink": ("min_steps=15", "batch=16"),
    "boundary-expand": ("epochs=2", "batch=16"),
    "unsir": ("noise_steps=4", "batch=16"),
    "lipschitz": ("epochs=1", "batch=16"),
    "ssd": (),
    "lfssd": (),
    "fisher": (),
    "influence": (),
    "esc": (),
}
EVERY_CALL = ("muda", "ssd")  # the methods whose every call is tried


@dataclass(frozen=True)
class Whole:
    """How a scenario ends without a fault: its folder, the calls that write to the disk, processor seconds."""

    case: Path
    calls: tuple[Call, ...]
    seconds: float
    written: int


def nothing(place: Place, case: Path) -> None:
    """Let a command begin in an empty folder."""


@dataclass(frozen=True)
class Scenario:
    """One command, what stands in its folder before, and the ways to go on after a fault, of which the first works.

    ends: what must hold at the end beside finished runs; whole: what must hold at any time.
    """

    name: str
    command: Callable[[Place, Path], Command]
    again: Callable[[Place, Path], list[Command]]
    runs: tuple[str, ...] = ("run",)
    start: Callable[[Place, Path], None] = nothing
    ends: Callable[[Path, Path], None] = lambda case, whole: None
    whole: Callable[[Path, Path], None] = lambda case, whole: None
    environment: dict[str, str] = field(default_factory=dict)
    slow: bool = False  # takes seconds: of each kind of fault only some are tried

    @property
    def begins_with_run(self) -> bool:
        """Whether a run stands there before."""
        return self.start is not nothing

    def call(self, place: Place, case: Path, command: Command, fault: Fault = NONE, **how: Any) -> Done:
        """Run one of the scenario's commands, with a fault at what it writes below `case`."""
        return place.call(*command, home=case, fault=fault, environment=self.environment, **how)


# --- what must hold ------------------------------------------------------------------------------------------------


def folders(case: Path) -> Iterator[Path]:
    """Return the run folders that stand in a case."""
    for job in sorted((case / "out").rglob("job.json")):
        yield job.parent


def honest(scenario: Scenario, case: Path, whole: Path) -> None:
    """Require that what is told of every run is true, whatever has happened to it."""
    from core.runs.folder import RunFolder
    from core.session.library import describe_run

    for folder in folders(case):
        row = describe_run(RunFolder(folder))
        state = row["state"]
        if state == "damaged":
            raise LostError(f"{folder.name} is told as damaged: {row['error']}")
        if state in ENDED:
            complete(folder, whole / folder.relative_to(case), state)
    scenario.whole(case, whole)


def complete(folder: Path, whole: Path, state: str) -> None:
    """Require all that a run which is told as ended promises, and of a finished one the weights of the unharmed one."""
    from core.session.report_files import check_report_files

    needed = [name for name in RESULT if (whole / name).exists()]
    if missing := [name for name in needed if not (folder / name).is_file()]:
        raise LostError(f"{state}, but without {', '.join(missing)}")
    if "report.json" in needed:
        try:
            check_report_files(folder / "report.json")
        except Exception as error:
            raise LostError(f"{state}, but its report does not hold: {error}") from error
    if state == "finished":
        same_weights(folder, whole)


def same_weights(folder: Path, whole: Path) -> None:
    """Require the weights of the unharmed run, bit for bit, in both files."""
    for name in RESULT[:2]:
        if (whole / name).exists():
            same_tensors(folder / name, whole / name)


def same_tensors(path: Path, whole: Path) -> None:
    """Require a file of weights that holds what the unharmed one holds, whatever is written beside them."""
    import torch
    from safetensors.torch import load_file

    try:
        first, second = (
            load_file(p) if p.suffix == ".safetensors" else torch.load(p, weights_only=True) for p in (path, whole)
        )
    except Exception as error:
        raise LostError(f"{path.name} cannot be read: {error}") from error
    if first.keys() != second.keys() or not all(torch.equal(first[name], second[name]) for name in first):
        raise LostError(f"{path.name} holds other weights")


def finished(scenario: Scenario, case: Path, whole: Path) -> None:
    """Require the end that there is without a fault."""
    from core.runs.folder import RunFolder

    for name in scenario.runs:
        folder = case / "out" / name
        state = RunFolder(folder).status().state
        if state != "finished":
            raise LostError(f"{name} is {state} after it was gone on with")
    honest(scenario, case, whole)
    scenario.ends(case, whole)


def nothing_left(case: Path, whole: Path) -> None:
    """Require the files of the unharmed end and no others, and of each run two checkpoints at most.

    What is cached is named by content, and by models with the time of their making in them: any may be there or not,
    as long as it is whole.
    """
    there, expected = (
        {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.match(SAVED) and path.name != FOLDER}
        for root in (case, whole)
    )
    left = [name for name in there - expected if not _cached(name) or Path(name).parent.as_posix() not in expected]
    left += [path.name for run in folders(case) for path in sorted(run.glob(SAVED))[2:]]
    if left := sorted(left):
        raise LostError(f"left behind: {', '.join(left[:3])}{' …' * (len(left) > 3)}")
    if missing := sorted(name for name in expected - there if not name.startswith("home/cache")):
        raise LostError(f"missing at the end: {', '.join(missing[:3])}{' …' * (len(missing) > 3)}")


def _cached(name: str) -> bool:
    return (
        name.startswith("home/cache/") and not Path(name).name.startswith(".") and not name.endswith((".tmp", ".new"))
    )


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text())


# --- runs ----------------------------------------------------------------------------------------------------------


def _goes_on(
    command: Callable[[Place, Path], Command], place: Place, case: Path, name: str = "run"
) -> list[Command]:
    """Return how a run is gone on with: resumed; by its command with --resume; begun anew."""
    same = command(place, case)
    return [["resume", case / "out" / name], [*same, "--resume"], same]


def _run(method: str, place: Place, case: Path) -> Command:
    settings = METHODS[method]
    return place.unlearn(case / "out" / "run", method, *(["--set", *settings] if settings else []))


def _later(place: Place, case: Path) -> Command:
    settings = METHODS["neggrad-plus"]
    return place.unlearn(case / "out" / "later", "neggrad-plus", "--set", *settings, after=case / "out" / "run")


def _train(place: Place, case: Path) -> Command:
    return [
        "train", "--dataset", place.data, "--arch", "small-cnn", "--recipe", "epochs=2", "lr=0.1", "batch=32",
        "--threads", 1, "--checkpoint-every", 0, "--out", case / "out" / "run",
    ]  # fmt: skip


def _tune(place: Place, case: Path) -> Command:
    return place.unlearn(case / "out" / "run", "neggrad-plus", "--set", *METHODS["neggrad-plus"], "--tune", 2)


def _streamed(place: Place, case: Path) -> Command:
    images = place.root / "images"
    if not images.exists():
        write_folder(images)
    return place.unlearn(case / "out" / "run", "finetune", "--set", *METHODS["finetune"], data=images)


def _batch(place: Place, case: Path) -> Command:
    path = place.root / "batch.toml"
    if not path.exists():
        path.write_text(
            f'model = "{place.original}"\ndataset = "{place.data}"\nthreads = 1\n'
            '[[method]]\nid = "ssd"\n[[method]]\nid = "neggrad-plus"\nset = {epochs = 1, batch = 16}\n'
            '[[forget]]\nclasses = ["3"]\n'
        )
    return ["batch", path, "--out", case / "out"]


def _killed(place: Place, case: Path) -> None:
    """Leave a run that was killed at its second checkpoint."""
    command = _run("finetune", place, case)
    saved = "rename out/run/checkpoints/step-*.pt"
    place.call(*command, home=case, fault=Fault("kill", 2, place=saved)).expect(-9)


# --- what is done to finished runs -----------------------------------------------------------------------------------


def _a_run(place: Place, case: Path) -> None:
    """Leave a finished run."""
    place.call(*_run("ssd", place, case), home=case).expect(0)


def _verify(place: Place, case: Path) -> Command:
    return ["verify", case / "out" / "run", "--retrained", "train", "--seeds", 1]


def _checked(case: Path, whole: Path) -> None:
    """Require the verdict of the unharmed check."""
    first, second = (read_json(root / "out" / "run" / "report.json") for root in (case, whole))
    if not first["retrained"] or first["verdict"]["code"] != second["verdict"]["code"]:
        raise LostError("the check came to another verdict")


def _kept(place: Place, case: Path) -> Command:
    return ["kept", case / "out" / "run", "--remove", "all"]


def _removed(case: Path, whole: Path) -> None:
    """Require that nothing is kept any more that can be removed."""
    from core.runs.folder import RunFolder
    from core.session.kept import what_is_kept

    if kept := [kind.id for kind in what_is_kept(RunFolder(case / "out" / "run")).removable]:
        raise LostError(f"still kept: {', '.join(kept)}")


def _export(format: str, name: str, place: Place, case: Path) -> Command:
    target = case / "out" / "exports" / name
    return ["export", case / "out" / "run", "--format", format, "--out", target, "--report", "--forget-list"]


def _exported(name: str, case: Path, whole: Path, *, there: bool = False) -> None:
    """Require a whole export, or none while it need not be `there`."""
    path, other = (root / "out" / "exports" / name for root in (case, whole))
    if there or path.exists():
        if path.suffix[1:] not in PROGRAMS:
            same_tensors(path, other)
        elif path.read_bytes() != other.read_bytes():
            raise LostError(f"{path.name} holds another program")


def _again(command: Callable[[Place, Path], Command], *more: str) -> Callable[[Place, Path], list[Command]]:
    return lambda place, case: [command(place, case), *([[*command(place, case), *more]] if more else [])]


def _export_scenario(format: str, name: str) -> Scenario:
    command = partial(_export, format, name)
    return Scenario(
        f"export-{format}", command, _again(command, "--force"), start=_a_run,
        ends=partial(_exported, name, there=True), whole=partial(_exported, name), slow=format in PROGRAMS,
    )  # fmt: skip


def _run_scenario(name: str, command: Callable[[Place, Path], Command], **more: Any) -> Scenario:
    return Scenario(name, command, partial(_goes_on, command), **more)


SCENARIOS = (
    *(_run_scenario(f"run-{method}", partial(_run, method)) for method in METHODS),
    _run_scenario("train", _train),
    _run_scenario("tune", _tune),
    _run_scenario("streamed", _streamed, environment=STREAMED),
    Scenario("resume", lambda place, case: ["resume", case / "out" / "run"],
             partial(_goes_on, partial(_run, "finetune")), start=_killed),
    Scenario("batch", _batch, _again(_batch), runs=("3-ssd-s0", "3-neggrad-plus-s0")),
    Scenario("check", _verify, _again(_verify), start=_a_run, ends=_checked),
    Scenario("removal", _kept, _again(_kept), start=_a_run, ends=_removed),
    Scenario("later", _later, partial(_goes_on, _later, name="later"), runs=("run", "later"), start=_a_run),
    *(_export_scenario(*way) for way in (("safetensors", "m.safetensors"), ("same", "m.safetensors"), ("pt", "m.pt"))),
    *(_export_scenario(format, f"m.{format}") for format in PROGRAMS),
)  # fmt: skip
