"""Both splits: what is held out, and that inputs keep their labels."""

from collections import Counter

import numpy as np
import pytest

from tf_distill.common.errors import UserError
from tf_distill.datasets.labels import part

WHERE = ("train", "test")


def test_a_fifth_is_held_out_stratified_and_by_the_seed():
    x, y = np.arange(100), ["a"] * 75 + ["b"] * 25
    parts = part((x, y), None, WHERE)
    assert Counter(parts.y_test.tolist()) == {0: 15, 1: 5}
    assert sorted([*parts.x_train, *parts.x_test]) == list(range(100))
    np.testing.assert_array_equal(parts.x_train >= 75, parts.y_train == 1)
    np.testing.assert_array_equal(parts.x_test, part((x, y), None, WHERE).x_test)
    assert np.any(parts.x_test != part((x, y), None, WHERE, seed=1).x_test)


@pytest.mark.parametrize("classes", [2, 7, 50])
def test_each_class_has_a_training_example_when_all_have_two(classes):
    y = [str(i) for i in range(classes)] * 2
    parts = part((np.arange(2 * classes), y), None, WHERE)
    assert set(parts.y_train) == set(parts.y_test) == set(range(classes))


def test_test_data_are_taken_as_they_are():
    parts = part((np.arange(4), [1, 1, 2, 2]), (np.arange(2), ["2", "1"]), WHERE)
    assert parts.classes == ("1", "2")
    np.testing.assert_array_equal(parts.y_test, [1, 0])


def test_names_of_classes_give_the_order():
    parts = part((np.arange(4), [0, 0, 1, 1]), (np.arange(1), [1]), WHERE, ["zebra", "ant"])
    assert parts.classes == ("zebra", "ant")
    np.testing.assert_array_equal(parts.y_train, [0, 0, 1, 1])
    np.testing.assert_array_equal(parts.y_test, [1])


@pytest.mark.parametrize(
    ("train", "test", "classes", "text"),
    [
        ("aab", None, None, "train: class 'b' has one example"),
        ("aabb", "", None, "test has no examples"),
        ("aabb", "abc", None, "test: class 'c' does not occur in the training data"),
        ("aabb", None, "abc", "train: class 'c' has no example"),
    ],
)
def test_refuses(train, test, classes, text):
    splits = [None if y is None else (np.arange(len(y)), list(y)) for y in (train, test)]
    with pytest.raises(UserError, match=text):
        part(*splits, WHERE, classes)


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, True, None])
def test_refuses_seeds_that_are_none(seed):
    with pytest.raises(UserError, match=r"^seed must be (at least 0|a whole number)"):
        part((np.arange(4), list("aabb")), None, WHERE, seed=seed)


def test_as_many_labels_as_inputs():
    with pytest.raises(UserError, match="train: got 3 inputs and 2 labels"):
        part((np.arange(3), ["a", "a"]), None, WHERE)
