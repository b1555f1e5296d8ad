"""Training on a distilled set against a loop written out in numpy."""

import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.core.inner import (
    Recipe,
    Samples,
    in_order,
    minibatches,
    pick,
    places,
    train,
    value_and_gradients,
)
from tf_distill.core.learner import fixed_network
from tf_distill.core.losses import cross_entropy
from tf_distill.core.optimizers import GRADIENT_DESCENT, Optimizer


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def by_hand(samples: Samples, weights, outputs: int):
    """Gradient descent of a network of two layers, its gradient worked out on paper."""
    w1, b1, w2, b2 = (w.numpy().astype(np.float64) for w in weights)
    xs, ys, rates = (v.numpy().astype(np.float64) for v in samples)
    for t, lr in enumerate(rates):
        x, y = xs[t % len(xs)], ys[t % len(xs)]
        h = np.tanh(x @ w1 + b1)
        z = h @ w2 + b2
        if outputs == 1:
            dz = (1 / (1 + np.exp(-z)) - y) / len(x)
        else:
            dz = (softmax(z) * y.sum(1, keepdims=True) - y) / len(x)
        da = (dz @ w2.T) * (1 - h**2)
        w2, b2 = w2 - lr * h.T @ dz, b2 - lr * dz.sum(0)
        w1, b1 = w1 - lr * x.T @ da, b1 - lr * da.sum(0)
    return w1, b1, w2, b2


@pytest.mark.parametrize("outputs", [3, 1])
@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (3, 1), (1, 3), (2, 3)])
def test_train_equals_a_loop_by_hand(outputs, steps, epochs):
    learner = small.learner(outputs)
    weights = fixed_network(learner, 0)
    samples = small.samples(steps, epochs=epochs, outputs=outputs)
    for trained in (
        train(learner, samples, weights),
        tf.function(train)(learner, samples, weights),
    ):
        for a, b in zip(trained, by_hand(samples, weights, outputs), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_epochs_use_the_samples_again():
    """Two epochs equal one epoch over a set that is written out twice."""
    learner, samples = small.learner(), small.samples(steps=2, epochs=2)
    weights = fixed_network(learner, 0)
    twice = Samples(*(tf.concat([v, v], 0) for v in samples[:2]), samples.lr)
    for a, b in zip(train(learner, samples, weights), train(learner, twice, weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_train_changes_no_weights_that_it_was_given():
    learner = small.learner()
    weights = fixed_network(learner, 0)
    before = [w.numpy() for w in weights]
    trained = train(learner, small.samples(), weights)
    for old, now, new in zip(before, weights, trained, strict=True):
        np.testing.assert_array_equal(old, now)
        assert np.any(old != new.numpy())


def test_train_uses_the_optimizer_and_its_state():
    """With a state that counts, the t-th step is divided by t + 1."""
    learner, samples = small.learner(), small.samples(steps=2, epochs=1)

    def update(weights, state, gradients, lr):
        (count,) = state
        after, _ = GRADIENT_DESCENT.update(weights, [], gradients, lr / (count + 1.0))
        return after, [count + 1.0]

    counting = Optimizer(init=lambda weights: [tf.constant(0.0)], update=update)
    weights = fixed_network(learner, 0)
    slower = samples._replace(lr=samples.lr / [1.0, 2.0])
    for a, b in zip(
        train(learner, samples, weights, Recipe(counting)),
        train(learner, slower, weights),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_each_epoch_deals_all_samples_anew():
    """A pure function of seed and step: no step's samples depend on the steps before it."""
    samples, seed = small.samples(steps=3, n=4), tf.constant([7, 1])
    dealt = [places(samples, seed, tf.constant(t)).numpy() for t in range(6)]
    first, second = np.concatenate(dealt[:3]), np.concatenate(dealt[3:])
    assert sorted(first) == sorted(second) == list(range(12))
    assert first.tolist() != second.tolist()
    np.testing.assert_array_equal(places(samples, seed, tf.constant(4)), dealt[4])
    other = np.concatenate([places(samples, seed + 1, tf.constant(t)) for t in range(3)])
    assert other.tolist() != first.tolist()


def test_shuffled_training_goes_by_its_minibatches():
    learner, samples = small.learner(), small.samples(steps=2, epochs=2)
    weights = fixed_network(learner, 0)
    batch = minibatches(samples, Recipe(shuffled=True), tf.stack([5, 12]))
    dealt = [batch(tf.constant(t)) for t in range(4)]
    in_turn = Samples(*(tf.stack(parts) for parts in zip(*dealt, strict=True)))
    for a, b in zip(
        train(learner, samples, weights, Recipe(shuffled=True), order=5),
        train(learner, in_turn, weights),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    one = in_order(samples)(tf.constant(3))
    np.testing.assert_array_equal(one.x, samples.x[1])


def test_minibatches_are_augmented_each_time_anew():
    samples, seed = small.samples(), tf.constant([1, 2])
    noise = Recipe(
        shuffled=True, augment=lambda x, key: x + tf.random.stateless_normal(x.shape, key)
    )
    batch = minibatches(samples, noise, seed)
    plain, _ = pick(samples, places(samples, seed, tf.constant(1)))
    changes = [batch(tf.constant(t)).x for t in (1, 1, 3)]
    np.testing.assert_array_equal(changes[0], changes[1])
    assert np.abs(changes[0] - plain).max() > 0.1
    assert np.abs(changes[0] - changes[2]).max() > 0.1


def test_value_and_gradients():
    learner = small.learner()
    weights = fixed_network(learner, 0)
    x, y = small.samples().x[0], small.samples().y[0]
    loss, gradients = value_and_gradients(learner, weights, x, y)
    assert loss.numpy() == pytest.approx(cross_entropy(y, learner.apply(weights, x)).numpy())
    one = Samples(x[tf.newaxis], y[tf.newaxis], tf.constant([1.0]))
    after = train(learner, one, weights)
    for w, g, new in zip(weights, gradients, after, strict=True):
        np.testing.assert_allclose(w - g, new, rtol=1e-5, atol=1e-6)
