"""Losses and predictions: known values, and gradients of labels of any kind."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numeric import assert_gradients_close

from tf_distill.core.losses import SoftLabelCrossentropy, cross_entropy
from tf_distill.core.tasks import encode, predict

LOG_2 = np.log(2)


@pytest.mark.parametrize(
    ("labels", "logits", "expected"),
    [
        ([[1, 0]], [[0, 0]], LOG_2),
        ([[1, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 0, 0]], np.log(3)),
        ([[1, 0]], [[1000, 0]], 0),
        ([[0, 1]], [[1000, 0]], 1000),
        ([[2, 3]], [[0, 0]], 5 * LOG_2),  # labels need not sum to one
        ([[-1, 0]], [[0, 0]], -LOG_2),
        ([[0, 0]], [[3, 4]], 0),
        ([[1], [0]], [[0], [0]], LOG_2),
        ([[1]], [[-1000]], 1000),
        ([[1]], [[1000]], 0),
        ([[2]], [[np.log(3)]], np.log(4) - 2 * np.log(3)),  # log(1 + e^z) - y z
    ],
)
def test_known_values(labels, logits, expected):
    loss = cross_entropy(tf.constant(labels, tf.float64), tf.constant(logits, tf.float64))
    assert loss.numpy() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("outputs", [4, 1])
def test_is_the_mean_over_the_batch(outputs):
    rng = np.random.default_rng(0)
    labels, logits = rng.standard_normal((2, 5, outputs))
    single = [cross_entropy(labels[i : i + 1], tf.constant(logits[i : i + 1])) for i in range(5)]
    whole = cross_entropy(labels, tf.constant(logits))
    assert whole.numpy() == pytest.approx(np.mean(single), rel=1e-12)


@pytest.mark.parametrize("outputs", [3, 1])
def test_gradients_equal_central_differences(outputs):
    labels, logits = np.random.default_rng(0).standard_normal((2, 4, outputs))

    def loss(labels, logits):
        return cross_entropy(tf.convert_to_tensor(labels), tf.convert_to_tensor(logits))

    y, z = tf.constant(labels), tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch((y, z))
        value = loss(y, z)
    gradients = [g.numpy() for g in tape.gradient(value, (y, z))]
    assert_gradients_close(loss, (labels, logits), gradients, coordinates=12, step=1e-6)


@pytest.mark.parametrize("outputs", [3, 1])
def test_the_loss_for_keras_has_the_gradient_of_labels_that_do_not_sum_to_one(outputs):
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input([4]), keras.layers.Dense(outputs)])
    x, y = rng.standard_normal((5, 4)), rng.standard_normal((5, outputs))
    start = [v.numpy() for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        loss = cross_entropy(tf.constant(y, tf.float32), model(x))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    model.compile(keras.optimizers.SGD(0.1), SoftLabelCrossentropy())
    history = model.fit(x, y, batch_size=5, verbose=0)
    assert history.history["loss"] == pytest.approx([float(loss)], rel=1e-5)
    for before, after, gradient in zip(start, model.trainable_variables, gradients, strict=True):
        np.testing.assert_allclose(after.numpy(), before - 0.1 * gradient, atol=1e-6)


@pytest.mark.parametrize("outputs", [3, 1])
def test_second_derivative_by_labels_and_logits(outputs):
    """What the fused cross-entropy loses: d/dy of the gradient by the logits."""
    labels, logits = np.random.default_rng(0).standard_normal((2, 4, outputs))
    direction = np.random.default_rng(1).standard_normal((4, outputs))

    def slope(labels):
        y, z = tf.convert_to_tensor(labels), tf.constant(logits)
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = cross_entropy(y, z)
        return tf.reduce_sum(tape.gradient(value, z) * direction)

    y = tf.constant(labels)
    with tf.GradientTape() as tape:
        tape.watch(y)
        value = slope(y)
    gradient = tape.gradient(value, y).numpy()
    assert_gradients_close(slope, [labels], [gradient], coordinates=12, step=1e-6)


def test_encode():
    np.testing.assert_array_equal(encode([2, 0], 3), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(encode(np.array([1, 0, 1]), 1), [[1], [0], [1]])
    assert encode([1], 3, tf.float64).dtype == tf.float64


def test_predict():
    logits = tf.constant([[0.1, 3.0, -1.0], [2.0, 1.0, 1.9]])
    np.testing.assert_array_equal(predict(logits), [1, 0])
    binary = predict(tf.constant([[0.3], [-0.1], [0.0]]))  # the threshold is 0, not 0.5
    np.testing.assert_array_equal(binary, [1, 0, 0])
    assert binary.dtype == tf.int32
