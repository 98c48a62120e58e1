"""The package of docs/plugins.md: a method and a measure of others, with it installed, and after it is gone."""

from __future__ import annotations

import math
import os
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file

import core.methods
from core.conformance.__main__ import main as conformance
from core.engine.control import Control
from core.errors import AppError, NotFoundError
from core.files import read_json, write_json
from core.runs.folder import MODEL, REPORT_HTML, REPORT_JSON, RunFolder
from core.session.batch_file import read_batch
from core.session.bench import Bench
from core.session.planning import choices
from core.session.running import run as start
from core.verify import plugged
from core.verify.table import PLUGINS, measure_rows
from scripts import reference
from tests.core.cli.conftest import ROOT, unlearn
from tests.packages import install, install_template

SHORT = ("--method", "flat-outputs", "--set", "epochs=0.2", "--seed", 4)
GONE = "The method 'flat-outputs' comes from the package forget-flat 0.1, which is not installed here."


def forget_what_was_loaded() -> None:
    core.methods.plugged.cache_clear()
    plugged.plugged.cache_clear()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return install_template(tmp_path_factory.mktemp("site"))


@pytest.fixture
def installed(site, monkeypatch):
    """The package is installed during this test."""
    monkeypatch.syspath_prepend(site)
    forget_what_was_loaded()
    yield
    forget_what_was_loaded()


@pytest.fixture(scope="module")
def run(process, model, site, tmp_path_factory):
    """A run by the package's method in a process of its own, in which the package is installed."""
    folder = tmp_path_factory.mktemp("runs") / "flat"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (site, ROOT / "scripts" / "package", ROOT))))
        given = [*unlearn(model, folder, *SHORT[2:], method=SHORT[1]), "--device", "cpu", "--threads", 1, "--json"]
        done = process(*given)
    assert done.code == 0, done.err
    return RunFolder(folder)


def test_the_run_records_the_package_and_holds_the_measure(run):
    assert run.job().method == "flat-outputs"
    assert read_json(run.file("job.json"))["plugin"] == {"distribution": "forget-flat", "version": "0.1"}
    report = run.report()
    (declared,) = report["plugin_measures"]
    assert declared["id"] == "forget-entropy" and declared["package"] == "forget-flat 0.1"
    values = {name: report["models"][name]["plugins"]["forget-entropy"]["value"] for name in report["models"]}
    # Flattened outputs are less certain than the original's, and nothing is less certain than all ten classes alike.
    assert 0 <= values["original"] < values["unlearned"] <= math.log(10)
    assert values["head_only"] != values["original"]
    assert report["method_details"]["title"] == "Flat outputs"
    page = run.file(REPORT_HTML).read_text(encoding="utf-8")
    assert "From packages" in page and "Entropy on forget, nats" in page


def test_it_stands_where_the_programs_own_methods_stand(installed, cli, model, tmp_path):
    listed = {entry["id"]: entry for entry in cli("methods", "--json").document}
    assert listed["flat-outputs"]["plugin"] == {"distribution": "forget-flat", "version": "0.1"}
    assert listed["muda"]["plugin"] is None and list(listed)[-1] == "flat-outputs"
    assert "### flat-outputs\n" in reference.render() and "From the package forget-flat 0.1." in reference.render()
    shown = {choice.method.id: choice for choice in choices(Bench().open(model, "digits"), None)}
    assert shown["flat-outputs"].suits and shown["flat-outputs"].package == "forget-flat 0.1"
    planned = cli(*unlearn(model, tmp_path / "out", "--plan", "--json", *SHORT[2:], method="flat-outputs"))
    assert planned.code == 0 and [stage["name"] for stage in planned.document["stages"]] == ["flatten", "recover"]
    wrong = cli(*unlearn(model, tmp_path / "out", "--set", "epoch=1", method="flat-outputs"))
    assert wrong.code == 2 and "flat-outputs has no parameter 'epoch' (did you mean epochs?)" in wrong.error


BATCH = 'model = "{model}"\ndataset = "digits"\nmethods = ["flat-outputs"]\n[[forget]]\nclasses = ["3"]\n'


def test_a_batch_takes_it_while_it_is_installed(installed, model, tmp_path):
    file = tmp_path / "batch.toml"
    file.write_text(BATCH.format(model=model))
    assert [item.name for item in read_batch(file).items()] == ["3-flat-outputs-s0"]


def test_a_batch_names_it_when_it_is_gone(model, tmp_path):
    file = tmp_path / "batch.toml"
    file.write_text(BATCH.format(model=model))
    with pytest.raises(AppError, match="no method called 'flat-outputs'"):
        read_batch(file)


def test_evaluate_gives_the_entropy_of_the_outputs(installed, cli, run):
    given = ["--model", run.file(MODEL), "--dataset", "digits", "--forget-class", 3, "--accept-accuracy"]
    done = cli("evaluate", *given, "--json")
    assert done.code == 0, done.err
    value = done.document["plugins"]["forget-entropy"]["value"]
    assert value == pytest.approx(run.report()["models"]["unlearned"]["plugins"]["forget-entropy"]["value"], abs=1e-5)
    assert done.document["plugin_measures"][0]["title"] == "Entropy on forget, nats"
    assert "Entropy on forget, nats" in cli("evaluate", *given).out


def test_without_the_package_the_run_is_read_as_before(cli, run, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(run.path, again)
    said = cli("inspect", run.path)
    assert said.code == 0 and "flat-outputs" in said.out
    listed = cli("runs", run.path.parent, "--json")
    assert [row["method"] for row in listed.document] == ["flat-outputs"]
    compared = cli("compare", run.path, again, "--json")
    assert compared.code == 0, compared.err
    assert {row["title"] for row in compared.document["runs"]} == {"Flat outputs"}
    assert "plugins/forget-entropy" in {measure["key"] for measure in compared.document["measures"]}
    assert cli("verify-report", run.path).code == 0
    shown = cli("resume", run.path)  # it has its result
    assert shown.code == 0 and "with Flat outputs, preset default" in shown.out
    exported = cli("export", run.path, "--format", "safetensors", "--out", tmp_path / "out.safetensors")
    assert exported.code == 0, exported.err


def test_without_the_package_nothing_that_needs_the_method_begins(cli, run, tmp_path):
    begun = tmp_path / "begun"
    shutil.copytree(run.path, begun)
    for name in (MODEL, "model.pt", "model.json", REPORT_JSON, REPORT_HTML):
        begun.joinpath(name).unlink()
    begun.joinpath("events.jsonl").write_text("")
    write_json(begun / "status.json", {**read_json(begun / "status.json"), "state": "interrupted"})
    before = {path.name: path.read_bytes() for path in begun.iterdir() if path.is_file()}
    resumed = cli("resume", begun)
    assert resumed.code == 3 and GONE in resumed.error and "Install forget-flat and try again" in resumed.error
    assert {path.name: path.read_bytes() for path in begun.iterdir() if path.is_file()} == before
    with pytest.raises(NotFoundError, match="which is not installed here"):  # as the window and a child start it
        start(RunFolder(begun), Control(), lambda event: None, resume=True)
    assert {path.name: path.read_bytes() for path in begun.iterdir() if path.name in before} == before
    checked = cli("verify", run.path)
    assert checked.code == 3 and GONE in checked.error
    asked = cli("methods", "flat-outputs")
    assert asked.code == 3 and "There is no method called 'flat-outputs'" in asked.error


def test_with_the_package_the_run_goes_on_to_the_same_weights(installed, cli, run, tmp_path):
    begun = tmp_path / "begun"
    shutil.copytree(run.path, begun)
    for name in (MODEL, "model.pt", "model.json", REPORT_JSON, REPORT_HTML, "verify.jsonl"):
        begun.joinpath(name).unlink()
    begun.joinpath("events.jsonl").write_text("")
    shutil.rmtree(begun / "checkpoints", ignore_errors=True)
    job = read_json(begun / "job.json")
    write_json(begun / "job.json", {**job, "plugin": {**job["plugin"], "version": "0.0"}})
    write_json(begun / "status.json", {**read_json(begun / "status.json"), "state": "interrupted"})
    resumed = cli("resume", begun)
    assert resumed.code == 0, resumed.err
    assert "made with forget-flat 0.0, and its method now comes from forget-flat 0.1" in resumed.err + resumed.out
    one, other = load_file(run.file(MODEL)), load_file(begun / MODEL)
    assert all(torch.equal(one[name], other[name]) for name in one)


FAILING = """
import torch
from unlearn_studio.plugin import Length, Method, ModelMeasure, Train
def loss(out, batch, aux, values):
    raise KeyError("a fault of its authors")
PLAN = [Train("fail", "forget", "forget", loss, Length(steps=3))]
METHOD = Method("failing", "Failing", "It fails.", "", (), lambda values, facts: PLAN)
MEASURE = ModelMeasure("lost", "Lost, number", "It fails.", "higher", lambda outputs: outputs.nothing)
NEGATIVE = ModelMeasure("below", "Below, number", "It is below zero.", "lower", lambda outputs: -outputs.num_classes)
ENDLESS = ModelMeasure("endless", "Endless, number", "It never ends.", "lower", lambda outputs: float("inf"))
DRAWN = ModelMeasure("drawn", "Drawn, number", "It is drawn.", "lower", lambda outputs: float(torch.rand(())))
CALLS = []
def counted(out, batch, aux, values):
    CALLS.append(1)
    return {"loss": out.logits.square().mean() * len(CALLS)}
STATEFUL = Method("stateful", "Stateful", "It counts.", "", (), lambda values, facts: [
    Train("count", "forget", "forget", counted, Length(steps=6), batch=8)])
"""


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """A package whose code fails where it is used."""
    points = {"lost": "MEASURE", "below": "NEGATIVE", "endless": "ENDLESS", "drawn": "DRAWN"}
    measures = {name: f"failing:{point}" for name, point in points.items()} | {"gone": "no:WHERE"}
    site = tmp_path / "site"
    site.mkdir()
    methods = {"failing": "failing:METHOD", "stateful": "failing:STATEFUL"}
    install(site, {"failing": FAILING}, methods, measures)
    monkeypatch.syspath_prepend(site)
    forget_what_was_loaded()
    yield
    forget_what_was_loaded()
    sys.modules.pop("failing", None)


def test_a_fault_of_a_methods_code_names_its_package(failing, cli, model, tmp_path):
    done = cli(*unlearn(model, tmp_path / "out", method="failing"))
    assert done.code == 4
    said = "The method 'failing' of the package forget-more 1.2 failed: KeyError: 'a fault of its authors'"
    assert said in done.error
    assert RunFolder(tmp_path / "out").status().state == "failed"


def test_a_measure_that_fails_has_no_value_and_says_why(failing, cli, model, tmp_path):
    done = cli(*unlearn(model, tmp_path / "out", "--set", "epochs=0.2", "min_steps=0", method="finetune"))
    assert done.code == 0, done.err
    report = RunFolder(tmp_path / "out").report()
    taken = report["models"]["original"]["plugins"]
    assert 0 <= taken.pop("drawn")["value"] <= 1
    assert taken == {
        "below": {"value": -10.0},
        "endless": {"value": None, "reason": "It failed: ValueError: it gave inf, which is no number to be shown."},
        "lost": {"value": None,
                 "reason": "It failed: AttributeError: 'ModelOutputs' object has no attribute 'nothing'."},
    }  # fmt: skip
    rows = {row.key: row for row in measure_rows(report) if row.group == PLUGINS}
    assert rows["plugins/below"].values["unlearned"] == -10 and "Lower is better." in rows["plugins/below"].explanation
    assert rows["plugins/lost"].missing["original"].startswith("It failed: AttributeError")
    warning = "The measure 'gone' of the package forget-more 1.2 is left out: ModuleNotFoundError"
    assert any(text.startswith(warning) for text in report["warnings"])
    assert warning in " ".join(done.out.split())


def test_the_checks_notice_a_state_of_its_own_a_fault_and_chance(failing, capsys):
    assert conformance(["stateful"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "comes to other weights" in said and "The same seed gives other weights" in said
    assert conformance(["failing", "drawn"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "KeyError: 'a fault of its authors'" in said and "the same outputs gave" in said
    assert conformance(["below"]) == 0 and conformance(["gone"]) == 3


def test_it_passes_the_checks(installed, capsys):
    assert conformance(["--set", "epochs=0.5", "batch=16"]) == 0
    said = capsys.readouterr().out
    for title in ("flat-outputs, class forgetting", "flat-outputs, mixed forgetting", "forget-entropy"):
        assert f"{title}\n" in said
    assert "broken:" not in said and "All hold." in said
