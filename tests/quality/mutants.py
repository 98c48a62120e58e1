"""Small plausible bugs, put in one at a time: which of them do the tests beside their module notice?

    python -m tests.quality.mutants --count 200 --seed 1 [part of a path ...]

All places where such a bug can stand are found in the syntax tree, and a seeded sample of them is tried, as many of one
area as of the others. Each is written into a copy of the repository, and the tests of the folder beside the module run
there until one fails, those that name the module first; slow ones are left out. `--only` tries the bugs of given lines.
Run by hand: it takes hours. `equivalent_mutants.txt` lists bugs that change nothing that can be observed, and why.
"""

from __future__ import annotations

import argparse
import ast
import copy
import itertools
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")

AREAS = {
    "metrics": ("core/metrics/*.py",),
    "methods": ("core/methods/*.py",),
    "engine": ("core/engine/*.py",),
    "runs": ("core/runs/*.py",),
    "verify": ("core/verify/*.py",),
    "session": ("core/session/measuring.py", "core/session/references.py", "core/session/running.py"),
    "export": ("core/session/exporting.py", "core/session/report_files.py"),
    "trust": ("core/models/trust.py", "core/models/pickles.py", "core/session/proof.py"),
    "presenters": ("app/pages/*/*presenter.py", "app/workers/*.py"),
}

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
FUNCTIONS = {
    "mean": "sum", "sum": "mean", "min": "max", "max": "min", "any": "all", "all": "any", "argmax": "argmin",
    "floor": "ceil", "ceil": "floor", "clamp_min": "clamp_max", "square": "abs",
}  # fmt: skip
BUILT_IN = {"min", "max", "any", "all"}  # of those above, what needs nothing before the dot
PATIENCE = "PATIENCE_MS = 180_000", "PATIENCE_MS = 15_000"  # of tests of the window: most bugs there end a wait in vain
NO_TESTS = 5  # exit code of pytest where all tests of the files given are slow
TEXT = (ast.JoinedStr, ast.List, ast.Tuple, ast.Dict, ast.Set)  # added up they are joined: no arithmetic


@dataclass(frozen=True)
class Mutant:
    """One bug: where it stands, what stood there and stands there now, and the whole source with it."""

    path: str
    line: int
    text: str  # of the line
    old: str
    new: str
    source: bytes

    @property
    def key(self) -> str:
        """How it is named in the list of equivalent ones: with the text of its line in place of the number."""
        return f"{self.path} | {self.text} | {self.old} | {self.new}"


def changed(node: ast.AST) -> Iterator[ast.AST]:
    """Return the bugs one node can have, each a node to put in its place."""

    def with_(**fields: object) -> ast.AST:
        other = copy.deepcopy(node)
        for name, value in fields.items():
            setattr(other, name, value)
        return other

    match node:
        case ast.Compare(ops=[first, *rest]) if type(first) in SWAPPED:
            yield with_(ops=[SWAPPED[type(first)](), *rest])
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPPED:
            if not any(isinstance(side, TEXT) or _is_text(side) for side in (left, right)):
                yield with_(op=SWAPPED[type(op)]())
        case ast.BoolOp(op=op):
            yield with_(op=SWAPPED[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(value * 2 if value else 1.0)
        case ast.IfExp(body=body, orelse=other):
            yield with_(body=other, orelse=body)
        case ast.If(test=test) | ast.While(test=test) if not isinstance(test, ast.Compare | ast.UnaryOp):
            yield with_(test=ast.UnaryOp(ast.Not(), test))
        case ast.Call(func=func, args=args, keywords=keywords):
            for keyword in keywords:
                if keyword.arg:
                    yield with_(keywords=[other for other in keywords if other is not keyword])
            ordered = not (isinstance(func, ast.Name) and func.id in ("min", "max"))
            if ordered and len(args) > 1 and not any(isinstance(arg, ast.Starred) for arg in args[:2]):
                yield with_(args=[args[1], args[0], *args[2:]])
            if isinstance(func, ast.Attribute) and func.attr in FUNCTIONS:
                yield with_(func=ast.Attribute(func.value, FUNCTIONS[func.attr], func.ctx))
            if isinstance(func, ast.Name) and func.id in BUILT_IN:
                yield with_(func=ast.Name(FUNCTIONS[func.id], func.ctx))
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Return every bug that one file can have; texts for people, annotations and errors are left alone."""
    source = path.read_bytes()
    starts = list(itertools.accumulate((len(line) for line in source.splitlines(keepends=True)), initial=0))
    for node in _walk(ast.parse(source)):
        for other in changed(node):
            at, until = node, node
            if isinstance(node, ast.If | ast.While) and isinstance(other, ast.If | ast.While):
                at, until, other = node.test, node.test, other.test
            first = starts[at.lineno - 1] + at.col_offset
            last = starts[until.end_lineno - 1] + until.end_col_offset
            new = ast.unparse(ast.fix_missing_locations(other))
            text = f"({new})" if isinstance(other, ast.expr) else new
            old = " ".join(source[first:last].decode().split())
            line = source.splitlines()[at.lineno - 1].decode().strip()
            changed_source = source[:first] + text.encode() + source[last:]
            yield Mutant(path.relative_to(ROOT).as_posix(), at.lineno, line, old, new, changed_source)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            said = isinstance(child, ast.Raise | ast.JoinedStr | ast.Assert)
            if isinstance(child, ast.AST) and not said and not _is_error(child):
                yield from _walk(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_error(node: ast.AST) -> bool:
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return name == "tr" or name.endswith("Error")


def sampled(count: int, seed: int, parts: list[str]) -> list[tuple[str, Mutant]]:
    """Return `count` mutants with their areas, the areas taking turns; `parts` keeps paths that hold one of them."""
    generator, by_area = random.Random(seed), []
    for area, patterns in AREAS.items():
        files = sorted({path for pattern in patterns for path in ROOT.glob(pattern)})
        files = [path for path in files if not parts or any(part in path.as_posix() for part in parts)]
        mutants = [(area, mutant) for path in files for mutant in mutants_of(path)]
        by_area.append(generator.sample(mutants, len(mutants)))
    turns = (each for turn in itertools.zip_longest(*by_area) for each in turn if each is not None)
    return list(itertools.islice(turns, count))


class Workplace:
    """A copy of the repository in which bugs are put, and in which the tests run."""

    def __init__(self, folder: Path, limit: float, near: bool = False) -> None:
        """`near`: only tests named like a module or that name it are run."""
        self.root, self.temporary, self.limit, self.tried = folder / "copy", folder / "temporary", limit, 0
        self.ranks = 2 if near else 3
        self.sound: set[str] = set()  # tests that pass without a bug
        self.unsound: set[str] = set()
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        patient = self.root / "tests" / "app" / "conftest.py"
        patient.write_text(patient.read_text("utf-8").replace(*PATIENCE), "utf-8")

    def tests_beside(self, path: str) -> list[list[str]]:
        """Return the test files of the folder beside a module: those named like it, those that name it, and others."""
        place = Path(path.replace("app/pages/", "app/"))
        dotted = path.removesuffix(".py").replace("/", ".")
        defined = {node.name for node in ast.parse((self.root / path).read_bytes()).body if hasattr(node, "name")}
        files = {file: file.read_text("utf-8") for file in (self.root / "tests" / place.parent).glob("test_*.py")}

        def rank(file: Path) -> int:
            if file.stem.startswith(f"test_{place.stem}"):
                return 0
            return 1 if dotted in files[file] or sum(name in files[file] for name in defined) > 1 else 2

        small_first = sorted(files, key=lambda file: (file.stat().st_size, file))
        ranked = [[str(file) for file in small_first if rank(file) == wanted] for wanted in range(self.ranks)]
        if path.startswith("core/methods/"):  # the page of what they declare is held there
            ranked.insert(1, [str(self.root / "tests" / "quality" / "test_documents.py")])
        return ranked

    def try_(self, mutant: Mutant) -> tuple[str, str]:
        """Return "caught", "survived" or "late" (not caught within the limit), and the test that failed.

        Caught is what a test fails with and passes without: it is run again without the bug, and left out from then on
        where it fails.
        """
        file, untouched = self.root / mutant.path, self.temporary.with_suffix(".py")
        self.tried += 1
        shutil.copy2(file, untouched)
        file.write_bytes(mutant.source)
        os.utime(file, (time.time() + 10 * self.tried,) * 2)  # compiled files are told apart by it
        late, code = False, None
        for tests in filter(None, self.tests_beside(mutant.path)):
            code, log = self._run(tests)
            late |= code is None
            if code:
                break
        shutil.move(untouched, file)
        if not code:
            return ("late" if late else "survived"), ""
        failed = [line.split(" - ")[0].split(" ", 1)[1] for line in log if line.startswith(("FAILED", "ERROR"))]
        if failed and failed[0] not in self.sound:
            if self._run(failed[:1])[0] != 0:
                print(f"fails without a bug, too: {failed[0]}")
                self.unsound.add(failed[0])
                return self.try_(mutant)
            self.sound.add(failed[0])
        return "caught", failed[0].split("/")[-1] if failed else f"exit code {code}"

    def _run(self, tests: list[str]) -> tuple[int | None, list[str]]:
        """Run tests until one fails: their exit code, None where time ran out, and what they printed."""
        log = self.temporary.with_suffix(".log")
        process = multiprocessing.get_context("fork").Process(
            target=_run_tests,
            args=(
                self.root,
                [*tests, *(f"--deselect={name}" for name in self.unsound)],
                self.temporary,
                log,
                self.limit,
            ),
        )
        process.start()
        process.join(10 * self.limit)
        code = None if process.is_alive() or process.exitcode == -signal.SIGXCPU else process.exitcode
        code = 0 if code == NO_TESTS else code
        with suppress(ProcessLookupError):  # programs that its tests started go with it
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
        shutil.rmtree(self.temporary, ignore_errors=True)
        return code, log.read_text("utf-8", "replace").splitlines()


def _run_tests(root: Path, tests: list[str], temporary: Path, log: Path, limit: float) -> None:
    """Run tests in a process of their own, which has the libraries loaded already, and end it with their result."""
    import pytest

    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(root)
    sys.path[:] = [str(root), *(each for each in sys.path if each not in ("", str(ROOT)))]
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]
    os.environ["PYTHONPATH"] = str(root)
    options = ["-x", "-q", "-n0", "--tb=no", "-m", "not slow", "-o", "timeout=100", "-p", "no:cacheprovider"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning", f"--basetemp={temporary}"]
    os._exit(int(pytest.main([*options, *tests])))


def equivalent() -> dict[str, str]:
    """Return the mutants that change nothing that can be observed, and why."""
    lines = EQUIVALENT.read_text("utf-8").splitlines() if EQUIVALENT.exists() else []
    return dict(line.rsplit(" | ", 1) for line in lines if " | " in line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", help="take modules whose path holds one of these")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="pass over so many of the sample: they were tried before")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--limit",
        type=float,
        default=40.0,
        help="seconds of processor time for the tests of one bug, near and further ones",
    )
    parser.add_argument("--near", action="store_true", help="run only tests that name the module")
    parser.add_argument("--without", nargs="*", default=[], metavar="TEST", help="leave these tests out")
    parser.add_argument("--only", nargs="*", default=[], metavar="PATH:LINE", help="try all mutants of these lines")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    for library in ("pytest", "hypothesis", "torchvision", "sklearn.svm", "sklearn.cluster", "scipy.stats", "msgspec"):
        __import__(library)  # here once, not in each process again
    sample = sampled(10**6 if options.only else options.count, options.seed, options.parts)[options.first :]
    if options.only:
        sample = [each for each in sample if f"{each[1].path}:{each[1].line}" in options.only]
    known = equivalent()
    counts: dict[str, Counter[str]] = {area: Counter() for area in AREAS}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        place = Workplace(Path(folder), options.limit, options.near)
        place.unsound.update(options.without)
        for area, mutant in sample:
            began = time.monotonic()
            result, by = ("equivalent", known[mutant.key]) if mutant.key in known else place.try_(mutant)
            counts[area][result] += 1
            print(f"{result:10} {mutant.path}:{mutant.line}  {mutant.old}  ->  {mutant.new}"
                  f"  [{by}] {time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    columns = ("caught", "survived", "late", "equivalent")
    print(f"\n{'':12}" + "".join(f"{column:>12}" for column in columns))
    for area, found in (*counts.items(), ("all", sum(counts.values(), Counter[str]()))):
        print(f"{area:12}" + "".join(f"{found[column]:12}" for column in columns))


if __name__ == "__main__":
    main()
