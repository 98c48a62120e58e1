"""Verdicts on real networks: digits, three retrained models, and every kind of result whose verdict is known."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from core.engine.control import Control, Interrupted
from core.events import Progress
from core.files import file_sha256, loads
from core.runs.folder import RunFolder
from core.selection import Selection
from core.session.bench import Bench
from core.session.checking import check
from core.session.jobs import create_run, make_unlearn_job
from core.session.running import run
from core.session.training import train
from core.verify import relearning
from core.verify.suite import steps_of
from core.verify.table import attack_rows
from core.verify.verdict import decide

torch.set_num_threads(1)
SEEDS = (1, 2, 3)
SHARE = "0.8"  # of the original's forget accuracy, for the order of relearning


class Lab:
    """One trained original, one home for references and caches, and runs of known kinds on it."""

    def __init__(self, root: Path, pair: Bench, forget: Selection) -> None:
        self.root, self.pair, self.forget = root, pair, forget

    def run(self, name: str, method: str, **options) -> RunFolder:
        job = make_unlearn_job(self.pair.on("cpu", "float32", threads=1), self.forget, method, **options)
        folder = create_run(self.root / name, job, self.forget, self.pair.dataset)
        run(folder, Control(), lambda event: None, bench=self.pair)
        return folder

    def check(self, folder: RunFolder, control: Control | None = None, emit=lambda event: None, **options) -> dict:
        return check(folder, control or Control(), emit, bench=self.pair, seeds=SEEDS, **options)


@pytest.fixture(scope="module")
def bench(tmp_path_factory, digits):
    """Two classes are forgotten, so that there are enough unseen images to tell retrained models from the original."""
    root = tmp_path_factory.mktemp("verdicts")
    train(
        root / "original", Bench(None, digits).on("cpu", "float32", threads=1), "small-cnn", Control(),
        lambda event: None, recipe={"epochs": 8},
    )  # fmt: skip
    labels = digits.train.labels.numpy()
    return Lab(
        root, Bench().open(root / "original", "digits"), Selection.empty(labels, digits.classes).with_classes([3, 8])
    )


def short(patch: pytest.MonkeyPatch) -> None:
    """Relearn for fewer steps than the program does: the head-only edit is back after 12, retrained models by 48."""
    patch.setattr(relearning, "DRAWS", 1)  # of the attacker's images: more make curves smoother
    patch.setattr(relearning, "STEPS", tuple(step for step in relearning.STEPS if step <= 96))
    patch.setattr(relearning, "LONGEST", 12)


@pytest.fixture(autouse=True)
def one_home(bench, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(bench.root / "home"))
    short(monkeypatch)


@pytest.fixture(scope="module")
def reports(bench, tmp_path_factory):
    """The full suite on a further retrained model, on the head-only edit, and on a model that hardly moved."""
    patch = pytest.MonkeyPatch()
    patch.setenv("UNLEARN_STUDIO_HOME", str(bench.root / "home"))
    short(patch)
    folders = {
        "further": bench.run("further", "retrain", seed=4),
        "head-only": bench.run("head-only", "head-only"),
        "unmoved": bench.run("unmoved", "finetune", settings={"lr": 1e-6, "epochs": 0.1}),
    }
    suites = {"further": "full", "head-only": "full"}
    found = {name: bench.check(folder, which=suites.get(name, "quick")) for name, folder in folders.items()}
    patch.undo()
    return found


@pytest.mark.parametrize(("name", "code"), [("further", "close"), ("head-only", "hidden"), ("unmoved", "not")])
def test_each_kind_of_result_gets_its_verdict(reports, name, code):
    verdict = reports[name]["verdict"]
    assert verdict["code"] == code, verdict["sentence"]
    deciding = [row for row in verdict["measures"] if row["decides"]]
    assert any(row["group"] == "feature" for row in deciding), [row["key"] for row in deciding]


def test_the_original_held_against_retrained_models_is_not_forgotten(reports):
    report = reports["further"]
    models = {**report["models"], "unlearned": report["models"]["original"]}
    assert decide(models, list(report["retrained"].values())).code == "not"


def test_a_model_with_every_gap_half_closed_is_partly(reports):
    report = reports["further"]
    halfway = _halfway(report["models"]["original"], list(report["retrained"].values()))
    models = {**report["models"], "unlearned": halfway}
    verdict = decide(models, list(report["retrained"].values()))
    assert verdict.code == "partly"
    decided = [row for row in verdict.measures if row.decides]
    assert decided and all(row.closure == pytest.approx(0.5, abs=1e-6) for row in decided)


def _halfway(original: dict, retrained: list[dict]) -> dict:
    """Every number halfway between the original's and the retrained mean; distances to retrained are half."""
    made = copy.deepcopy(original)
    for key in list(made):
        made[key] = _between(original[key], [other.get(key) for other in retrained])
    for name, row in original["distances"].items():
        made["distances"][name] = {**row, "js_to_retrained": row["js_to_retrained"] / 2}
    return made


def _between(one, others):
    if isinstance(one, dict):
        return {
            key: _between(value, [other.get(key) for other in others if isinstance(other, dict)])
            for key, value in one.items()
        }
    numbers = [other for other in others if isinstance(other, (int, float)) and not isinstance(other, bool)]
    if isinstance(one, (int, float)) and not isinstance(one, bool) and len(numbers) == len(others) > 0:
        return (one + sum(numbers) / len(numbers)) / 2
    return one


def test_the_control_is_the_original_on_every_feature_measure_and_relearns_as_it_does(reports):
    models = reports["head-only"]["models"]
    for key in ("probe", "nmi", "class_means", "dimensional_alignment", "spectra", "prototype", "relearn"):
        assert models["head_only"][key] == models["original"][key], key
        assert models["unlearned"][key] == models["original"][key], key


def test_relearning_takes_a_fresh_network_longest_and_a_head_only_edit_shortest(reports):
    report = reports["further"]
    needed = {name: report["models"][name]["relearn"]["needed"][SHARE] for name in ("fresh", "head_only", "original")}
    retrained = [each["relearn"]["needed"][SHARE] for each in report["retrained"].values()]
    never = float("inf")
    head_only = needed["head_only"]
    assert head_only is not None and head_only == needed["original"]
    assert all(each is not None and head_only < each for each in retrained)
    assert all(each <= (needed["fresh"] or never) for each in retrained)
    curve = report["models"]["head_only"]["relearn"]
    assert curve["forget"][0] < 0.5 < curve["forget"][-1] and len(curve["samples"]) == len(curve["forget"])


def test_sign_and_order_of_the_measures(reports):
    """DA rises and the probe falls from the original to retrained models; a retrained model is no member's home."""
    report = reports["further"]
    original, retrained = report["models"]["original"], list(report["retrained"].values())
    for each in retrained:
        assert each["dimensional_alignment"]["value"] > original["dimensional_alignment"]["value"]
        assert each["probe"]["forget"] <= original["probe"]["forget"]
        assert each["geometry"]["to_retrained"]["procrustes"] < each["geometry"]["to_original"]["procrustes"]
        assert each["membership"]["rmia"]["references"] == len(SEEDS) - 1  # never with itself
    assert original["geometry"]["to_original"] == {"cka": pytest.approx(1), "procrustes": pytest.approx(0, abs=1e-6)}
    layers = [row["layer"] for row in report["models"]["unlearned"]["geometry"]["layers"]]
    assert layers[-1] == "features" and len(layers) > 2


def test_on_a_held_out_retrained_model_every_attack_is_at_chance(reports):
    """Its interval, twice as wide: of twenty of 95 % one lies beside the truth, of such ones one in 500 tests."""
    report = reports["further"]
    held_out = [report["models"]["unlearned"], *report["retrained"].values()]
    taken = set()
    for each in held_out:
        attacks = {name: attack for name, attack in each["membership"].items() if name != "population_retain"}
        for name, attack in attacks.items():
            assert attack["auc"] is not None, (name, attack["reason"])
            assert abs(attack["auc"] - 0.5) <= attack["high"] - attack["low"], (name, attack["auc"])
            taken.add(name)
    assert taken == {"population", "rmia", "iam", "sample_vulnerable", "sample_protected"}


def test_on_the_original_an_attack_finds_something_or_says_that_it_cannot_tell(reports):
    rows = attack_rows(reports["further"])
    assert {row.key for row in rows} == {
        "rmia", "iam", "iam_fitted", "sample_vulnerable", "sample_protected", "neighbour_class", "relearn_others",
        "quantised_int8", "quantised_int4",
    }  # fmt: skip
    for row in rows:
        away = [abs(value - row.standing["retrained"]) for value in (row.values["original"], *row.retrained)]
        assert away[0] > max(away[1:]) if row.standing["informative"] else row.standing["note"], row.key
        assert row.standing["closed"] or not row.standing["informative"], row.key  # the result is a retrained model
    told = {row.key for row in rows if row.standing["informative"]}
    assert told >= {"relearn_others", "quantised_int8", "quantised_int4"}


def test_published_measures_stand_beside_the_retrained_values(reports):
    rows = reports["further"]["published"]
    assert {"original", "unlearned", "head_only", "retrained", *(f"seed {seed}" for seed in SEEDS)} == set(rows)
    assert rows["original"]["ua"] < 0.1 and rows["head_only"]["ua"] == 1 and rows["retrained"]["ua"] == 1
    assert rows["head_only"]["tow"] > 0.9 > rows["original"]["tow"]  # what ToW cannot see
    assert rows["unlearned"]["average_gap"] < 0.05 < rows["original"]["average_gap"]
    assert rows["original"]["ain"] < rows["head_only"]["ain"]
    for name in ("zrf", "zrf_paper_code", "activation_distance", "completeness", "aus", "mia"):
        assert rows["retrained"][name] is not None, name
    assert rows["unlearned"]["completeness"] > rows["original"]["completeness"]


def test_a_check_writes_neither_card_nor_events_and_its_hashes_hold(bench):
    folder = RunFolder(bench.root / "further")
    named = {name: file_sha256(folder.file(name)) for name in ("model.json", "events.jsonl", "job.json", "model.pt")}
    report = bench.check(folder)
    assert {name: report["files"][name] for name in named} == named
    assert report["precision"] == "float32" and report["measured_in"] == "float32"


def test_a_stopped_check_keeps_what_it_finished_and_a_second_one_takes_nothing_again(bench):
    """Nor does the first one take again what the run took: its result's own measures and outputs."""
    folder = bench.run("stopped", "finetune", settings={"lr": 0.01, "epochs": 0.3})
    own = {step.title for step in steps_of("quick")}
    assert {(model, name) for model in ("original", "unlearned") for name in own} <= set(_records(folder))
    control, told = Control(), []

    def stop(event):
        told.append(getattr(event, "what", ""))
        if isinstance(event, Progress) and event.what == "Measuring published measures, unlearned":
            control.stop()

    before = folder.file("report.json").read_bytes()
    with pytest.raises(Interrupted):
        bench.check(folder, control, stop)
    assert "Measuring distances, unlearned" in told and "Measuring the unlearned model" not in told
    assert not {f"Measuring {name}, unlearned" for name in own} & set(told)
    assert folder.file("report.json").read_bytes() == before
    kept, told = _records(folder), []
    assert ("unlearned", "distances") in kept and ("unlearned", "published") not in kept
    with folder.file("verify.jsonl").open("ab") as file:
        file.write(b'{"measure": "clust')  # as a killed process leaves it
    first = bench.check(folder)
    assert _records(folder)[: len(kept)] == kept and len(set(_records(folder))) == len(_records(folder))
    lines = folder.file("verify.jsonl").read_bytes()
    second = bench.check(folder, emit=lambda event: told.append(getattr(event, "what", "")))
    assert folder.file("verify.jsonl").read_bytes() == lines
    assert _content(first) == _content(second)
    assert "Writing the report" in told and not any(what.startswith("Measuring distances") for what in told)


def _content(report: dict) -> dict:
    """A report without when it was made, which its page says, too, to the minute."""
    files = {name: sha256 for name, sha256 in report["files"].items() if name != "report.html"}
    return {**report, "created": "", "files": files}


def _records(folder: RunFolder) -> list[tuple[str, str]]:
    found = []
    for line in folder.file("verify.jsonl").read_bytes().splitlines():
        if line.endswith(b"}"):
            record = loads(line)
            found.append((record["model"], record["measure"]))
    return found


def test_single_images_get_an_attack_and_no_relearning(bench, digits):
    labels = digits.train.labels.numpy()
    chosen = Selection.empty(labels, digits.classes).with_samples(range(0, 400, 5))
    job = make_unlearn_job(bench.pair.on("cpu", "float32", threads=1), chosen, "finetune",
                           settings={"epochs": 0.1})  # fmt: skip
    folder = create_run(bench.root / "samples", job, chosen, digits)
    run(folder, Control(), lambda event: None, bench=bench.pair)
    report = check(folder, Control(), lambda event: None, bench=bench.pair, seeds=(1,), which="full")
    measures = report["models"]["unlearned"]
    assert measures["relearn"] is None and measures["prototype"] is None
    attack = measures["membership"]["population"]
    assert attack["members"] == 80 and attack["low"] < attack["auc"] < attack["high"]
    assert measures["membership"]["rmia"]["references"] == 2  # trained for it: one retrained model is too few
    retrained = report["retrained"]["seed 1"]["membership"]
    for name in ("population", "rmia", "iam", "sample_vulnerable", "sample_protected"):  # at chance: it never saw them
        attack = retrained[name]
        assert abs(attack["auc"] - 0.5) <= 0.75 * (attack["high"] - attack["low"]), (name, attack["auc"])
    assert measures["neighbour_class"] is None and measures["relearn_others"]["value"] > 0.5
    assert {name: row["forget"]["value"] > 0.5 for name, row in measures["quantised"].items()} == {
        "full": True, "int8": True, "int4": True
    }  # fmt: skip
    assert report["published"]["retrained"]["aus"] is not None
    assert set(report["retrained"]) == {"seed 1"} and "head_only" not in report["models"]

    # A quick check of the same models keeps what the full one found, and measures nothing.
    lines, told = folder.file("verify.jsonl").read_bytes(), []
    again = check(folder, Control(), told.append, bench=bench.pair, seeds=(1,))
    assert again["suite"] == "full" and folder.file("verify.jsonl").read_bytes() == lines
    assert _content(again) == _content(report)
    assert not any(type(event).__name__ == "MeasureTaken" for event in told)

    # Where one of them is not kept any more, or the models are others, it is a quick check.
    gone = [line for line in lines.splitlines() if b'"relearning"' not in line or b'"unlearned"' not in line]
    folder.file("verify.jsonl").write_bytes(b"\n".join(gone) + b"\n")
    assert check(folder, Control(), lambda event: None, bench=bench.pair, seeds=(1,))["suite"] == "quick"
    folder.file("verify.jsonl").write_bytes(lines)
    check(folder, Control(), lambda event: None, bench=bench.pair, seeds=(1,), which="full")
    assert check(folder, Control(), lambda event: None, bench=bench.pair)["suite"] == "quick"
