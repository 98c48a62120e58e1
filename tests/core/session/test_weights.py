"""Weights of a forget list reach the forget loss: from the list through the job to each batch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from core.engine.control import Control
from core.errors import MismatchError
from core.events import State
from core.files import write_json
from core.methods import METHODS
from core.runs.folder import FORGET, JOB
from core.session.bench import Bench
from core.session.references import reference_key
from core.session.running import run
from tests.core.methods.cases import SHORT as SHORT_VALUES
from tests.core.toy import DATA, make_engine, make_experiment, run_to_end, same, weights

SHORT = {"rounds": 1, "recover_share": 0.1, "min_steps": 1, "relearn_min_steps": 10}
OUTPUTS_ONLY = {"batch": 8, "rounds": 1, "w_da": 0.0, "lr": 0.05}


def _final(setting):
    run_to_end(make_engine(setting))
    return weights(setting.model.module)


def _weighted(selection, pattern):
    """The same selection, its samples weighted by a repeating pattern."""
    return selection.with_samples(selection.indices, weights=np.resize(np.array(pattern, float), selection.count))


def test_an_image_of_weight_0_adds_nothing_whatever_it_shows():
    """Its image is replaced by noise: same weights of the network, bit for bit; with weight 1 they differ."""
    ids = torch.nonzero(DATA.train.labels == 1).flatten()[:3]
    noisy = DATA.train.images.clone()
    noisy[ids] = torch.randint(0, 256, noisy[ids].shape, generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    spoilt = dataclasses.replace(DATA, train=dataclasses.replace(DATA.train, images=noisy))
    for weight, equal in ((0.0, True), (1.0, False)):
        results = []
        for data in (DATA, spoilt):
            setting = make_experiment("muda", data=data, **{**OUTPUTS_ONLY, "w_da": 1.0})
            setting.train.weights[ids] = weight
            results.append(_final(setting))
        assert same(*results) is equal


def test_weight_2_counts_twice():
    """All at 2 is the forget term at twice its weight: a power of two, so bit for bit."""
    setting = make_experiment("muda", **OUTPUTS_ONLY)
    setting.train.weights[setting.splits.forget_train] = 2.0
    assert same(_final(setting), _final(make_experiment("muda", **{**OUTPUTS_ONLY, "w_sd": 2.0})))


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.id)
def test_a_method_says_truly_whether_it_honours_weights(method):
    mode = "class" if "class" in method.suits else "sample"
    values = SHORT_VALUES.get(method.id, {})
    plain = _final(make_experiment(method, forget=mode, **values))
    setting = make_experiment(method, forget=mode, **values)
    setting.train.weights[setting.splits.forget_train[::2]] = 0.25
    assert same(plain, _final(setting)) is not method.honours_weights


def test_a_weighted_list_reaches_every_batch_and_is_part_of_the_job(new_run, bench, three, monkeypatch):
    seen = []
    images = Bench.images
    monkeypatch.setattr(Bench, "images", lambda *given: seen.append(images(*given)) or seen[-1])
    weighted = _weighted(three, [0.0, 2.5])
    folder, plain = new_run(selection=weighted, settings=SHORT), new_run(settings=SHORT)
    assert run(folder, Control(), lambda event: None, bench=bench) is State.FINISHED
    train, _ = seen[0]
    batch = train.batch(torch.from_numpy(three.indices[:4].copy()))
    assert batch.weights.tolist() == [0.0, 2.5, 0.0, 2.5]
    assert torch.equal(train.weights[~train.forget], torch.ones(int((~train.forget).sum())))
    one, other = folder.job().forget, plain.job().forget
    assert one.weights_sha256 and not other.weights_sha256 and folder.job_sha256() != plain.job_sha256()
    assert one.sha256 == other.sha256  # a retrained reference leaves the same images out, whatever they weigh
    assert reference_key(folder.job(), 1) == reference_key(plain.job(), 1)
    assert not [e for e in folder.events() if e["type"] == "log" and e["code"] == "weights"]


def test_a_method_that_ignores_weights_says_so(new_run, bench, three):
    folder, seen = new_run("head-only", _weighted(three, [3.0])), []
    run(folder, Control(), seen.append, bench=bench)
    told = [e for e in seen if e.type == "log" and e.code == "weights"]
    assert len(told) == 1 and told[0].level == "warning"
    assert "does not use the forget list's weights" in told[0].message


def test_weights_changed_after_the_job_was_made_are_refused(new_run, bench, three):
    folder = new_run(selection=_weighted(three, [0.5, 2.0]), settings=SHORT)
    text = folder.file(FORGET).read_text()
    folder.file(FORGET).write_text(text.replace(",0.5\n", ",0.75\n", 1))
    with pytest.raises(MismatchError, match=r"forget\.csv was changed"):
        run(folder, Control(), lambda event: None, bench=bench)


def test_a_job_of_before_weights_is_read(new_run):
    from core.files import read_json

    folder = new_run(settings=SHORT)
    data = read_json(folder.file(JOB))
    del data["forget"]["weights_sha256"]
    write_json(folder.file(JOB), data)
    assert folder.job().forget.weights_sha256 == ""
