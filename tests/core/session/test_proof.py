"""What speaks against a model being used as it was trained."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from core.engine.control import Control
from core.errors import UnprovenError, UsageError
from core.models.tap import SetOutputs
from core.session import proof as proof_module
from core.session.batch import open_batch
from core.session.batch_file import read_batch
from core.session.bench import Bench, DataOptions
from core.session.checking import check
from core.session.exporting import export
from core.session.jobs import create_run, make_unlearn_job
from core.session.proof import Proof, Standing, proven, stand
from core.session.running import run

POOR = "of its own training images, where a linear probe"


@pytest.fixture
def overruled(digits_model, tmp_path):
    """A model trained here, with images prepared otherwise than its card says."""
    (tmp_path / "otherwise.json").write_text(json.dumps({"size": 8, "mean": 0.95, "std": 0.05}))
    options = DataOptions(preprocess_file=str(tmp_path / "otherwise.json"))
    return Bench(device="cpu", precision="float32", threads=1).open(digits_model, "digits", options)


def test_a_model_trained_here_is_asked_about_where_its_card_is_overruled_to_its_harm(bench, overruled):
    assert proven(bench).proof.doubts == ()
    with pytest.raises(UnprovenError, match=POOR):
        proven(overruled)


@pytest.mark.parametrize("made", ["with proof", "without"])
def test_report_and_export_say_what_was_doubtful_when_a_run_was_made(overruled, three, tmp_path, made):
    bench = proven(overruled, accept=True) if made == "with proof" else overruled
    job = make_unlearn_job(bench, three, "head-only")
    folder = create_run(tmp_path / "run", job, three, bench.dataset)
    run(folder, Control(), lambda event: None, bench)
    assert POOR in folder.report()["warnings"][0]
    assert POOR in check(folder, Control(), lambda event: None, bench)["warnings"][0]
    if made == "with proof":
        assert POOR in export(folder.path, "same", tmp_path / "out.pt").notes[-1]


def test_a_batch_is_told_in_the_words_of_its_file(overruled, tmp_path):
    lines = [f'model = "{overruled.model.path}"', 'dataset = "digits"', 'preprocess = "otherwise.json"', "threads = 1"]
    lines += ['methods = ["head-only"]', "[[forget]]", 'classes = ["3"]']
    (tmp_path / "night.toml").write_text("\n".join(lines))
    with pytest.raises(UnprovenError, match="State them with arch and preprocess, or go on") as error:
        open_batch(read_batch(tmp_path / "night.toml"), Bench())
    assert error.value.hint.endswith("with accept_accuracy = true in night.toml.") and "--" not in error.value.text


def test_an_expected_accuracy_is_a_share(bench):
    with pytest.raises(UsageError, match="from 0 to 1, got 88"):
        proven(bench, expect=88)


def test_a_model_with_the_accuracy_that_was_expected_is_proven_whatever_else_is_said(overruled, bench):
    reached = proven(bench).proof.standing.test
    for off in (0.0049, -0.0049):
        assert proven(bench, expect=reached + off).proof.doubts == ()
    for off in (0.0051, -0.0051):
        with pytest.raises(UnprovenError, match="of the test images, not on the"):
            proven(bench, expect=reached + off)
    expected = proven(overruled, expect=proven(overruled, accept=True).proof.standing.test).proof
    assert expected.doubts == () and expected.standing.poor and not expected.accepted


def test_what_was_accepted_stands_in_the_proof(overruled):
    proof = proven(overruled, accept=True).proof
    assert proof.accepted and proof.as_dict()["accepted"] and POOR in proof.doubts[0]


def weighed(*right: int, of_each: int = 200) -> Standing:
    """Weigh a model on classes of so many images, whose features tell the class: it gets so many right of each."""
    count = len(right)
    labels = torch.arange(count).repeat_interleave(of_each)
    known = torch.arange(of_each).repeat(count) < torch.tensor(right)[labels]
    logits = F.one_hot(torch.where(known, labels, (labels + 1) % count), count).float()
    outputs = SetOutputs(logits, F.one_hot(labels, count).float(), labels)
    images = SimpleNamespace(images=torch.zeros(len(labels), 12, 12, 1, dtype=torch.uint8))
    found = stand(SimpleNamespace(train=outputs, test=outputs), SimpleNamespace(num_classes=count, train=images), {})
    assert found.features > 0.8 and found.chance == pytest.approx(1 / count)
    assert found.accuracy == found.test == pytest.approx(sum(right) / len(labels))
    return found


def test_a_model_is_poor_where_its_features_tell_more_of_most_classes():
    """In the median over classes, so that one it has forgotten changes nothing."""
    for right, gap in (((200, 200, 0), 0.0), ((0, 0, 200), 1.0), ((200, 200, 200), 0.0)):
        assert (weighed(*right).gap, weighed(*right).poor) == (gap, gap > 0), right
    half = weighed(100, 0, 200)
    assert 0.35 < half.gap < 0.65 and half.poor  # of the class in the middle, on those of its images that are judged
    assert 0 < weighed(197, 0, 200).gap < 0.05 and not weighed(197, 0, 200).poor
    assert 0.2 < weighed(*[4] * 12, *[0] * 8, of_each=4).gap < 0.6  # of few images each: of all of them together


def test_a_class_without_judged_images_counts_for_no_median():
    labels = torch.arange(3).repeat_interleave(8)  # none of the last of four
    own = torch.zeros(24, dtype=torch.bool)
    assert proof_module._median_gap(own, labels < 2, labels, 4) == 1.0
    assert proof_module._median_gap(own, labels < 1, labels, 4) == 0.0


def test_four_standard_errors_are_no_chance():
    """Of 16 further right answers among those that differ it is √16 times four, of 17 it is less than that."""
    assert weighed(0, 0, of_each=16).gap == weighed(0, 0, of_each=17).gap == 1.0
    assert not weighed(0, 0, of_each=16).poor and weighed(0, 0, of_each=17).poor  # half of all are judged


def test_probes_are_ridge_regressions_on_the_other_half():
    """By scikit-learn, with as many directions as images, where the penalty decides."""
    drawn = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    features = torch.randn(120, 60, generator=drawn) + 1.5 * F.one_hot(labels, 60)
    pixels = torch.randint(0, 60, (120, 24, 24, 1), generator=drawn)
    pixels[:, :2, :8, 0] += 30 * labels[:, None, None]
    colours = pixels.reshape(120, 12, 2, 12, 2).float().mean((2, 4)).flatten(1)  # of a grid of 12 by 12
    outputs = SetOutputs(torch.randn(120, 3, generator=drawn), features, labels)
    data = SimpleNamespace(num_classes=3, train=SimpleNamespace(images=pixels.to(torch.uint8)))
    found = stand(SimpleNamespace(train=outputs, test=outputs), data, {})
    fitted, judged = np.split(np.random.default_rng(0).permutation(120), 2)
    for rows, share in ((features, found.features), (colours, found.pixels)):
        scaler = StandardScaler().fit(rows[fitted])
        scaled = scaler.transform(rows[fitted])
        ridge = Ridge(alpha=0.01 * (scaled**2).sum(1).mean()).fit(scaled, np.eye(3)[labels[fitted]])
        right = ridge.predict(scaler.transform(rows[judged])).argmax(1) == labels[judged].numpy()
        assert share == pytest.approx(right.mean()) and 0.5 < share < 0.9


def test_features_that_are_dead_reach_what_chance_does():
    labels = torch.arange(40) % 2
    outputs = SetOutputs(torch.zeros(40, 2), torch.zeros(40, 4), labels)
    images = SimpleNamespace(images=torch.zeros(40, 16, 16, 3, dtype=torch.uint8))

    standing = stand(SimpleNamespace(train=outputs, test=outputs), SimpleNamespace(num_classes=2, train=images), {})

    assert (standing.accuracy, standing.chance, standing.poor) == (0.5, 0.5, False)
    assert 0.3 < standing.features == standing.pixels < 0.7


@pytest.mark.parametrize(("count", "said"), [(12, "c10, c11:"), (13, "c10, c11, …:")])
def test_of_an_order_the_first_twelve_classes_are_named(monkeypatch, count, said):
    names = [f"c{number}" for number in range(count)]
    order = SimpleNamespace(offered=True, better=range(count), accuracy_now=0.1, accuracy_better=0.9, part="test")
    standing = SimpleNamespace(accuracy=0.1, untrained=False)
    monkeypatch.setattr(proof_module, "write_class_order", lambda order: "order of\nall.txt")
    bench = SimpleNamespace(dataset=SimpleNamespace(classes=names))
    (doubt,) = proof_module._doubts(Proof("card", "card", standing, order=order), standing, bench, False)
    assert f"in the order c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, {said} give it with --classes 'order of" in doubt


@pytest.mark.parametrize(
    ("stated", "networks", "named"), [(False, 1, "as photos"), (False, 2, "mlp, as photos"), (True, 2, "mlp")]
)
def test_an_attempt_is_named_by_what_was_in_doubt(stated, networks, named):
    attempt = SimpleNamespace(network=SimpleNamespace(architecture="mlp"), words="as photos")
    assert proof_module._named(attempt, SimpleNamespace(stated=stated, networks=networks)) == named
