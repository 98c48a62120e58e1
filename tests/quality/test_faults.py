"""The benchmark of faults can tell what was survived from what was not, and a sample of its faults is survived."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.fault_cases import CASES, write_bomb
from benchmarks.fault_place import MODES, Call, Done, Fault, LostError, NotPossibleError, compiled
from benchmarks.fault_scenarios import METHODS, SCENARIOS, nothing_left
from benchmarks.fault_trials import KINDS, Point, named
from core.data.images import look

SECONDS = 55  # of the sample
LENGTH = 60  # bytes of a line in the program below

# Arms the library as told, then writes three lines, each into a file that is synced and renamed.
PROGRAM = f"""
import ctypes, os, sys, time
folder, function, name, at, mode, worth = sys.argv[1:]
log = os.open(os.path.join(os.path.dirname(folder), "log"), os.O_WRONLY | os.O_CREAT)
arm = ctypes.CDLL(None).fault_arm
arm.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_long, ctypes.c_int, ctypes.c_long, ctypes.c_int]
arm(folder.encode(), function.encode(), name.encode(), int(at), int(mode), int(worth), log)
began = time.time()
for number in range(3):
    try:
        with open(f"{{folder}}/new", "w") as file:
            file.write("x" * {LENGTH})
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{{folder}}/new", f"{{folder}}/line-{{number}}")
    except OSError as error:
        print(number, error.errno)
print("clock", round((time.time() - began) / 86400))
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    try:
        return compiled(tmp_path_factory.mktemp("library"))
    except NotPossibleError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def writes(library, tmp_path):
    """Runs PROGRAM with one fault; returns its exit code, its lines and the sizes of its files."""

    def run(mode, at=0, worth=0, place=""):
        folder = tmp_path / mode
        folder.mkdir()
        function, _, name = place.partition(" ")
        words = [folder, function, f"{folder}/{name}" if name else "*", at, MODES.index(mode), worth]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, words)], env={**os.environ, "LD_PRELOAD": str(library)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        calls = [line.split(" ", 3) for line in (tmp_path / "log").read_text().splitlines()]
        hit = [f"{function} {path.removeprefix(f'{folder}/')}" for now, _, function, path in calls if now == "1"]
        return done.returncode, done.stdout.split("\n"), {p.name: p.stat().st_size for p in folder.iterdir()}, hit

    return run


# --- the library ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "said", "files", "hit"),
    [
        (("kill", 2, 0, "fsync new"), -9, "", {"line-0": LENGTH, "new": LENGTH}, ["fsync new"]),
        (("tear", 2, 0, "write new"), -9, "", {"line-0": LENGTH, "new": LENGTH // 2}, ["write new"]),
        (("fail", 2, 28, "write new"), 0, "1 28", {"line-0": LENGTH, "line-2": LENGTH}, ["write new"]),
        (("fail on", 2, 13, "rename line-*"), 0, "1 13", {"line-0": LENGTH, "new": LENGTH}, ["rename line-1"]),
        (("fill", 2 * LENGTH), 0, "2 28", {"line-0": LENGTH, "line-1": LENGTH, "new": 0}, []),
        (("clock", 1, 86_400 * 9, "write new"), 0, "clock -9", {f"line-{n}": LENGTH for n in range(3)}, ["write new"]),
        (("count",), 0, "clock 0", {f"line-{n}": LENGTH for n in range(3)}, []),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_the_library_does_one_fault_at_one_call(writes, fault, code, said, files, hit):
    done = writes(*fault)
    assert done[0] == code and said in done[1] and done[2] == files and done[3] == hit


# --- what counts as survived ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (Done(1, "", "error: KeyError: 3. This is a bug."), "exit code 1"),
        (Done(-9, "", ""), "exit code -9"),
        (Done(4, "", "Traceback (most recent call last):\nerror: x."), "a traceback"),
        (Done(4, "", "error: one.\nerror: two."), "2 lines of error"),
        (Done(4, "", "nothing was said"), "0 lines of error"),
        (Done(4, "", "error: Something else."), "no word of 'disk'"),
    ],
)
def test_what_is_not_one_clear_line_is_lost(done, why):
    with pytest.raises(LostError, match=why):
        done.expect(3, 4).says("disk")
    assert Done(4, "", "error: The disk is full.").expect(3, 4).says("disk")


@pytest.mark.parametrize("name", ["out/run/.model.json.abcd1234.tmp", "home/cache/outputs/.x.tmp", "home/cache/new/x"])
def test_what_is_left_lying_is_lost(tmp_path, name):
    whole, case = tmp_path / "whole", tmp_path / "case"
    for root in (whole, case):
        (root / "home" / "cache" / "outputs").mkdir(parents=True)
        (root / "out" / "run").mkdir(parents=True)
    (case / "home" / "cache" / "outputs" / "named-by-content.json").touch()
    nothing_left(case, whole)
    (case / name).parent.mkdir(exist_ok=True)
    (case / name).touch()
    with pytest.raises(LostError, match="left behind"):
        nothing_left(case, whole)


def test_places_are_told_without_what_is_random():
    call = Call(False, 9, "rename", "home/cache/outputs/.781f3a001a029591-b73dfddb8a16776c.safetensors.mkzi0_vn.tmp")
    assert call.place == "rename home/cache/outputs/.*-*.safetensors.*.tmp"


def test_every_fault_has_a_name_that_does_it_again():
    scenario = SCENARIOS[0]
    for point in (Point(scenario, "kill", 2, "rename out/run/status.json"), Point(scenario, "moment", 371)):
        assert named(point.name) == point
    titles = [case.name for case in CASES] + [one.name for one in SCENARIOS] + [how.title for how in KINDS.values()]
    assert len(set(titles)) == len(titles) and len(METHODS) > 10 and Fault().mode in MODES


def test_the_bomb_is_whole_and_one(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.fault_cases.BOMB_SIDE", 300)
    write_bomb(tmp_path / "small.png")
    assert look((tmp_path / "small.png").read_bytes()).size == (300, 300)
    assert not look((tmp_path / "small.png").read_bytes()).fault
    monkeypatch.undo()
    write_bomb(tmp_path / "bomb.png")
    assert "pixels" in look((tmp_path / "bomb.png").read_bytes()).fault


# --- a sample ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sample_of_faults_is_survived(library):
    """Always the same ones: others are drawn by hand, so that a change is not held up by what it did not do."""
    command = [sys.executable, "-m", "benchmarks.faults", "--json", "--seconds", SECONDS, "--seed", 1]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=300)
    figures = json.loads(done.stdout)["figures"]
    assert figures["lost"] == {} and figures["faults"] >= 5, done.stderr
    assert done.returncode == 0
