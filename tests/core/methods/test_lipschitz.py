"""JIT: the quotient of output and input distances around forget images, held against a linear map and by hand."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import Networks, StageOutput
from core.methods.lipschitz import smoothness, with_noisy_copies
from core.parameters import resolve
from tests.core.toy import ToyNet, make_engine, make_experiment, rows_of, run_to_end, same, weights

VALUES = resolve(get_method("lipschitz").parameters, {"copies": 3, "noise": 0.3})


def prepared(n=4, low=-10.0, high=10.0, seed=0, values=VALUES):
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(n, 2, 3, 3, generator=generator)
    weigh = torch.tensor([0.0, 1.0, 2.0, 1.0])[:n]
    batch = replace(rows_of(torch.arange(n), True, weigh, images=images), ids=torch.arange(n) + 10)
    low, high = torch.full((2, 1, 1), low), torch.full((2, 1, 1), high)
    nets = Networks(None, None, torch.Generator().manual_seed(seed), low, high)  # type: ignore[arg-type]
    return batch, with_noisy_copies(nets, batch, {}, values)


def test_copies_stand_behind_the_images_whole_rounds_at_a_time():
    batch, made = prepared()
    assert len(made) == 16 and torch.equal(made.images[:4], batch.images)
    assert made.ids.tolist() == batch.ids.tolist() * 4 and made.weights.tolist() == batch.weights.tolist() * 4
    noise = (made.images[4:] - batch.images.repeat(3, 1, 1, 1)).flatten()
    assert 0.2 < float(noise.std()) < 0.4 and not torch.equal(made.images[4:8], made.images[8:12])
    assert torch.equal(made.images, prepared()[1].images) and not torch.equal(made.images, prepared(seed=1)[1].images)


def test_noise_is_cut_to_the_range_of_pixels():
    _, made = prepared(low=-0.5, high=0.5)
    assert float(made.images[4:].min()) >= -0.5 and float(made.images[4:].max()) <= 0.5


def outputs_of(made, matrix):
    logits = made.images.flatten(1) @ matrix
    logits = torch.cat([logits[: len(made) // 4], logits[len(made) // 4 :].detach()])
    return StageOutput(logits, logits)


def test_of_an_isometry_every_quotient_is_its_scale_and_images_weigh():
    _, made = prepared()
    matrix = 3 * torch.linalg.qr(torch.randn(18, 18, generator=torch.Generator().manual_seed(1)))[0]
    loss = smoothness(outputs_of(made, matrix), made, {}, VALUES)["loss"]
    assert torch.allclose(loss, torch.tensor(3.0), rtol=1e-4)  # the weights' mean is 1


def test_the_loss_is_a_mean_over_samples_and_copies_and_the_noisy_side_is_a_constant():
    _, made = prepared()
    matrix = torch.randn(18, 5, generator=torch.Generator().manual_seed(2), requires_grad=True)
    smoothness(outputs_of(made, matrix), made, {}, VALUES)["loss"].backward()
    found, matrix.grad = matrix.grad, None
    total = torch.zeros(())
    constants = [(image.flatten() @ matrix).detach() for image in made.images]
    for i in range(4):
        for copy in range(3):
            clean, noisy = made.images[i].flatten(), made.images[4 + 4 * copy + i].flatten()
            apart = (clean @ matrix - constants[4 + 4 * copy + i]).norm()
            total = total + made.weights[i] * apart / (noisy - clean).norm() / 3 / 4
    total.backward()
    assert torch.allclose(found, matrix.grad, rtol=1e-4, atol=1e-6)


def test_the_same_outputs_give_no_loss_and_no_nan_gradient():
    _, made = prepared()
    matrix = torch.zeros(18, 5, requires_grad=True)
    loss = smoothness(outputs_of(made, matrix), made, {}, VALUES)["loss"]
    loss.backward()
    assert float(loss.detach()) == 0 and bool(torch.isfinite(matrix.grad).all())


def test_copies_pass_without_gradient_and_the_step_is_the_same_in_float64():
    """They used to carry a graph that was thrown away: 3.3 times the work."""
    experiment = make_experiment("lipschitz", ToyNet(dropout=0.0).double(), batch=8, copies=4)
    (part,) = experiment.plan
    engine, passes = make_engine(experiment), []
    forward = experiment.model.module.forward
    experiment.model.module.forward = lambda x: passes.append((len(x), torch.is_grad_enabled())) or forward(x.double())
    engine._enter(engine.timeline.segments[0])
    batch = engine._forward.batch(part, 0, 0, engine.context.aux)
    experiment.model.module.eval()
    passes.clear()
    out = engine._forward.outputs(part, batch, 0.0)
    assert passes == [(8, True), (32, False)]
    parameters = list(experiment.model.module.parameters())
    loss = smoothness(out, batch.whole, engine.context.aux, experiment.values)["loss"]
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    whole = forward(batch.whole.images.double())
    constant = torch.cat([whole[:8], whole[8:].detach()]).float()
    loss = smoothness(StageOutput(constant, constant), batch.whole, engine.context.aux, experiment.values)["loss"]
    expected = torch.autograd.grad(loss, parameters, allow_unused=True)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True) if a is not None)


def test_outputs_become_smooth_around_the_forget_set():
    """And labels play no part: shuffled ones give the same weights, bit for bit."""
    results = []
    for shuffle in (False, True):
        experiment = make_experiment("lipschitz", epochs=30.0, batch=8, lr=0.02, noise=0.3, copies=4, goal="none")
        forget = experiment.splits.forget_train
        if shuffle:
            experiment.train.labels = experiment.train.labels.clone()  # they are the data set's own, which others read
            experiment.train.labels[forget] = (experiment.train.labels[forget] + 1) % 4
        events = run_to_end(make_engine(experiment))
        results.append(weights(experiment.model.module))
    losses = [loss for e in events if e.type == "step_metrics" for loss in e.terms["loss"]]
    assert sum(losses[-3:]) < 0.5 * sum(losses[:3])
    assert same(*results)
    assert SetPasses(experiment, lambda: None).outputs("forget").losses.isfinite().all()


def test_it_ends_where_the_goal_is_reached():
    experiment = make_experiment("lipschitz", epochs=60.0, batch=8, lr=0.05, copies=2, checks=4, stop_accuracy=0.5)
    run_to_end(make_engine(experiment))
    longer = make_experiment("lipschitz", epochs=60.0, batch=8, lr=0.05, copies=2, checks=4, goal="none")
    run_to_end(make_engine(longer))
    assert SetPasses(experiment, lambda: None).accuracy("forget") <= 0.5
    assert not same(weights(experiment.model.module), weights(longer.model.module))
