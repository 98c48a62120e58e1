"""Later requests: a run from an earlier run's result keeps what was forgotten out, and is judged on all of it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from core.data.dataset import Dataset, ImageSet
from core.engine.control import Control
from core.errors import ForgetSetError, InputError, MismatchError
from core.files import dumps
from core.job import from_dict
from core.runs.folder import FORGET, MODEL, RunFolder
from core.selection import Selection
from core.session.bench import Bench, original_of
from core.session.chains import all_requests, chain_of, unknown_requests
from core.session.checking import reference_job
from core.session.forget_lists import read_forget_csv
from core.session.inspecting import inspect
from core.session.jobs import create_run, make_unlearn_job
from core.session.running import run
from core.session.training import train
from core.suspicion import Trigger

HERE = ("cpu", "float32", 1)
FAST = {"monitoring_budget": 0.0}


@pytest.fixture(scope="module")
def small(digits) -> Dataset:
    """A few digits, so that a run takes a moment."""

    def part(images: ImageSet, count: int) -> ImageSet:
        return ImageSet(images.images[:count], images.labels[:count])

    return dataclasses.replace(
        digits, train=part(digits.train, 400), test=part(digits.test, 200), fingerprint="some digits", spec="digits"
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory, small, bench) -> tuple[Bench, RunFolder]:
    """The original with its data, and the result of a first request: class 3."""
    model = Bench(None, small).open_beside(bench.model.path)
    opened = Bench(model, small)
    return opened, ask(tmp_path_factory.mktemp("runs") / "first", opened, chosen(small, 3))


def chosen(dataset: Dataset, *classes: int) -> Selection:
    return Selection.empty(dataset.train.labels.numpy(), dataset.classes).with_classes(classes)


def ask(path, opened: Bench, selection: Selection, method: str = "finetune", **settings) -> RunFolder:
    job = make_unlearn_job(opened.on(*HERE), selection, method, settings=settings or {"epochs": 1}, **FAST)
    folder = create_run(path, job, selection, opened.dataset)
    run(folder, Control(), lambda event: None, bench=opened)
    return folder


@pytest.fixture(scope="module")
def second(first, small, tmp_path_factory) -> RunFolder:
    """A second request on the first one's result: class 5."""
    opened = Bench(None, small).with_model(first[1].path)
    return ask(tmp_path_factory.mktemp("runs") / "second", opened, chosen(small, 5))


def test_the_forget_set_is_that_of_all_requests(first, second, small) -> None:
    job = second.job()
    assert job.forget.class_names == ("3", "5")
    assert job.chain == (first[1].job_sha256(),)
    own, earlier = chosen(small, 5), chosen(small, 3)
    assert [(one.run, one.class_names, one.count) for one in job.requests] == [
        ("first", ("3",), earlier.count), ("", ("5",), own.count),
    ]  # fmt: skip
    mask = read_forget_csv(second.file(FORGET), len(small.train))[0]
    assert np.array_equal(mask, own.mask | earlier.mask)
    exclude = reference_job(second, Bench(None, small), 1)[1]
    assert np.array_equal(exclude.mask, own.mask | earlier.mask)


def test_a_result_is_held_against_the_model_before_the_first_request(first, second) -> None:
    opened, folder = first
    origin = original_of(second.job())
    path, sha256 = Path(origin.path), origin.sha256
    assert (path, sha256) == (opened.model.path.resolve(), opened.model.sha256)
    assert second.job().model.sha256 != sha256
    once, twice = folder.report(), second.report()
    assert once["chain"] == [] and [one["class_names"] for one in twice["chain"]] == [["3"], ["5"]]
    assert twice["model"]["sha256"] == sha256 and second.card()["original"]["sha256"] == sha256
    assert twice["models"]["original"]["retain_test_accuracy"] is not None
    assert "Requests made one after the other" in second.file("report.html").read_text()
    assert "Requests made one after the other" not in folder.file("report.html").read_text()
    facts = dict(inspect(str(second.path)).facts)
    assert facts["Requests"].startswith("1. class 3: ") and "2 requests" in facts["Forget set"]


def test_a_chain_grows_and_keeps_its_origin(first, second, small) -> None:
    third = make_unlearn_job(Bench(None, small).with_model(second.path).on(*HERE), chosen(small, 7), "finetune", **FAST)
    assert third.chain == (first[1].job_sha256(), second.job_sha256())
    assert [one.class_names for one in third.requests] == [("3",), ("5",), ("7",)]
    assert third.origin.sha256 == first[0].model.sha256
    later = Bench(None, small).with_model(second.path).on(*HERE)
    again = make_unlearn_job(later, chosen(small, 3, 5), "finetune", **FAST)
    assert again.forget.class_names == ("3", "5")  # asked again: the same images, harder
    assert again.requests[-1].class_names == ("3", "5")


def test_a_later_request_without_effect_says_so(first, small, tmp_path) -> None:
    opened = Bench(None, small).with_model(first[1].path)
    still = ask(tmp_path / "still", opened, chosen(small, 5), "muda", rounds=0)
    assert still.report()["unchanged"] is True
    assert any("unchanged since the earlier requests" in text for text in still.report()["warnings"])


def test_two_requests_without_effect_are_said_once(first, small, tmp_path) -> None:
    one = ask(tmp_path / "one", first[0], chosen(small, 3), "muda", rounds=0)
    two = ask(tmp_path / "two", Bench(None, small).with_model(one.path), chosen(small, 5), "muda", rounds=0)
    said = [[text for text in run.report()["warnings"] if "unchanged" in text] for run in (one, two)]
    assert [len(texts) for texts in said] == [1, 1]
    assert "since the earlier requests" not in said[0][0] and "since the earlier requests" in said[1][0]


def test_weights_of_earlier_lists_stay(first, small, tmp_path) -> None:
    opened = first[0]
    few = Selection.empty(small.train.labels.numpy(), small.classes).with_samples(
        np.array([1, 2]), weights=np.array([2.0, 0.5])
    )
    weighted = ask(tmp_path / "weighted", opened, few)
    joined = all_requests(weighted.file(MODEL), chosen(small, 5), small)
    assert joined.weights is not None and joined.weights[[1, 2]].tolist() == [2.0, 0.5]
    assert joined.count == chosen(small, 5).with_samples([1, 2]).count


def test_what_is_no_result_of_a_run_has_no_chain(first, small, tmp_path) -> None:
    assert chain_of(first[0].model.path, small) is None  # trained on everything
    copy = tmp_path / "exported.safetensors"
    copy.write_bytes(first[1].file(MODEL).read_bytes())
    assert chain_of(copy, small) is None
    assert "has already forgotten" in unknown_requests(first[1].card(), copy)
    assert unknown_requests(first[1].card(), first[1].file(MODEL)) == ""


def test_a_reference_takes_what_it_was_not_trained_on_along(small, tmp_path) -> None:
    folder, _ = train(
        tmp_path / "reference", Bench(None, small).on("cpu", threads=1), "mlp", Control(), lambda event: None,
        exclude=chosen(small, 3), recipe={"epochs": 1},
    )  # fmt: skip
    job = make_unlearn_job(Bench(None, small).with_model(folder.path).on(*HERE), chosen(small, 5), "finetune", **FAST)
    assert job.forget.class_names == ("3", "5")
    assert Path(original_of(job).path) == folder.file(MODEL).resolve()


def test_an_earlier_list_that_is_gone_or_changed_is_refused(first, small, tmp_path) -> None:
    folder = ask(tmp_path / "one", first[0], chosen(small, 3))
    whole = folder.file(FORGET).read_text()
    folder.file(FORGET).write_text("\n".join(whole.splitlines()[:-1]) + "\n")
    with pytest.raises(MismatchError, match="was changed after the run was made"):
        chain_of(folder.path, small)
    header, *rows = whole.splitlines()
    kept = int(np.flatnonzero(small.train.labels.numpy() != 3)[0])  # another image in the place of one: the same length
    folder.file(FORGET).write_text("\n".join([header, f"{kept},,,1", *rows[1:]]) + "\n")
    with pytest.raises(MismatchError, match="was changed after the run was made"):
        chain_of(folder.path, small)
    folder.file(FORGET).unlink()
    with pytest.raises(InputError, match="must not come back"):
        chain_of(folder.path, small)
    folder.file(FORGET).write_text(whole)
    with pytest.raises(MismatchError, match="other data"):
        chain_of(folder.path, dataclasses.replace(small, fingerprint="others"))


def test_an_original_that_is_gone_is_said(first, small, tmp_path) -> None:
    opened = Bench(None, small).with_model(first[1].path)
    asked = chosen(small, 5)
    job = make_unlearn_job(opened.on(*HERE), asked, "finetune", settings={"epochs": 1}, **FAST)
    job = dataclasses.replace(job, origin=dataclasses.replace(job.origin, path=str(tmp_path / "gone.safetensors")))
    folder = create_run(tmp_path / "later", job, asked, small)
    run(folder, Control(), lambda event: None, bench=opened)
    assert any(event.get("code") == "origin" for event in folder.events())
    assert folder.report()["model"]["sha256"] == job.model.sha256


PATCHES = [Trigger(target=1, target_name="1", pixels=((0, column, 255),)) for column in (0, 1)]


def some(dataset: Dataset, *ids: int) -> Selection:
    return Selection.empty(dataset.train.labels.numpy(), dataset.classes).with_samples(ids)


def test_a_correction_cannot_follow_another_kind_of_request_and_says_what_can_be_done(first, small, tmp_path) -> None:
    opened, folder = first
    later = Bench(None, small).with_model(folder.path).on(*HERE)
    with pytest.raises(ForgetSetError, match="A correction cannot follow the run first, which was forgetting") as error:
        make_unlearn_job(later, some(small, 1, 2).correcting(), "finetune", **FAST)
    assert f"Start from {opened.model.path.resolve()} instead" in error.value.hint
    corrected = ask(tmp_path / "corrected", opened, some(small, 1, 2).correcting(trigger=PATCHES[0]))
    later = Bench(None, small).with_model(corrected.path).on(*HERE)
    with pytest.raises(ForgetSetError, match="Forgetting cannot follow the run corrected, which was a correction"):
        make_unlearn_job(later, chosen(small, 3), "finetune", **FAST)
    for fault in (None, PATCHES[1]):
        with pytest.raises(ForgetSetError, match=r"A correction cannot follow .*, which corrected another fault"):
            all_requests(corrected.file(MODEL), some(small, 4).correcting(trigger=fault), small)
    more = make_unlearn_job(later, some(small, 2, 4).correcting(trigger=PATCHES[0]), "finetune", **FAST)
    assert (more.forget.purpose, more.forget.trigger, more.forget.count) == ("corrective", PATCHES[0], 3)
    assert [(one.purpose, one.trigger, one.count) for one in more.requests] == [
        ("corrective", PATCHES[0], 2), ("corrective", PATCHES[0], 1),
    ]  # fmt: skip
    assert from_dict(json.loads(dumps(asdict(more)))) == more
    nothing = Selection.empty(small.train.labels.numpy(), small.classes)
    assert all_requests(corrected.file(MODEL), nothing, small).trigger == PATCHES[0]
    assert dict(inspect(str(corrected.path)).facts)["Forget set"].endswith("correction)")


def test_what_a_training_left_out_was_no_correction(small, tmp_path) -> None:
    folder, _ = train(
        tmp_path / "without", Bench(None, small).on("cpu", threads=1), "mlp", Control(), lambda event: None,
        exclude=some(small, 1, 2).correcting(), recipe={"epochs": 1},
    )  # fmt: skip
    assert all_requests(folder.file(MODEL), chosen(small, 3), small).corrective is False
    with pytest.raises(ForgetSetError, match="A correction cannot follow the run without"):
        all_requests(folder.file(MODEL), some(small, 4).correcting(), small)
