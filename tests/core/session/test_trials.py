import json

import numpy as np
import pytest
import torch
from torchvision import datasets, models
from torchvision import transforms as T

from core.errors import UnprovenError
from core.session import trials
from core.session.bench import Bench, DataOptions
from core.session.proof import proven
from tests.core.session import owners

pytestmark = pytest.mark.slow  # so that this file is begun early: one process alone is at it for long

IMAGENET = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = T.Normalize((0.5,) * 3, (0.5,) * 3)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    return owners.write_npz(tmp_path_factory.mktemp("arrays") / "stripes.npz")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A data set as cheap as tells networks apart, and a file that states how its images are prepared."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "preprocess.json").write_text(json.dumps({"size": 12, "mean": 0.5, "std": 0.5}))
    return owners.write_npz(folder / "stripes.npz", 12, 12), str(folder / "preprocess.json")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return owners.write_folders(tmp_path_factory.mktemp("photos"), count=80)


def of_arrays(path):
    content = np.load(path)
    stored = (torch.from_numpy(content[f"x_{part}"]).permute(0, 3, 1, 2) / 255 for part in ("train", "test"))
    images = ((values - 0.5) / 0.5 for values in stored)
    return tuple(zip(images, (torch.from_numpy(content[f"y_{part}"]) for part in ("train", "test")), strict=True))


STEMS = [(3, 1, False), (7, 1, True), (7, 2, False), (3, 2, True)]  # the size of a kernel shows in the file


@pytest.mark.parametrize(("stem", "stride", "pool"), STEMS)
def test_each_stem_is_found_on_the_data(tmp_path, small, stem, stride, pool):
    (arrays, stated), (train, test) = small, of_arrays(small[0])
    module = owners.trained(owners.resnet(stem, stride, pool), *train)
    torch.save(module.state_dict(), tmp_path / "net.pth")
    bench = Bench().on("cpu").open(tmp_path / "net.pth", str(arrays), DataOptions(preprocess_file=stated))
    standing = proven(bench).proof.standing
    assert standing.accuracy == pytest.approx(owners.accuracy(module, *train), abs=1e-3)
    assert standing.test == pytest.approx(owners.accuracy(module, *test), abs=1e-3)
    assert bench.trial.sure and bench.trial.best.accuracy > 0.9
    assert len(bench.trial.attempts) == 4


PREPARATIONS = {
    "exact": [T.Resize((32, 32)), T.ToTensor(), IMAGENET],
    "resize and crop": [T.Resize(36), T.CenterCrop(32), T.ToTensor(), HALVES],
    "short side": [T.Resize(32), T.CenterCrop(32), T.ToTensor()],
    "as stored": [T.ToTensor(), IMAGENET],
    "of one's own": [T.Resize((20, 28)), T.ToTensor(), T.Normalize((0.3,) * 3, (0.4,) * 3)],
    "cropped alone": [T.CenterCrop(80), T.Resize(32), T.ToTensor(), IMAGENET],
}


@pytest.mark.parametrize("name", PREPARATIONS)
def test_a_preparation_is_found_on_photos_or_asked_about(tmp_path, photos, name):
    train, test = (
        (torch.stack([image for image, _ in part]), torch.tensor(part.targets))
        for part in (datasets.ImageFolder(photos / p, T.Compose(PREPARATIONS[name])) for p in ("train", "test"))
    )
    torch.manual_seed(3)
    module = owners.trained(models.shufflenet_v2_x0_5(num_classes=owners.CLASSES), *train)
    torch.save(module.state_dict(), tmp_path / "net.pth")
    bench = Bench().on("cpu").open(tmp_path / "net.pth", str(photos))
    try:
        standing = proven(bench).proof.standing
    except UnprovenError as question:
        assert "--preprocess" in question.hint and question.proof["trial"]["attempts"]
        return
    assert standing.accuracy == pytest.approx(owners.accuracy(module, *train), abs=1e-3)
    assert standing.test == pytest.approx(owners.accuracy(module, *test), abs=1e-3)


@pytest.mark.parametrize("preparation", ["stated", "unstated"])
def test_classes_in_another_order_are_asked_about_whatever_else_nobody_states(
    tmp_path, small, monkeypatch, preparation
):
    passed, plain = [], trials._Search._pass
    monkeypatch.setattr(trials._Search, "_pass", lambda search, *what: passed.append(str(what)) or plain(search, *what))
    (arrays, stated), order = small, (2, 0, 3, 1)
    train, _ = of_arrays(arrays)
    module = owners.trained(owners.resnet(3, 2, True), *train)
    before = owners.accuracy(module, *train)
    with torch.no_grad():
        module.fc.weight.copy_(module.fc.weight[list(order)])
        module.fc.bias.copy_(module.fc.bias[list(order)])
    torch.save(module.state_dict(), tmp_path / "net.pth")
    given = stated if preparation == "stated" else ""
    bench = Bench().on("cpu").open(tmp_path / "net.pth", str(arrays), DataOptions(preprocess_file=given))
    assert len(set(passed)) == len(passed) > 4  # in another order it is judged anew, not computed anew
    names = [bench.dataset.classes[label] for label in order]
    with pytest.raises(UnprovenError) as question:
        proven(bench)
    assert ", ".join(names) in question.value.message and "--classes" in question.value.message
    assert "--accept-accuracy" in question.value.hint and "prepared" not in question.value.message
    listed = tmp_path / "classes.txt"
    listed.write_text("".join(f"{name}\n" for name in names))
    options = DataOptions(preprocess_file=given, classes_file=str(listed))
    standing = proven(Bench().on("cpu").open(tmp_path / "net.pth", str(arrays), options)).proof.standing
    assert standing.accuracy == pytest.approx(before, abs=1e-3)


def test_a_network_that_was_never_trained_gets_images_as_they_are_stored_and_is_not_asked_about(tmp_path, arrays):
    torch.save(owners.resnet().state_dict(), tmp_path / "net.pth")
    bench = proven(Bench().on("cpu").open(tmp_path / "net.pth", str(arrays)))
    assert bench.dataset.preprocessing.size == (20, 20) and bench.model.spec.architecture == "resnet18"
    assert bench.proof.standing.untrained and not bench.proof.doubts


def test_what_a_look_at_few_images_leaves_out_is_a_rival_all_the_same(tmp_path, arrays, monkeypatch):
    train, _ = of_arrays(arrays)
    module = owners.resnet(3, 2, False)
    module.fc = torch.nn.Sequential(torch.nn.Linear(512, 32), torch.nn.ReLU(), torch.nn.Linear(32, owners.CLASSES))
    torch.save(owners.trained(module, *train, steps=60).state_dict(), tmp_path / "net.pth")
    stated = tmp_path / "preprocess.json"
    stated.write_text(json.dumps({"size": 20, "mean": 0.5, "std": 0.5}))
    options = DataOptions(preprocess_file=str(stated))
    whole = Bench().on("cpu").open(tmp_path / "net.pth", str(arrays), options).trial
    assert whole.rivals and not whole.sure
    monkeypatch.setattr(trials, "FEW", 1)
    monkeypatch.setattr(trials, "FIRST_LOOK", (6, 1))
    looked = Bench().on("cpu").open(tmp_path / "net.pth", str(arrays), options).trial
    assert not looked.sure
    assert {one.network for one in looked.rivals} == {one.network for one in whole.rivals}


def with_activation(module, kind):
    for name, child in module.named_children():
        setattr(module, name, kind()) if isinstance(child, torch.nn.ReLU) else with_activation(child, kind)
    return module


@pytest.mark.parametrize(("steps", "sure"), [(8, False), (15, True), (40, False)])
def test_networks_with_a_seldom_changed_setting_are_found_or_asked_about(
    tmp_path, arrays, small, monkeypatch, steps, sure
):
    data, stated = small
    if sure:  # smaller images would leave it in doubt
        data, stated = arrays, str(tmp_path / "preprocess.json")
        (tmp_path / "preprocess.json").write_text(json.dumps({"size": 20, "mean": 0.5, "std": 0.5}))
    train, _ = of_arrays(data)
    if not sure:  # it is not taken for sure, though nothing else is tried that it would have to be told from
        around = trials.around
        monkeypatch.setattr(trials, "around", lambda spec: [one for one in around(spec) if "tanh" in one.architecture])
    module = owners.trained(with_activation(owners.resnet(3, 2, False), torch.nn.Tanh), *train, steps=steps)
    torch.save(module.state_dict(), tmp_path / "net.pth")
    bench = Bench().on("cpu").open(tmp_path / "net.pth", str(data), DataOptions(preprocess_file=stated))
    assert bench.trial.sure == sure
    if sure:
        assert proven(bench).proof.standing.accuracy == pytest.approx(owners.accuracy(module, *train), abs=1e-3)
        return
    with pytest.raises(UnprovenError) as question:
        proven(bench)
    assert "which network it is" in question.value.message and "--arch" in question.value.hint
