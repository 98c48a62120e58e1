"""What a run shows while it goes, on a terminal and in a log."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from core.cli.output import Loading, RunProgress, Screen, bytes_text, facts, shorten, table
from core.events import AlignmentMeasured, Evaluation, Log, PhaseChanged, Resources, RunStarted, StepMetrics


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self):
        return True


@pytest.fixture
def streams(monkeypatch):
    """Fresh stdout and stderr; call with True for a terminal."""

    def make(live: bool = False, json: bool = False):
        out, err = Terminal() if live else io.StringIO(), io.StringIO()
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stderr", err)
        return Screen(json=json), out, err

    return make


def events(steps: int = 100) -> list[Any]:
    common = {"run": "r", "time": 0.0}
    return [
        RunStarted(
            **common, step=0, method="muda", steps=steps, stages=[], forget_mode="class",
            counts={"forget_train": 10}, device="cpu", precision="float32", threads=1,
        ),
        PhaseChanged(**common, step=0, state="running", stage="round 1 of 2", phase="forget"),
        StepMetrics(
            **common, step=10, phase="forget", steps=[8, 9], terms={"loss": [1.0, 0.9]}, learning_rate=0.1,
            samples_per_second=10.0,
        ),
        Evaluation(
            **common, step=10, scope="subset", retain_accuracy=0.99, forget_accuracy=0.5, retain_test_accuracy=0.974,
            forget_test_accuracy=0.12, counts={"forget_train": 10},
        ),
        AlignmentMeasured(
            **common, step=10, scope="subset", value=0.4125, k=9, energy=0.968, centred=False, profile=[], floor=0.1
        ),
        Resources(
            **common, step=10, elapsed=1.0, remaining=83.0, samples_per_second=1.0, memory_bytes=1, monitoring_share=0.1
        ),
    ]  # fmt: skip


def test_a_run_of_one_step_is_said_in_the_singular(streams):
    screen, out, _ = streams()
    RunProgress(screen)(events(steps=1)[0])
    assert out.getvalue().splitlines() == ["1 step (cpu, 1 thread, float32)"]


def test_a_log_gets_whole_lines_with_everything_that_gives_da_its_meaning(streams):
    screen, out, _ = streams()
    progress = RunProgress(screen)
    for event in [*events(), Log(run="r", step=10, time=0.0, level="info", message="x", code="unchanged")]:
        progress(event)
    lines = out.getvalue().splitlines()
    assert lines[0] == "100 steps (cpu, 1 thread, float32)"
    assert lines[1] == (
        "Round 1 of 2 · step 10 of 100 · 1 min 23 s left · retain-test 97.4 % · forget-test 12.0 % · "
        "DA 0.412 (k 9, 96.8 % of energy, not centred)"
    )
    assert "\r" not in out.getvalue()


def test_a_long_run_leaves_a_short_log(streams, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    screen, out, _ = streams()
    progress = RunProgress(screen)
    started, _, _, evaluation, alignment, resources = events(100_000)
    progress(started)
    for _ in range(36_000):
        clock[0] += 1.0
        for event in (evaluation, alignment, resources):
            progress(event)
    assert 20 < out.getvalue().count("\n") < 300


def test_a_terminal_gets_one_line_that_is_written_over(streams, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    screen, out, _ = streams(live=True)
    progress = RunProgress(screen)
    progress._drawn = -1.0
    for event in events():
        progress(event)
        progress._drawn = -1.0
    progress(events()[2])
    screen.end_line()
    drawn = out.getvalue().split("\n")[-1].split("\r")
    assert all(len(text) < 80 for text in drawn)
    last = [text for text in drawn if text.strip()][-1]
    assert last.startswith("step 10/100 · 1 min 2") and "retain 97.4 % · forget 12.0 % · DA 0.412 (" in last


def test_warnings_go_to_stderr(streams):
    screen, out, err = streams()
    RunProgress(screen)(Log(run="r", step=1, time=0.0, level="warning", message="The loss is odd.", code="diverged"))
    assert err.getvalue() == "warning: The loss is odd.\n" and out.getvalue() == ""


def test_json_keeps_stdout_for_the_document(streams):
    screen, out, err = streams(json=True)
    with screen:
        progress = RunProgress(screen)
        for event in events():
            progress(event)
        Loading(screen)("Reading", 1, 2)
        print("a library prints")
        screen.document({"value": float("nan")})
    assert out.getvalue() == '{\n  "value": null\n}\n'
    assert "a library prints" in err.getvalue()


def test_loading_says_a_thing_once_in_a_log(streams):
    screen, out, _ = streams()
    loading = Loading(screen)
    for done in range(5):
        loading("Reading images", done, 5)
    loading("Checking the data", 0, 0)
    assert out.getvalue() == "Reading images …\nChecking the data …\n"


def test_a_reader_that_goes_away_does_not_end_the_work(streams):
    screen, out, _ = streams()

    def gone(text):
        raise BrokenPipeError

    out.write = gone
    screen.say("one")
    screen.say("two")


def test_tables_are_flush():
    assert table(("", "a"), [("one", "1"), ("three", "10")]) == "        a\none     1\nthree  10"
    assert facts([("a", "1"), ("long", "2")]) == "a     1\nlong  2"
    assert shorten("abcdef", 4) == "abc…" and shorten("abc", 4) == "abc"
    assert [bytes_text(n) for n in (0, 812, 1_400_000, 999_960_000, None)] == ["0 B", "812 B", "1.4 MB", "1.0 GB", "–"]


def test_what_stands_beside_the_numbers_without_a_title_is_flush_left():
    lines = table(["", "closed", ""], [["a", "62 %", "chance"], ["b", "73 %", "chance and more"]]).splitlines()
    assert lines[1:] == ["a    62 %  chance", "b    73 %  chance and more"]


@pytest.fixture
def terminal(monkeypatch):
    """Standard output as a terminal of some columns."""

    def make(columns: int, **environment: str) -> Terminal:
        out = Terminal()
        monkeypatch.setattr("sys.stdout", out)
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"COLUMNS": str(columns), **environment}.items():
            monkeypatch.setenv(name, value)
        return out

    return make


ROWS = [("one", "a sentence of several words"), ("two", "[brackets] stay :smile:")]


def test_a_pipe_gets_whole_lines_without_codes(streams):
    streams()
    text = table(("name", "what"), [*ROWS, ("three", "x" * 500)], left=2)
    assert "\x1b" not in text and len(text.splitlines()) == 4 and "x" * 500 in text
    assert "[brackets] stay :smile:" in text and not any(line.endswith(" ") for line in text.splitlines())


def test_a_terminal_gets_bold_titles_unless_told_otherwise(terminal):
    for environment, bold in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        out = terminal(80, **environment)
        Screen().say(table(("name", "what"), ROWS, left=2))
        assert ("\x1b[1m" in out.getvalue()) == bold


def test_a_narrow_terminal_folds_cells_and_keeps_the_columns(terminal):
    terminal(40, NO_COLOR="1")
    lines = table(("name", "what"), [("one", "word " * 20)], left=2).splitlines()
    assert max(map(len, lines)) <= 40 and len(lines) > 3
    assert all(line.startswith("     ") for line in lines[2:])  # the second column goes on below itself
    terminal(10, NO_COLOR="1")  # a terminal that says it has hardly any is written to as if it had 40
    assert max(map(len, table(("name", "what"), [("one", "word " * 20)], left=2).splitlines())) > 10


def test_names_in_wide_letters_are_aligned(streams):
    streams()
    first, second = table(("class", "n"), [("猫犬", "1"), ("cats", "2")]).splitlines()[1:]
    assert first == "猫犬   1" and second == "cats   2"


def test_long_facts_go_on_below_themselves(terminal):
    terminal(44, NO_COLOR="1")
    lines = facts([("lr", "step size " * 8)], "  ").splitlines()
    assert len(lines) > 1 and lines[0].startswith("  lr  step") and all(line.startswith("      ") for line in lines[1:])


def test_the_time_left_is_held_back_until_steps_say_it(streams, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    screen, *_ = streams()
    progress = RunProgress(screen)
    started, _, metrics, *_ = events(2000)
    unknown = Resources(
        run="r", time=0.0, step=1, elapsed=0.4, remaining=None, samples_per_second=1.0, memory_bytes=1,
        monitoring_share=0.1,
    )  # fmt: skip
    progress(started)
    clock[0] = 0.4  # the first evaluation and the first step
    def told(steps: range) -> StepMetrics:
        return msgspec.structs.replace(metrics, steps=list(steps), terms={"loss": [1.0] * len(steps)})

    for event in (told(range(1)), unknown):
        progress(event)
    assert "left" not in progress.line()
    clock[0] += 2.0
    progress(told(range(1, 501)))
    assert "6 s left" in progress.line()
