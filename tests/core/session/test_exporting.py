"""Export: what is given back is what came in, what is written was read again, and nobody's file is written over."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from core.data.preprocessing import Preprocessing
from core.errors import InputError, MismatchError, RunError, TargetExistsError, UsageError
from core.files import file_sha256, read_json, write_json
from core.job import OriginPart
from core.leftovers import clear_leftovers
from core.models.architectures import ModelSpec, build_model
from core.models.trust import Trust
from core.models.weights import CheckpointForm, read_weights, round_weights
from core.runs.folder import RunFolder, Status
from core.session import exporting
from core.session.bench import Bench
from core.session.exporting import export, open_source, read_back_run, sample_images
from core.session.results import write_models
from tests.core.dying import lives
from tests.core.models.opened import open_model
from tests.core.session import owners

SPEC = ModelSpec("small-cnn", 10, 1, (8, 8))
SIZES = {"train": 60, "test": 40}


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(SPEC)


def described(path) -> list:
    content = torch.load(path, map_location="cpu", weights_only=True)
    content = content.get("state_dict", content)
    return [(key, str(value.dtype), tuple(value.shape)) for key, value in content.items()]


@pytest.fixture
def original(tmp_path):
    """A checkpoint as training scripts write them: wrapped, prefixed, half precision, with an optimiser."""
    state = {f"module.{k}": v.half() if v.is_floating_point() else v for k, v in network().state_dict().items()}
    path = tmp_path / "came-in.pth"
    torch.save({"epoch": 7, "name": "run", "state_dict": state, "optimizer": {"m": torch.ones(3)}}, path)
    return path


@pytest.fixture
def run(tmp_path, original):
    """A finished run whose model came in as `original`; its weights differ from it."""
    from core.job import DataPart, ForgetPart, Job, ModelPart

    opened, dataset = open_model(original), Bench().with_data("digits").dataset
    job = Job(
        model=ModelPart(
            path=str(original), sha256=opened.sha256, architecture="small-cnn", num_classes=10, in_channels=1,
            input_size=(8, 8), classes=dataset.classes, preprocessing=dataset.preprocessing.to_dict(),
            form=opened.form.to_dict(),
        ),
        data=DataPart(spec="digits", fingerprint=dataset.fingerprint),
        forget=ForgetPart(mode="class", classes=(3,), class_names=("3",), count=5, total=9),
        method="muda",
    )  # fmt: skip
    folder = RunFolder.create(tmp_path / "run", job)
    write_models(folder, job, network(1))
    card = {
        "schema_version": 1, "architecture": "small-cnn", "num_classes": 10, "in_channels": 1, "input_size": [8, 8],
        "classes": list(dataset.classes), "preprocessing": dataset.preprocessing.to_dict(), "kind": "unlearn",
        "files": {"model.safetensors": file_sha256(folder.file("model.safetensors"))}, "checked": False,
        "forgotten": {"classes": ["3"], "count": 5},
    }  # fmt: skip
    write_json(folder.file("model.json"), card)
    folder.file("report.html").write_text("<html></html>")
    folder.file("report.json").write_text("{}")
    folder.file("forget.csv").write_text("index\n1\n")
    folder.write_status(Status("finished", 1, 0.0, 4, 4))
    return folder


def test_an_export_that_breaks_off_anywhere_leaves_whole_files_and_goes_through_the_next_time(run, tmp_path):
    expected, folder = load_file(run.file("model.safetensors")), tmp_path / "out"
    out, before = folder / "m.safetensors", {path: path.read_bytes() for path in run.path.iterdir()}
    for at in itertools.count():
        ended = lives(at, lambda: export(run.path, "safetensors", out, overwrite=True))
        if out.exists():
            assert load_file(out).keys() == expected.keys()
        for path in folder.glob("m.json"):
            assert read_json(path)["kind"] == "unlearn"
        clear_leftovers(folder)
        assert {path.name for path in folder.glob("*")} <= {"m.safetensors", "m.json"}, at
        if ended:
            break
        shutil.rmtree(folder, ignore_errors=True)
    assert at > 10 and {path.name for path in folder.iterdir()} == {"m.safetensors", "m.json"}
    assert before == {path: path.read_bytes() for path in run.path.iterdir()}


@pytest.mark.parametrize(("format", "share"), [("safetensors", 1e-6), ("pt", 1e-6), ("onnx", 1e-3), ("pt2", 1e-3)])
@pytest.mark.parametrize(("logits", "scale"), [([0.25, -0.5], 1.0), ([2.0, -8.0], 8.0)])
def test_what_was_written_may_differ_by_a_share_of_the_largest_logit(run, monkeypatch, format, share, logits, scale):
    source, path, images = open_source(run.path, Bench()), run.file("model.safetensors"), torch.zeros(7, 1, 8, 8)
    monkeypatch.setattr(exporting, "logits_of", lambda module, images: torch.tensor([logits]))
    for difference, kept in ((0.999 * share * scale, True), (1.001 * share * scale, False), (float("nan"), False)):
        found = SimpleNamespace(keys=3, same_form=True, largest_difference=difference)
        monkeypatch.setattr(exporting, "compare_export", lambda *_, found=found: found)
        if kept:
            result = exporting._read_back(source, format, exporting.PLAIN, path, images, False)
            assert (result.largest_difference, result.samples) == (difference, 7)
            continue
        with pytest.raises(RunError, match="differs in what it says of the same images"):
            exporting._read_back(source, format, exporting.PLAIN, path, images, False)


def test_same_gives_back_keys_types_shapes_wrapper_and_scalars(run, original, tmp_path):
    before = original.read_bytes()
    original.unlink()  # the form comes from the job
    result = export(run.path, "same", tmp_path / "out" / "back.pth")
    original.write_bytes(before)
    assert described(result.path) == described(original)
    content = torch.load(result.path, weights_only=True)
    assert content["epoch"] == 7 and content["name"] == "run" and "optimizer" not in content
    assert any("optimizer dropped: they may still hold the original's weights" in note for note in result.notes)
    same = "same 22 keys, types and shapes"
    assert result.sentence == f"Written and read back: {same}; largest difference on 256 images: 0."
    assert result.samples == 256 and not result.random_samples


def test_same_says_what_coarser_types_do_to_outputs(run, tmp_path):
    result = export(run.path, "same", tmp_path / "back.pth")
    (note,) = [note for note in result.notes if "float16" in note]
    assert "moves outputs by at most" in note
    ours = network(1).state_dict()["hidden.weight"]
    theirs = torch.load(result.path, weights_only=True)["state_dict"]["module.hidden.weight"]
    assert torch.equal(theirs, ours.half())


def test_same_says_nothing_of_types_that_weights_were_rounded_to(run, tmp_path):
    module, types = network(1), run.job().model.form["dtypes"]
    assert round_weights(module, types) == {"float16"} and round_weights(module, types) == set()
    write_models(run, run.job(), module)
    card = json.loads(run.file("model.json").read_text())
    files = {"model.safetensors": file_sha256(run.file("model.safetensors"))}
    write_json(run.file("model.json"), card | {"files": files})
    notes = export(run.path, "same", tmp_path / "back.pth").notes
    assert notes and not [note for note in notes if "float16" in note]


@pytest.mark.parametrize(("format", "name"), [("safetensors", "a.safetensors"), ("pt", "a.pt"), ("pt2", "a.pt2")])
def test_other_forms_hold_the_same_weights(run, tmp_path, format, name):
    result = export(run.path, format, tmp_path / name)
    assert result.largest_difference == 0 and result.keys == 22
    again = read_weights(result.path, Trust(code=True)).tensors
    assert all(torch.equal(again[key], value) for key, value in network(1).state_dict().items())


def test_safetensors_carry_what_is_known_of_the_model(run, tmp_path):
    result = export(run.path, "safetensors", tmp_path / "a.safetensors", with_card=False)
    assert result.also == () and not (tmp_path / "a.json").exists()
    opened = open_model(result.path)
    assert opened.spec == SPEC and opened.classes is not None and opened.preprocessing is not None


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="ONNX Runtime is not installed")
def test_onnx_is_run_and_compared(run, tmp_path):
    result = export(run.path, "onnx", tmp_path / "a.onnx")
    assert result.keys == 0 and 0 <= result.largest_difference < 1e-3
    assert result.sentence.startswith("Written and read back: largest difference on 256 images: ")


def test_the_card_beside_it_names_the_file_and_opens_with_it(run, tmp_path):
    result = export(run.path, "pt", tmp_path / "a.pth", with_report=True, with_forget_list=True)
    assert [path.name for path in result.also] == ["a.json", "a-report.html", "a-forget.csv"]
    assert all(path.is_file() for path in result.also)
    card = json.loads((tmp_path / "a.json").read_text())
    assert card["files"] == {"a.pth": result.sha256} and card["checked"] is False
    assert card["export"]["format"] == "pt" and card["export"]["from"] == "run"
    opened = open_model(result.path)
    assert opened.card == card and opened.sha256 == result.sha256
    result.path.write_bytes((tmp_path / "came-in.pth").read_bytes())
    with pytest.raises(MismatchError, match="another version"):
        open_model(result.path)


def test_an_unchecked_run_says_so(run, tmp_path):
    assert any("not checked" in note for note in export(run.path, "pt", tmp_path / "a.pt").notes)
    card = json.loads(run.file("model.json").read_text())
    write_json(run.file("model.json"), {**card, "checked": True})
    assert not any("not checked" in note for note in export(run.path, "pt", tmp_path / "b.pt").notes)


def test_the_original_and_the_runs_own_files_are_never_written_over(run, original, tmp_path):
    before = {path: path.read_bytes() for path in [original, *run.path.iterdir()]}
    link = tmp_path / "link.pth"
    link.symlink_to(original)
    spelt = original.parent / ".." / original.parent.name / original.name
    for target in (original, link, spelt, run.file("model.pt"), run.file("model.safetensors"), run.file("model.pth")):
        for overwrite in (False, True):
            with pytest.raises(InputError):
                export(run.path, "same", target, overwrite=overwrite)
    with pytest.raises(InputError, match="original model"):
        export(original, "same", original, overwrite=True)
    assert before == {path: path.read_bytes() for path in before}


def test_what_is_there_is_replaced_only_when_asked(run, tmp_path):
    target = tmp_path / "a.pth"
    target.write_text("mine")
    with pytest.raises(InputError, match="--force"):
        export(run.path, "pt", target)
    assert target.read_text() == "mine"
    export(run.path, "pt", target, overwrite=True)
    export(run.path, "pt", target, overwrite=True)  # its own card is no obstacle
    assert read_weights(target).tensors


def test_a_json_file_that_is_not_its_card_is_never_replaced(run, tmp_path):
    (tmp_path / "a.json").write_text('{"mine": 1}')
    with pytest.raises(InputError, match="already exists"):
        export(run.path, "pt", tmp_path / "a.pth")
    with pytest.raises(InputError, match="not the card of"):
        export(run.path, "pt", tmp_path / "a.pth", overwrite=True)
    assert not (tmp_path / "a.pth").exists() and (tmp_path / "a.json").read_text() == '{"mine": 1}'
    assert export(run.path, "pt", tmp_path / "a.pth", with_card=False).path.exists()


def test_a_run_in_another_format_takes_its_card_along(run, tmp_path):
    first = export(run.path, "pt", tmp_path / "a.pt", with_forget_list=True)
    second = export(run.path, "safetensors", tmp_path / "a.safetensors", with_forget_list=True)
    card = json.loads((tmp_path / "a.json").read_text())
    assert card["files"] == {"a.pt": first.sha256, "a.safetensors": second.sha256}
    (tmp_path / "a-forget.csv").write_text("mine")  # what is not as the run has it is asked for
    with pytest.raises(TargetExistsError) as raised:
        export(run.path, "same", tmp_path / "a.pth", with_forget_list=True)
    assert raised.value.path == tmp_path / "a-forget.csv"
    (tmp_path / "a.json").write_text(json.dumps({**card, "job_sha256": "0" * 64}))  # another run's
    with pytest.raises(InputError, match="already exists"):
        export(run.path, "same", tmp_path / "a.pth")
    with pytest.raises(InputError, match="is not the card of"):
        export(run.path, "same", tmp_path / "a.pth", overwrite=True)


def test_a_card_names_no_file_that_is_gone(run, tmp_path):
    export(run.path, "pt", tmp_path / "a.pt").path.unlink()
    second = export(run.path, "safetensors", tmp_path / "a.safetensors")
    assert json.loads((tmp_path / "a.json").read_text())["files"] == {"a.safetensors": second.sha256}


@pytest.mark.parametrize("moved", [0.5, 1e-4], ids=["far", "little"])  # weights are to come back exactly
def test_a_file_that_reads_back_differently_is_not_kept(run, tmp_path, monkeypatch, moved):
    write = exporting.write_same

    def wrong(path, state, *rest, **more):
        state = {**state, "head.bias": state["head.bias"] + moved}
        write(path, state, *rest, **more)

    monkeypatch.setattr(exporting, "write_same", wrong)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RunError, match="differs in what it says of the same images"):
        export(run.path, "pt", tmp_path / "a.pt")
    assert sorted(tmp_path.iterdir()) == before, "neither file nor card nor temporary folder stays"


@pytest.mark.parametrize("dropped", ["head.bias", "hidden.weight"])
def test_a_file_that_lacks_a_key_is_not_kept(run, tmp_path, monkeypatch, dropped):
    write = exporting.write_same
    monkeypatch.setattr(
        exporting,
        "write_same",
        lambda path, state, form: write(path, {k: v for k, v in state.items() if k != dropped}, form),
    )
    with pytest.raises((InputError, RunError)):
        export(run.path, "pt", tmp_path / "a.pt")
    assert not (tmp_path / "a.pt").exists()


def test_the_model_before_the_first_request_is_never_written_over(run, tmp_path):
    first = tmp_path / "first.pth"
    first.write_bytes(b"the original")
    job = dataclasses.replace(run.job(), origin=OriginPart(path=str(first), sha256=file_sha256(first)))
    write_json(run.file("job.json"), job)
    with pytest.raises(InputError, match="original model"):
        export(run.path, "pt", first, overwrite=True)
    assert first.read_bytes() == b"the original"


@pytest.mark.parametrize("content", ["[1]", '{"files": ["model.pt"]}', '"text"'])
def test_json_that_is_no_card_is_not_replaced(original, tmp_path, content):
    other = tmp_path / "out" / "model.json"
    other.parent.mkdir()
    other.write_text(content)
    with pytest.raises(InputError, match="is not the card of"):
        export(original, "pt", other.with_name("model.pt"), overwrite=True)
    assert other.read_text() == content


def test_a_model_file_is_converted_on_seeded_noise(original, tmp_path):
    result = export(original, "safetensors", tmp_path / "a.safetensors")
    assert result.random_samples and "256 random images" in result.sentence
    card = json.loads((tmp_path / "a.json").read_text())
    assert card["architecture"] == "small-cnn" and card["files"] == {"a.safetensors": result.sha256}
    assert load_file(result.path)["hidden.weight"].dtype == torch.float32


def test_a_torchscript_program_comes_back_as_a_state_dict_and_is_told(tmp_path):
    network = build_model(ModelSpec("small-cnn", 3, 1, (8, 8))).eval()
    torch.jit.trace(network, torch.zeros(1, 1, 8, 8)).save(str(tmp_path / "script.pt"))
    result = export(tmp_path / "script.pt", "same", tmp_path / "out.pt", Bench(trust=Trust(code=True)))
    assert "The file that came in was a TorchScript program; this is its state dict." in result.notes
    written = torch.load(tmp_path / "out.pt", weights_only=True)
    assert all(torch.equal(value, written[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("format", ["onnx", "pt2", "pt"])
def test_weights_that_fit_several_networks_are_written_as_none_of_them_unasked(tmp_path, format):
    file, out = tmp_path / "net.pth", tmp_path / f"a.{format}"
    torch.save(owners.resnet(3, 2, True).state_dict(), file)
    with pytest.raises(InputError, match=r"fit the weights of net\.pth.*resnet18:stem=3,stride=2,pool=max") as asked:
        export(file, format, out)
    assert "--arch" in asked.value.hint and not out.exists()


def test_weights_alone_are_written_whatever_network_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("core.session.exporting._sample_count", lambda size: 1)  # how many are held elsewhere
    torch.save(owners.resnet(3, 2, True).state_dict(), tmp_path / "net.pth")
    assert export(tmp_path / "net.pth", "same", tmp_path / "a.pth", with_card=False).path.is_file()
    stated = export(tmp_path / "net.pth", "pt", tmp_path / "b.pt", arch="resnet18:stem=3,stride=2,pool=max")
    assert json.loads((tmp_path / "b.json").read_text())["architecture"] == "resnet18:stem=3,stride=2,pool=max"
    assert stated.path.is_file()


def test_a_dataset_at_hand_is_used_for_the_comparison(original, tmp_path):
    result = export(original, "pt", tmp_path / "a.pt", Bench().with_data("digits"))
    assert not result.random_samples and result.samples == 256


def test_a_file_without_optional_keys_comes_back_without_them(tmp_path):
    state = {k: v for k, v in network().state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pt")
    result = export(tmp_path / "old.pt", "same", tmp_path / "back.pt")
    assert described(result.path) == described(tmp_path / "old.pt")


def test_large_inputs_are_compared_on_fewer_images(run):
    source = open_source(run.path, Bench())
    model = dataclasses.replace(source.model, spec=dataclasses.replace(SPEC, input_size=(224, 224)))
    images, noise = sample_images(dataclasses.replace(source, model=model, job=None), Bench())
    assert noise and images.shape == (20, 1, 224, 224)
    again, _ = sample_images(dataclasses.replace(source, model=model, job=None), Bench())
    assert torch.equal(images, again)


def test_data_that_is_gone_is_replaced_by_noise(run, tmp_path):
    job = json.loads(run.file("job.json").read_text())
    job["data"]["spec"] = str(tmp_path / "gone.npz")
    write_json(run.file("job.json"), job)
    assert export(run.path, "pt", tmp_path / "a.pt").random_samples


def test_a_small_file_of_images_is_opened_for_the_comparison_and_a_larger_one_is_not(run, tmp_path, monkeypatch):
    drawn, path = np.random.default_rng(0), tmp_path / "own.npz"
    parts = {f"x_{part}": drawn.integers(0, 256, (count, 8, 8), dtype=np.uint8) for part, count in SIZES.items()}
    np.savez(path, **parts, **{f"y_{part}": np.arange(count) % 10 for part, count in SIZES.items()})
    source, data = open_source(run.path, Bench()), Bench().with_data(str(path)).dataset
    stated = dataclasses.replace(source.job.data, spec=str(path), fingerprint=data.fingerprint)
    source = dataclasses.replace(source, job=dataclasses.replace(source.job, data=stated))
    own = Preprocessing.from_dict(source.job.model.preprocessing).apply(torch.from_numpy(parts["x_test"])[..., None])
    assert exporting.QUICK_BYTES == 268_435_456
    for limit, opened in ((exporting.QUICK_BYTES, True), (path.stat().st_size, True), (path.stat().st_size - 1, False)):
        monkeypatch.setattr(exporting, "QUICK_BYTES", limit)
        images, noise = sample_images(source, Bench())
        assert noise is not opened and torch.equal(images, own) is opened


def test_a_run_without_a_result_is_refused(run, tmp_path):
    run.write_status(Status("failed", 1, 0.0, 4, 9))
    with pytest.raises(InputError, match="no result to export yet: it is failed"):
        export(run.path, "pt", tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("format", "name", "error"),
    [
        ("onxx", "a.onnx", UsageError),
        ("pt", "a.safetensors", InputError),
        ("same", "a.safetensors", InputError),
        ("onnx", "a.safetensors", InputError),
        ("pt2", "a.pt", InputError),
        ("pt", ".", InputError),
    ],
)
def test_names_that_would_mislead_are_refused(run, tmp_path, format, name, error):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error):
        export(run.path, format, tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


def test_report_and_list_belong_to_runs(original, tmp_path):
    with pytest.raises(InputError, match="no report"):
        export(original, "pt", tmp_path / "a.pt", with_report=True)
    with pytest.raises(InputError, match="no forget list"):
        export(original, "pt", tmp_path / "a.pt", with_forget_list=True)


def test_a_folder_that_cannot_be_made_is_one_error(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written to"):
        export(run.path, "pt", tmp_path / "file" / "a.pt")


def test_both_model_files_of_a_run_are_read_back(run):
    for name in ("model.safetensors", "model.pt"):
        result = read_back_run(run, name)
        assert result.keys == 22 and result.largest_difference == 0
    state = torch.load(run.file("model.pt"), weights_only=True)
    state["state_dict"]["module.hidden.bias"] += 1
    torch.save(state, run.file("model.pt"))
    with pytest.raises(RunError, match=r"model\.pt"):
        read_back_run(run, "model.pt")


def test_safetensors_metadata_comes_back(tmp_path):
    from safetensors.torch import save_file

    save_file(network().state_dict(), tmp_path / "a.safetensors", metadata={"author": "someone"})
    result = export(tmp_path / "a.safetensors", "same", tmp_path / "b.safetensors")
    assert read_weights(result.path).form.metadata == {"author": "someone"}
    other = export(tmp_path / "a.safetensors", "same", tmp_path / "c.bin")
    assert any("safetensors, so this one is, too" in note for note in other.notes)
    assert CheckpointForm.from_dict(read_weights(other.path).form.to_dict()).format == "safetensors"


def test_an_export_is_compared_on_images_of_the_runs_own_data(run, bench, tmp_path):
    """Other data on the bench is not asked, although it has as many images of the same size."""
    other = dataclasses.replace(bench.dataset, fingerprint="e" * 64, test=bench.dataset.test.take(torch.arange(20)))
    source = open_source(run.path, bench)
    own, noise = sample_images(source, bench)
    found, other_noise = sample_images(source, Bench(None, other))
    assert not noise and not other_noise and torch.equal(own, found) and len(own) > 20


@pytest.mark.parametrize(
    ("module", "pickled", "format", "writer"),
    [
        ("Net", True, "pt", "write_module"),
        ("Net", False, "pt", "write_same"),
        ("", True, "pt", "write_same"),
        ("", True, "safetensors", "write_same"),
        ("", True, "onnx", "export_onnx"),
        ("", False, "pt2", "export_pt2"),
    ],
)
def test_a_whole_network_is_written_only_where_one_came_in_and_is_given_back(
    run, tmp_path, monkeypatch, module, pickled, format, writer
):
    called = []
    for name in ("write_module", "write_same", "export_onnx", "export_pt2"):
        monkeypatch.setattr(exporting, name, lambda path, *_, name=name: called.append((name, path)))
    source = open_source(run.path, Bench())
    monkeypatch.setattr(type(source), "pickled", tmp_path if pickled else None)
    exporting._write(source, format, dataclasses.replace(exporting.PLAIN, module=module), tmp_path / "out")
    assert called == [(writer, tmp_path / "out")]


def test_no_file_of_a_run_is_a_target_and_elsewhere_its_name_is_free(run, tmp_path):
    source = open_source(run.path, Bench())
    for name in ("model.json", "report.json", "forget.csv"):
        with pytest.raises(InputError, match="is one of a run's own files"):
            exporting._check_targets(source, [run.file(name)], True, set())
        exporting._check_targets(source, [tmp_path / "elsewhere" / name], True, set())
    exporting._check_targets(source, [run.file("given-back.safetensors")], True, set())
