"""Estimates before a run, and which methods are offered for which forget set."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from core.engine.control import Control
from core.errors import ForgetSetError, ParameterError
from core.events import State
from core.job import StartPart
from core.methods import METHODS
from core.models.architectures import ModelSpec, build_on_meta, get_architecture, is_deep, is_transformer
from core.parameters import resolve
from core.runs.recorder import CHECKPOINTS_KEPT
from core.session import planning
from core.session.bench import Bench
from core.session.forget_sets import random_selection
from core.session.jobs import create_run, make_unlearn_job, preset_values, presets_for
from core.session.planning import estimate
from core.session.running import run
from core.session.starts import stated_start
from core.session.training import train
from core.suspicion import Trigger

KINDS = "whole classes", "single images"


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_steps_are_those_the_run_takes(bench, three, method, new_run):
    whole = "class" in METHODS[method].suits
    chosen = three if whole else three.cleared().with_samples(list(range(40)))
    values = preset_values(bench, chosen, method)
    planned = estimate(bench, chosen, method, values, measure=False)
    folder, control, started = new_run(method, chosen, settings=values), Control(), []

    def end_at_the_start(event):
        if event.type == "run_started":
            started.append(event)
            control.discard()

    assert run(folder, control, end_at_the_start, bench=bench) is State.DISCARDED
    assert planned.steps == started[0].steps and list(planned.stages) == started[0].stages


def test_what_is_not_measured_is_not_guessed(bench, three):
    values = preset_values(bench, three, "muda")
    assert estimate(bench, three, "muda", values, measure=False).seconds is None


def test_a_step_is_measured_once_and_the_model_is_left_alone(bench, three, monkeypatch):
    before = {name: value.clone() for name, value in bench.model.state_dict.items()}
    random = torch.get_rng_state()
    values = preset_values(bench, three, "muda")
    first = estimate(bench, three, "muda", values)
    assert first.seconds is not None and first.seconds > 0
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, bench.model.state_dict[name]) for name, value in before.items())
    monkeypatch.setattr(planning, "_measure", lambda *a: pytest.fail("measured again"))
    again = estimate(bench, three, "muda", values)
    assert again.seconds == first.seconds


def test_twice_the_rounds_take_twice_the_steps_and_longer(bench, three):
    values = dict(preset_values(bench, three, "muda", "reconstruction"))
    once = estimate(bench, three, "muda", values)
    twice = estimate(bench, three, "muda", {**values, "rounds": 2 * values["rounds"]})
    assert twice.steps == 2 * once.steps and twice.seconds > once.seconds
    assert twice.disk_bytes == once.disk_bytes and twice.memory_bytes == once.memory_bytes


def test_a_finished_run_teaches_the_next_estimate(bench, three):
    values = preset_values(bench, three, "muda")
    first = estimate(bench, three, "muda", values)
    planning.learn(first, 3 * first.plain_seconds)
    assert estimate(bench, three, "muda", values).seconds == pytest.approx(3 * first.plain_seconds)
    other = preset_values(bench, three, "finetune")
    fine = estimate(bench, three, "finetune", other)
    assert fine.seconds == fine.plain_seconds  # another method learnt nothing from it


def test_a_sleeping_machine_teaches_no_nonsense(bench, three):
    first = estimate(bench, three, "muda", preset_values(bench, three, "muda"))
    planning.learn(first, 1e9 * first.plain_seconds)
    assert planning.pace(first.pace_key) == planning.PACE_RANGE[1]


def test_memory_and_disk_are_of_the_right_size(bench, three):
    planned = estimate(bench, three, "muda", preset_values(bench, three, "muda"))
    weights = 4 * bench.model.parameters
    assert planned.memory_bytes > 4 * weights and planned.disk_bytes > 2 * weights


def test_networks_kept_among_the_constants_are_in_the_estimate(bench, three):
    images = random_selection(bench.dataset, 0.05, seed=0)
    values = preset_values(bench, images, "scrub", "samples")
    weights = 4 * bench.model.parameters

    def planned(rewind: bool):
        return estimate(bench, images, "scrub", {**values, "rewind": rewind}, measure=False)

    kept = (values["epochs"] - 1) * weights
    assert planned(True).disk_bytes - planned(False).disk_bytes == (CHECKPOINTS_KEPT + 1) * kept
    assert planned(True).memory_bytes - planned(False).memory_bytes == kept


def test_free_disk_is_looked_up_where_the_folder_would_be(tmp_path, bench, three):
    planned = estimate(bench, three, "muda", preset_values(bench, three, "muda"),
                       measure=False, runs_folder=tmp_path / "not" / "there")  # fmt: skip
    assert planned.disk_free and planned.disk_free > planned.disk_bytes


@pytest.mark.parametrize("preset", ["", "recipe", "colour"])
def test_a_job_has_the_values_that_the_form_shows_for_its_preset(bench, three, preset):
    shown = preset_values(bench, three, "retrain", preset)
    assert make_unlearn_job(bench.on("cpu"), three, "retrain", preset=preset).parameters == dict(shown)
    assert shown.epochs == (30 if preset == "colour" else 4)  # the fixture's recipe


def test_wrong_values_and_forget_sets_are_refused(bench, three):
    with pytest.raises(ParameterError, match="rounds"):
        estimate(bench, three, "muda", {"rounds": -1}, measure=False)
    with pytest.raises(ForgetSetError, match="at least one image"):
        estimate(bench, three.cleared(), "muda", {}, measure=False)


def test_methods_for_the_other_kind_of_images_come_last_and_are_refused(bench, three):
    single = three.cleared().with_samples([1, 2])
    for chosen, works_on in ((three, "single images"), (single, "whole classes"), (three.with_samples([1, 2]), "")):
        shown = planning.choices(bench, chosen)
        unsuited = [choice for choice in shown if not choice.suits]
        assert unsuited and shown[-len(unsuited):] == tuple(unsuited) and len(shown) == len(METHODS)  # fmt: skip
        assert shown[0].method.id == "muda"
        reasons = {choice.reason for choice in unsuited}
        assert reasons == {f"Works on {kind} only." for kind in ([works_on] if works_on else KINDS)}
        for choice in unsuited:
            with pytest.raises(ForgetSetError, match=f"{re.escape(choice.method.title)} w{choice.reason[1:-1]}"):
                estimate(bench, chosen, choice.method.id, {}, measure=False)


def test_a_fresh_model_is_trained_by_the_originals_recipe(bench, three):
    recipe = bench.model.card["recipe"]
    assert preset_values(bench, three, "retrain")["epochs"] == recipe["epochs"]
    assert preset_values(bench, three, "retrain", "recipe")["epochs"] == recipe["epochs"]
    assert preset_values(bench, three, "retrain", "colour")["epochs"] == 30


def test_a_correction_takes_the_preset_that_is_made_for_it_and_keeps_the_one_asked_for(bench, three):
    """The usual fine-tuning regains 3 % of what wrong labels cost where this preset regains 97 %."""
    wrong = three.cleared().with_samples([1, 2]).correcting()
    trigger = Trigger(target=3, target_name="3", pixels=((0, 0, 255),))
    poisoned, usual = wrong.correcting(trigger=trigger), wrong.correcting(False)
    for chosen, preset in ((usual, "default"), (wrong, "correction"), (poisoned, "default")):
        assert make_unlearn_job(bench.on("cpu"), chosen, "finetune").preset == preset
    assert preset_values(bench, wrong, "finetune").epochs == 4.0
    assert make_unlearn_job(bench.on("cpu"), wrong, "finetune", preset="default").preset == "default"
    assert [preset.name for preset in presets_for(bench, wrong, METHODS["finetune"])] == ["correction", "default"]


def test_a_classifier_is_offered_no_preset_for_encoders(bench, three):
    assert "encoder" not in {preset.name for preset in presets_for(bench, three, METHODS["muda"])}


@pytest.mark.parametrize("corrective", [False, True])
def test_a_plan_and_a_run_know_that_the_forget_set_is_a_correction(bench, three, corrective):
    chosen = three.cleared().with_samples(list(range(40))).correcting(corrective)
    planned = estimate(bench, chosen, "ssd", preset_values(bench, chosen, "ssd"), measure=False)
    assert ("no image is given its label" in planned.explain[0]) is corrective
    job = make_unlearn_job(bench, chosen, "ssd")
    values = resolve(METHODS["ssd"].parameters, job.parameters)
    assert bench.experiment(job, values, *bench.laid_out(chosen)).facts.corrective is corrective


VIT = "hf/vit:hidden_size=16,num_hidden_layers=4,num_attention_heads=2,intermediate_size=32,patch_size=4"


def test_a_transformer_takes_the_preset_made_for_it_and_a_small_one_forgets_by_it(digits, three, tmp_path):
    """Three fresh blocks leave a transformer's features as they are."""
    recipe = {"epochs": 8, "optimiser": "adamw", "lr": 5e-3, "batch": 64}
    on = Bench(None, digits).on("cpu", "float32", 1)
    train(tmp_path / "vit", on, VIT, Control(), lambda event: None, recipe=recipe)
    bench = Bench().open(tmp_path / "vit", "digits").on("cpu", "float32", 1)
    job = make_unlearn_job(bench, three, "muda")
    assert (job.preset, job.parameters["relearn_depth"]) == ("transformer", 0.6)
    assert make_unlearn_job(bench, three, "muda", preset="default").preset == "default"
    folder = create_run(tmp_path / "run", job, three, bench.dataset)
    assert run(folder, Control(), lambda event: None, bench=bench) is State.FINISHED
    models = folder.report()["models"]
    assert models["original"]["forget_test_accuracy"] > 0.8 and models["unlearned"]["forget_test_accuracy"] < 0.05
    assert models["unlearned"]["retain_test_accuracy"] > models["original"]["retain_test_accuracy"] - 0.05


def test_single_images_in_a_deep_network_take_the_preset_made_for_it_where_it_began_with_fresh_weights(
    bench, three, monkeypatch, tmp_path
):
    """Mixed with random weights, pretrained features would be lost: where they may be, no front begins anew."""
    chosen = three.cleared().with_samples(list(range(40)))

    def preset(on, selection=chosen):
        return make_unlearn_job(on, selection, "muda").preset

    assert preset(bench) == "samples"  # too few layers
    monkeypatch.setattr("core.models.architectures.DEEP", 2)
    assert preset(bench) == "deep-samples" and preset(bench, three) == "default"
    elsewhere = tmp_path / "elsewhere.pt"
    torch.save(bench.model.state_dict, elsewhere)  # no card beside it: nobody knows where it began
    unknown = Bench().open(elsewhere, "digits", arch="small-cnn").on("cpu", "float32", 1)
    assert preset(unknown) == "samples"
    assert preset(replace(unknown, start=StartPart(kind="fresh"))) == "deep-samples"
    assert preset(replace(unknown, start=stated_start(str(elsewhere)))) == "samples"


@pytest.mark.parametrize(
    ("architecture", "expected"), [("small-cnn", False), ("vgg11", False), ("vgg16", True), ("resnet18-cifar", True)]
)
def test_networks_with_many_layers_of_weights_are_deep(architecture, expected):
    assert is_deep(build_on_meta(ModelSpec(architecture, 3, 3, (64, 64))).state_dict()) is expected


@pytest.mark.parametrize(("architecture", "expected"), [("vit_b_32", True), ("swin_t", True), ("convnext_tiny", False),
                                                        ("maxvit_t", False), ("resnet18", False)])  # fmt: skip
def test_networks_of_attention_alone_are_transformers(architecture, expected):
    keys = build_on_meta(ModelSpec(architecture, 3, 3, get_architecture(architecture).default_size)).state_dict()
    assert is_transformer(keys) is expected
