"""The inner optimizers against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_distill.core.optimizers import OPTIMIZERS

KERAS = {
    "sgd": keras.optimizers.SGD,
    "momentum": lambda lr: keras.optimizers.SGD(lr, momentum=0.9),
    "adam": keras.optimizers.Adam,
}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_does_what_that_of_keras_does(name):
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape).astype(np.float32) for shape in ((3, 4), (4,))]
    variables = [keras.Variable(value) for value in start]
    theirs = KERAS[name](0.01)
    theirs.build(variables)
    weights, state = [tf.constant(v) for v in start], OPTIMIZERS[name].init(start)
    for scale in (1.0, 3.0, 0.1, 1.0, 10.0):
        gradients = [tf.constant(scale * rng.standard_normal(v.shape), tf.float32) for v in start]
        theirs.apply(gradients, variables)
        weights, state = OPTIMIZERS[name].update(weights, state, gradients, tf.constant(0.01))
    for ours, variable in zip(weights, variables, strict=True):
        np.testing.assert_allclose(ours, variable.numpy(), rtol=1e-4, atol=1e-5)


def test_adam_is_differentiable_where_a_gradient_is_zero():
    """A dead relu gives exact zeros."""
    gradient = tf.constant([0.0, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(gradient)
        weights = [tf.constant([1.0, 1.0])]
        adam = OPTIMIZERS["adam"]
        (after,), _ = adam.update(weights, adam.init(weights), [gradient], 0.01)
    assert np.isfinite(tape.gradient(after, gradient)).all()
