"""`verify`, `verify-report` and `compare` from the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from core.cli.output import RunProgress
from core.events import Progress
from core.runs.folder import RunFolder
from core.verify.table import measure_rows
from tests.core.cli.conftest import contents, unlearn

BELOW = 6
BAD_INPUT = 3
USAGE = 2


@pytest.fixture(autouse=True)
def one_home(home, isolated_folders, monkeypatch):
    """References and caches are shared by the tests of this file."""
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(home))


@pytest.fixture(scope="module")
def run(cli, model, tmp_path_factory) -> Path:
    """A run that edited the head only, checked against one trained reference."""
    folder = tmp_path_factory.mktemp("verify") / "head-only"
    assert cli(*unlearn(model, folder, method="head-only")).code == 0
    result = cli("verify", folder, "--retrained", "train")
    assert result.code == 0, result.err
    return folder


def test_without_a_retrained_model_there_is_no_verdict_and_it_passes_nothing(cli, model, tmp_path):
    folder = tmp_path / "run"
    cli(*unlearn(model, folder, "--forget-samples", _samples(tmp_path), method="finetune", forget=()))
    result = cli("verify", folder, "--json")
    assert result.code == 0 and result.document["verdict"]["code"] == "no_reference"
    assert result.document["models"]["unlearned"]["membership"]["population"]["reason"].startswith("12 ")
    asked = cli("verify", folder, "--require", "partly")
    assert asked.code == BELOW and "'no_reference'" in asked.error and "'partly' was required" in asked.error


def _samples(folder: Path) -> Path:
    path = folder / "list.csv"
    path.write_text("".join(f"{index}\n" for index in range(12)))
    return path


def test_the_table_the_sentence_and_the_report(cli, run):
    result = cli("verify", run)
    assert result.code == 0
    for text in ("Retrained models on disk: seed 1.", "seed 1", "gap closed", "like the original", "report.html"):
        assert text in result.out, text
    report = RunFolder(run).report()
    judged = [row.title for row in measure_rows(report) if row.verdict is not None]
    assert len(judged) == len(report["verdict"]["measures"]) and all(f"\n{title} " in result.out for title in judged)
    assert " ".join(report["verdict"]["sentence"].split()) in " ".join(result.out.split())
    notes = report["retrained_notes"]
    assert (notes["recipe"], notes["seeds"], notes["brought"]) == ("the original's model card", [1], [])
    assert notes["seconds"] > 0


def test_a_repeated_check_says_nothing_of_measures_it_does_not_take(cli, run):
    assert cli("verify", run).code == 0
    assert "Measuring" not in cli("verify", run).out


def test_an_ensemble_of_runs_is_held_against_the_retrained_models(cli, model, run, tmp_path, monkeypatch):
    second = tmp_path / "seed-2"
    assert cli(*unlearn(model, second, "--seed", "2", method="head-only")).code == 0
    few = cli("verify", run, second, "--klom", "--json").document["klom"]
    assert (few["measure"], few["unlearned_models"], few["retrained_models"], few["originals"]) == (
        "margin_distance", 2, 1, 1
    )  # fmt: skip
    assert few["note"].startswith("KLoM needs 10 models a side") and "start from one original" in few["note"]
    row = few["sets"]["forget_train"]
    assert row["unlearned"]["mean"] > 10 and row["floor"] is None and row["original"] is None  # a silenced class

    monkeypatch.setattr("core.session.ensembles.FEWEST_MODELS", 1)  # as if so few were enough
    told = cli("verify", run, second, "--klom")
    assert "2 unlearned and 1 retrained models: KLoM, nats." in " ".join(told.out.split())
    assert "Forget images" in told.out
    found = cli("verify", run, second, "--klom", "--json").document["klom"]
    assert found["measure"] == "klom" and 0 <= found["sets"]["retain_train"]["unlearned"]["mean"] < 12
    assert found["sets"]["forget_train"]["original"]["mean"] > 5  # its margins lie where no retrained model's do


def test_only_runs_of_one_kind_are_an_ensemble_which_is_said_before_anything_is_measured(
    cli, model, run, tmp_path, monkeypatch
):
    assert cli("verify", run, "--klom").code == USAGE
    other = tmp_path / "finetune"
    assert cli(*unlearn(model, other, method="finetune")).code == 0
    monkeypatch.setattr("core.session.checking.check", pytest.fail)
    refused = cli("verify", run, other, "--klom")
    assert refused.code == BAD_INPUT and "differ in more than their seed" in refused.error


def test_an_ensemble_asks_for_retrained_models_before_anything_is_measured(cli, model, tmp_path, monkeypatch):
    runs = [tmp_path / f"seed-{seed}" for seed in (1, 2)]
    for seed, folder in enumerate(runs, 1):
        assert cli(*unlearn(model, folder, "--seed", seed, method="head-only", forget=("--forget-class", 5))).code == 0
    monkeypatch.setattr("core.session.checking.check", pytest.fail)
    refused = cli("verify", *runs, "--klom")
    assert refused.code == BAD_INPUT and "Bring retrained models: --retrained train" in refused.error


def test_the_verdict_becomes_the_exit_code(cli, run):
    result = cli("verify", run, "--require", "close", "--json")
    assert result.code == BELOW
    assert result.document["verdict"]["code"] in ("hidden", "not", "partly")
    assert "'close' was required" in result.error
    assert result.document["error"]["kind"] == "requirement" and result.document["error"]["exit_code"] == BELOW


def test_seeds_train_so_many_and_a_model_of_ones_own_is_taken(cli, run):
    two = cli("verify", run, "--seeds", 2, "--json").document
    assert list(two["retrained"]) == ["seed 1", "seed 2"]
    references = Path(os.environ["UNLEARN_STUDIO_HOME"]) / "data" / "references"
    own = next(path for path in references.iterdir() if json.loads((path / "job.json").read_text())["seed"] == 2)
    brought = cli("verify", run, "--retrained", own, "--json").document
    assert list(brought["retrained"]) == [own.name] and brought["retrained_notes"]["brought"] == [own.name]
    same = brought["retrained"][own.name]
    assert {k: v for k, v in same.items() if k not in ("distances", "geometry")} == {
        k: v for k, v in two["retrained"]["seed 2"].items() if k not in ("distances", "geometry")
    }


def test_verify_leaves_what_the_report_names_as_it_was(cli, run):
    before = contents(run)
    assert cli("verify", run, "--retrained", "train").code == 0
    after = contents(run)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed <= {"report.json", "report.html", "verify.jsonl"}, changed


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere"], BAD_INPUT, "is not a run folder"),
        (["{run}", "--retrained", "nowhere"], BAD_INPUT, "no retrained model at"),
        (["{run}", "--retrained", "{model}"], BAD_INPUT, "trained on all images"),
        (["{run}", "--retrained", "{run}", "--seeds", "2"], USAGE, "--seeds counts models to train"),
        (["{run}", "--suite", "ful"], USAGE, "did you mean full"),
        (["{run}", "{run}"], USAGE, "takes different runs"),
        (["{run}", "--table", "table.xls"], USAGE, "names no form of table"),
        (["{run}", "--require", "hidden"], USAGE, "must be one of partly, close"),
        (["{run}", "--sign", "nokey"], BAD_INPUT, "There is no key"),
        (["{model}"], BAD_INPUT, "trained a model, so there is nothing to check"),
    ],
)
def test_bad_input_is_said_before_anything_is_measured(cli, run, model, arguments, code, words):
    before = contents(run)
    result = cli("verify", *(text.format(run=run, model=model) for text in arguments))
    assert result.code == code and words in result.error
    assert contents(run) == before


@pytest.mark.parametrize(
    "name", ["model.safetensors", "model.pt", "model.json", "job.json", "forget.csv", "events.jsonl", "report.html"]
)
def test_one_changed_byte_is_found_and_named(cli, run, tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    assert cli("verify-report", copy).code == 0
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    result = cli("verify-report", copy / "report.html")
    assert result.code == BAD_INPUT and f"{name} is not what the report was written about" in result.error


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_a_signed_report_holds_until_it_is_changed_or_checked_anew(cli, run, tmp_path):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kind, public = (tmp_path / "key.pub").read_text().split()[:2]
    signers = tmp_path / "signers"
    signers.write_text(f"auditor@example.org {kind} {public}\n")
    assert cli("verify", run, "--sign", key).code == 0
    held = cli("verify-report", run)
    assert held.code == 0 and "signature holds: ED25519 key SHA256:" in held.out
    assert "It covers report.json and with it model.safetensors, " in held.out and "report.html." in held.out
    named = cli("verify-report", run, "--signers", signers, "--json").document["signature"]
    assert named["signer"] == "auditor@example.org" and named["covers"][-1] == "report.html"
    assert "verify.jsonl" in named["not_covered"]
    other = tmp_path / "others"
    other.write_text("")
    assert "was not signed by anyone" in cli("verify-report", run, "--signers", other).error
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(f'auditor@example.org namespaces="git" {kind} {public}\n')
    assert "does not hold" in cli("verify-report", run, "--signers", elsewhere).error  # a key for other things
    report = run / "report.json"
    written = report.read_bytes()
    report.write_bytes(written.replace(b'"seed": 0', b'"seed": 1'))
    changed = cli("verify-report", run)
    assert changed.code == BAD_INPUT and "does not hold" in changed.error
    assert cli("verify", run).code == 0  # a new report has no signature of the old one
    assert not (run / "report.json.sig").exists()
    assert "is not signed" in cli("verify-report", run, "--signers", signers).error


def test_ctrl_c_stops_a_check_and_the_same_command_goes_on(cli, run, tmp_path, monkeypatch, capfd):
    """That a signal reaches a process is held with runs, which hear of it in the same way."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "verify.jsonl").unlink()
    report = (folder / "report.json").read_bytes()
    shutil.rmtree(Path(os.environ["UNLEARN_STUDIO_HOME"]) / "cache" / "measures")
    shown = RunProgress.__call__

    def interrupted(progress, event):
        shown(progress, event)
        if isinstance(event, Progress) and event.what == "Measuring linear probe, seed 1":
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunProgress, "__call__", interrupted)
        stopped = cli("verify", folder, "--suite", "full", "--seeds", 1)
    assert stopped.code == 5 and "Finished measures are kept" in stopped.err
    assert "Measuring linear probe, seed 1" in stopped.out
    said = capfd.readouterr().err  # a signal's handler writes past Python's streams
    assert "Stopping the check. Ctrl+C again" in said and "keeping the model" not in said
    assert (folder / "report.json").read_bytes() == report
    kept = (folder / "verify.jsonl").read_text()
    assert kept
    assert cli("verify", folder).code == 0
    after = (folder / "verify.jsonl").read_text()
    assert after.startswith(kept) and after != kept
    keys = [(record["model"], record["key"]) for record in map(json.loads, after.splitlines())]
    assert len(set(keys)) == len(keys)  # nothing that was finished is measured again


def test_runs_side_by_side(cli, model, run, tmp_path):
    seeds = [tmp_path / f"seed-{seed}" for seed in (1, 2)]
    for seed, folder in enumerate(seeds, 1):
        cli(*unlearn(model, folder, "--seed", seed, "--set", "epochs=0.2", "--set", "lr=0.001", method="finetune"))
    checked = cli("verify", run, *seeds, "--table", tmp_path / "ranking.tex", "--require", "close")
    assert checked.code == BELOW and "3 of 3 runs are below" in checked.error
    assert "[3 of 3]" in checked.out
    ranking = checked.out.split("Ranking: 3, ")[1]
    assert [line.split()[0] for line in ranking.splitlines()[2:5]] == ["Rank", "1", "2"]
    assert "\\toprule" in (tmp_path / "ranking.tex").read_text()
    assert all(RunFolder(folder).report()["verdict"]["lamps"]["head_only"] for folder in seeds)
    page = tmp_path / "page.html"
    result = cli("compare", run, *seeds, "--html", page)
    assert result.code == 0, result.err
    for text in ("Gap closed", "Fine-tun", "seeds 1, 2", "95 % interval", "Different settings", "method"):
        assert text in result.out, text
    found = cli("compare", run, *seeds, "--json").document
    assert found["comparable"] and [each["run"] for each in found["runs"]] == ["head-only", "seed-1", "seed-2"]
    assert all(isinstance(each["measures"]["steps"], int) for each in found["runs"])
    group = next(group for group in found["groups"] if len(group["runs"]) == 2)
    taken = [RunFolder(folder).report()["models"]["unlearned"]["retain_test_accuracy"] for folder in seeds]
    assert group["measures"]["retain_test_accuracy"]["mean"] == pytest.approx(sum(taken) / 2)
    assert found["job_differences"]["seed"] == {"head-only": 0, "seed-1": 1, "seed-2": 2}
    html = page.read_text()
    assert (
        "<script" not in html
        and "http:" not in html
        and "https:" not in html
        and RunFolder(run).report()["verdict"]["sentence"] in html
    )


def test_runs_that_cannot_be_compared_say_so(cli, model, run, tmp_path):
    other = tmp_path / "other"
    cli(*unlearn(model, other, method="head-only", forget=("--forget-class", 5)))
    result = cli("compare", run, other)
    assert result.code == 0 and "The runs forget different images" in result.err
    assert "other: Head-only edit" in result.out and ", no reference\n" in result.out
    found = cli("compare", run, other, "--json").document
    assert not found["comparable"] and found["groups"] == [] and found["agreement"] == {}
    assert cli("compare", run).code == USAGE
    assert cli("compare", run, run).code == USAGE
    assert "trained a model, so there is nothing to compare" in cli("compare", run, model).error
