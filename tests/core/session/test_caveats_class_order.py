"""The order of classes is found on one half of the test images and judged on the other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from core.data.classes import read_class_names
from core.data.splits import evaluation_half
from core.errors import InputError
from core.session import caveats
from core.session.caveats import ClassOrder, find_class_order
from core.session.written import write_class_order


@pytest.fixture(scope="module")
def predicted(bench):
    return bench.on("cpu", threads=1).outputs(bench.model).test.logits.argmax(1).numpy()


def shuffled(dataset, order):
    """The data as it would be with its classes in another order: label i becomes order.index(i)."""
    new = torch.tensor([order.index(i) for i in range(len(order))])
    part = dataclasses.replace(dataset.test, labels=new[dataset.test.labels])
    return dataclasses.replace(dataset, classes=tuple(dataset.classes[i] for i in order), test=part)


def test_a_good_order_is_left_alone(predicted, digits):
    order = find_class_order(predicted, digits)
    assert not order.differs and not order.offered
    assert order.accuracy_now == order.accuracy_better > 0.8


def test_a_wrong_order_is_found_and_offered(predicted, digits):
    wrong = (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)
    data = shuffled(digits, wrong)
    order = find_class_order(predicted, data)
    assert [data.classes[i] for i in order.better] == list(digits.classes)
    assert order.offered and order.accuracy_now < 0.1
    judged = evaluation_half(data.test).numpy()
    right = predicted[judged] == digits.test.labels.numpy()[judged]
    assert order.accuracy_better == pytest.approx(right.mean())
    assert order.images == judged.sum()


def test_two_classes_taken_for_each_other_are_found_though_most_answers_are_right(predicted, digits):
    order = find_class_order(predicted, shuffled(digits, (1, 0, 2, 3, 4, 5, 6, 7, 8, 9)))
    assert order.differs and order.offered and order.accuracy_now > 0.7


def test_outputs_without_images_are_no_matter(predicted, digits):
    data = shuffled(digits, (1, 0, 2, 3, 4, 5, 6, 7, 8, 9))
    order = find_class_order(predicted, dataclasses.replace(data, classes=(*data.classes, "x", "y")))
    assert order.offered and order.better == (1, 0, *range(2, 12))


def test_two_classes_that_are_often_confused_are_no_wrong_order():
    confusion = np.array([[40, 60, 0], [55, 45, 0], [0, 0, 100]])
    order = ClassOrder((1, 0, 2), confusion)
    assert order.differs and not order.offered
    assert (order.accuracy_now, order.accuracy_better, order.images) == (185 / 300, 215 / 300, 300)


def test_a_model_that_knows_nothing_is_offered_no_order(digits):
    guesses = torch.randint(0, 10, (len(digits.test),), generator=torch.Generator().manual_seed(1)).numpy()
    order = find_class_order(guesses, digits)
    assert not order.offered


def test_a_model_that_always_says_the_same_keeps_its_order(digits):
    assert not find_class_order(np.zeros(len(digits.test), np.int32), digits).offered


def test_very_many_classes_are_given_no_order_in_place_of_gigabytes(predicted, digits, monkeypatch):
    monkeypatch.setattr(caveats, "_MOST_CLASSES", 9)
    assert find_class_order(predicted, digits) is None


def test_too_few_images_give_no_order(predicted, digits):
    few = dataclasses.replace(
        digits, test=dataclasses.replace(digits.test, images=digits.test.images[:30], labels=digits.test.labels[:30])
    )
    assert find_class_order(predicted[:30], few) is None


def test_training_images_tell_the_order_where_test_images_are_too_few(predicted, digits):
    test = dataclasses.replace(digits.test, images=digits.test.images[:30], labels=digits.test.labels[:30])
    wrong = (1, 0, 2, 3, 4, 5, 6, 7, 8, 9)
    labels = torch.tensor(wrong)[digits.train.labels]
    few = dataclasses.replace(digits, test=test, train=dataclasses.replace(digits.train, labels=labels))
    order = find_class_order(predicted[:30], few, digits.train.labels.numpy())
    assert (order.better, order.part, order.accuracy_better) == (wrong, "training", 1.0) and order.offered


def test_the_accuracy_of_any_order_is_known():
    order = ClassOrder((1, 0), np.array([[1, 3], [5, 1]]))
    assert order.accuracy_of((0, 1)) == pytest.approx(0.2)
    assert order.accuracy_of((1, 0)) == pytest.approx(0.8)


def test_a_written_order_is_read_back(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path))
    names = ("boot, left", "zebra", "ä")
    path = write_class_order(names)
    assert path.is_relative_to(tmp_path) and read_class_names(path) == names
    assert write_class_order(names) == path != write_class_order(names[::-1])
    with pytest.raises(InputError, match="cannot stand on a line"):
        write_class_order(("a\nb",))
