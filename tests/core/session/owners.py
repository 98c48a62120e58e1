"""Models as their owners make them: plain torch and torchvision, nothing of this program."""

from pathlib import Path
from typing import Any

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


def write_npz(path: Path, height: int = 20, width: int = 20, *, grey: bool = False) -> Path:
    """Write training and test images as arrays; grey ones (n, H, W) have one channel."""
    (x, y), (x_test, y_test) = pictures(160, height, width, 0), pictures(80, height, width, 1)
    x, x_test = (x[..., 0], x_test[..., 0]) if grey else (x, x_test)
    np.savez(path, x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    return path


def write_folders(root: Path, height: int = 96, width: int = 144, count: int = 160) -> Path:
    """Write training images and half as many test images as PNG files in class folders."""
    for part, images, seed in (("train", count, 0), ("test", count // 2, 1)):
        for number, (image, label) in enumerate(zip(*pictures(images, height, width, seed), strict=True)):
            file = root / part / f"stripes {label}" / f"{number:03d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
    return root


def resnet(stem: int = 7, stride: int = 2, pool: bool = True, **settings: Any) -> nn.Module:
    """Return torchvision's ResNet-18 with another stem."""
    torch.manual_seed(3)
    module = torchvision.models.resnet18(num_classes=CLASSES, **settings)
    module.conv1 = nn.Conv2d(3, 64, stem, stride=stride, padding=stem // 2, bias=False)
    if not pool:
        module.maxpool = nn.Identity()
    return module


class Group(nn.GroupNorm):
    """A group norm in place of a batch norm: made from the number of channels alone."""

    def __init__(self, channels: int) -> None:
        super().__init__(32, channels)


class SmallCNN(nn.Module):
    """Three convolution blocks and a hidden layer, with the keys of this program's small-cnn."""

    def __init__(self, channels: int = 3, side: int = 20) -> None:
        super().__init__()
        for number, (narrow, wide) in enumerate(((channels, 16), (16, 32), (32, 64)), 1):
            block = nn.Module()
            block.conv, block.norm = nn.Conv2d(narrow, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide)
            self.add_module(f"block{number}", block)
        self.hidden = nn.Linear(64 * (-(-side // 8)) ** 2, 128)
        self.head = nn.Linear(128, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in (self.block1, self.block2, self.block3):
            x = nn.functional.max_pool2d(block.norm(block.conv(x)).relu(), 2, ceil_mode=True)
        return self.head(self.hidden(x.flatten(1)).relu())


class Backbone(nn.Module):
    """A torchvision network without its head, and a head of one's own beside it."""

    def __init__(self, name: str, head: str, width: int) -> None:
        super().__init__()
        self.backbone = torchvision.models.get_model(name)
        self.backbone.set_submodule(head, nn.Identity())
        self.classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.backbone(x))


class ViT(nn.Module):
    """A vision transformer for 32 x 32 pixels with the keys of transformers' ViTForImageClassification."""

    WIDTH, INNER, LAYERS, HEADS, PATCH = 24, 40, 2, 3, 8

    def __init__(self) -> None:
        super().__init__()
        wide, inner = self.WIDTH, self.INNER
        sizes = {
            "attention.attention.query": wide, "attention.attention.key": wide, "attention.attention.value": wide,
            "attention.output.dense": wide, "intermediate.dense": inner,
        }  # fmt: skip
        tree = {"vit.embeddings.patch_embeddings.projection": nn.Conv2d(3, wide, self.PATCH, self.PATCH)}
        for layer in (f"vit.encoder.layer.{number}" for number in range(self.LAYERS)):
            tree |= {f"{layer}.{name}": nn.Linear(wide, size) for name, size in sizes.items()}
            tree[f"{layer}.output.dense"] = nn.Linear(inner, wide)
            tree |= {f"{layer}.layernorm_{when}": nn.LayerNorm(wide, eps=1e-12) for when in ("before", "after")}
        tree |= {"vit.layernorm": nn.LayerNorm(wide, eps=1e-12), "classifier": nn.Linear(wide, CLASSES)}
        for path, part in tree.items():
            at: nn.Module = self
            *above, last = path.split(".")
            for name in above:
                if name not in at._modules:
                    at.add_module(name, nn.Module())
                at = at.get_submodule(name)
            at.add_module(last, part)
        self.vit.embeddings.cls_token = nn.Parameter(torch.randn(1, 1, wide))
        self.vit.embeddings.position_embeddings = nn.Parameter(torch.randn(1, (32 // self.PATCH) ** 2 + 1, wide))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.vit.embeddings.patch_embeddings.projection(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.vit.embeddings.cls_token.expand(len(x), -1, -1), patches], 1)
        x = x + self.vit.embeddings.position_embeddings
        for number in range(self.LAYERS):
            layer = self.vit.encoder.layer.get_submodule(str(number))
            seen, own = layer.layernorm_before(x), layer.attention.attention
            parts = (own.query(seen), own.key(seen), own.value(seen))
            query, key, value = (part.unflatten(2, (self.HEADS, -1)).transpose(1, 2) for part in parts)
            weights = (query @ key.transpose(2, 3) / (self.WIDTH // self.HEADS) ** 0.5).softmax(-1)
            x = x + layer.attention.output.dense((weights @ value).transpose(1, 2).flatten(2))
            inner = nn.functional.gelu(layer.intermediate.dense(layer.layernorm_after(x)))
            x = x + layer.output.dense(inner)
        return self.classifier(self.vit.layernorm(x)[:, 0])


def trained(
    module: nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int = 150, head: str = "fc"
) -> nn.Module:
    """Set a network's norms to its images (n, C, H, W) and train its head on what comes out: a second, not minutes."""
    last = module.get_submodule(head)
    module.set_submodule(head, nn.Identity())
    for norm in (part for part in module.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.momentum = None
    with torch.no_grad():
        module.train()(images)
        features = module.eval()(images)
    optimiser = torch.optim.Adam(last.parameters(), 0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(last(features), labels).backward()
        optimiser.step()
    module.set_submodule(head, last)
    return module.eval()


def accuracy(module: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of images (n, C, H, W) that a network gets right."""
    with torch.no_grad():
        return float((module.eval()(images).argmax(1) == labels).float().mean())
