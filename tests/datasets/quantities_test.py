"""Labels that are quantities: which are, both splits, and what is refused."""

import numpy as np
import pytest

from tf_distill.common.errors import UserError
from tf_distill.datasets import Target, from_arrays, from_table
from tf_distill.datasets.quantities import parts_of

WHERE = ("train", "test")


def made(labels, task=None, **more):
    return parts_of((np.arange(len(labels)), labels), None, WHERE, task, **more)


@pytest.mark.parametrize(
    ("labels", "task", "quantity"),
    [
        ([0.5, 1, 2, 3, 3] * 2, None, True),
        (np.linspace(0, 1, 10)[:, None], None, True),
        ([1.0, 2.0] * 5, None, False),
        ([1, 2] * 5, "regression", True),
        (["1.5", b"2"] * 5, "regression", True),
        (["1.5", "2.5"] * 5, None, False),
        ([True, False] * 5, None, False),
    ],
)
def test_what_labels_are_or_the_task_decides(labels, task, quantity, capsys):
    parts = made(labels, task)
    assert bool(parts.target) == quantity
    assert (parts.classes == ()) == quantity
    assert ("so task=regression" in capsys.readouterr().out) == (quantity and task is None)


def test_a_fifth_is_held_out_and_the_rest_gives_the_scale():
    labels = np.arange(0, 25, 0.25)
    parts = made(labels, target="price")
    assert (len(parts.y_train), len(parts.y_test)) == (80, 20)
    np.testing.assert_array_equal(labels[parts.x_train], parts.y_train)
    assert sorted([*parts.x_train, *parts.x_test]) == list(range(100))
    scale = Target("price", parts.y_train.mean(), parts.y_train.std(), decimals=2)
    assert parts.target == pytest.approx(scale)
    np.testing.assert_array_equal(parts.y_test, made(labels).y_test)


@pytest.mark.parametrize(
    ("labels", "more", "text"),
    [
        ([1.5, np.nan, 2, 3, 4], {}, "train: label 1 is nan, expected a finite number"),
        ([1.5, np.inf, 2, 3, 4], {}, "label 1 is inf, expected a finite number"),
        (["1", "1,5", "2"], {"task": "regression"}, "label 1 is '1,5', expected a finite"),
        ([2] * 9, {"task": "regression"}, "train has 1 different labels, expected at least two"),
        ([0.5, 1], {}, "train has 2 examples, expected at least 5"),
        ([1, 2], {"task": "regresion"}, "unknown task 'regresion'.* regression"),
        ([0.5, 1], {"task": "classes"}, "task=regression; or cut them into ranges"),
        ([1, 2], {"task": "regression", "classes": ["a", "b"]}, "classes are not for task=regr"),
        (range(0, 200, 2), {}, "100 of 100 classes have one example .* give task=regression"),
        ([*range(0, 100, 2), *range(0, 99, 2), 7], {}, "'7' has one .* give task=regression"),
    ],
)
def test_a_mistake_is_one_line(labels, more, text):
    with pytest.raises(UserError, match=text):
        made(list(labels), **more)


def test_the_labels_must_be_as_many_as_inputs_in_both_splits():
    train = np.arange(5), [0.5, 1, 2, 3, 4]
    with pytest.raises(UserError, match="test: got 3 inputs and 2 labels"):
        parts_of(train, (np.arange(3), [1, 2]), WHERE, None)
    parts = parts_of(train, (np.arange(2), [1, 2]), WHERE, None)
    assert (parts.y_test.tolist(), len(parts.y_train)) == ([1, 2], 5)


def test_tables_and_arrays_have_quantities(capsys):
    x = np.random.default_rng(0).normal(size=(20, 2))
    data = from_table({"a": x[:, 0], "b": x[:, 1], "price": x.sum(1).round(2)}, "price")
    assert data.target.name == "price"
    assert (data.outputs, data.target.decimals) == (1, 2)
    assert repr(data) == "<dataset table: 16 training and 4 test examples of (2,), target price>"
    assert "'price' is from " in capsys.readouterr().out
    images = from_arrays(np.zeros((20, 12, 12), np.uint8), x[:, 0])
    assert images.encoding.metadata()["kind"] == "image"
    assert images.y_train.dtype == np.float64
