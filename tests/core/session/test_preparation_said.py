"""How images were prepared is said at every step, and a card is enough to prepare them so again."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as T

from core.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from core.data.sources import open_dataset
from core.data.stated import own_keys
from core.session.bench import Bench, DataOptions
from core.session.inspecting import inspect

SHORT = {"min_steps": 0, "epochs": 0.5}
SAID = {"resize": 18, "crop": 16, "interpolation": "bicubic", "mean": [0.4, 0.5, 0.6], "std": 0.25}
WORDS = (
    "Resize(18, bicubic) → CenterCrop(16) → RGB, Normalize(mean 0.4, 0.5, 0.6; std 0.25, 0.25, 0.25); "
    "stated with --preprocess"
)


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for part, number in (("train", 6), ("test", 3)):
        for name in "ab":
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            for index in range(number):
                pixels = rng.integers(0, 256, (24, 36 if index % 2 else 30, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "photos" / part / name / f"{index}.png")
    return tmp_path / "photos"


@pytest.fixture
def said(tmp_path):
    (tmp_path / "said.json").write_text(json.dumps(SAID))
    return tmp_path / "said.json"


def test_inspect_says_it_and_draws_it(photos, said, tmp_path):
    described = inspect(str(photos), options=DataOptions(preprocess_file=str(said)), preview=tmp_path / "look.png")
    assert dict(described.facts)["Preprocessing"] == WORDS == described.data["preprocessing"]["words"]
    with Image.open(tmp_path / "look.png") as sheet:
        assert sheet.format == "PNG" and np.asarray(sheet).std() > 10


def test_a_preview_is_the_image_and_what_the_network_gets(photos, said):
    data = open_dataset(str(photos), preprocess_file=said)
    before, after = data.preview(1, data.preprocessing)
    image = Image.open(photos / data.train.paths[1])
    assert np.array_equal(before, np.asarray(image))
    wanted = T.Compose([T.Resize(18, T.InterpolationMode.BICUBIC), T.CenterCrop(16)])(image)
    assert np.array_equal(after, np.asarray(wanted))
    grey = Preprocessing.from_dict({"resize": None, "crop": 16, "grey": 1, "mean": 0.5, "std": 0.5})
    assert data.preview(0, grey)[1].shape == (16, 16, 1)


def test_the_list_of_transforms_is_read_back(photos, said):
    data = open_dataset(str(photos), preprocess_file=said)
    steps = [
        {"Pad": {"padding": [1, 2, 3, 4], "padding_mode": "reflect"}},
        {"Grayscale": 3},
        {"Resize": {"size": 9, "max_size": 20, "antialias": False}},
        {"CenterCrop": {"size": 5, "down": True}},
    ]
    other = Preprocessing.from_dict({"steps": steps, "mean": [0.123456789, 0.5, 0.6], "std": 0.3})
    for stated in (data.preprocessing, other):
        read = Preprocessing.from_dict(own_keys(stated.transforms, "x"))
        assert read == stated


def accuracy_of(model, photos, part):
    """An owner's own loop: right answers on one part."""
    pipeline = T.Compose([
        T.Resize(18, T.InterpolationMode.BICUBIC), T.CenterCrop(16), T.ToTensor(),
        T.Normalize(SAID["mean"], [SAID["std"]] * 3),
    ])  # fmt: skip
    right = []
    with torch.no_grad():
        for label, name in enumerate("ab"):
            for path in sorted((photos / part / name).iterdir()):
                right.append(int(model(pipeline(Image.open(path))[None]).argmax()) == label)
    return sum(right) / len(right)


def test_a_run_says_it_in_job_report_and_card_and_the_card_is_enough(photos, said, tmp_path):
    from core import api
    from core.models.architectures import ModelSpec, build_model

    torch.manual_seed(0)
    network = build_model(ModelSpec("small-cnn", 2, 3, (16, 16))).eval()
    torch.save(network.state_dict(), tmp_path / "net.pt")
    model = api.open_model(tmp_path / "net.pt", arch="small-cnn", device="cpu", precision="float32", threads=1)
    bench = api.open_data(photos, model, preprocess_file=said)
    assert bench.dataset.preparation == WORDS
    run = api.unlearn(bench, tmp_path / "run", samples=[0, 7], method="finetune", settings=SHORT)
    job, card, report = run.job(), run.card(), run.report()
    resize = {"size": 18, "interpolation": "bicubic", "antialias": True}
    for said_in in (job.model.preprocessing, card["preprocessing"], report["preprocessing"]):
        assert said_in["steps"] == [{"Resize": resize}, {"CenterCrop": {"size": [16, 16]}}]
    assert report["preprocessing"]["words"] == WORDS and WORDS.split(" → ")[0] in (run.path / "report.html").read_text()
    assert card["transforms"][:2] == ["Resize(18, bicubic)", "CenterCrop(16)"]
    assert report["models"]["original"]["retain_test_accuracy"] == pytest.approx(accuracy_of(network, photos, "test"))
    exported = api.export(run, tmp_path / "out.pt")
    network.load_state_dict(torch.load(exported.path, weights_only=True))
    unlearned = report["models"]["unlearned"]["retain_test_accuracy"]
    assert unlearned == pytest.approx(accuracy_of(network, photos, "test"))
    # The card alone says it: nothing has to be stated again.
    again = Bench(device="cpu", threads=1).open(exported.path, str(photos))
    assert again.dataset.preprocessing.source == "model card"
    assert torch.equal(again.dataset.train.images, bench.dataset.train.images)
    assert dict(inspect(str(exported.path)).facts)["Preprocessing"] == WORDS.replace(
        "stated with --preprocess", "from the model card"
    )
    # So does a run that is taken up again, from elsewhere, also where the file that said it is gone.
    said.unlink()
    assert Bench().for_job(job).dataset.preprocessing == bench.dataset.preprocessing


OWNERS = {
    "exact": [T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.5] * 3, [0.5] * 3)],
    "short side and crop": [T.Resize(36), T.CenterCrop(32), T.ToTensor(), T.Normalize(IMAGENET_MEAN, IMAGENET_STD)],
    "crop alone": [T.CenterCrop((22, 28)), T.ToTensor()],
    "pad": [T.Resize((28, 28)), T.Pad(2), T.ToTensor(), T.Normalize([0.4914, 0.4822, 0.4465], [0.2, 0.2, 0.2])],
    "grey in three channels": [T.Grayscale(3), T.Resize((32, 32)), T.ToTensor()],
    "bytes": [T.Resize((32, 32), T.InterpolationMode.BICUBIC), T.PILToTensor(), T.ConvertImageDtype(torch.float32)],
}


@pytest.mark.parametrize("architecture", ["small-cnn", "resnet18-cifar"])
@pytest.mark.parametrize("name", OWNERS)
def test_the_networks_answers_are_those_of_its_owners_loop(photos, tmp_path, name, architecture):
    """Logits of all images, taken by the program and by a loop of plain torch over the same files."""
    from core.models.architectures import ModelSpec, build_model

    torch.manual_seed(1)
    pipeline = T.Compose(OWNERS[name])
    side = tuple(pipeline(Image.new("RGB", (30, 24))).shape[1:])
    network = build_model(ModelSpec(architecture, 2, 3, side)).eval()
    torch.save(network.state_dict(), tmp_path / "net.pt")
    (tmp_path / "said.txt").write_text(str(pipeline))
    options = DataOptions(preprocess_file=str(tmp_path / "said.txt"))
    bench = Bench(device="cpu", precision="float32", threads=1).open(
        tmp_path / "net.pt", str(photos), options, arch=architecture
    )
    for part, found in (
        (bench.dataset.train, bench.outputs(bench.model).train), (bench.dataset.test, bench.outputs(bench.model).test)
    ):  # fmt: skip
        images = torch.stack([pipeline(Image.open(photos / path).convert("RGB")) for path in part.paths])
        with torch.no_grad():
            torch.testing.assert_close(found.logits, network(images), atol=1e-4, rtol=1e-4)


def test_a_card_of_another_stored_size_opens_the_data_it_was_made_with(tmp_path):
    """Arrays that were resized for a network: the card says what they are and what they become."""
    from core import api
    from core.models.architectures import ModelSpec, build_model

    (tmp_path / "said.json").write_text('{"size": 16}')
    torch.save(build_model(ModelSpec("small-cnn", 10, 1, (16, 16))).state_dict(), tmp_path / "net.pt")
    model = api.open_model(tmp_path / "net.pt", arch="small-cnn", device="cpu", precision="float32", threads=1)
    bench = api.open_data("digits", model, preprocess_file=tmp_path / "said.json")
    run = api.unlearn(bench, tmp_path / "run", classes=["3"], method="finetune", settings=SHORT)
    exported = api.export(run, tmp_path / "out.pt")
    again = Bench(device="cpu", threads=1).open(exported.path, "digits").dataset
    assert again.preprocessing.size == (16, 16) and again.image_size == (8, 8)
    assert again.preprocessing.mean == bench.dataset.preprocessing.mean
