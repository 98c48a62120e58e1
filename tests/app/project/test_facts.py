"""What is told about opened data: how many files were left out, and how many count as black."""

import dataclasses

from app.pages.project.facts import data_facts
from core.data.dataset import ImageSet, Unreadable
from core.data.sources import open_dataset


def left_out(dataset):
    return [fact.value for fact in data_facts(dataset) if fact.key == "unreadable"]


def test_files_left_out_and_files_that_count_as_black():
    digits = open_dataset("digits")
    assert left_out(digits) == []
    two = (Unreadable("a.png", "no such file"), Unreadable("b.png", "the file is empty"))
    assert left_out(dataclasses.replace(digits, unreadable=two)) == ["2 files could not be read"]
    black = dataclasses.replace(digits, test=ImageSet(digits.test.images, digits.test.labels, black=two[:1]))
    assert left_out(black) == ["1 counts as black"]
    train = ImageSet(digits.train.images, digits.train.labels, black=two)
    both = dataclasses.replace(black, unreadable=two[:1], train=train)
    assert left_out(both) == ["1 file could not be read · 3 count as black"]
