"""Events are written as the same lines as ever, read back as they were, and what is not known is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from core.events import (
    AlignmentMeasured,
    CheckpointSaved,
    Evaluation,
    Event,
    FeatureMap,
    FeaturesMoved,
    Log,
    PhaseChanged,
    Progress,
    Resources,
    RunFailed,
    RunFinished,
    RunStarted,
    SpectrumMeasured,
    StepMetrics,
    from_dict,
    from_line,
    from_lines,
    pack_points,
)
from core.files import dumps, loads

AT = {"run": "r", "step": 3, "time": 1.5}
STAGE = {"name": "forget", "phase": "forget", "first": 0, "last": 9}
# One of every event that is written to events.jsonl, and its line as version 1 of the format has it.
LINES = [
    (RunStarted(**AT, method="muda", steps=9, stages=[STAGE], forget_mode="class", counts={"retain_train": 5},
                device="cpu", precision="float32", threads=2),
     '{"type":"run_started","run":"r","step":3,"time":1.5,"method":"muda","steps":9,"stages":[{"name":"for'
     'get","phase":"forget","first":0,"last":9}],"forget_mode":"class","counts":{"retain_train":5},"device'
     '":"cpu","precision":"float32","threads":2,"resumed_at":null,"host":"","processes":1}'),
    (PhaseChanged(**AT, state="running", stage="forget", phase="forget", detail="“é”"),
     '{"type":"phase_changed","run":"r","step":3,"time":1.5,"state":"running","stage":"forget","phase":"fo'
     'rget","detail":"“é”"}'),
    (StepMetrics(**AT, phase="forget", steps=[2, 3], terms={"loss": [0.25, None], "da": [float("nan"), 1.0]},
                 learning_rate=1e-05, samples_per_second=1234.5),
     '{"type":"step_metrics","run":"r","step":3,"time":1.5,"phase":"forget","steps":[2,3],"terms":{"loss":'
     '[0.25,null],"da":[null,1.0]},"learning_rate":0.00001,"samples_per_second":1234.5}'),
    (Evaluation(**AT, scope="full", retain_accuracy=1.0, forget_accuracy=0.0, retain_test_accuracy=None,
                forget_test_accuracy=float("inf"), forget_predictions={"3": 0.5}, forget_losses=[1.0]),
     '{"type":"evaluation","run":"r","step":3,"time":1.5,"scope":"full","retain_accuracy":1.0,"forget_accu'
     'racy":0.0,"retain_test_accuracy":null,"forget_test_accuracy":null,"retain_loss":null,"forget_loss":n'
     'ull,"counts":{},"forget_predictions":{"3":0.5},"forget_losses":[1.0],"unseen_losses":[]}'),
    (AlignmentMeasured(**AT, scope="subset", value=np.float32(0.5), k=2, energy=np.float64(0.1), centred=False,
                       profile=[1.0, 0.5], floor=0.7071067811865476),
     '{"type":"alignment","run":"r","step":3,"time":1.5,"scope":"subset","value":0.5,"k":2,"energy":0.1,"c'
     'entred":false,"profile":[1.0,0.5],"floor":0.7071067811865476,"sample_energy":null}'),
    (SpectrumMeasured(**AT, scope="full", retain=[2.0, 1e-300], forget=[3.0], retain_rank=1.5, forget_rank=None,
                      forget_norm=2.0, retain_norm=0.1),
     '{"type":"spectrum","run":"r","step":3,"time":1.5,"scope":"full","retain":[2.0,1e-300],"forget":[3.0]'
     ',"retain_rank":1.5,"forget_rank":null,"forget_norm":2.0,"retain_norm":0.1}'),
    (FeatureMap(**AT, counts={"retain_test": 1, "forget_test": 1}, ids=[4, 0], labels=["a", "b"], channels=2,
                centre="AACAPwAAAAA=", axes="AACAPwAAAAAAAAAAAACAPw==", radius=2.0, points="6AMY/AAAAIA=", share=0.5),
     '{"type":"feature_map","run":"r","step":3,"time":1.5,"counts":{"retain_test":1,"forget_test":1},"ids"'
     ':[4,0],"labels":["a","b"],"channels":2,"centre":"AACAPwAAAAA=","axes":"AACAPwAAAAAAAAAAAACAPw==","ra'
     'dius":2.0,"points":"6AMY/AAAAIA=","share":0.5}'),
    (FeaturesMoved(**AT, points="6AMY/AAAAIA=", share=None, forget_energy=[0.75, 0.25]),
     '{"type":"features_moved","run":"r","step":3,"time":1.5,"points":"6AMY/AAAAIA=","share":null,"forget_'
     'energy":[0.75,0.25]}'),
    (CheckpointSaved(**AT, path="checkpoints/step-000000003.pt", bytes=2**40, seconds=0.1),
     '{"type":"checkpoint_saved","run":"r","step":3,"time":1.5,"path":"checkpoints/step-000000003.pt","byt'
     'es":1099511627776,"seconds":0.1}'),
    (Resources(**AT, elapsed=1.0, remaining=None, samples_per_second=10.0, memory_bytes=1, monitoring_share=0.1),
     '{"type":"resources","run":"r","step":3,"time":1.5,"elapsed":1.0,"remaining":null,"samples_per_second'
     '":10.0,"memory_bytes":1,"monitoring_share":0.1}'),
    (Log(**AT, level="info", message="a \"quoted\" line\nand another"),
     r'{"type":"log","run":"r","step":3,"time":1.5,"level":"info","message":"a \"quoted\" line\nand another'
     '","code":""}'),
    (RunFinished(**AT, state="finished", seconds=2.0, measures={"probe": {"f1": None}, "n": 1}, unchanged=True),
     '{"type":"run_finished","run":"r","step":3,"time":1.5,"state":"finished","seconds":2.0,"measures":{"p'
     'robe":{"f1":null},"n":1},"unchanged":true,"cost":{},"model_sha256":""}'),
    (RunFailed(**AT, error="Out of memory.", hint="Try a smaller batch."),
     '{"type":"run_failed","run":"r","step":3,"time":1.5,"error":"Out of memory.","hint":"Try a smaller ba'
     'tch.","details":""}'),
]  # fmt: skip


@pytest.mark.parametrize(("event", "line"), LINES, ids=[event.type for event, _ in LINES])
def test_an_event_is_written_and_read_as_ever(event: Event, line: str):
    assert dumps(event).decode() == line
    again = from_dict(loads(line))
    assert type(again) is type(event) and dumps(again).decode() == line


def test_what_another_version_wrote_is_left_alone():
    event, line = LINES[0]
    assert from_dict({**loads(line), "new_field": 1}) == event
    older = {name: value for name, value in loads(line).items() if name != "resumed_at"}
    assert from_dict(older) == event
    assert from_dict({"type": "new_kind", "run": "r"}) is None
    assert from_dict({"run": "r"}) is None


@pytest.mark.parametrize("change", [{"steps": "many"}, {"counts": [1]}, {"step": None}])
def test_an_event_of_wrong_types_is_no_event(change):
    assert from_dict({**loads(LINES[0][1]), **change}) is None


def test_progress_is_an_event_with_a_name_of_its_own():
    assert Progress(**AT, what="Loading", done=1, total=2).type == "progress"


def test_points_of_a_map_are_packed_to_a_thousandth_and_cut_off_far_away():
    points = np.array([[1.0, -1.0], [0.0, np.nan], [0.12345, 99.0], [-np.inf, -99.0]])
    event = FeaturesMoved(**AT, points=pack_points(points), share=0.5)
    expected = [[1.0, -1.0], [0.0, np.nan], [0.123, 32.767], [np.nan, -32.767]]
    np.testing.assert_allclose(event.coordinates(), expected, atol=1e-6)
    assert FeaturesMoved(**AT, points="6AMY/AAAAIA=", share=None).coordinates()[0].tolist() == [1.0, -1.0]
    # As docs/formats.md has it for scripts that read the file.
    import base64

    steps = np.frombuffer(base64.b64decode(event.points), "<i2").reshape(-1, 2)
    assert (steps[0] / 1000).tolist() == [1.0, -1.0]


@pytest.mark.parametrize("between", [
    "", "\n", "no event\n", '{"type":"from the future","run":"r","step":1,"time":0}\n', "[" * 5000 + "\n",
])  # fmt: skip
def test_lines_read_at_once_are_those_read_one_by_one(between):
    lines = [line for _, line in LINES]
    data = "\n".join([*lines[:3], between + lines[3], *lines[4:], ""]).encode()
    assert from_lines(data) == [from_line(line.encode()) for line in lines]


@pytest.mark.parametrize("text", ['{"type":"log","run":"r","step":1,"time":0,"level":"info",\n"message":""}\n',
                                  2 * '{"type":"log","run":"r","step":1,"time":0,"level":"info","message":""} ' + "\n"])
def test_an_event_is_a_line_and_a_line_is_an_event(text):
    assert from_lines(text.encode()) == []
