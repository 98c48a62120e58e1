"""The benchmark of faults can tell what was survived from what was not."""

import pytest

from benchmarks.fault_cases import FAULTS, Fault, write_bomb
from benchmarks.fault_place import Done, LostError, NotPossibleError
from benchmarks.faults import _done
from core.data.images import look


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


def test_faults_are_counted_once_each():
    class Place:
        def close(self):
            closed.append(1)

    def fails(error):
        def act(place):
            raise error

        return act

    closed, lost, not_tried = [], {}, {}
    acts = {"fine": lambda place: None, "gone": fails(LostError("why")), "mounts": fails(NotPossibleError("not here"))}
    said = [_done(Fault("group", title, act), Place(), lost, not_tried) for title, act in acts.items()]
    assert said == ["yes", "no", "not tried"] and len(closed) == 3
    assert lost == {"gone": "why"} and not_tried == {"mounts": "not here"}


def test_names_are_different_and_some_are_quick():
    titles = [fault.title for fault in FAULTS]
    assert len(set(titles)) == len(titles) and 10 <= sum(fault.quick for fault in FAULTS) < len(FAULTS)


def test_the_bomb_is_whole_and_one(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.fault_cases.BOMB_SIDE", 300)
    write_bomb(tmp_path / "small.png")
    assert look((tmp_path / "small.png").read_bytes()).size == (300, 300)
    assert not look((tmp_path / "small.png").read_bytes()).fault
    monkeypatch.undo()
    write_bomb(tmp_path / "bomb.png")
    assert "pixels" in look((tmp_path / "bomb.png").read_bytes()).fault
