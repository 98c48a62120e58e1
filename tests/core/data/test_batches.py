"""What steps draw from is seeded by the step alone, and augmentation by seed, stream and epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.data.batches import Augmentation, ImageStore, seed_draws
from core.data.dataset import ImageSet
from core.data.preprocessing import Preprocessing

torch.set_num_threads(1)


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


@pytest.fixture
def store() -> ImageStore:
    """Forty images of 3 by 4 pixels, each pixel of all of them another one; black is nowhere."""
    images = (torch.arange(480) % 255 + 1).to(torch.uint8).reshape(40, 3, 4, 1)
    plain = Preprocessing((3, 4), (0.0,), (1.0,))
    return ImageStore(ImageSet(images, torch.arange(40) % 2), plain, torch.device("cpu"))


AUGMENTED = Augmentation(pad=1, flip=True)


def drawn(store: ImageStore, ids: torch.Tensor, *where: int | str) -> np.ndarray:
    """Images (n, 3, 4) as their pixels were, 0 to 255."""
    return np.rint(255 * store.batch(ids, AUGMENTED, *where).images[:, 0].numpy()).astype(int)


def test_an_image_moves_as_seed_stream_and_epoch_say_whatever_is_read_with_it(store):
    ids = torch.arange(40)
    first = drawn(store, ids, 1, "train", 0)
    for other in ((2, "train", 0), (1, "forget", 0), (1, "train", 1)):
        assert (drawn(store, ids, *other) != first).any(), other
    some = torch.tensor([30, 7, 12])
    assert np.array_equal(drawn(store, some, 1, "train", 0), first[some])
    shifted = Augmentation(pad=1)
    plain = np.rint(255 * store.batch(ids, shifted, 1, "train", 0).images[:, 0].numpy())
    assert (plain != first).any(axis=(1, 2)).sum() not in (0, 40)  # the same moves, with none turned over
