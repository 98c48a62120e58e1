"""What steps draw from is seeded by the step alone."""

from __future__ import annotations

import pytest
import torch

from core.data.batches import seed_draws


def test_seeding_a_step_draws_what_a_global_seed_draws_and_leaves_nothing_behind():
    torch.manual_seed(11)
    wanted = torch.rand(5)
    waiting = len(torch.cuda._queued_calls)
    for _ in range(3):
        seed_draws(torch.device("cpu"), 11)
    assert torch.equal(torch.rand(5), wanted)
    assert len(torch.cuda._queued_calls) == waiting  # torch keeps a note of every global seed until a GPU is used


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_seeding_a_step_reaches_the_gpu():
    device = torch.device("cuda", 0)
    torch.manual_seed(11)
    wanted = torch.rand(5, device=device)
    seed_draws(device, 11)
    assert torch.equal(torch.rand(5, device=device), wanted)
