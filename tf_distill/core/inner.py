"""The inner problem: training on a distilled set, as a pure function.

w[t+1] = w[t] - lr[t] * grad_w loss(f(x[s]; w[t]), y[s])      s = t mod steps
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tf_distill.core.learner import Learner, Weights
from tf_distill.core.losses import cross_entropy


class Samples(NamedTuple):
    """The tensors of a distilled set.

    x: `[steps, n, ...]`, embedded samples; y: `[steps, n, outputs]`, labels; lr:
    `[epochs * steps]`, one positive learning rate for each inner step. An epoch
    goes through the steps in order.
    """

    x: tf.Tensor
    y: tf.Tensor
    lr: tf.Tensor


State = list[tf.Tensor]
Update = Callable[[Weights, State, Weights, tf.Tensor], tuple[Weights, State]]


class Optimizer(NamedTuple):
    """How the inner loop turns gradients into weights; both functions are pure.

    init: from weights to the state at the start, a list of tensors. update: from weights, state,
    gradients and a learning rate to new weights and a new state of the same shapes. It must be
    differentiable, since the hypergradient goes through it.
    """

    init: Callable[[Weights], State]
    update: Update


def _descend(weights, state, gradients, lr):
    return [w - lr * g for w, g in zip(weights, gradients, strict=True)], state


GRADIENT_DESCENT = Optimizer(init=lambda weights: [], update=_descend)
"""Plain gradient descent, equation (2) of the paper."""


def value_and_gradients(
    learner: Learner, weights: Weights, x: tf.Tensor, y: tf.Tensor
) -> tuple[tf.Tensor, Weights]:
    """The loss on one batch and its gradient with respect to the weights."""
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = cross_entropy(y, learner.apply(weights, x))
    gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
    return loss, [tf.convert_to_tensor(g) for g in gradients]  # embeddings give IndexedSlices


def inner_step(
    learner: Learner,
    optimizer: Optimizer,
    weights: Weights,
    state: State,
    x: tf.Tensor,
    y: tf.Tensor,
    lr: tf.Tensor,
) -> tuple[Weights, State]:
    """One step of training on one batch `x` `[n, ...]`, `y` `[n, outputs]`."""
    _, gradients = value_and_gradients(learner, weights, x, y)
    return optimizer.update(weights, state, gradients, lr)


def descend(
    learner: Learner,
    batch: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]],
    total: int,
    weights: Weights,
    optimizer: Optimizer = GRADIENT_DESCENT,
) -> tuple[Weights, State]:
    """Trains initial weights in `total` steps; `batch(t)` gives x, y and lr of step t.

    Returns:
        The weights and the optimizer's state after the last step.
    """

    def body(t, weights, state):
        return t + 1, *inner_step(learner, optimizer, weights, state, *batch(t))

    _, weights, state = tf.while_loop(
        lambda t, *_: t < total,
        body,
        (0, list(weights), optimizer.init(weights)),
        parallel_iterations=1,
    )
    return weights, state


def train(
    learner: Learner,
    samples: Samples,
    weights: Weights,
    optimizer: Optimizer = GRADIENT_DESCENT,
) -> Weights:
    """Trains initial weights on the distilled samples, all steps of all epochs."""
    steps = samples.x.shape[0]

    def batch(t: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return samples.x[t % steps], samples.y[t % steps], samples.lr[t]

    return descend(learner, batch, samples.lr.shape[0], weights, optimizer)[0]
