"""Encoders without a head: they are recognised, forget by alignment alone, and what needs classes is absent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from core.engine.control import Control
from core.errors import ForgetSetError, InputError, UnknownNetworkError, UnprovenError, UsageError
from core.files import write_json
from core.methods import get_method
from core.methods.base import StageOutput
from core.methods.muda import recover_features
from core.models.architectures import ModelSpec, build_model
from core.models.checkpoint import read_model
from core.models.encoders import tapped
from core.models.weights import read_weights
from core.parameters import Values
from core.runs.folder import MODEL, MODEL_PT
from core.session.baseline import summarise
from core.session.bench import Bench, DataOptions
from core.session.checking import check, evaluate
from core.session.exporting import export
from core.session.jobs import create_run, make_train_job, make_unlearn_job, presets_for
from core.session.near import near_dict, near_forget_set
from core.session.one_image import seen
from core.session.planning import choices, shares_of_retraining
from core.session.proof import proven
from core.session.running import run
from core.session.suspects import find_suspects
from core.verify.table import NO_CLASSES, measure_rows


def without_head(state, prefix=""):
    return {f"{prefix}{name}": value for name, value in state.items() if not name.startswith(("head.", "fc."))}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory, digits_model):
    """The small network of these tests without its head, as a file."""
    file = tmp_path_factory.mktemp("encoder") / "encoder.pt"
    torch.save(without_head(read_weights(digits_model / MODEL).tensors), file)
    return file


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, digits):
    """How its images are prepared, stated."""
    file = tmp_path_factory.mktemp("how") / "how.json"
    write_json(file, {name: value for name, value in digits.preprocessing.to_dict().items() if name != "source"})
    return DataOptions(preprocess_file=str(file))


@pytest.fixture(scope="module")
def encoder_bench(encoder, prepared):
    return Bench(device="cpu", threads=1).open(encoder, "digits", prepared)


@pytest.fixture(scope="module")
def unlearned(tmp_path_factory, encoder_bench, three):
    job = make_unlearn_job(encoder_bench.on("cpu", "float32", threads=1), three, "muda")
    folder = create_run(tmp_path_factory.mktemp("runs") / "run", job, three, encoder_bench.dataset)
    run(folder, Control(), lambda event: None, bench=encoder_bench)
    return folder


# ---- what is recognised


def test_the_output_is_the_embedding_that_the_whole_network_s_head_receives(encoder, digits_model):
    opened, whole = read_model(encoder).opened(), read_model(digits_model).opened()
    assert (opened.spec.architecture, opened.spec.num_classes) == ("encoder/small-cnn", 0)
    tap = tapped(opened.build(), 0, input_shape=(1, 8, 8))
    images = torch.rand(5, 1, 8, 8)
    out, expected = tap(images), tapped(whole.build(), 10, input_shape=(1, 8, 8))(images)
    assert torch.equal(out.features, expected.features) and out.logits.shape == (5, 0)
    assert tap.feature_dim == expected.features.shape[1]
    assert [name for name, _ in tap.blocks][:-1] == ["block1", "block2", "block3", "hidden"]


def test_torchvision_s_with_an_identity_in_place_of_its_head(tmp_path):
    torch.manual_seed(0)
    encoder = torchvision.models.resnet18()
    encoder.fc = nn.Identity()
    torch.save(encoder.state_dict(), tmp_path / "resnet.pt")
    opened = read_model(tmp_path / "resnet.pt").opened(arch="encoder/resnet18")
    images = torch.rand(2, 3, 64, 64)
    features = tapped(opened.build(), 0, input_shape=(3, 64, 64))(images).features
    assert torch.equal(features, encoder.eval()(images)) and features.shape == (2, 512)
    found = read_model(tmp_path / "resnet.pt").opened()
    assert found.spec.architecture.startswith("encoder/resnet18")


def test_simclr_s_projection_is_left_out_and_what_may_be_a_head_is_asked_about(tmp_path, encoder):
    body = {f"backbone.{name}": value for name, value in torch.load(encoder).items()}
    projection = {"projection_head.0.weight": torch.zeros(64, 128), "projection_head.2.weight": torch.zeros(32, 64)}
    torch.save({"state_dict": body | projection}, tmp_path / "simclr.pt")
    assert read_model(tmp_path / "simclr.pt").opened().spec.architecture == "encoder/small-cnn"
    torch.save(body | {"linear.weight": torch.zeros(10, 128)}, tmp_path / "beside.pt")
    with pytest.raises(UnknownNetworkError, match=r"beside it linear\.weight, perhaps its head.*--key backbone"):
        read_model(tmp_path / "beside.pt").opened()
    stated = read_model(tmp_path / "beside.pt", key="backbone").opened()
    assert stated.spec.architecture == "encoder/small-cnn"


def test_a_whole_network_is_no_encoder_and_one_that_lacks_a_layer_none_either(tmp_path, digits_model):
    assert read_model(digits_model).opened().spec.num_classes == 10
    state = build_model(ModelSpec("small-cnn", 3, 1, (8, 8))).state_dict()
    torch.save({name: value for name, value in without_head(state).items() if "block2" not in name}, tmp_path / "a.pt")
    with pytest.raises(InputError):
        read_model(tmp_path / "a.pt").opened()


# ---- nothing is guessed silently


def test_how_images_are_prepared_is_asked_for(encoder, encoder_bench):
    with pytest.raises(UnprovenError, match="Nothing says how images are prepared for this encoder"):
        proven(Bench(device="cpu", threads=1).open(encoder, "digits"))
    proof = proven(encoder_bench).proof
    assert proof.standing is None and not proof.doubts and "accuracy" not in proof.as_dict()
    with pytest.raises(UsageError, match="no accuracy to expect"):
        proven(encoder_bench, expect=0.9)


def test_a_doubt_that_was_accepted_stands_in_the_job(encoder, three):
    bench = proven(Bench(device="cpu", threads=1).open(encoder, "digits"), accept=True)
    said = make_unlearn_job(bench, three, "muda").model.proof
    assert said["accepted"] and said["doubts"][0].startswith("Nothing says how images are prepared")


def test_what_needs_classes_is_refused_by_name(encoder_bench, three, unlearned, digits, tmp_path):
    with pytest.raises(UsageError, match=r"SCRUB needs a network that names classes, and encoder\.pt is an encoder"):
        make_unlearn_job(encoder_bench, three, "scrub")
    with pytest.raises(UsageError, match="these settings need one: relearn_blocks"):
        make_unlearn_job(encoder_bench, three, "muda", preset="default")
    with pytest.raises(UsageError, match="these settings need one: w_sd"):
        make_unlearn_job(encoder_bench, three, "muda", settings={"w_sd": 1.0})
    single = replace(three, mask=three.mask & False).with_samples([4])
    with pytest.raises(ForgetSetError, match="An encoder forgets whole classes only"):
        make_unlearn_job(encoder_bench, single, "muda")
    with pytest.raises(ForgetSetError, match="A correction is judged by the labels that a network gives"):
        make_unlearn_job(encoder_bench, three.correcting(), "muda")
    with pytest.raises(UsageError, match="An encoder is not trained here"):
        make_train_job(Bench(None, digits), "encoder/small-cnn")
    for asked, why in (({"seeds": (1,)}, "An encoder is not retrained here"), ({"which": "full"}, "attacks what a")):
        with pytest.raises(InputError, match=why):
            check(unlearned, Control(), lambda event: None, encoder_bench, **asked)
    with pytest.raises(InputError, match="rounded weights cannot be asked what they recognise"):
        export(unlearned.path, "safetensors", tmp_path / "out.safetensors", with_card=False, quantised=True)
    assert not (tmp_path / "out.safetensors").exists()


def test_what_the_window_shows_of_images_is_there_but_for_answers(encoder_bench):
    outputs, images = encoder_bench.outputs(encoder_bench.model), len(encoder_bench.dataset.train)
    found = summarise(outputs, 10)
    assert not found.names_classes and found.accuracy is None and found.class_accuracy == (None,) * 10
    assert found.train.values("loss") is None and np.isfinite(found.train.values("distance")).all()
    forget = np.arange(images) < 5
    near = near_forget_set(outputs, forget)
    assert near.gradient is None and not len(near.order("gradient")) and len(near.order()) == images - 5
    assert near_dict(near, encoder_bench.dataset, 3)["by_features"][0]["gradient"] is None
    image = seen(outputs, "train", 3)
    assert image.answer is None and len(image.neighbours) == 6


def test_methods_that_need_classes_are_offered_as_unsuited_and_only_presets_for_encoders_are(encoder_bench, three):
    shown = choices(encoder_bench, three)
    assert [choice.method.id for choice in shown if choice.suits] == ["muda"]
    assert {choice.reason for choice in shown} == {"", "Needs a network that names classes."}
    assert [preset.name for preset in presets_for(encoder_bench, three, get_method("muda"))] == ["encoder"]
    assert shares_of_retraining(encoder_bench, three) == {"muda": None}


# ---- forgetting


def test_retain_features_are_held_by_their_distance_to_the_original_s_as_a_share_of_their_size():
    features, teacher = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    out = StageOutput(torch.zeros(2, 0), features.requires_grad_(True), (), teacher)
    terms = recover_features(out, None, {}, Values({"w_fd": 0.5}))
    assert terms["loss"].item() == pytest.approx(0.5 * ((4 + 4) / 4) / (2 / 4))
    terms["loss"].backward()
    assert torch.allclose(features.grad, 0.5 * 2 * (features.detach() - teacher) / 4 / 0.5)


def test_a_run_moves_features_of_the_class_and_gives_the_very_keys_back(unlearned, encoder):
    report, before = unlearned.report(), torch.load(encoder)
    models = report["models"]
    assert unlearned.job().preset == "encoder" and unlearned.job().model.num_classes == 0
    assert models["unlearned"]["dimensional_alignment"]["value"] > models["original"]["dimensional_alignment"]["value"]
    assert models["unlearned"]["probe"]["retain"] > models["original"]["probe"]["retain"] - 0.03
    after = torch.load(unlearned.file(MODEL_PT))
    assert list(after) == list(before) and any(not torch.equal(after[name], before[name]) for name in before)


def test_what_needs_classes_is_absent_and_said_to_be(unlearned):
    report = unlearned.report()
    assert set(report["models"]) == {"original", "unlearned"} and report["model"]["encoder"] is True
    for absent in ("forget_accuracy", "retain_test_accuracy", "membership", "confusion"):
        assert absent not in report["models"]["unlearned"]
    assert any(text.startswith("The model is an encoder without a head") for text in report["warnings"])
    rows = {row.key: row for row in measure_rows(report)}
    assert rows["forget_test_accuracy"].values["unlearned"] is None
    assert rows["forget_test_accuracy"].missing["unlearned"] == rows["membership"].missing["original"] == NO_CLASSES
    assert rows["probe"].values["unlearned"] is not None and rows["probe"].missing["head_only"] == NO_CLASSES
    events = [event for event in unlearned.events() if event["type"] == "evaluation"]
    assert events and all(event["forget_accuracy"] is None and event["retain_loss"] is None for event in events)


def test_it_is_held_against_an_encoder_that_is_brought_by_features(
    unlearned, encoder_bench, tmp_path, prepared, digits, three
):
    torch.manual_seed(5)
    other = without_head(build_model(ModelSpec("small-cnn", 10, 1, (8, 8))).state_dict())
    torch.save(other, tmp_path / "retrained.pt")
    report = check(unlearned, Control(), lambda event: None, encoder_bench, retrained={"r": tmp_path / "retrained.pt"})
    geometry = report["models"]["unlearned"]["geometry"]
    assert 0 < geometry["to_retrained"]["cka"] < geometry["to_original"]["cka"] <= 1
    keys = {row["key"] for row in report["verdict"]["measures"] if row["unlearned"] is not None}
    assert {"probe", "nmi", "class_means"} <= keys and not keys & {"forget_accuracy", "output_distance", "membership"}
    measures = evaluate(encoder_bench, three)
    assert measures["probe"]["forget"] is not None and "retain_accuracy" not in measures
    assert [layer["name"] for layer in measures["conditioning"]["layers"]] == ["hidden.weight"]
    export(unlearned.path, "same", tmp_path / "out.pt", encoder_bench)
    assert read_model(tmp_path / "out.pt").opened().spec.architecture == "encoder/small-cnn"


def test_resumed_it_comes_to_the_same_weights(tmp_path, encoder_bench, three, unlearned):
    job = replace(unlearned.job(), checkpoint_seconds=0.0)
    folder = create_run(tmp_path / "again", job, three, encoder_bench.dataset)
    control = Control()

    def leave(event):
        if event.type == "checkpoint_saved" and event.step >= 2:
            control.leave()

    run(folder, control, leave, bench=encoder_bench)
    run(folder, Control(), lambda event: None, bench=encoder_bench, resume=True)
    assert folder.finished
    one, other = (read_weights(each.file(MODEL)).tensors for each in (folder, unlearned))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_suspects_are_found_by_its_features_and_nothing_is_asked_of_its_classes(encoder_bench, bench):
    found, whole = find_suspects(encoder_bench, "label"), find_suspects(bench, "label")
    assert (found.score == whole.score).all() and found.likely == whole.likely
    for by in ("loss", "trigger"):
        with pytest.raises(InputError, match="names no class"):
            find_suspects(encoder_bench, by)
