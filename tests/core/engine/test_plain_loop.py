"""The engine against a loop written out by hand: the same weights, bit for bit."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from core.data.batches import derive_seed, permutation
from tests.core.toy import DATA, make_engine, make_experiment, run_to_end, same, trained_net, weights


def test_fine_tuning_equals_a_plain_torch_loop():
    experiment = make_experiment("finetune", epochs=2, batch=16, lr=0.05, weight_decay=0.01, schedule="constant")
    run_to_end(make_engine(experiment))

    net = trained_net().train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01, fused=True)
    step = 0
    for epoch in range(2):
        order = permutation(0, "train", epoch, len(DATA.train))
        order = order[DATA.train.labels[order] != 1]
        for ids in order.split(16):
            torch.manual_seed(derive_seed(0, "step", step))
            images = DATA.preprocessing.apply(DATA.train.images[ids])
            for parameter in net.parameters():
                parameter.grad = None
            F.cross_entropy(net(images), DATA.train.labels[ids]).backward()
            optimiser.step()
            step += 1
    assert same(weights(net), weights(experiment.model.module))
