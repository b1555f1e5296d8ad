"""Labels: which values are one, the order of classes, and both splits."""

import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from tf_distill.common.errors import UserError
from tf_distill.datasets import labels
from tf_distill.datasets.labels import make_parts

WHERE = ("train", "test")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a", " b "], ["a", "b"]),
        ([b"caf\xc3\xa9"], ["caf\u00e9"]),
        ([1, np.int64(2), 3.0], ["1", "2", "3"]),
        (pd.cut([1, 5], [0, 2, 9]), ["(0, 2]", "(2, 9]"]),
        (np.array([[4], [5]], np.uint8), ["4", "5"]),
        (np.array(["x", "y"]), ["x", "y"]),
    ],
)
def test_whole_numbers_and_strings_are_labels(given, expected):
    assert labels.label_names(given, "here") == expected


@pytest.mark.parametrize("bad", [0.5, float("nan"), None, "", " ", [1], {}])
def test_what_is_no_label_is_named_with_its_position(bad):
    with pytest.raises(UserError) as error:
        labels.label_names(["a", bad], "train.csv")
    assert str(error.value).startswith(f"train.csv: label 1 is {bad!r}, expected a whole number")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (np.eye(3), r"label 0 is \[1.0, 0.0, 0.0\].*; as these are one-hot .* give labels.argmax"),
        (np.eye(3).tolist(), "one-hot"),
        ([[0.2, 0.8], [0.5, 0.5]], "one-hot or probabilities"),
        (np.array([[1, 0, 0], [1, 0, 1]]), r"one class, not several .*, such as labels\[:, 0\]"),
        (np.array([[1, 0], [0, 0]]), "one class, not several labels"),
        ([["a", "b"], ["a", "c"]], "one class, not several labels: give one label of each$"),
        (["a", ["a", "b"]], "one class, not several labels"),
        ([1.0, 2.5], "label 1 is 2.5, .* give task=regression; or cut .* by numpy.digitize"),
    ],
)
def test_advice_fits_what_the_labels_are(given, text):
    with pytest.raises(UserError, match=text):
        labels.label_names(given, "y_train")


def test_advice_about_quantities_leads_out():
    y = np.random.default_rng(0).uniform(0, 9, 60)
    parts = make_parts((np.arange(60), np.digitize(y, [3, 6])), None, WHERE)
    assert parts.classes == ("0", "1", "2")


ODD = [
    (["1.5", "2.5", "3.5"], "give task=regression; or cut numbers such as '1.5' into ranges"),
    (["a", "b", "a;b"], "not several labels: give one label in place of, for instance, 'a;b'"),
    (["a, b", "a, c", "b, c"], "in place of, for instance, 'a, b'"),
    (["pos", "POS", "neg"], "'POS', 'pos' differ only in case: give them one name"),
]


@pytest.mark.parametrize(("given", "text"), ODD)
def test_classes_that_look_like_something_else_are_told(given, text, capsys):
    labels.class_names(given * 2, "here")
    found = capsys.readouterr().out
    assert re.search(f"^warning: here: .*{text}; now each of these 3 is a class of its own", found)
    with pytest.raises(UserError, match=f"3 of 3 classes have one example .*{text}$"):
        labels.class_names(given, "here")


def test_many_whole_numbers_that_do_not_number_classes_are_told(capsys):
    labels.class_names([str(2 * i) for i in range(40)] * 2, "here")
    assert "give task=regression; now each" in capsys.readouterr().out
    labels.class_names([str(i) for i in range(1, 41)] * 2, "here")
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    "given", [["1", "2.0"], ["Doe, John", "Roe, Ann"], ["a|b", "c"], ["a", "A"]]
)
def test_other_names_of_classes_are_not_remarked_on(given, capsys):
    labels.class_names(given * 2, "here")
    assert not capsys.readouterr().out


def test_classes_are_in_the_order_of_numbers_or_of_the_alphabet():
    assert labels.class_names(["10", "9", "9", "10"], "here") == ("9", "10")
    assert labels.class_names(["b", "10", "b", "10"], "here") == ("10", "b")
    assert labels.sort_names(name for name in ("b", "a")) == ["a", "b"]


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


def test_labels_are_names_or_positions():
    assert labels.names_of_positions(["0", "1"], ("no", "yes"), "here") == ["no", "yes"]
    assert labels.names_of_positions(["yes"], ("no", "yes"), "here") == ["yes"]
    assert labels.names_of_positions(["1", "0"], ("1", "0"), "here") == ["1", "0"]
    with pytest.raises(UserError, match=r"label '2' is not in classes, .* a number from 0 to 1"):
        labels.names_of_positions(["0", "2"], ("no", "yes"), "here")


def test_a_fifth_is_held_out_stratified_and_by_the_seed():
    x, y = np.arange(100), ["a"] * 75 + ["b"] * 25
    parts = make_parts((x, y), None, WHERE)
    assert Counter(parts.y_test.tolist()) == {0: 15, 1: 5}
    assert sorted([*parts.x_train, *parts.x_test]) == list(range(100))
    np.testing.assert_array_equal(parts.x_train >= 75, parts.y_train == 1)
    np.testing.assert_array_equal(parts.x_test, make_parts((x, y), None, WHERE).x_test)
    assert np.any(parts.x_test != make_parts((x, y), None, WHERE, seed=1).x_test)


@pytest.mark.parametrize("classes", [2, 7, 50])
def test_each_class_has_a_training_example_when_all_have_two(classes):
    y = [str(i) for i in range(classes)] * 2
    parts = make_parts((np.arange(2 * classes), y), None, WHERE)
    assert set(parts.y_train) == set(parts.y_test) == set(range(classes))


def test_names_of_classes_give_the_order():
    train, test = (np.arange(4), [1, 1, 2, 2]), (np.arange(2), ["2", "1"])
    parts = make_parts(train, test, WHERE)
    assert (parts.classes, parts.y_test.tolist()) == (("1", "2"), [1, 0])
    parts = make_parts((np.arange(4), [0, 0, 1, 1]), (np.arange(1), [1]), WHERE, ["zebra", "ant"])
    assert parts.classes == ("zebra", "ant")
    assert (parts.y_train.tolist(), parts.y_test.tolist()) == ([0, 0, 1, 1], [1])


@pytest.mark.parametrize(
    ("train", "test", "classes", "text"),
    [
        ("aab", None, None, "train: class 'b' has one example"),
        ("aabb", "", None, "test has no examples"),
        ("aabb", "dac", None, "test: class 'c', 'd' does not occur in the training data"),
        (["cat", "dog"] * 2, ["Cat"], None, "'cat', 'Cat' differ only in case: give them one name"),
        ("aabb", None, "abc", "train: class 'c' has no example"),
        ("aabb", None, "aa", "two of the classes have one name: 'a', 'a'; rename one"),
    ],
)
def test_refuses(train, test, classes, text):
    splits = [None if y is None else (np.arange(len(y)), list(y)) for y in (train, test)]
    with pytest.raises(UserError, match=text):
        make_parts(*splits, WHERE, classes)
    with pytest.raises(UserError, match="train: got 3 inputs and 2 labels"):
        make_parts((np.arange(3), ["a", "a"]), None, WHERE)
