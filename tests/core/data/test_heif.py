"""HEIC images, where the package that reads them is installed; files are written by it."""

import numpy as np
import pytest
from PIL import Image

from core.data.images import NEEDS_HEIF
from core.data.sources import open_dataset

pillow_heif = pytest.importorskip("pillow_heif", reason="an extra: pip install unlearn-studio[heif]")


def test_heic_images_are_read_and_found_once_the_package_is_there(tmp_path, monkeypatch):
    colours = {"blue": (20, 40, 200), "red": (200, 30, 20)}
    for name, colour in colours.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        image = Image.fromarray(np.full((64, 48, 3), colour, np.uint8))
        for number in range(3):
            pillow_heif.from_pillow(image).save(tmp_path / "data" / name / f"IMG_{number}.HEIC", quality=90)
        image.save(tmp_path / "data" / name / "a.jpg")
        image.save(tmp_path / "data" / name / "b.avif")
    with monkeypatch.context() as without:
        without.setattr("core.data.images.reads_heif", lambda: False)
        data = open_dataset(str(tmp_path / "data"), test_fraction=0.4)
        assert len(data.unreadable) == 6 and {file.reason for file in data.unreadable} == {NEEDS_HEIF}
    data = open_dataset(str(tmp_path / "data"), test_fraction=0.4)
    assert not data.unreadable and len(data.train) + len(data.test) == 10
    for image, label in zip(data.train.images, data.train.labels, strict=True):
        wanted = list(colours.values())[label]
        assert np.abs(image.numpy().reshape(-1, 3).mean(0) - wanted).max() < 12


def test_a_table_with_heic_images(tmp_path, monkeypatch):
    """Their fault is not remembered: the package may be installed tomorrow."""
    image = Image.fromarray(np.full((32, 32, 3), 90, np.uint8))
    for number in range(4):
        pillow_heif.from_pillow(image).save(tmp_path / f"{number}.heic")
    (tmp_path / "list.csv").write_text("path,label\n0.heic,a\n1.heic,b\n2.heic,a\n3.heic,b\n")
    with monkeypatch.context() as without:
        without.setattr("core.data.images.reads_heif", lambda: False)
        with pytest.raises(Exception, match="HEIC images are read with an extra"):
            open_dataset(str(tmp_path / "list.csv"), test_fraction=0.5)
    assert len(open_dataset(str(tmp_path / "list.csv"), test_fraction=0.5).train) == 2
