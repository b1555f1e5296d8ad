"""Labels: what counts as one, the order of classes, and what is refused."""

import numpy as np
import pytest

from tf_distill.common.errors import UserError
from tf_distill.datasets import labels


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a", " b "], ["a", "b"]),
        ([b"caf\xc3\xa9"], ["caf\u00e9"]),
        ([1, np.int64(2), 3.0], ["1", "2", "3"]),
        (np.array([[4], [5]], np.uint8), ["4", "5"]),
        (np.array(["x", "y"]), ["x", "y"]),
    ],
)
def test_whole_numbers_and_strings_are_labels(given, expected):
    assert labels.plain(given, "here") == expected


@pytest.mark.parametrize("bad", [0.5, float("nan"), None, "", " ", [1], {}])
def test_what_is_no_label_is_named_with_its_position(bad):
    with pytest.raises(UserError) as error:
        labels.plain(["a", bad], "train.csv")
    assert str(error.value).startswith(f"train.csv: label 1 is {bad!r}, expected a whole number")


@pytest.mark.parametrize("given", [np.eye(3), np.eye(3).tolist()])
def test_one_hot_labels_are_told_from_broken_ones(given):
    with pytest.raises(
        UserError, match=r"label 0 is \[1.0, 0.0, 0.0\].*; if it is one-hot give y.arg"
    ):
        labels.plain(given, "y_train")


def test_classes_are_in_the_order_of_numbers_or_of_the_alphabet():
    assert labels.class_names(["10", "9", "9", "10"], "here") == ("9", "10")
    assert labels.class_names(["b", "10", "b", "10"], "here") == ("10", "b")
    assert labels.ordered(name for name in ("b", "a")) == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "here has no examples"),
        (["a", "a"], "here has one class, 'a', expected at least two"),
        (["a", "a", "b"], "here: class 'b' has one example, expected at least two"),
        (list("abcdefgh"), "here: 8 of 8 classes have one example"),
    ],
)
def test_too_few_examples_of_a_class_are_refused(given, text):
    with pytest.raises(UserError, match=text):
        labels.class_names(given, "here")


def test_classes_that_training_lacks_are_named():
    np.testing.assert_array_equal(labels.indices(["b", "a"], ("a", "b"), "test"), [1, 0])
    with pytest.raises(UserError, match="test: class 'c', 'd' does not occur in the training data"):
        labels.indices(["d", "a", "c"], ("a", "b"), "test")


def test_labels_are_names_or_positions():
    assert labels.renamed(["0", "1"], ("no", "yes"), "here") == ["no", "yes"]
    assert labels.renamed(["yes"], ("no", "yes"), "here") == ["yes"]
    assert labels.renamed(["1", "0"], ("1", "0"), "here") == ["1", "0"]
    with pytest.raises(UserError, match=r"label '2' is not in classes, .* a number from 0 to 1"):
        labels.renamed(["0", "2"], ("no", "yes"), "here")
