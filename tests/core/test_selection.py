"""Forget-set algebra against Python sets, and its words."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ForgetSetError, InputError, NotFoundError
from core.selection import Selection, format_share, resolve_classes
from core.suspicion import Trigger

NAMES = ("cat", "dog", "cow", "pig")


def selection(labels, chosen=()):
    return Selection.empty(np.array(labels, dtype=np.int64), NAMES).with_samples(chosen)


labels_and_ids = st.lists(st.integers(0, 3), min_size=1, max_size=40).flatmap(
    lambda labels: st.tuples(
        st.just(labels),
        st.sets(st.integers(0, len(labels) - 1)),
        st.sets(st.integers(0, len(labels) - 1)),
        st.sets(st.integers(0, 3)),
    )
)


@given(labels_and_ids)
def test_the_algebra_is_that_of_sets(case):
    labels, a, b, classes = case
    everything = set(range(len(labels)))
    of_classes = {i for i in everything if labels[i] in classes}
    s = selection(labels, a)
    for result, expected in (
        (s, a),
        (s.with_samples(b), a | b),
        (s.with_samples(b, on=False), a - b),
        (s.toggled(b), a ^ b),
        (s.toggled(np.array(sorted(b), dtype=np.int32)), a ^ b),
        (s.with_classes(classes), a | of_classes),
        (s.with_classes(classes, on=False), a - of_classes),
        (s.toggled_classes(classes), a ^ of_classes),
        (s.cleared(), set()),
    ):
        assert set(result.indices.tolist()) == expected
        assert result.count == len(result) == len(expected) and result.total == len(labels)
        assert result == selection(labels, expected)
        assert result.digest() == selection(labels, expected).digest()
    assert set(s.indices.tolist()) == a  # nothing above changed it


@given(labels_and_ids)
def test_mode_counts_and_complete_classes(case):
    labels, chosen, _, classes = case
    s = selection(labels, chosen).with_classes(classes)
    chosen = chosen | {i for i, label in enumerate(labels) if label in classes}
    complete = {c for c in range(4) if labels.count(c) and all(i in chosen for i, x in enumerate(labels) if x == c)}
    loose = sum(labels[i] not in complete for i in chosen)
    assert set(s.complete_classes) == complete and s.loose_count == loose
    assert s.class_counts.tolist() == [sum(labels[i] == c for i in chosen) for c in range(4)]
    expected = "empty" if not chosen else "sample" if not complete else "mixed" if loose else "class"
    assert s.mode == expected
    assert s.describe()


def test_nobody_can_write_to_a_selection():
    mask = np.zeros(4, dtype=bool)
    s = Selection(mask, np.array([0, 0, 1, 1]), NAMES[:2])
    mask[0] = True
    assert s.count == 0
    for array in (s.mask, s.with_samples([1]).indices, s.class_totals):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = True
    with pytest.raises(AttributeError):
        s.mask = mask


def test_the_digest_is_of_the_packed_mask():
    s = selection([0] * 9, [0, 8])
    assert s.packed == bytes([0b10000000, 0b10000000])
    assert s.digest() == hashlib.sha256(s.packed).hexdigest()


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match="one value a sample"):
        Selection(np.zeros(3, dtype=bool), np.zeros(4, dtype=int), NAMES)


@pytest.mark.parametrize("ids", [[4], [-1], np.array([0, 99])])
def test_samples_that_do_not_exist(ids):
    with pytest.raises(ForgetSetError, match=r"There is no sample (4|-1|99)\. Samples are 0 to 3\."):
        selection([0, 0, 1, 1], ids)


def test_samples_must_be_named_by_numbers():
    with pytest.raises(ForgetSetError, match="named by whole numbers, got float64"):
        selection([0, 1], np.array([0.5]))


def test_a_class_that_does_not_exist():
    with pytest.raises(ForgetSetError, match=r"There is no class 4\. Classes are 0 to 3\."):
        selection([0, 1]).with_classes([4])


def test_check_says_the_windows_words():
    with pytest.raises(ForgetSetError) as caught:
        selection([0, 1]).check()
    assert caught.value.text == "Choose at least one image."
    with pytest.raises(ForgetSetError) as caught:
        selection([0, 1], [0, 1]).check()
    assert caught.value.text == "At least one class must stay."
    selection([0, 1], [0]).check()


# --- words --------------------------------------------------------------------------------------------------------

FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def fashion():
    return Selection.empty(np.arange(60_000) % 10, FASHION)


def test_describe_is_the_line_of_the_interface():
    others = np.flatnonzero(fashion().labels != 5)[:37]
    assert fashion().with_classes([5]).with_samples(others).describe() == (
        "class sandal and 37 single images · 6,037 of 60,000 (10.1 %) · class forgetting + single images"
    )
    assert fashion().with_classes([5]).describe() == "class sandal · 6,000 of 60,000 (10.0 %) · class forgetting"
    large = Selection.empty(np.arange(50_000) % 10, FASHION)
    assert large.with_samples(np.arange(37) * 10 + np.arange(37) % 5).describe() == (
        "37 images in 5 classes · 0.07 % of 50,000 · sample forgetting"
    )


def test_describe_other_numbers():
    assert fashion().describe() == "Nothing chosen · 0 of 60,000"
    assert fashion().with_samples([3]).describe() == "1 image in 1 class · under 0.01 % of 60,000 · sample forgetting"
    assert fashion().with_classes([5, 8]).with_samples([0]).describe() == (
        "classes sandal and bag and 1 single image · 12,001 of 60,000 (20.0 %) · class forgetting + single images"
    )
    assert fashion().with_classes(range(4)).describe().startswith("classes t-shirt, trouser, pullover and dress · ")
    assert fashion().with_classes(range(6)).describe().startswith("classes t-shirt, trouser, pullover and 3 more · ")
    assert fashion().toggled_classes(range(10)).describe().endswith("60,000 of 60,000 (100 %) · class forgetting")


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 10, "0 %"),
        (10, 10, "100 %"),
        (1, 1_000_000, "under 0.01 %"),
        (7, 10_000, "0.07 %"),
        (1, 1000, "0.1 %"),
        (99, 100_000, "0.10 %"),
        (1, 3, "33.3 %"),
        (9_999, 10_000, "> 99.9 %"),
        (999, 1000, "99.9 %"),
    ],
)
def test_shares(part, whole, words):
    assert format_share(part, whole) == words


# --- weights ------------------------------------------------------------------------------------------------------


def test_weights_stay_with_their_samples():
    s = selection([0, 0, 1, 1]).with_samples([1, 2], weights=np.array([0.5, 2.0]))
    assert s.weights.tolist() == [1, 0.5, 2, 1]
    assert s.with_samples([3]).weights.tolist() == [1, 0.5, 2, 1]
    assert s.with_samples([1], on=False).weights.tolist() == [1, 1, 2, 1]
    assert s.with_samples([1, 2], on=False).weights is None and s.cleared().weights is None
    assert s != selection([0, 0, 1, 1], [1, 2]) and s.digest() == selection([0, 0, 1, 1], [1, 2]).digest()
    assert selection([0, 1]).with_samples([0], weights=np.ones(1)).weights is None


@pytest.mark.parametrize("weight", [-1e-9, 1e6 + 1, np.nan, np.inf])
def test_weights_are_numbers_from_0(weight):
    with pytest.raises(ValueError, match="weights must be numbers from 0 to 1e"):
        selection([0, 1]).with_samples([0], weights=np.array([weight]))


def test_weights_have_a_hash_of_their_own():
    plain = selection([0, 0, 1, 1]).with_samples([1, 2])
    weighted = [plain.with_samples([1, 2], weights=np.array(w)) for w in ([0.5, 2.0], [2.0, 0.5], [1.0, 1.0])]
    assert plain.weights_digest() == weighted[2].weights_digest() == ""
    assert len({s.weights_digest() for s in weighted}) == 3 and {s.digest() for s in weighted} == {plain.digest()}


def test_a_set_without_any_weight_is_refused():
    s = selection([0, 0, 1, 1]).with_samples([1, 2], weights=np.array([0.0, 0.0]))
    with pytest.raises(ForgetSetError, match="Every chosen image has weight 0"):
        s.check()
    s.with_samples([1], weights=np.array([0.5])).check()


# --- classes by name or index -------------------------------------------------------------------------------------


def test_a_name_or_an_index():
    assert resolve_classes(["cow", "0", 1, "cat"], NAMES) == (2, 0, 1)
    assert resolve_classes([], NAMES) == ()


def test_a_name_that_is_its_own_index_is_clear():
    assert resolve_classes(["3"], [str(i) for i in range(10)]) == (3,)


def test_a_name_that_is_another_ones_index_is_refused_and_both_are_named():
    with pytest.raises(InputError) as caught:
        resolve_classes(["1"], ["1", "2", "3"])
    assert caught.value.exit_code == 3
    assert caught.value.message == "'1' is the name of class 0 and the index of class '2'."
    assert caught.value.hint == "Write 0 for the first, or '2' for the second."


def test_numbers_given_as_numbers_are_indices():
    assert resolve_classes([1], ["1", "2", "3"]) == (1,)


@pytest.mark.parametrize("wanted", ["77", "-1", "4", "²", "1.0", "", "Cow "])
def test_unknown_classes(wanted):
    with pytest.raises(NotFoundError, match=r"There is no class .*The data has 4 classes, 0 to 3\."):
        resolve_classes([wanted], NAMES)


def test_the_nearest_name_is_offered():
    with pytest.raises(NotFoundError, match=r"There is no class 'Cow'\. Did you mean cow\?"):
        resolve_classes(["Cow"], ("cow", "zebra"))


def test_what_was_added_for_looking_like_others_is_remembered_and_changes_nothing_else():
    s = Selection.empty(np.zeros(5, int), ("a",)).with_samples([0, 1])
    more = s.with_samples([2], similar=0.9).with_samples(np.array([3]), similar=0.87)
    assert (s.similar_count, s.similar_from) == (0, 0.0)
    assert (more.similar_count, more.similar_from) == (2, 0.87)
    assert more == s.with_samples([2, 3]) and more.digest() == s.with_samples([2, 3]).digest()
    assert more.with_samples([3], on=False).similar_from == 0.9 and more.cleared().similar is None
    assert more.toggled([2, 3]).similar is None


def test_a_selection_of_nothing_is_no_correction():
    trigger = Trigger(target=1, target_name="dog", pixels=((0, 0, 255),))
    corrected = selection([0, 0, 1], [1]).correcting(trigger=trigger)
    assert (corrected.corrective, corrected.trigger) == (True, trigger)
    emptied = corrected.with_samples([1], on=False)
    assert (emptied.corrective, emptied.trigger) == (False, None) and emptied == corrected.cleared()
    later = emptied.with_classes([1])
    assert not later.corrective and "correction" not in later.describe()
