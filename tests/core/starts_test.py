"""Starts of real examples: moved along a linear classifier, and chosen by matching pursuit."""

import dataclasses

import keras
import numpy as np
import own_models
import pytest
import small

from tf_distill.core import Learner
from tf_distill.core.starts import (
    SHARE,
    _last_inputs,
    class_directions,
    directed,
    matching_pursuit,
)
from tf_distill.runs.experiment import new_distillation

WORDS, CHANNELS = 6, 4


class Texts(small.Identity):
    """Stored word vectors are what the network sees."""

    shape = (WORDS, CHANNELS)


def texts(classes: int, count: int = 600):
    """Sentences of unequal length; each word leans a little to the side of its class."""
    rng = np.random.default_rng(0)
    y = np.arange(count, dtype=np.int32) % classes
    x = rng.standard_normal((count, WORDS, CHANNELS)).astype(np.float32)
    x += np.eye(classes, CHANNELS, dtype=np.float32)[y][:, np.newaxis]
    x[np.arange(WORDS) >= rng.integers(2, WORDS + 1, count)[:, np.newaxis]] = 0
    names = tuple("abcdef"[:classes])
    return dataclasses.replace(
        small.dataset(), classes=names, x_train=x, y_train=y, encoding=Texts()
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_directions_are_those_in_which_the_classes_lie(classes):
    data = texts(classes)
    ways = class_directions(data, np.arange(len(data.y_train)))
    assert ways.shape == (classes, 1, CHANNELS)
    words = data.x_train[data.x_train.any(-1)]
    norm = SHARE * np.sqrt((words**2).sum(-1).mean())
    np.testing.assert_allclose(np.linalg.norm(ways, axis=-1), norm, rtol=1e-5)
    away = np.eye(classes, CHANNELS) - np.eye(classes, CHANNELS).mean(0)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    cosines = (ways[:, 0] * away).sum(-1) / norm
    assert (cosines > 0.95).all(), cosines


def test_inputs_of_other_shapes_have_a_direction_of_that_shape():
    data = small.dataset()
    assert class_directions(data, np.arange(40)).shape == (small.CLASSES, small.FEATURES)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_samples_of_a_turn_differ_in_the_direction_alone(classes):
    data = texts(classes)
    x, y, _ = directed(data, 2 * classes, np.random.default_rng(1))
    np.testing.assert_array_equal(y, [*range(classes)] * 2)
    order = np.random.default_rng(1).permutation(len(data.y_train))
    ways = class_directions(data, order)
    for turn in range(2):
        moved = x[turn * classes :][:classes] - ways
        np.testing.assert_allclose(
            moved, np.stack([data.x_train[order[turn]]] * classes), atol=1e-6
        )


def test_a_class_without_an_example_stays_where_it_is(tmp_path):
    data = dataclasses.replace(texts(2), classes=("a", "b", "c"))
    ways = class_directions(data, np.arange(len(data.y_train)))
    assert not ways[2].any()
    assert ways[:2].any(axis=(1, 2)).all()


def test_a_run_starts_from_them(tmp_path):
    config = small.config(tmp_path, sample_init="linear", steps=2, samples_per_step=3)
    start = new_distillation(config, small.dataset(), small.learner()).distilled.samples
    np.testing.assert_array_equal(start.y.numpy().argmax(-1), [[0, 1, 2]] * 2)
    a, b = start.x.numpy()
    np.testing.assert_allclose(a - a[0], b - b[0], atol=1e-5)


def test_each_next_example_of_matching_pursuit_leaves_the_least_unexplained():
    data = small.dataset()
    learner = Learner(own_models.sequential(lambda: keras.layers.Dense(8, "tanh"))())
    found = matching_pursuit(learner, data, 4, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    order = rng.permutation(len(data.y_train))
    x = _last_inputs(learner, data, order, rng)
    kernel = x @ x.T
    classes = np.eye(small.CLASSES)[data.y_train[order]]
    classes -= classes.mean(axis=0)

    def unexplained(columns):
        best = kernel[:, columns] @ np.linalg.lstsq(kernel[:, columns], classes)[0]
        return np.sum((classes - best) ** 2)

    chosen = []
    for _ in range(4):
        chosen.append(min(range(len(order)), key=lambda j: unexplained([*chosen, j])))
    np.testing.assert_array_equal(found.places, order[chosen])
    np.testing.assert_array_equal(found.x, data.x_train[found.places])
    np.testing.assert_array_equal(found.y, data.y_train[found.places])


def test_matching_pursuit_repeats_too_few_examples():
    found = matching_pursuit(small.learner(), small.dataset(), 42, np.random.default_rng(0))
    assert sorted(found.places[:40]) == [*range(40)]
    assert [*found.places[40:]] == [*found.places[:2]]
