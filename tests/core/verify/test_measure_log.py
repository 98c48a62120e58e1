"""Finished measures are found again by what determines them, and by nothing else."""

from __future__ import annotations

import pytest

from core.files import loads
from core.verify import measure_log
from core.verify.measure_log import Measured, MeasureLog, keep_nothing


class Counted:
    """A measure that counts how often it is taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __call__(self) -> Measured:
        self.taken += 1
        return Measured({"value": 0.1 + self.taken, "none": None}, {"value": [1, 0, 1]})


def test_a_measure_is_taken_once_also_by_a_later_log(tmp_path):
    path, measure = tmp_path / "verify.jsonl", Counted()
    first = MeasureLog(path, ("data", "set")).of("unlearned", "abc")("probe", (), measure)
    again = MeasureLog(path, ("data", "set"))
    assert len(again) == 1
    second = again.of("unlearned", "abc")("probe", (), measure)
    assert measure.taken == 1
    assert dict(second.values) == dict(first.values) == {"value": 1.1, "none": None}
    assert dict(second.samples) == {"value": [1, 0, 1]}
    record = loads(path.read_bytes())
    assert record["measure"] == "probe" and record["model"] == "unlearned" and record["model_sha256"] == "abc"


@pytest.mark.parametrize("change", ["data", "model", "measure", "others", "version"])
def test_whatever_determines_it_makes_it_another(tmp_path, monkeypatch, change):
    path, measure = tmp_path / "verify.jsonl", Counted()
    MeasureLog(path, ("data",)).of("unlearned", "abc")("probe", ("r1",), measure)
    if change == "version":
        monkeypatch.setattr(measure_log, "SUITE_VERSION", measure_log.SUITE_VERSION + 1)
    log = MeasureLog(path, ("other" if change == "data" else "data",))
    keep = log.of("unlearned", "abd" if change == "model" else "abc")
    keep("nmi" if change == "measure" else "probe", ("r2",) if change == "others" else ("r1",), measure)
    assert measure.taken == 2


def test_a_line_that_was_cut_off_goes_and_what_follows_is_whole(tmp_path):
    path, measure = tmp_path / "verify.jsonl", Counted()
    path.write_bytes(b'{"measure": "pro')
    MeasureLog(path, ()).of("unlearned", "abc")("probe", (), measure)
    (line,) = path.read_bytes().splitlines()
    assert loads(line)["measure"] == "probe"
    MeasureLog(path, ()).of("unlearned", "abc")("probe", (), measure)
    assert measure.taken == 1


@pytest.mark.parametrize("said", [(b"1.1", b"1.4"), (b"[1,0,1]", b"[1,1,1]"), (b'"key":"', b'"key":"f')])
def test_a_line_that_says_something_else_than_was_measured_is_measured_again(tmp_path, said):
    path, shared, measure = tmp_path / "verify.jsonl", tmp_path / "shared", Counted()
    log = MeasureLog(path, ("data",), shared)
    log.of("unlearned", "abc")("probe", (), measure)
    log.of("original", "abd")("probe", (), measure)
    assert measure.taken == 2
    for file in (path, *shared.iterdir()):
        lines = file.read_bytes()
        assert said[0] in lines or file.parent == shared
        file.write_bytes(lines.replace(*said).replace(b"2.1", b"2.4"))
    log = MeasureLog(path, ("data",), shared)
    assert log.find("original", "abd", "probe", ()) is None
    assert log.of("unlearned", "abc")("probe", (), measure).values["value"] == pytest.approx(3.1)
    assert log.of("original", "abd")("probe", (), measure).values["value"] == pytest.approx(4.1)


def test_a_file_of_another_measure_is_as_none(tmp_path):
    shared, measure = tmp_path / "shared", Counted()
    MeasureLog(tmp_path / "one.jsonl", ("data",), shared).of("original", "abc")("probe", (), measure)
    (file,) = shared.iterdir()
    for other in ("nmi", "probe"):
        MeasureLog(tmp_path / f"{other}.jsonl", ("other",), shared).of("original", "abc")(other, (), Counted())
    for name in {path.name for path in shared.iterdir()} - {file.name}:
        (shared / name).write_bytes(file.read_bytes())
    MeasureLog(tmp_path / "two.jsonl", ("other",), shared).of("original", "abc")("nmi", (), measure)
    assert measure.taken == 2


def test_models_that_runs_share_are_measured_once_for_all_of_them(tmp_path):
    shared, measure = tmp_path / "shared", Counted()
    for name in ("one", "two"):
        log = MeasureLog(tmp_path / f"{name}.jsonl", ("data",), shared)
        log.of("original", "abc")("probe", (), measure)
        log.of("unlearned", name)("probe", (), measure)
    assert measure.taken == 3  # the original once, each unlearned model once
    assert loads((tmp_path / "two.jsonl").read_bytes().splitlines()[0])["model"] == "original"
    for file in shared.iterdir():
        file.write_text("{")
    MeasureLog(tmp_path / "three.jsonl", ("data",), shared).of("original", "abc")("probe", (), measure)
    assert measure.taken == 4  # a damaged file is as none


def test_a_failure_is_not_kept(tmp_path):
    def broken() -> Measured:
        raise InterruptedError

    path = tmp_path / "verify.jsonl"
    with pytest.raises(InterruptedError):
        MeasureLog(path, ()).of("unlearned", "abc")("probe", (), broken)
    assert not path.exists()
    measure = Counted()
    assert keep_nothing("probe", (), measure).values["value"] == 1.1
