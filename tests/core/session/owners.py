"""Models as their owners make them: plain torch and torchvision, nothing of this program."""

from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn

CLASSES = 4


def pictures(count: int, height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, H, W, 3) uint8 of stripes, whose direction and width is the class, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    tall, wide = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, width / height, width), indexing="ij")
    images = []
    for label in labels:
        angle, waves = (label % 2) * np.pi / 2 + rng.normal(0, 0.25), 2 + 2 * (label // 2) + rng.normal(0, 0.3)
        wave = np.sin(2 * np.pi * waves * (tall * np.cos(angle) + wide * np.sin(angle)) + rng.uniform(0, 6))
        colour = rng.uniform(40, 215, 3) + 55 * wave[..., None] * rng.uniform(0.3, 1, 3)
        images.append(colour + rng.normal(0, 12, (height, width, 3)))
    return np.clip(images, 0, 255).astype(np.uint8), labels


def write_npz(path: Path, height: int = 20, width: int = 20) -> Path:
    """Write training and test images as arrays."""
    (x, y), (x_test, y_test) = pictures(160, height, width, 0), pictures(80, height, width, 1)
    np.savez(path, x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    return path


def write_folders(root: Path, height: int = 96, width: int = 144) -> Path:
    """Write training and test images as PNG files in class folders."""
    for part, count, seed in (("train", 160, 0), ("test", 80, 1)):
        for number, (image, label) in enumerate(zip(*pictures(count, height, width, seed), strict=True)):
            file = root / part / f"stripes {label}" / f"{number:03d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
    return root


def resnet(stem: int = 7, stride: int = 2, pool: bool = True) -> nn.Module:
    """Return torchvision's ResNet-18 with another stem."""
    torch.manual_seed(3)
    module = torchvision.models.resnet18(num_classes=CLASSES)
    module.conv1 = nn.Conv2d(3, 64, stem, stride=stride, padding=stem // 2, bias=False)
    if not pool:
        module.maxpool = nn.Identity()
    return module


def trained(module: nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int = 150) -> nn.Module:
    """Set a network's norms to its images (n, C, H, W) and train its head on what comes out: a second, not minutes."""
    head = module.fc
    module.fc = nn.Identity()
    for norm in (part for part in module.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.momentum = None
    with torch.no_grad():
        module.train()(images)
        features = module.eval()(images)
    optimiser = torch.optim.Adam(head.parameters(), 0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(head(features), labels).backward()
        optimiser.step()
    module.fc = head
    return module.eval()


def accuracy(module: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of images (n, C, H, W) that a network gets right."""
    with torch.no_grad():
        return float((module.eval()(images).argmax(1) == labels).float().mean())
