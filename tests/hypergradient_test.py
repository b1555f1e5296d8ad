"""The hypergradient against central differences and against the plain definition."""

import numpy as np
import pytest
import tensorflow as tf
from numeric import assert_gradients_close

from tf_distill.distill import mean_hypergradient, network_drawer
from tf_distill.hypergradient import hypergradient, reference_hypergradient
from tf_distill.inner import Optimizer, Samples, train
from tf_distill.learner import Learner, fixed_network
from tf_distill.losses import cross_entropy
from tf_distill.models import NETWORKS

STEPS, SAMPLES, EPOCHS, BATCH = 2, 3, 2, 4
SHAPES = {"image": (16, 16, 1), "text": (5, 4)}
CASES = [(name, outputs) for name in sorted(NETWORKS) for outputs in (3, 1)]
RECURRENT = ("birnn", "bilstm")


def problem(name: str, outputs: int, dtype=np.float64):
    """A learner, distilled samples, and a real batch, all random."""
    network = NETWORKS[name]
    shape = SHAPES[network.kind]
    rng = np.random.default_rng(1)
    learner = Learner(network.build(shape, outputs))
    labels = rng.integers(0, max(outputs, 2), BATCH)
    y = labels[:, None] if outputs == 1 else np.eye(outputs)[labels]
    samples = Samples(
        rng.standard_normal((STEPS, SAMPLES, *shape)).astype(dtype),
        rng.standard_normal((STEPS, SAMPLES, outputs)).astype(dtype),
        rng.uniform(0.01, 0.1, STEPS * EPOCHS).astype(dtype),
    )
    real = (rng.standard_normal((BATCH, *shape)).astype(dtype), y.astype(dtype))
    return learner, Samples(*map(tf.constant, samples)), tuple(map(tf.constant, real))


def compiled(function, name: str):
    """The function as a graph; eagerly for recurrent networks, which take long to trace."""
    return function if name in RECURRENT else tf.function(function)


def differences(name: str) -> dict:
    """Recurrent networks are smooth and slow, the others have kinks and are quick."""
    return (
        {"coordinates": 2, "step": 1e-6} if name in RECURRENT else {"coordinates": 5, "step": 1e-8}
    )


def numpy_of(samples: Samples) -> list[np.ndarray]:
    return [value.numpy() for value in samples]


@pytest.mark.parametrize(("name", "outputs"), CASES)
def test_equals_central_differences_with_a_fixed_network(float64, name, outputs):
    learner, samples, (x, y) = problem(name, outputs)
    weights = fixed_network(learner, 0)

    def loss(*values):
        return cross_entropy(y, learner.apply(train(learner, Samples(*values), weights), x))

    result = compiled(lambda: hypergradient(learner, samples, weights, x, y), name)()
    loss = compiled(loss, name)
    assert result.loss.numpy() == pytest.approx(loss(*samples).numpy(), rel=1e-12)
    assert_gradients_close(loss, numpy_of(samples), numpy_of(result.gradients), **differences(name))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_equals_central_differences_with_random_networks(float64, name):
    learner, samples, (x, y) = problem(name, 3)
    keys = tf.random.split([5, 6], 2)
    draw = network_drawer(learner, "random", seed=0)

    def mean_loss(*values):
        trained = [train(learner, Samples(*values), draw(key)) for key in tf.unstack(keys)]
        return tf.add_n([cross_entropy(y, learner.apply(w, x)) for w in trained]) / 2

    result = compiled(lambda: mean_hypergradient(learner, samples, draw, keys, x, y), name)()
    mean_loss = compiled(mean_loss, name)
    assert result.loss.numpy() == pytest.approx(mean_loss(*samples).numpy(), rel=1e-12)
    assert_gradients_close(
        mean_loss, numpy_of(samples), numpy_of(result.gradients), **differences(name)
    )


@pytest.mark.parametrize(("name", "outputs"), CASES)
def test_adjoint_equals_the_plain_tape(float64, name, outputs):
    learner, samples, (x, y) = problem(name, outputs)
    weights = fixed_network(learner, 0)
    adjoint = compiled(lambda: hypergradient(learner, samples, weights, x, y), name)()
    plain = compiled(lambda: reference_hypergradient(learner, samples, weights, x, y), name)()
    for a, b in zip(tf.nest.flatten(adjoint), tf.nest.flatten(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_compiled_equals_eager_for_a_recurrent_network():
    learner, samples, (x, y) = problem("bilstm", 3, np.float32)
    weights = fixed_network(learner, 0)
    graph = tf.function(lambda: hypergradient(learner, samples, weights, x, y))()
    eager = hypergradient(learner, samples, weights, x, y)
    for a, b in zip(tf.nest.flatten(graph), tf.nest.flatten(eager), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_adjoint_equals_the_plain_tape_in_single_precision():
    learner, samples, (x, y) = problem("lenet", 3, np.float32)
    weights = fixed_network(learner, 0)
    adjoint = tf.function(lambda: hypergradient(learner, samples, weights, x, y))()
    plain = tf.function(lambda: reference_hypergradient(learner, samples, weights, x, y))()
    for a, b in zip(tf.nest.flatten(adjoint), tf.nest.flatten(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_an_inner_optimizer_with_state_is_differentiated_too(float64):
    def update(weights, velocity, gradients, lr):
        velocity = [0.9 * v + g for v, g in zip(velocity, gradients, strict=True)]
        return [w - lr * v for w, v in zip(weights, velocity, strict=True)], velocity

    momentum = Optimizer(init=lambda weights: [tf.zeros_like(w) for w in weights], update=update)
    learner, samples, (x, y) = problem("textconvnet", 3)
    weights = fixed_network(learner, 0)
    adjoint = hypergradient(learner, samples, weights, x, y, momentum)
    plain = reference_hypergradient(learner, samples, weights, x, y, momentum)
    for a, b in zip(tf.nest.flatten(adjoint), tf.nest.flatten(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_labels_have_a_hypergradient():
    """The fused softmax cross-entropy would give exactly zero."""
    learner, samples, (x, y) = problem("textconvnet", 3, np.float32)
    result = hypergradient(learner, samples, fixed_network(learner, 0), x, y)
    assert np.abs(result.gradients.y).max() > 1e-4


def test_weights_and_model_are_bit_equal_after_a_pass():
    learner, samples, (x, y) = problem("bilstm", 3, np.float32)
    weights = fixed_network(learner, 0)
    before = [w.numpy().copy() for w in weights]
    variables = [v.numpy().copy() for v in learner.model.variables]
    hypergradient(learner, samples, weights, x, y)
    for old, new in zip(before, weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    for old, new in zip(variables, learner.model.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_the_graph_does_not_grow_with_the_steps():
    learner, samples, (x, y) = problem("lenet", 3, np.float32)
    weights = fixed_network(learner, 0)

    def nodes(epochs: int) -> int:
        longer = samples._replace(lr=tf.fill([STEPS * epochs], 0.1))
        step = tf.function(lambda: hypergradient(learner, longer, weights, x, y))
        return len(step.get_concrete_function().graph.get_operations())

    assert nodes(50) == nodes(1)
