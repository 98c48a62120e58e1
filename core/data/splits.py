"""Which samples belong to which set: retain and forget, train and test, calibration and evaluation halves.

All of it follows from the data alone: the same samples every time and on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from core.data.dataset import Dataset, ImageSet, hash_each
from core.selection import Selection

_CHUNK = 512  # images held at once where they are streamed

SETS = ("retain_train", "forget_train", "retain_test", "forget_test")


@dataclass(frozen=True)
class Splits:
    """Index tensors (int64, ascending) into the training and the test images of one data set.

    The test images used for numbers are the evaluation half; the calibration half serves tuning, stopping and loss
    matching, and nothing crosses. For sample forgetting there is no forget-test set: unseen images were never learnt.
    """

    labels: torch.Tensor  # (n_train,) int64
    test_labels: torch.Tensor  # (n_test,) int64
    forget: torch.Tensor  # (n_train,) bool
    alone: torch.Tensor  # (n_train,) bool: forget samples whose class stays; the other ones go with their whole class
    forget_classes: tuple[int, ...]  # classes that are in the forget set as a whole
    num_classes: int
    evaluation: torch.Tensor  # (n_test,) bool

    @classmethod
    def of(cls, dataset: Dataset, forget: torch.Tensor) -> Splits:
        """Split a data set by a forget mask over its training samples."""
        labels = dataset.train.labels
        whole = Selection(forget.numpy(), labels.numpy(), dataset.classes).complete_classes
        return cls(
            labels=labels,
            test_labels=dataset.test.labels,
            forget=forget,
            alone=forget & ~torch.isin(labels, torch.tensor(whole, dtype=torch.int64)),
            forget_classes=whole,
            num_classes=dataset.num_classes,
            evaluation=evaluation_half(dataset.test),
        )

    @cached_property
    def forget_train(self) -> torch.Tensor:
        """Training samples to forget."""
        return _ids(self.forget)

    @cached_property
    def forget_class_train(self) -> torch.Tensor:
        """Training samples that go with their whole class."""
        return _ids(self.forget & ~self.alone)

    @cached_property
    def forget_single_train(self) -> torch.Tensor:
        """Training samples that go alone: their class stays."""
        return _ids(self.alone)

    @cached_property
    def retain_train(self) -> torch.Tensor:
        """Training samples to keep."""
        return _ids(~self.forget)

    @cached_property
    def forget_test(self) -> torch.Tensor:
        """Unseen samples of the classes to forget (evaluation half); empty where only single images go."""
        return _ids(self.evaluation & self._is_forget_class)

    @cached_property
    def retain_test(self) -> torch.Tensor:
        """Unseen samples of the classes to keep (evaluation half)."""
        return _ids(self.evaluation & self._is_kept_class)

    @cached_property
    def unseen(self) -> torch.Tensor:
        """Unseen samples of all classes (evaluation half)."""
        return _ids(self.evaluation)

    @cached_property
    def calibration(self) -> torch.Tensor:
        """Unseen samples of the classes to keep, set aside for tuning and loss matching: never shown as a number."""
        return _ids(~self.evaluation & self._is_kept_class)

    @cached_property
    def forget_calibration(self) -> torch.Tensor:
        """Unseen samples of the classes to forget, set aside in the same way."""
        return _ids(~self.evaluation & self._is_forget_class)

    @cached_property
    def _is_forget_class(self) -> torch.Tensor:
        """Which test samples are of a class to forget: (n_test,) bool."""
        return torch.isin(self.test_labels, torch.tensor(self.forget_classes, dtype=torch.int64))

    @cached_property
    def _is_kept_class(self) -> torch.Tensor:
        """Which test samples are of a class that keeps training samples: (n_test,) bool."""
        return ~torch.isin(self.test_labels, torch.tensor((*self.forget_classes, *self.imageless), dtype=torch.int64))

    @cached_property
    def imageless(self) -> tuple[int, ...]:
        """Classes without a training sample: outputs of the network that nothing is known of."""
        counts = torch.bincount(self.labels, minlength=self.num_classes)
        return tuple(torch.nonzero(counts == 0).flatten().tolist())

    @property
    def retain_classes(self) -> tuple[int, ...]:
        """Classes that keep at least one training sample."""
        gone = {*self.forget_classes, *self.imageless}
        return tuple(c for c in range(self.num_classes) if c not in gone)

    @property
    def has_singles(self) -> bool:
        """Whether single images are forgotten, whose classes stay."""
        return len(self.forget_single_train) > 0

    def counts(self) -> dict[str, int]:
        """Return the size of each set."""
        return {name: len(getattr(self, name)) for name in SETS}


def _ids(mask: torch.Tensor) -> torch.Tensor:
    """Return the positions where a mask (n,) bool is set: (m,) int64, ascending."""
    return torch.nonzero(mask).flatten()


def evaluation_half(images: ImageSet) -> torch.Tensor:
    """Return a bool mask (n,) of about half the images, chosen by a hash of each image's bytes.

    By content, so that the same image is on the same side whatever the order of files. A class that would be without
    an image in one half gives it the image with the lowest hash; one of a single image is in the evaluation half. Sets
    under 40 images are not divided: there every image is in the evaluation half.
    """
    count = len(images)
    if count < 40:
        return torch.ones(count, dtype=torch.bool)
    half = torch.zeros(count, dtype=torch.bool)
    for ids in torch.arange(count).split(_CHUNK):
        half[ids] = torch.tensor([digest[0] & 1 == 1 for digest in _digests(images, ids, 1)])
    for label in torch.unique(images.labels).tolist():
        members = _ids(images.labels == label)
        if bool(half[members].all()) or not bool(half[members].any()):
            digests = _digests(images, members, 16)
            lowest = torch.tensor([digest == min(digests) for digest in digests])
            half[members] = True if bool(lowest.all()) else half[members] ^ lowest
    return half


def _digests(images: ImageSet, ids: torch.Tensor, size: int) -> list[bytes]:
    """Return a hash of the pixels of each image `ids`, of so many bytes."""
    return [hashlib.blake2b(row.tobytes(), digest_size=size).digest() for row in images.images[ids].numpy()]


def stratified(labels: torch.Tensor, ids: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    """Return about `size` of `ids` (at least one per class present), the same share of every class, ascending.

    labels: (n,) int64 over all samples; ids: (m,) int64. Returns `ids` itself where it is small enough.
    """
    if len(ids) <= size:
        return ids
    generator = torch.Generator().manual_seed(seed)
    share = size / len(ids)
    chosen = []
    for label in torch.unique(labels[ids]).tolist():
        members = ids[labels[ids] == label]
        take = max(1, round(len(members) * share))
        chosen.append(members[torch.randperm(len(members), generator=generator)[:take]])
    return torch.cat(chosen).sort().values


def set_aside(images: ImageSet, fraction: float, salt: str = "") -> tuple[ImageSet, ImageSet]:
    """Return the images that stay, and those to set aside as a test part.

    Each class gives round(fraction * count) images, at least one and never all of them; a class with a single image
    gives none. Images are ranked by a hash of their path, so that adding files moves few of the others, or of their
    position where they have no path.
    """
    labels = images.labels.numpy()
    if images.paths is None:
        ranks = _hash_positions(len(labels), salt)
    else:
        ranks = hash_each((salt + path).encode() for path in images.paths)
    mask = np.zeros(len(labels), dtype=bool)
    order = np.lexsort((ranks, labels))  # by class, then by hash
    first = 0
    for count in np.bincount(labels).tolist():
        mask[order[first : first + _wanted(count, fraction)]] = True
        first += count
    return images.take(np.flatnonzero(~mask)), images.take(np.flatnonzero(mask))


def count_set_aside(class_counts: Iterable[int], fraction: float) -> int:
    """Return how many images `set_aside` takes from classes of these sizes."""
    return sum(_wanted(count, fraction) for count in class_counts)


def _wanted(count: int, fraction: float) -> int:
    """Return how many images a class of this size gives."""
    return min(max(1, round(fraction * count)), count - 1) if count > 1 else 0


def _hash_positions(count: int, salt: str) -> np.ndarray:
    """Return splitmix64 of 0 .. count-1: the same on every machine and library version."""
    with np.errstate(over="ignore"):
        z = hash_each([salt.encode()]) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
