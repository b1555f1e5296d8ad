"""The distilled set: what it starts from, its softplus, and what is learned of it."""

import dataclasses

import numpy as np
import pytest
import small
import tensorflow as tf
from numeric import assert_gradients_close

from tf_distill.core.distilled import DistilledSet
from tf_distill.core.starts import initial_samples
from tf_distill.core.tasks import encode
from tf_distill.runs.experiment import new_distillation


def start(**settings):
    defaults = {"steps": 3, "samples_per_step": 4, "epochs": 2, "inner_lr": 0.02}
    defaults |= {"label_init": "one_hot", "seed": 0, "shape": (5,), "classes": 10}
    settings = defaults | settings
    classes, size = settings.pop("classes"), settings["steps"] * settings["samples_per_step"]
    targets = encode(np.arange(size) % classes, 1 if classes == 2 else classes).numpy()
    return initial_samples(settings.pop("shape"), targets, **settings)


@pytest.mark.parametrize("rate", [1e-6, 1e-3, 0.02, 1.0, 17.5, 200.0])
def test_learning_rates_survive_the_softplus(rate):
    samples = small.samples()._replace(lr=np.full(4, rate, np.float32))
    np.testing.assert_allclose(DistilledSet(samples).samples.lr, samples.lr, rtol=2e-4)


def test_learning_rates_stay_positive():
    distilled = DistilledSet(small.samples())
    distilled.rate.assign_sub(tf.fill([4], 20.0))
    assert (distilled.samples.lr.numpy() > 0).all()


def test_samples_are_what_was_given():
    given = small.samples()
    samples = DistilledSet(given).samples
    np.testing.assert_array_equal(samples.x, given.x)
    np.testing.assert_array_equal(samples.y, given.y)


@pytest.mark.parametrize("learned", [("x", "lr", "y"), ("x", "lr"), ("y", "lr"), ("lr",)])
def test_learned_and_pull_back_go_together(learned):
    distilled = DistilledSet(small.samples(), learned)
    names = [v.name.removesuffix(":0") for v in distilled.learned]
    assert names == [{"lr": "rate"}.get(name, name) for name in learned]
    gradients = distilled.pull_back(distilled.samples)
    assert [g.shape for g in gradients] == [v.shape for v in distilled.learned]


def test_other_samples_take_the_place_of_the_first():
    distilled, other = DistilledSet(small.samples()), small.samples()
    other = type(other)(other.x + 1, other.y - 1, other.lr * 2)
    distilled.set(other)
    for value, expected in zip(distilled.samples, other, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_pull_back_is_the_derivative_by_what_is_stored(float64):
    given = small.samples()
    samples = type(given)(*(tf.cast(v, tf.float64) for v in given))
    distilled = DistilledSet(type(given)(*(v.numpy() for v in samples)))
    direction = type(given)(*(tf.cos(v) for v in samples))

    def value(x, rate, y):
        parts = zip(direction, (x, y, tf.nn.softplus(rate)), strict=True)
        return tf.add_n([tf.reduce_sum(d * v) for d, v in parts])

    gradients = [g.numpy() for g in distilled.pull_back(direction)]
    values = [v.numpy() for v in distilled.learned]
    assert_gradients_close(value, values, gradients, coordinates=4, step=1e-5)


@pytest.mark.parametrize("outputs", [3, 1])
def test_labels_stay_probabilities_and_one_rate_is_bounded(float64, outputs):
    given = small.samples(outputs=outputs)
    x, y = (tf.cast(v, tf.float64) for v in given[:2])
    y = tf.nn.softmax(y) if outputs > 1 else tf.sigmoid(y)
    given = type(given)(x.numpy(), y.numpy(), np.full(4, 0.02))
    distilled = DistilledSet(given, probabilities=True, growth=2.5)
    for value, expected in zip(distilled.samples, given, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9)
    direction = type(given)(*(tf.cos(10 * v) for v in given))

    def value(x, rate, logits):
        y = tf.nn.softmax(logits) if outputs > 1 else tf.sigmoid(logits)
        lr = tf.broadcast_to(0.05 * tf.sigmoid(rate), [4])
        return tf.add_n([tf.reduce_sum(d * v) for d, v in zip(direction, (x, y, lr), strict=True)])

    gradients = [g.numpy() for g in distilled.pull_back(direction)]
    values = [v.numpy() for v in distilled.learned]
    assert_gradients_close(value, values, gradients, coordinates=4, step=1e-5)
    distilled.y.assign_add(9 * tf.ones_like(distilled.y))
    distilled.rate.assign_add([50.0])
    samples = distilled.samples
    assert 0 <= samples.y.numpy().min() <= samples.y.numpy().max() <= 1
    np.testing.assert_allclose(samples.lr, 4 * [0.05])


def test_starts_with_the_classes_in_turn_from_step_to_step():
    samples = start()
    assert samples.x.shape == (3, 4, 5)
    classes = samples.y.argmax(-1)
    np.testing.assert_array_equal(classes, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]])
    np.testing.assert_array_equal(samples.y.sum(-1), np.ones((3, 4)))
    np.testing.assert_array_equal(samples.lr, np.full(6, 0.02, np.float32))


def test_fewer_samples_than_classes_are_the_first_classes():
    samples = start(steps=1, samples_per_step=5)
    np.testing.assert_array_equal(samples.y[0], np.eye(10)[:5])


def test_two_classes_have_one_output():
    samples = start(classes=2, steps=2, samples_per_step=3)
    np.testing.assert_array_equal(samples.y[..., 0], [[0, 1, 0], [1, 0, 1]])


def test_samples_and_random_labels_are_standard_normal():
    samples = start(steps=2, samples_per_step=500, shape=(4, 5), label_init="random")
    for values in samples[:2]:
        error = 4 / np.sqrt(values.size)
        assert abs(values.mean()) < error
        assert abs(values.std() - 1) < error
    assert abs(np.corrcoef(samples.x.ravel()[:10_000], samples.y.ravel())[0, 1]) < 0.05


def test_samples_are_scaled():
    np.testing.assert_array_equal(start(scale=0.2).x, np.float32(0.2) * start().x)


def test_starts_the_same_for_the_same_seed_only():
    one, again, other = start(seed=1), start(seed=1), start(seed=2)
    np.testing.assert_array_equal(one.x, again.x)
    assert not np.any(one.x == other.x)
    assert {v.dtype for v in one} == {np.dtype("float32")}


def test_real_samples_are_training_examples_with_their_classes(tmp_path):
    config = small.config(tmp_path, sample_init="real", steps=2, samples_per_step=3)
    data = small.dataset()
    start = new_distillation(config, data, small.learner()).distilled.samples
    labels = start.y.numpy().reshape(6, -1).argmax(1)
    for x, label in zip(start.x.numpy().reshape(6, -1), labels, strict=True):
        (place,) = np.flatnonzero((data.x_train == x).all(axis=1))
        assert data.y_train[place] == label
    assert sorted(labels) == [0, 0, 1, 1, 2, 2]
    half = new_distillation(
        dataclasses.replace(config, sample_scale=0.5), data, small.learner()
    ).distilled.samples
    np.testing.assert_array_equal(half.x, start.x / 2)
