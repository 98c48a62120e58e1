"""What a run folder's files hold is held against declared structures where they are read, and refused in words."""

import os

import pytest

from core.errors import InputError
from core.events import MOST_STEPS, read_lines
from core.files import dumps, loads, write_json
from core.runs.folder import RunFolder
from core.verify.table import measure_rows, verdict_rows
from tests.core.verify.sample_report import full_report, sample_report

STEPS = (
    '{"type":"step_metrics","run":"r","step":3,"time":1.5,"phase":"forget","steps":[2,3],"terms":{"loss":[0.5,null]},'
    '"learning_rate":0.1,"samples_per_second":9.5}'
)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


@pytest.mark.parametrize("report", [full_report(), sample_report(), {}, {"models": {"original": None}}])
def test_a_report_keeps_all_it_holds(folder, report):
    report = loads(dumps({**report, "of_a_newer_version": [1, {"a": None}]}))
    write_json(folder.file("report.json"), report)
    assert folder.report() == report


def put(content, path, value):
    *inside, last = path.split("/")
    for key in inside:
        content = content[int(key) if isinstance(content, list) else key]
    content[int(last) if isinstance(content, list) else last] = value


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("models", 5, "expected object | null, got int at models"),
        ("models/unlearned", "x", "models[...]"),
        ("models/unlearned/per_class", [0.5, "x", 0.5], "per_class[1]"),
        ("models/unlearned/per_class", [0.5], "a list of classes has too few or many"),
        ("models/unlearned/forget_accuracy", 1e200, "forget_accuracy"),
        ("models/unlearned/dimensional_alignment/profile", {}, "dimensional_alignment.profile"),
        ("models/unlearned/membership/rmia/roc/tpr", [0.1], "fpr and tpr must be of one length"),
        ("models/unlearned/membership/rmia/members", None, "a curve needs its numbers of images"),
        ("models/unlearned/relearn/samples", [], "relearn.samples"),
        ("models/unlearned/relearn/forget", [0.5], "samples and forget must be of one length"),
        ("retrained/seed 1", None, "retrained[...]"),
        ("verdict/measures/0/key", None, "measures[0].key"),
        ("verdict/measures/0/position", None, "an informative measure needs its closure and its position"),
        ("verdict/measures/0/closure", None, "an informative measure needs its closure and its position"),
        ("verdict/measures/0/light", "red", "measures[0].light"),
        ("verdict/lamps", {"unlearned": {}}, "lamps[...]"),
        ("forget_classes", "3", "forget_classes"),
        ("forget_count", -1, "forget_count"),
        ("models/unlearned/counts", {"retain_test": 2**31}, "counts"),
        ("models/unlearned/counts", {"retain_test": -1}, "counts"),
        ("seed", 2**63, "seed"), ("seed", -(2**63) - 1, "seed"),
        ("cost", {"seconds": "long"}, "cost[...]"),
        ("files", {"model.safetensors": 5}, "files[...]"),
        ("method_details/parameters", {"lr": [[[1]]]}, "parameters"),
    ],
)
def test_a_report_of_another_shape_is_refused_at_its_place(folder, path, value, place):
    report = full_report()
    put(report, path, value)
    folder.file("report.json").write_bytes(dumps(report))
    with pytest.raises(InputError) as caught:
        folder.report()
    assert str(folder.file("report.json")) in caught.value.message and place in caught.value.message


def test_the_largest_and_the_smallest_numbers_are_kept(folder):
    for seed, count in ((2**63 - 1, 2**31 - 1), (-(2**63), 0)):
        report = {**full_report(), "seed": seed, "models": {"unlearned": {"counts": {"retain_test": count}}}}
        write_json(folder.file("report.json"), report)
        assert folder.report()["seed"] == seed
        assert folder.report()["models"]["unlearned"]["counts"] == {"retain_test": count}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.json", {"measures": {"forget_accuracy": "x"}}), ("model.json", []), ("model.json", {"cost": [1]}),
        ("removed.json", {"forget.csv": "x"}), ("removed.json", {"forget.csv": {"sha256": 1, "removed": ""}}),
    ],
)  # fmt: skip
def test_a_card_or_a_note_of_another_shape_is_refused(folder, name, content):
    write_json(folder.file(name), content)
    with pytest.raises(InputError, match=name):
        folder.card() if name == "model.json" else folder.removed()


def test_no_link_is_followed_and_no_pipe_opened(folder, tmp_path):
    (tmp_path / "elsewhere").write_text("{}")
    for name in ("job.json", "report.json", "model.json", "removed.json", "events.jsonl"):
        folder.file(name).symlink_to(tmp_path / "elsewhere")
    os.mkfifo(folder.file("status.json"))
    for read in (folder.job, folder.report, folder.card, folder.removed, folder.events):
        with pytest.raises(InputError, match="link"):
            read()
    assert folder.status().state == "interrupted"


def test_damaged_lines_of_a_log_are_counted_and_newer_events_are_not(folder):
    lines = [
        STEPS, '{"type":"step_metrics","step":4}', '{"type":"of_a_newer_version","step":5}', "{", "[]", '{"type":5}',
        '{"type":"of_a_newer_version","step":"x"}', STEPS.replace("[2,3]", "[2]"), STEPS.replace("0.5", "1e200"), "",
        STEPS.replace('"step":3', '"step":-1'), '{"type":["log"]}',
    ]  # fmt: skip
    folder.file("events.jsonl").write_bytes("\n".join(lines).encode() + b'\n{"type":"log","\xff')
    assert [event["step"] for event in folder.events()] == [3, 5]
    assert folder.damaged_events() == 10


def test_an_event_tells_of_so_many_steps_and_no_more():
    def told(count):
        line = STEPS.replace("[2,3]", str([*range(count)])).replace("[0.5,null]", str([0.5] * count))
        return len(read_lines(line.encode())[0])

    assert told(MOST_STEPS) == 1 and told(MOST_STEPS + 1) == 0


def test_a_verdict_without_measures_is_shown(folder):
    report = full_report()
    report["verdict"]["measures"] = None
    folder.file("report.json").write_bytes(dumps(report))
    assert measure_rows(folder.report()) and not verdict_rows(folder.report())
