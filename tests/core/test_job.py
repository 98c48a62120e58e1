"""job.json is written as ever, read strictly, brought up from earlier schemas and refused where it is newer."""

from __future__ import annotations

import pytest

from core import job as jobs
from core.errors import InputError, MismatchError, UsageError
from core.files import dumps, loads
from core.job import DataPart, ForgetPart, Job, Launcher, ModelPart, OriginPart, RequestPart, TuningPart, from_dict

MODEL = ModelPart(
    path="/m.pt", architecture="mlp", num_classes=10, in_channels=1, input_size=(8, 8), classes=("a", "b")
)
JOB = Job(
    model=MODEL,
    data=DataPart(spec="digits", test_fraction=0.25),
    forget=ForgetPart(mode="class", classes=(3,), class_names=("3",), count=5, total=50),
    method="muda",
    parameters={"lr": 1e-05, "mask": None},
    chain=("ff",),
    tuning=TuningPart(asked=3, tried=2, best=1, score=None, judged_by="probe", images=100, searched=("lr",)),
    requests=(RequestPart(method="muda", mode="class"),),
    origin=OriginPart(path="/m.pt", sha256="00"),
)
# As version 1 of the format has it, without line breaks.
TEXT = (
    '{"schema_version":1,"kind":"unlearn","model":{"path":"/m.pt","sha256":"","architecture":"mlp","num_classes":'
    '10,"in_channels":1,"input_size":[8,8],"classes":["a","b"],"preprocessing":{},"form":{},"user_code":"","proof":{}},"data'
    '":{"spec":"digits","fingerprint":"","data_root":"","test_fraction":0.25,"classes_file":"","preprocess_file":'
    '"","test_origin":"own","notices":[]},"forget":{"mode":"class","classes":[3],"class_names":["3"],"count":5,"total":50,"sha'
    '256":"","weights_sha256":"","similar":0,"similar_from":0.0,"purpose":"","trigger":null},"method":"muda","plugin":null,"preset":"","parameters":{"lr":0.00001,"mask":null},"seed":0,"dev'
    'ice":"auto","precision":"auto","threads":0,"launcher":"thread","monitoring_budget":0.1,"checkpoint_seconds":20.0,"tuning":{"aske'
    'd":3,"tried":2,"best":1,"score":null,"judged_by":"probe","images":100,"searched":["lr"],"sha256":""},"chain"'
    ':["ff"],"requests":[{"method":"muda","mode":"class","class_names":[],"count":0,"run":"","job_sha256":"","purpose":"","trigger":null}],"o'
    'rigin":{"path":"/m.pt","sha256":"00","key":""},"start":null,"app_version":"","libraries":{}}'
)


def test_a_job_is_written_and_read_as_ever():
    assert dumps(JOB).decode() == TEXT
    assert from_dict(loads(TEXT)) == JOB
    earlier = TEXT
    for added in ('"plugin":null,', '"start":null,', ',"purpose":"","trigger":null'):  # which jobs had not
        earlier = earlier.replace(added, "")
    assert from_dict(loads(earlier)) == JOB


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": "x"}, "The job file is damaged: expected int, got str at seed"),
        ({"model": {}}, "The job file is damaged: object missing required field architecture at model"),
        ({"data": {"spec": 3}}, "damaged: expected str, got int at data.spec"),
        ({"schema_version": "1"}, "schema_version must be a whole number from 1, got '1'"),
        ({"schema_version": True}, "schema_version must be a whole number from 1, got True"),
    ],
)
def test_a_damaged_job_names_the_field(change, words):
    with pytest.raises(InputError, match=words):
        from_dict({**loads(TEXT), **change})


@pytest.mark.parametrize("content", [{}, [], None])
def test_what_is_no_job_is_told_so(content):
    with pytest.raises(InputError, match="This is not a job file"):
        from_dict(content)


def test_a_newer_job_is_refused_and_fields_it_adds_are_not_fatal():
    with pytest.raises(MismatchError, match=r"newer version \(schema 2; this one reads up to 1\)\. Update"):
        from_dict({**loads(TEXT), "schema_version": 2})
    assert from_dict({**loads(TEXT), "added": 1}) == JOB


def test_an_earlier_schema_is_brought_up_step_by_step(monkeypatch):
    def rename(data):
        return {**data, "method": data["recipe"]}

    def wrap(data):
        return {**data, "forget": {"mode": data["forget"]}}

    monkeypatch.setattr(jobs, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(jobs, "MIGRATIONS", [rename, wrap])
    old = {name: value for name, value in loads(TEXT).items() if name != "method"}
    job = from_dict({**old, "recipe": "scrub", "forget": "class"})
    assert (job.method, job.forget.mode, job.schema_version) == ("scrub", "class", 3)
    assert from_dict({**old, "schema_version": 2, "method": "ssd", "forget": "sample"}).method == "ssd"


def test_a_job_of_no_known_kind_is_refused():
    with pytest.raises(InputError, match="kind"):
        from_dict({**loads(dumps(JOB)), "kind": "x"})


@pytest.mark.parametrize(
    ("text", "launcher"),
    [
        ("thread", Launcher()),
        ("process", Launcher("process")),
        ("torchrun 2", Launcher("torchrun", 2)),
        ("ssh  me@gpu.example ", Launcher("ssh", host="me@gpu.example", program="unlearn-studio")),
        ("ssh gpu ~/.local/bin/unlearn-studio", Launcher("ssh", host="gpu", program="~/.local/bin/unlearn-studio")),
    ],
)
def test_a_launcher_is_read_from_words_and_said_in_the_same(text, launcher):
    assert Launcher.parse(text) == launcher
    assert str(launcher) == " ".join(text.split()) and Launcher.parse(str(launcher)) == launcher


@pytest.mark.parametrize(
    "text",
    ["", "threads", "thread 2", "torchrun", "torchrun 0", "torchrun -1", "torchrun 99999", "ssh", "ssh gpu a b",
     "ssh -oProxyCommand=x", "ssh gpu -rf", "ssh gpu;rm", "ssh gpu $(id)", "ssh gpu a|b",
     "ssh gpu `id`", "ssh gpu a&b"],
)  # fmt: skip
def test_what_is_no_launcher_is_refused_and_no_option_or_second_command(text):
    with pytest.raises(UsageError, match="does not say what starts a run"):
        Launcher.parse(text)
