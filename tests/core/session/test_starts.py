"""References begin where the original began: with its pretrained weights where its files or the user say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.engine.control import Control
from core.errors import InputError, MismatchError
from core.files import file_sha256, read_json, write_json
from core.job import DataPart, ForgetPart, Job, ModelPart, StartPart
from core.methods import get_method
from core.models.card import read_card
from core.models.weights import read_weights
from core.parameters import resolve
from core.runs.folder import CARD, MODEL, RunFolder
from core.session.batch import make_item, open_batch
from core.session.batch_file import read_batch
from core.session.bench import Bench
from core.session.checking import check, reference_job
from core.session.exporting import export
from core.session.jobs import create_run, differences, make_train_job, make_unlearn_job
from core.session.references import reference_key
from core.session.running import run
from core.session.starts import (
    as_told,
    known_start,
    retraining_doubts,
    settled_start,
    start_doubts,
    stated_start,
)
from core.session.training import train

SHORT = {"rounds": 1, "recover_share": 0.2, "relearn_min_steps": 2}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, digits, digits_model) -> Path:
    """The folder of a model whose training began with the weights of another one."""
    out, start = tmp_path_factory.mktemp("tuned") / "tuned", stated_start(str(digits_model))
    bench = Bench(None, digits).on("cpu", "float32", threads=1)
    train(out, bench, "small-cnn", Control(), lambda event: None, recipe={"epochs": 1}, start=start)
    return out


@pytest.fixture(scope="module")
def tuned_bench(tuned) -> Bench:
    return Bench(device="cpu", threads=1).open(tuned, "digits")


@pytest.fixture
def asked(tmp_path, three):
    """Make the folder of a run that was not begun, on a bench."""

    def make(bench: Bench) -> RunFolder:
        job = make_unlearn_job(bench.on("cpu", "float32", threads=1), three, "muda", settings=SHORT)
        return create_run(tmp_path / "asked", job, three, bench.dataset)

    return make


@pytest.fixture
def begins_with(three):
    """Return the weights that the network of a job has before its first step."""

    def weights(bench: Bench, job: Job) -> dict[str, torch.Tensor]:
        images, splits = bench.laid_out(three)
        values = resolve(get_method(job.method).parameters, job.parameters, owner=job.method)
        return bench.experiment(job, values, images, splits).model.module.state_dict()

    return weights


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_card_and_job_say_where_training_began_and_the_card_without_a_folder(tuned, digits_model):
    sha256 = file_sha256(digits_model / MODEL)
    assert read_json(tuned / CARD)["start"] == {
        "kind": "pretrained", "name": "model/model.safetensors", "sha256": sha256, "key": "",
    }  # fmt: skip
    assert read_json(digits_model / CARD)["start"] == {"kind": "fresh"}
    assert known_start(tuned) == StartPart(
        kind="pretrained", path=str(digits_model / MODEL), sha256=sha256, said_by="the job of its training"
    )
    assert "It begins with the weights of model.safetensors." in (tuned / "events.jsonl").read_text()


def test_a_reference_begins_with_the_very_weights_that_the_original_began_with(
    asked, begins_with, tuned_bench, digits_model
):
    folder, start = asked(tuned_bench), read_weights(digits_model / MODEL).tensors
    job, _ = reference_job(folder, tuned_bench, 1)
    assert same(begins_with(tuned_bench, job), start)
    fresh = replace(job, start=StartPart(kind="fresh"))
    assert not same(begins_with(tuned_bench, fresh), start)
    assert reference_key(fresh, 1) != reference_key(job, 1) == reference_key(folder.job(), 1)


def test_retraining_as_a_method_begins_there_as_well(begins_with, tuned_bench, digits_model, three):
    job = make_unlearn_job(tuned_bench.on("cpu", "float32", threads=1), three, "retrain")
    assert same(begins_with(tuned_bench, job), read_weights(digits_model / MODEL).tensors)
    assert "starting weights" in differences(job, replace(job, start=None))
    assert retraining_doubts(job)[0].startswith("The original began with the pretrained weights")
    assert retraining_doubts(replace(job, method="muda")) == ()


def test_the_report_warns_that_such_a_reference_may_hold_the_features_itself(asked, tuned_bench, monkeypatch):
    folder = asked(tuned_bench)
    run(folder, Control(), lambda event: None, bench=tuned_bench)
    assert not [text for text in folder.report()["warnings"] if "began" in text]  # nothing is compared yet
    report = check(folder, Control(), lambda event: None, tuned_bench, seeds=(1,))
    (said,) = [text for text in report["warnings"] if "began with" in text]
    assert "model/model.safetensors" in said and "no proof that the features are gone" in said
    assert "arXiv 2602.18505" in said and report["start"]["kind"] == "pretrained"
    assert "no proof that the features are gone" in folder.file("report.html").read_text()
    monkeypatch.setattr("core.session.checking.reference_job", None)  # one that is there needs no start any more
    again = check(folder, Control(), lambda event: None, tuned_bench, seeds=(1,))
    assert again["warnings"] == report["warnings"]
    assert read_json(folder.file(CARD))["start"] == read_json(tuned_bench.model.path.parent / CARD)["start"]


def test_what_no_file_says_the_user_says(tmp_path, asked, begins_with, tuned, digits_model):
    weights, start = tmp_path / "bare.pt", read_weights(digits_model / MODEL).tensors
    torch.save(read_weights(tuned / MODEL).tensors, weights)
    bench = Bench(device="cpu", threads=1).open(weights, "digits", arch="small-cnn")
    folder, said = asked(bench), stated_start(str(digits_model))
    assert folder.job().start is None and known_start(weights) is None
    assert reference_job(folder, bench, 1)[0].start.kind == "fresh"
    told, _ = reference_job(folder, bench, 1, said)
    assert told.start == said and same(begins_with(bench, told), start)
    selection = reference_job(folder, bench, 1)[1]
    stating = replace(bench, start=said).on("cpu", "float32", threads=1)
    assert make_unlearn_job(stating, selection, "muda").start == said
    earlier = {"start": {"kind": "pretrained", "name": "a", "sha256": said.sha256, "key": "", "said_by": "the user"}}
    assert reference_key(as_told(folder.job(), earlier), 1) == reference_key(told, 1)  # what was said at a check stays


def test_doubts_by_what_is_known(tmp_path, tuned, digits_model):
    made = Job(
        model=ModelPart(path=str(tmp_path / "none.pt"), architecture="mlp", num_classes=3, in_channels=1,
                        input_size=(8, 8)),
        data=DataPart(spec="digits"), forget=ForgetPart(mode="class"), method="muda",
    )  # fmt: skip
    (unknown,) = start_doubts(made, True, {})
    assert unknown.startswith("Nothing says whether the original began with fresh or with pretrained weights.")
    assert "--started-from" in unknown and list(start_doubts(made, False, {})) == []
    fresh = replace(made, start=StartPart(kind="fresh"))
    assert list(start_doubts(fresh, True, {"mine": digits_model / MODEL})) == []
    (other,) = start_doubts(fresh, True, {"mine": tuned / MODEL})
    assert other.startswith("mine, which was brought as a retrained model, began with the pretrained weights of")
    write_json(tmp_path / "config.json", {"_name_or_path": "google/vit-base"})
    assert "config.json names google/vit-base" in next(start_doubts(made, True, {}))


def test_who_contradicts_the_files_is_refused(tuned, digits_model):
    with pytest.raises(MismatchError, match=r"began with the pretrained weights of model/model\.safetensors"):
        settled_start(StartPart(kind="fresh", said_by="the user"), tuned)
    with pytest.raises(MismatchError, match="began with fresh weights, as the job of its training says"):
        settled_start(stated_start(str(tuned)), digits_model)
    assert settled_start(stated_start(str(digits_model)), tuned) == known_start(tuned)


def test_an_exported_card_still_says_it_and_a_file_that_is_gone_is_asked_for(tmp_path, tuned, digits_model, digits):
    out = tmp_path / "exported.safetensors"
    export(tuned, "safetensors", out, Bench())
    known = known_start(out)
    assert known.said_by == "the model card" and known.path == "model/model.safetensors"
    bench = Bench(None, digits).on("cpu", "float32", threads=1)
    with pytest.raises(InputError, match=r"model/model\.safetensors, which are not there\. Name the file with"):
        make_train_job(bench, "small-cnn", start=known)
    given = settled_start(stated_start(str(digits_model)), out)
    assert make_train_job(bench, "small-cnn", start=given).start.path == str(digits_model / MODEL)


def test_weights_of_another_network_are_no_start(digits_model, digits):
    with pytest.raises(MismatchError, match="does not hold the weights of this network"):
        make_train_job(Bench(None, digits), "mlp", start=stated_start(str(digits_model)))


def test_cards_of_earlier_versions_and_references_on_disk_mean_what_they_meant(tmp_path, digits_model):
    weights = tmp_path / MODEL
    weights.write_bytes((digits_model / MODEL).read_bytes())
    card = {name: value for name, value in read_card(digits_model).items() if name not in ("start", "files")}
    write_json(tmp_path / CARD, card)
    assert known_start(weights).kind == "fresh"  # this program trained with fresh weights alone
    write_json(tmp_path / CARD, {name: card[name] for name in card if name not in ("kind", "recipe")})
    assert known_start(weights) is None
    old = Job(
        model=ModelPart(path="", architecture="mlp", num_classes=3, in_channels=1, input_size=(8, 8)),
        data=DataPart(spec="digits", fingerprint="f" * 64),
        forget=ForgetPart(mode="class", classes=(1,), class_names=("b",), count=25, total=100, sha256="5" * 64),
        method="retrain",
    )
    assert reference_key(old, 1) == "5b7307f9554b5204a4d3"
    assert reference_key(replace(old, start=StartPart(kind="fresh")), 1) == "5b7307f9554b5204a4d3"
    assert reference_key(replace(old, start=StartPart(kind="pretrained", sha256="1" * 64)), 1) != "5b7307f9554b5204a4d3"


def test_a_batch_file_states_where_the_original_began(tmp_path, tuned, digits_model):
    torch.save(read_weights(tuned / MODEL).tensors, tmp_path / "bare.pt")
    text = 'model = "bare.pt"\narch = "small-cnn"\ndataset = "digits"\nmethods = ["finetune"]\ndevice = "cpu"\n' \
           'threads = 1\naccept_accuracy = true\n{}\n[[forget]]\nclasses = ["3"]\n'  # fmt: skip
    file = tmp_path / "batch.toml"
    file.write_text(text.format(f'started_from = "{digits_model / MODEL}"'))
    batch = read_batch(file)
    _, job = make_item(batch.items()[0], open_batch(batch, Bench()), batch)
    assert (job.start.kind, job.start.sha256) == ("pretrained", file_sha256(digits_model / MODEL))
    file.write_text(text.format('started_from = "fresh"'))
    assert open_batch(read_batch(file), Bench()).start.kind == "fresh"
    file.write_text(text.format('start_key = "model"'))
    with pytest.raises(InputError, match="start_key names an entry of a file"):
        read_batch(file)
