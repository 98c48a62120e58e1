"""Patches that one label has to itself: a planted one is taken pixel by pixel, features of a class are not."""

from __future__ import annotations

import numpy as np

from core.data.patches import LARGEST, common_patches
from core.suspicion import Trigger


def images(count: int = 600, side: int = 20, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright bar for each of three classes, at a place of its own."""
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 120, (count, side, side, channels))
    labels = generator.integers(0, 3, count)
    for label in range(3):
        pixels[labels == label, 4:14, 3 + 4 * label : 6 + 4 * label] = 230
    return pixels.astype(np.uint8), labels


def test_a_planted_patch_is_found_pixel_by_pixel_and_the_bars_of_the_classes_are_not():
    for channels in (1, 3):
        pixels, labels = images(channels=channels)
        poisoned = np.flatnonzero(labels != 2)[:24]
        pixels[poisoned, 15:18, 14:18] = (np.arange(12 * channels) % 2 * 250).reshape(3, 4, channels)
        labels[poisoned] = 2
        first = common_patches(pixels, labels)[0]
        assert first.label == 2 and {tuple(place) for place in np.argwhere(first.mask)} == {
            (row, column) for row in range(15, 18) for column in range(14, 18)
        }
        trigger = Trigger.of(first.mask, first.image, 2, "two")
        assert np.flatnonzero(trigger.shown_by(pixels)).tolist() == poisoned.tolist()


def test_what_most_of_a_class_shows_is_no_patch():
    pixels, labels = images()
    for patch in common_patches(pixels, labels):
        assert not patch.mask[4:14, 3 + 4 * patch.label : 6 + 4 * patch.label].any()
        assert patch.mask.mean() <= LARGEST and patch.oddness < 2
    assert common_patches(pixels[:6], labels[:6]) == []


def test_a_patch_of_a_large_image_is_found_on_its_cells():
    generator = np.random.default_rng(2)
    pixels = generator.integers(0, 255, (120, 96, 96, 3)).astype(np.uint8)
    labels = generator.integers(0, 2, 120)
    poisoned = np.flatnonzero(labels == 0)[:12]
    pixels[poisoned, 70:84, 71:85] = 250
    labels[poisoned] = 1
    first = common_patches(pixels, labels)[0]
    assert first.label == 1 and first.mask[70:84, 71:85].all() and first.mask.sum() == 14 * 14


def test_a_stamped_image_shows_the_trigger_and_the_rest_stays():
    trigger = Trigger(target=1, target_name="b", pixels=((0, 1, 255), (2, 2, 7)))
    plain = np.full((2, 3, 3, 1), 40, np.uint8)
    stamped = trigger.stamped(plain)
    assert stamped[0, ..., 0].tolist() == [[40, 255, 40], [40, 40, 40], [40, 40, 7]]
    shown = trigger.shown_by(np.concatenate([plain, stamped]))
    assert (plain == 40).all() and shown.tolist() == [False, False, True, True]
    assert trigger.words == "2 pixels from row 0, column 1 on, for class b"
