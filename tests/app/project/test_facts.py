"""What is told about opened data: how many files were left out, and how many count as black."""

import dataclasses

from app.pages.project.facts import data_facts
from core.data.dataset import Unreadable
from core.data.sources import open_dataset


def left_out(dataset):
    return [fact.value for fact in data_facts(dataset) if fact.key == "unreadable"]


def with_faults(images, faults):
    """Return the images as files, the first of which did not decode."""
    names = [file.path for file in faults] + [f"{number}.png" for number in range(len(faults), len(images))]
    reasons = {file.path: file.reason for file in faults}
    return dataclasses.replace(images, paths=tuple(names), faults=reasons)


def test_files_left_out_and_files_that_count_as_black():
    digits = open_dataset("digits")
    assert left_out(digits) == []
    two = (Unreadable("a.png", "no such file"), Unreadable("b.png", "the file is empty"))
    assert left_out(dataclasses.replace(digits, unreadable=two)) == ["2 files could not be read"]
    black = dataclasses.replace(digits, test=with_faults(digits.test, two[:1]))
    assert left_out(black) == ["1 counts as black"]
    both = dataclasses.replace(black, unreadable=two[:1], train=with_faults(digits.train, two))
    assert left_out(both) == ["1 file could not be read · 3 count as black"]
