"""Fine-tuning as a reader would write it, a plain PyTorch loop over a DataLoader in float32, and the job it does.

Nothing here is from the program but the network and the images: an image is a PIL image that torchvision's transforms
turn into a tensor each time it is read, as torchvision's own data sets give them; the loop asks for the loss of each
step, as the field's scripts do. They test after each epoch; here both sides test once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from benchmarks.common import interleaved, now, seconds_of
from core.data.dataset import Dataset, ImageSet
from core.data.preprocessing import Preprocessing
from core.data.sources import open_dataset

Result = TypeVar("Result")

CPU = torch.device("cpu")

FORGET = 3  # the class whose images neither side trains on
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
SIDE = 2048  # of matrices that are multiplied


def digits(side: int, channels: int, most: int = 0) -> Dataset:
    """Handwritten digits as images of another size: enlarged by whole steps, framed, and repeated for each channel.

    most: of the training images; 0: all 1,437.
    """
    found = open_dataset("digits")

    def part(images: ImageSet, count: int) -> ImageSet:
        step = side // images.images.shape[1]
        frame = (side - step * images.images.shape[1]) // 2
        large = np.kron(images.images.numpy()[:count, :, :, 0], np.ones((step, step), np.uint8))
        large = np.pad(large, ((0, 0), (frame, frame), (frame, frame)))
        return ImageSet(torch.from_numpy(large)[..., None].repeat(1, 1, 1, channels), images.labels[:count])

    preprocessing = Preprocessing((side, side), (0.5,) * channels, (0.5,) * channels)
    return replace(
        found, spec="digits", train=part(found.train, most or len(found.train)), test=part(found.test, len(found.test)),
        preprocessing=preprocessing, fingerprint=f"digits {side} {channels} {most}",
    )  # fmt: skip


class Images(TorchDataset):  # type: ignore[type-arg]
    """Images and labels as torchvision's data sets give them: a PIL image goes through `transform` when it is read."""

    def __init__(self, images: np.ndarray, labels: Sequence[int], transform: Callable[[Any], torch.Tensor]) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[index])
        return self.transform(image), self.labels[index]


def as_images(part: ImageSet, keep: torch.Tensor, preprocessing: Preprocessing) -> Images:
    """Return those images of a part that `keep` (n,) bool names, prepared by torchvision's transforms."""
    steps = [transforms.ToTensor(), transforms.Normalize(preprocessing.mean, preprocessing.std)]
    pixels = part.images[keep].numpy()
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    return Images(pixels, part.labels[keep].tolist(), transforms.Compose(steps))


@dataclass(frozen=True)
class Job:
    """What both sides do: fine-tune a network of fresh weights on all classes but one."""

    architecture: str
    dataset: Dataset
    epochs: int
    batch: int
    lr: float

    @property
    def sets(self) -> tuple[Images, Images]:
        """Training and test images of the classes that stay."""
        train, test = self.dataset.train, self.dataset.test
        prepared = self.dataset.preprocessing
        return as_images(train, train.labels != FORGET, prepared), as_images(test, test.labels != FORGET, prepared)


def fine_tune(model: nn.Module, job: Job, device: torch.device, workers: int = 0) -> float:
    """Fine-tune `model` in place and return its accuracy on unseen images, 0..1."""
    train, test = job.sets
    train_loader = DataLoader(train, batch_size=job.batch, shuffle=True, num_workers=workers)
    test_loader = DataLoader(test, batch_size=job.batch, num_workers=workers)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=job.lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=job.epochs * len(train_loader))
    for _ in range(job.epochs):
        model.train()
        running_loss = 0.0
        for images, labels in train_loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            running_loss += loss.item()
    return evaluate(model, test_loader, device)


def evaluate(model: nn.Module, loader: DataLoader, device: torch.device) -> float:  # type: ignore[type-arg]
    """Return the share of a loader's images that a model gets right."""
    model.eval()
    right = count = 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            right += (model(images).argmax(dim=1) == labels).sum().item()
            count += len(labels)
    return right / count


def timed(work: Callable[[], Result], device: torch.device = CPU) -> tuple[float, Result]:
    """Return the seconds that a piece of work on a device takes, and what it returns."""
    began = now(device)
    result = work()
    return now(device) - began, result


def products(precision: str, rounds: int) -> tuple[float, float, float]:
    """Time a product of two matrices of SIDE x SIDE on the processor, in float32 and in the engine's precision.

    Convolutions are such products, so what the processor gains by the precision bounds what the engine can. Returns the
    medians in seconds and the median of their ratios.
    """

    def product(dtype: torch.dtype) -> Callable[[], object]:
        left, right = torch.randn(2, SIDE, SIDE).to(dtype)
        return partial(torch.mm, left, right)

    plain, ours = product(torch.float32), product(getattr(torch, precision))
    plain(), ours()
    return interleaved(lambda: seconds_of(plain, 1, CPU), lambda: seconds_of(ours, 1, CPU), rounds)
