"""A search tries settings on a part of the images, keeps what is finished, and names the best."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from core.cli.running import tuning_text
from core.data.batches import ImageStore
from core.data.splits import evaluation_half
from core.engine import engine
from core.engine.control import Control
from core.errors import InputError, MismatchError, OutOfMemoryError, RunError, StoppedError, UsageError
from core.events import State
from core.files import file_sha256, read_json, write_json
from core.methods import METHODS
from core.metrics.distances import jensen_shannon
from core.models.tap import TappedModel
from core.models.trust import Trust
from core.runs.folder import TUNING
from core.selection import Selection
from core.session import tuning
from core.session.bench import Bench
from core.session.checking import train_reference
from core.session.jobs import create_run, make_unlearn_job
from core.session.judging import (
    BY_GOAL,
    BY_LABELS,
    BY_REFERENCE,
    BY_TRIGGER,
    RETAIN_BOUND,
    UNTRIED,
    Judge,
)
from core.session.running import run
from core.session.suspects import Stamped
from core.session.training import train
from core.session.tuning import Try, chosen_images, tries_file, tune, tuned
from core.suspicion import Trigger
from tests.core.methods.cases import SHORT as SHORT_VALUES
from tests.core.session.test_baseline import USER_CODE
from tests.core.toy import CLASSES, SIDE, ToyNet, make_experiment, toy_dataset, trained_net

SHORT = {"rounds": 1, "recover_share": 0.1, "min_steps": 1, "relearn_min_steps": 10}
DATA = toy_dataset(train=80, test=200)
CPU = torch.device("cpu")


@pytest.fixture
def few_images(monkeypatch):
    """Tries on few images, so that many of them fit a test."""
    monkeypatch.setattr(tuning, "IMAGES", 150)
    monkeypatch.setattr(tuning, "FORGET_IMAGES", 20)


@pytest.fixture
def job_of(bench, three):
    def make(method="muda", selection=three, **options):
        preset = {"preset": "reconstruction"} if method == "muda" else {}
        options = {"settings": SHORT, **preset, **options}
        return make_unlearn_job(bench.on("cpu", "float32", threads=1), selection, method, **options)

    return make


def plain(tries):
    """Tries without the time they took."""
    return [dataclasses.replace(one, seconds=0.0) for one in tries]


# --- judging ------------------------------------------------------------------------------------------------------


def tap(net):
    return TappedModel(net, CLASSES, 1, input_shape=(1, SIDE, SIDE))


def judge_of(mode="class", retrained=(), original=None, purpose="", trigger=None):
    """`trigger`: which class it is for, where one is known; the toy's test images are stamped as they are."""
    setting = make_experiment("finetune", forget=mode, data=DATA)
    stamped = None
    if trigger is not None:
        ids = setting.splits.calibration
        ids = ids[DATA.test.labels[ids] != trigger]
        patch = Trigger(target=trigger, target_name="", pixels=((0, 0, 0),))
        stamped = Stamped(patch, ids, ImageStore(DATA.test.take(ids.numpy()), DATA.preprocessing, CPU))
    return Judge(
        setting.splits, setting.train, setting.test, original or setting.model, [tap(n) for n in retrained],
        purpose=purpose, stamped=stamped,
    )  # fmt: skip


class Constant(torch.nn.Module):
    """The same logits for every image."""

    def __init__(self, *logits):
        super().__init__()
        self.flat, self.head = torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, CLASSES)
        torch.nn.init.zeros_(self.head.weight)
        self.head.bias.data = torch.tensor(logits)

    def forward(self, x):
        return self.head(self.flat(x))


def test_without_a_reference_the_score_is_forget_accuracy_plus_lost_retain_accuracy():
    judge = judge_of()
    keeps_forgotten = judge.judge(tap(Constant(0.0, 5.0, 0.0, 0.0)))  # always the forgotten class
    one_kept = judge.judge(tap(Constant(5.0, 0.0, 0.0, 0.0)))
    assert judge.by == BY_GOAL and judge.goal.forget == 0 and judge.goal.samples is None
    assert (keeps_forgotten.retain, keeps_forgotten.forget, keeps_forgotten.samples) == (0.0, 1.0, None)
    assert keeps_forgotten.score == pytest.approx(1 + judge.goal.retain)
    share = one_kept.retain
    assert 0.2 < share < 0.5 and one_kept.score == pytest.approx(judge.goal.retain - share)
    assert not one_kept.allowed and judge.goal.retain - share > RETAIN_BOUND
    assert judge.judge(tap(trained_net())).allowed


def test_single_images_are_wanted_at_the_accuracy_of_unseen_ones():
    judge = judge_of("sample")
    assert judge.goal.forget is None and judge.goal.samples == judge.goal.retain
    mixed = judge_of("mixed").goal
    assert mixed.forget == 0 and mixed.samples == mixed.retain


def test_in_a_correction_of_labels_no_image_is_to_be_given_its_label():
    judge = judge_of("sample", purpose="labels")
    assert (judge.by, judge.goal.forget, judge.goal.samples) == (BY_LABELS, None, 0.0)
    original = judge.judge(tap(trained_net()))
    assert original.allowed and original.score == pytest.approx(original.samples) and original.samples > 0.5
    one = judge.judge(tap(Constant(5.0, 0.0, 0.0, 0.0)))
    assert one.score == pytest.approx(one.samples + judge.goal.retain - one.retain)
    # A retrained model is no yardstick, but what it gives anyway need not go.
    torch.manual_seed(3)
    other = ToyNet()
    beside = judge_of("sample", retrained=[other], purpose="labels")
    given = beside.judge(tap(other))
    assert beside.by == BY_LABELS and beside.goal.retain == judge.goal.retain and given.distance is None
    assert beside.goal.samples == given.samples > 0
    assert beside.judge(tap(trained_net())).score == pytest.approx(original.samples - given.samples)


def test_a_known_trigger_is_to_work_no_more_often_than_the_original_calls_images_so():
    judge = judge_of("sample", original=tap(trained_net()), purpose="trigger", trigger=2)
    assert judge.by == BY_TRIGGER and judge.goal.samples is None and judge.goal.trigger < 0.2
    poisoned = judge.judge(tap(Constant(0.0, 0.0, 5.0, 0.0)))
    assert poisoned.trigger == 1.0 and poisoned.samples < 1
    assert poisoned.score == pytest.approx(1 - judge.goal.trigger + judge.goal.retain - poisoned.retain)
    clean = judge.judge(tap(Constant(5.0, 0.0, 0.0, 0.0)))  # whatever the poisoned images are called
    assert clean.trigger == 0.0 and clean.score == pytest.approx(judge.goal.retain - clean.retain)


def test_a_trigger_that_cannot_be_tried_is_said():
    judge = judge_of("sample", purpose="trigger", trigger=-1)
    judge_none = Judge(
        judge._splits, judge._train, judge._test, tap(trained_net()), [], purpose="trigger",
        stamped=dataclasses.replace(judge._stamped, ids=torch.empty(0, dtype=torch.int64)),
    )  # fmt: skip
    assert judge_none.by == UNTRIED and judge_none.goal.samples == 0.0 and judge_none.goal.trigger is None


def test_with_retrained_models_the_score_is_the_mean_gap():
    torch.manual_seed(3)
    other = ToyNet()
    judge = judge_of(retrained=[other])
    itself = judge.judge(tap(other))
    assert judge.by == BY_REFERENCE and itself.score == 0 and itself.distance == 0 and itself.allowed
    found = judge.judge(tap(trained_net()))
    gaps = [abs(found.forget - itself.forget), abs(found.retain - itself.retain), found.distance]
    assert found.score == pytest.approx(sum(gaps) / 3)
    flat, sure = Constant(0.0, 0.0, 0.0, 0.0), Constant(50.0, 0.0, 0.0, 0.0)
    between = judge_of(retrained=[flat]).judge(tap(sure)).distance
    assert between == pytest.approx(jensen_shannon(torch.zeros(1, 4), torch.tensor([[50.0, 0, 0, 0]])) / math.log(2))


def test_outputs_that_are_no_numbers_have_no_score():
    assert judge_of().judge(tap(Constant(math.nan, 0.0, 0.0, 0.0))) is None


def test_a_test_part_without_a_calibration_half_is_refused():
    small = toy_dataset(train=80, test=32)
    setting = make_experiment("finetune", data=small)
    with pytest.raises(InputError, match=r"too few test images .* 32, .* Choose settings by hand"):
        Judge(setting.splits, setting.train, setting.test, setting.model, [])


# --- which images -------------------------------------------------------------------------------------------------


def test_sets_shrink_together_and_a_small_forget_set_stays(monkeypatch):
    labels = np.arange(4000) % 4
    big = Selection.empty(labels, "abcd").with_classes([1])
    ids = chosen_images(big, 0, limit=2000).numpy()
    assert len(ids) == 2000 and int((labels[ids] == 1).sum()) == 500
    few = Selection.empty(labels, "abcd").with_samples(np.arange(0, 4000, 40))
    ids = chosen_images(few, 0, limit=400).numpy()
    assert set(few.indices) <= set(ids) and 380 < len(ids) - few.count < 400
    assert len(chosen_images(big, 0, limit=4000)) == 4000
    assert not np.array_equal(ids, chosen_images(few, 1, limit=400).numpy())


def test_the_evaluation_half_is_never_looked_at(job_of, bench, three, monkeypatch):
    looked_at = []
    images = Bench.images

    class Watched(ImageStore):
        def batch(self, ids, *more):
            looked_at.append(ids)
            return super().batch(ids, *more)

    def watched(self, *more):
        train, _ = images(self, *more)
        return train, Watched(self.dataset.test, self.dataset.preprocessing, self.place)

    monkeypatch.setattr(Bench, "images", watched)
    tune(job_of(), bench, three, 2)
    seen = torch.cat(looked_at).unique()
    assert len(seen) and not bool(evaluation_half(bench.dataset.test)[seen].any())
    assert len(seen) == int((~evaluation_half(bench.dataset.test)).sum())


# --- searching ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.id)
def test_every_method_can_be_tuned(few_images, job_of, bench, three, method):
    selection = three if "class" in method.suits else three.cleared().with_samples(np.arange(0, 100, 5))
    fewest = {parameter.name: 1 for parameter in method.parameters if parameter.name.endswith("min_steps")}
    job = job_of(method.id, selection, settings={**fewest, **SHORT_VALUES.get(method.id, {})})
    if not method.searched:
        with pytest.raises(UsageError, match="no setting to search for"):
            tune(job, bench, selection, 2)
        return
    found = tune(job, bench, selection, 2)
    assert found.complete and [one.number for one in found.tries] == [1, 2] and found.images < found.total
    assert found.tries[0].values == {name: job.parameters[name] for name in found.searched}
    assert found.tries[1].values != found.tries[0].values
    assert all((one.score is None) == bool(one.reason) for one in found.tries)
    assert found.best is not None and tuned(job, found).parameters == {**job.parameters, **found.best.values}


def test_the_same_job_gives_the_same_tries_and_the_best_is_what_it_says(job_of, bench, three):
    job, told, given = job_of(), [], []
    found = tune(job, bench.telling(lambda *at: told.append(at)), three, 5, tried=given.append)
    again = tune(job, bench, three, 5)
    assert plain(found.tries) == plain(again.tries) and list(found.tries) == given
    assert found.judged_by == BY_GOAL and found.images == found.total == len(bench.dataset.train)
    assert found.best.score == min(one.score for one in found.tries if one.allowed)
    assert ("Trying settings, 5 of 5", found.tries[4].steps, found.tries[4].steps) in told
    assert len({one.score for one in found.tries}) > 1


def test_best_prefers_what_keeps_the_bound():
    result = tuning.Tuning("m", ("lr",), BY_GOAL, None, 1, 1, 4, (), True)
    tries = [
        Try(1, {}, 0, 0, score=0.3, allowed=True), Try(2, {}, 0, 0, score=0.1, allowed=False),
        Try(3, {}, 0, 0, reason="infinite"), Try(4, {}, 0, 0, score=0.3, allowed=True),
    ]  # fmt: skip
    assert dataclasses.replace(result, tries=tuple(tries)).best.number == 1
    assert dataclasses.replace(result, tries=tuple(tries[1:3])).best.number == 2
    assert dataclasses.replace(result, tries=tuple(tries[2:3])).best is None


def test_a_stopped_search_keeps_its_tries_and_goes_on_where_it_was(job_of, bench, three, tmp_path):
    job, keep, control = job_of(), tmp_path / "run" / TUNING, Control()
    straight = tune(job, bench, three, 4)

    def second(one):
        if one.number == 2:
            control.stop()

    stopped = tune(job, bench, three, 4, keep=keep, control=control, tried=second)
    assert not stopped.complete and plain(stopped.tries) == plain(straight.tries[:2])
    steps = []
    resumed = tune(job, bench.telling(lambda what, *_: steps.append(what)), three, 4, keep=keep)
    assert resumed.complete and plain(resumed.tries) == plain(straight.tries)
    assert resumed.tries[:2] == stopped.tries and not [what for what in steps if what.startswith("Trying settings, 2")]
    held = read_json(keep)
    assert held["best"] == resumed.best.number and len(held["tries"]) == 4 and held["complete"] is True
    assert tune(job, bench, three, 3, keep=keep).tries == resumed.tries[:3]


def test_a_stop_within_a_try_drops_that_try(job_of, bench, three):
    control = Control()
    job = job_of(settings={"rounds": 3})

    def in_the_second(what, done, total):
        if what.startswith("Trying settings, 2"):
            control.stop()

    found = tune(job, bench.telling(in_the_second), three, 3, control=control)
    assert not found.complete and [one.number for one in found.tries] == [1]


def test_kept_tries_of_another_job_and_damaged_ones_are_refused(job_of, bench, three, tmp_path):
    keep = tmp_path / TUNING
    tune(job_of(), bench, three, 1, keep=keep)
    with pytest.raises(MismatchError, match="tried for another job"):
        tune(job_of(settings={**SHORT, "batch": 32}), bench, three, 1, keep=keep)
    write_json(keep, {**read_json(keep), "tries": [{"number": "one"}]})
    with pytest.raises(InputError, match=r"tuning\.json is damaged"):
        tune(job_of(), bench, three, 1, keep=keep)


def test_a_setting_that_diverges_is_told_with_its_reason_and_never_chosen(job_of, bench, three, monkeypatch):
    monkeypatch.setattr(engine, "HALVINGS", 0)
    job = job_of("finetune", settings={"epochs": 8, "lr": 10.0, "weight_decay": 1.0})
    found = tune(job, bench, three, 1)
    (one,) = found.tries
    assert one.score is None and "infinite" in one.reason and found.best is None
    with pytest.raises(RunError, match="None of 1 settings gave a usable model"):
        tuned(job, found)


def failing(monkeypatch, error: BaseException) -> None:
    """Let the second try of a search raise an error after its first step."""
    run, calls = tuning.Engine.run, []

    def run_or_fail(self):
        calls.append(self)
        for number, event in enumerate(run(self)):
            if len(calls) == 2 and number:
                raise error
            yield event

    monkeypatch.setattr(tuning.Engine, "run", run_or_fail)


@pytest.mark.parametrize("error", [
    ValueError("features are not finite"), ZeroDivisionError("division by zero"), RuntimeError("no convergence"),
    InputError("one.png cannot be read"),
])  # fmt: skip
def test_a_search_survives_a_try_whatever_it_raises_and_names_it(few_images, job_of, bench, three, monkeypatch, error):
    failing(monkeypatch, error)
    found = tune(job_of(), bench, three, 3)
    assert found.complete and [one.number for one in found.tries] == [1, 2, 3]
    first, second, third = found.tries
    assert first.score is not None and third.score is not None and found.best is not second
    said = error.message if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    assert second.score is None and second.reason == said and not second.allowed
    (row,) = (line for line in tuning_text(found).splitlines() if said in line)
    assert row.split()[0] == "2"


def test_a_search_that_is_out_of_memory_ends_with_advice(few_images, job_of, bench, three, monkeypatch):
    failing(monkeypatch, MemoryError("out of memory"))
    with pytest.raises(OutOfMemoryError, match="Out of memory at batch"):
        tune(job_of(), bench, three, 3)


def test_a_search_that_is_not_wanted_any_more_ends(few_images, job_of, bench, three):
    def end(what: str, done: int, total: int) -> None:
        if what.startswith("Trying settings, 2"):
            raise StoppedError("The search is not wanted any more")

    with pytest.raises(StoppedError):
        tune(job_of(), bench.telling(end), three, 3)


def test_where_every_try_fails_the_first_reason_is_told(few_images, job_of, bench, three, monkeypatch):
    def fail(self):
        raise ValueError("features are not finite")
        yield

    monkeypatch.setattr(tuning.Engine, "run", fail)
    job = job_of()
    with pytest.raises(RunError, match="None of 2 settings gave a usable model: ValueError: features are not finite"):
        tuned(job, tune(job, bench, three, 2))


def test_what_is_fixed_is_not_searched(job_of, bench, three):
    job = job_of("finetune", settings={"epochs": 0.1})
    with pytest.raises(UsageError, match="Fine-tuning has no setting to search for"):
        tune(job, bench, three, 3, fixed={"lr"})


def test_a_correction_is_searched_for_by_its_fault(few_images, job_of, bench, three):
    chosen = three.cleared().with_samples(np.arange(0, 100, 5))
    trigger = Trigger(target=7, target_name="7", pixels=((0, 0, 255),))
    labels = tune(job_of("finetune", chosen.correcting(), settings={"epochs": 0.2}), bench, chosen.correcting(), 1)
    assert labels.judged_by == BY_LABELS and labels.goal.samples == 0
    poisoned = chosen.correcting(trigger=trigger)
    found = tune(job_of("finetune", poisoned, settings={"epochs": 0.2}), bench, poisoned, 1)
    assert found.judged_by == BY_TRIGGER and found.goal.trigger < 0.1 and found.tries[0].trigger is not None
    assert "trigger" in tuning_text(found)


def test_a_cached_reference_judges_and_a_new_one_begins_the_search_anew(job_of, bench, three, tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    job, keep = job_of(), tmp_path / "run" / TUNING
    before = tune(job, bench, three, 2, keep=keep)
    folder = create_run(keep.parent, job, three, bench.dataset)
    train_reference(folder, bench, 1, Control(), lambda event: None)
    found = tune(job, bench, three, 2, keep=keep)
    assert (before.judged_by, found.judged_by) == (BY_GOAL, BY_REFERENCE)
    assert all(one.distance is not None and 0 < one.distance < 1 for one in found.tries)
    assert found.goal.forget == 0 and found.tries[0].forget == before.tries[0].forget


def test_a_reference_of_the_users_own_network_judges_too(tmp_path, monkeypatch, digits, three):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    (tmp_path / "net.py").write_text(USER_CODE)
    arch = f"{tmp_path / 'net.py'}:first"
    here = Bench(trust=Trust(code=True)).on("cpu", "float32", threads=1)
    train(
        tmp_path / "m", dataclasses.replace(here, opened_data=digits), arch, Control(), lambda event: None,
        recipe={"epochs": 1}, user_code=arch,
    )  # fmt: skip
    own = here.open(tmp_path / "m", "digits", arch=arch)
    job = make_unlearn_job(own, three, "finetune", settings={"epochs": 0.1})
    folder = create_run(tmp_path / "run", job, three, digits)
    train_reference(folder, own, 1, Control(), lambda event: None)
    assert tune(job, own, three, 1).judged_by == BY_REFERENCE


def test_tries_on_images_prepared_in_another_way_are_others(job_of):
    job = job_of()
    prepared = dataclasses.replace(job.model, preprocessing={**job.model.preprocessing, "mean": [0.9]})
    other = dataclasses.replace(job, model=prepared)
    assert tries_file(job) != tries_file(other)
    assert tuning._search_key(job, ()) != tuning._search_key(other, ())


def test_the_job_says_how_it_was_tuned_and_runs_with_what_was_found(job_of, bench, three, tmp_path):
    keep = tmp_path / "run" / TUNING
    job = job_of()
    found = tune(job, bench, three, 2, keep=keep)
    chosen = tuned(job, found, keep)
    folder = create_run(keep.parent, chosen, three, bench.dataset)
    held = folder.job()
    assert held == chosen and held.tuning.tried == held.tuning.asked == 2 and held.tuning.best == found.best.number
    assert held.tuning.sha256 == file_sha256(keep) and set(held.tuning.searched) == {"lr", "w_da"}
    assert run(folder, Control(), lambda event: None, bench=bench) is State.FINISHED
    (told,) = [e for e in folder.events() if e["type"] == "log" and e["code"] == "tuned"]
    assert told["message"].startswith("Settings chosen from 2 tries on 1,198 images: lr ")
    folder.delete()
    assert not keep.exists()


def test_a_file_for_what_determines_the_tries(bench, three):
    made = make_unlearn_job(bench.on("cpu", threads=1), three, "finetune")
    again = make_unlearn_job(bench.on("cpu", threads=1), three, "finetune", monitoring_budget=0.3)
    assert tries_file(made) == tries_file(again) and tries_file(made).suffix == ".json"
    others = [
        tries_file(made, ["lr"]),
        tries_file(dataclasses.replace(made, seed=1)),
        tries_file(dataclasses.replace(made, parameters={**made.parameters, "epochs": 7.0})),
        tries_file(make_unlearn_job(bench.on("cpu", threads=1), three, "muda")),
    ]
    assert len({tries_file(made), *others}) == 5
