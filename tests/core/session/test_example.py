"""What ships of the example is what was made, is opened without training, and what is known of it is found again."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from core.data.named import FASHION_CLASSES, find_source
from core.files import file_sha256, json_lines, read_json
from core.runs.folder import MODEL
from core.session.checking import known_lanes
from core.session.example import MEASURES, RECIPE, SHIPPED, SUMS, open_example
from core.session.references import trained_references
from core.verify.lanes import contradicted
from core.verify.measure_log import SUITE_VERSION
from scripts.example import first_of_each, shipped_files

MOST_BYTES = 5_000_000


def test_every_file_is_the_one_that_was_made():
    sums = dict(reversed(line.split("  ")) for line in SUMS.read_text().splitlines())
    found = {path.relative_to(SHIPPED).as_posix(): file_sha256(path) for path in shipped_files(SHIPPED)}
    assert found == sums
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) <= MOST_BYTES
    assert "MIT License" in (SHIPPED / "images" / "LICENSE").read_text()


def test_measures_are_of_the_suite_there_is():
    """Where a measure's definition changes, what ships is measured anew: python -m scripts.example --measure."""
    records = json_lines(gzip.decompress(MEASURES.read_bytes()))
    assert {record["suite"] for record in records} == {SUITE_VERSION}
    assert not [record for record in records if record["model"] == "unlearned"]


def test_images_are_the_first_of_each_class():
    source, sample = find_source("fashion-mnist"), find_source("fashion-sample")
    if not source.available():
        pytest.skip("Fashion-MNIST is not on this machine")
    whole, part = (one.read(one, one.find() or SHIPPED / "images", lambda *_: None) for one in (source, sample))
    for name in ("train", "test"):
        images, labels = (getattr(getattr(whole, name), what).numpy() for what in ("images", "labels"))
        chosen = first_of_each(labels, read_json(RECIPE)["images"][name])
        np.testing.assert_array_equal(getattr(part, name).images.numpy(), images[chosen])
        np.testing.assert_array_equal(getattr(part, name).labels.numpy(), labels[chosen])


def test_opening_it_trains_nothing_and_brings_what_it_is_held_against(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path))
    example = open_example()
    assert example.bench.model.spec.architecture == "small-cnn" and example.bench.dataset.classes == FASHION_CLASSES
    assert example.selection.describe().startswith("class bag")
    job = example.job()
    references = trained_references(job)
    assert tuple(references) == example.retrained == (1, 2, 3)
    assert {reference.job().forget.sha256 for reference in references.values()} == {job.forget.sha256}
    head_only, unlearned, retrained = lanes = known_lanes(job)  # nothing was measured here
    assert contradicted(lanes) and retrained.models == 3
    assert head_only.probe > retrained.probe > 0.8 and head_only.images < retrained.images
    assert unlearned.accuracy is None and unlearned.probe is None
    changed = references[1].file(MODEL)
    changed.unlink()
    open_example()  # what was removed is put there again
    assert changed.is_file()
