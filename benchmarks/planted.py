"""Copies of pictures as people make them, by Pillow and torchvision alone, and pictures to make them of."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torchvision.transforms.functional as transforms
from PIL import Image

Change = Callable[[Image.Image, np.random.Generator], Image.Image]
SHARE = 0.86  # of a side that a crop keeps


def moved(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """By 2 pixels of 28, black coming in."""
    step = image.width // 14
    right, down = step * generator.permutation([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1)])[0]
    return transforms.affine(image, 0, [int(right), int(down)], 1.0, [0.0])


def cropped(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    wide, tall = round(SHARE * image.width), round(SHARE * image.height)
    left, top = generator.integers(image.width - wide + 1), generator.integers(image.height - tall + 1)
    return transforms.crop(image, int(top), int(left), tall, wide).resize(image.size, Image.Resampling.BICUBIC)


def cut_around(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """The middle alone."""
    wide, tall = round(SHARE * image.width), round(SHARE * image.height)
    return transforms.center_crop(image, [tall, wide]).resize(image.size, Image.Resampling.BILINEAR)


def turned(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    return transforms.rotate(image, 5 * int(generator.choice([-1, 1])), transforms.InterpolationMode.BILINEAR)


def resized(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    small = image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.BILINEAR)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def recompressed(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=50)
    return Image.open(held)


def mirrored(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    return transforms.hflip(image)


def brightened(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    brighter = transforms.adjust_brightness(image, 1 + float(generator.choice([-0.15, 0.15])))
    return transforms.adjust_contrast(brighter, 1 + float(generator.choice([-0.15, 0.15])))


CHANGES: tuple[Change, ...] = (moved, cropped, cut_around, turned, resized, recompressed, mirrored, brightened)


def copy_of(pixels: np.ndarray, change: Change, generator: np.random.Generator) -> np.ndarray:
    """Return pixels (H, W, C) uint8 after a change, in the same shape."""
    grey = pixels.shape[2] == 1
    image = change(Image.fromarray(pixels[..., 0] if grey else pixels), generator)
    return np.asarray(image.convert("L" if grey else "RGB")).reshape(pixels.shape)


def photo_tiles(side: int = 64) -> np.ndarray:
    """Return tiles of scikit-learn's two photographs, side by side: (n, side, side, 3) uint8; leaves and roofs recur.

    Those of plain sky are left out: there is nothing to see on them.
    """
    from sklearn.datasets import load_sample_images

    tiles = []
    for photo in load_sample_images().images:
        down, across = photo.shape[0] // side, photo.shape[1] // side
        held = photo[: down * side, : across * side].reshape(down, side, across, side, 3)
        tiles.append(held.swapaxes(1, 2).reshape(-1, side, side, 3))
    found = np.concatenate(tiles)
    return found[found.mean(3).std((1, 2)) > 12]


def waves(seed: int, side: int = 48) -> np.ndarray:
    """Return overlaid waves of all directions and colours: smooth like a photograph, different for every seed."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    image = np.zeros((side, side, 3))
    for number in range(1, 10):
        down, across = generator.normal(size=2) * 3
        wave = np.sin(2 * np.pi * (down * y + across * x) + generator.uniform(0, 7))
        image += wave[..., None] * generator.normal(size=3) / number**0.5
    image -= image.min()
    return (image * 255 / image.max()).astype(np.uint8)


def garments(count: int, seed: int = 0) -> np.ndarray:
    """Return drawings of trousers of one make: (count, 28, 28, 1) uint8; waist, legs, folds and shade vary a little.

    They correlate as Fashion-MNIST's do (0.9 and more), so that a fixed correlation takes one for the other.
    """
    generator = np.random.default_rng(seed)
    fine = 4
    y, x = np.mgrid[0 : 28 * fine, 0 : 28 * fine] / (28 * fine)
    drawn = []
    for _ in range(count):
        waist, hem, split = generator.normal(0.20, 0.015), generator.normal(0.24, 0.02), generator.normal(0.3, 0.04)
        middle, lean = generator.normal(0.5, 0.01), generator.normal(0, 0.015, 2)
        outer = waist + (hem - waist) * y
        gap = np.clip((y - split) * generator.normal(0.16, 0.03), 0, None)
        offset = x - middle - np.where(x > middle, lean[0], lean[1]) * y
        inside = (np.abs(offset) < outer) & (np.abs(offset) >= gap)
        cloth = generator.normal(170, 15) + 30 * np.cos(generator.normal(5, 1) * offset + generator.uniform(0, 6))
        for _ in range(6):  # folds
            place, height = generator.uniform(0.3, 0.7), generator.uniform(0, 1)
            width = generator.uniform(0.02, 0.08)
            cloth += generator.normal(0, 45) * np.exp(-((x - place) ** 2 + (y - height) ** 2 / 4) / (2 * width**2))
        picture = np.where(inside, np.clip(cloth, 20, 255), 0)
        drawn.append(picture.reshape(28, fine, 28, fine).mean((1, 3)))
    return np.stack(drawn)[..., None].astype(np.uint8)
