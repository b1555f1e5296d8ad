"""Optimizers of the inner problem: how gradients change the weights, as pure functions."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tf_distill.core.learner import Weights

State = list[tf.Tensor]
Update = Callable[[Weights, State, Weights, tf.Tensor], tuple[Weights, State]]
MOMENTUM = 0.9
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-12
"""Adam's; the last is added to the mean square, where Keras adds its 1e-7 to the root."""


class Optimizer(NamedTuple):
    """How the inner loop turns gradients into weights; both functions are pure.

    init: from weights to the state at the start, a list of tensors. update: from weights, state,
    gradients and a learning rate to new weights and a new state of the same shapes. It must be
    differentiable, since the hypergradient goes through it.
    """

    init: Callable[[Weights], State]
    update: Update


def _zeros(weights: Weights) -> State:
    return [tf.zeros_like(w) for w in weights]


def _descend(weights, state, gradients, lr):
    return [w - lr * g for w, g in zip(weights, gradients, strict=True)], state


def _descend_with_momentum(weights, velocity, gradients, lr):
    velocity = [MOMENTUM * v + g for v, g in zip(velocity, gradients, strict=True)]
    return [w - lr * v for w, v in zip(weights, velocity, strict=True)], velocity


def _adam_start(weights):
    return [*_zeros(weights), *_zeros(weights), tf.zeros([], weights[0].dtype)]


def _adam(weights, state, gradients, lr):
    n, step = len(weights), state[-1] + 1
    moments = zip(state[:n], state[n : 2 * n], gradients, strict=True)
    mean, square = zip(
        *(
            (m + (1 - BETA_1) * (g - m), v + (1 - BETA_2) * (tf.square(g) - v))
            for m, v, g in moments
        ),
        strict=True,
    )
    rate = lr * tf.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
    # The small number is under the root, whose derivative at zero is infinite.
    after = [
        w - rate * m * tf.math.rsqrt(v + EPSILON)
        for w, m, v in zip(weights, mean, square, strict=True)
    ]
    return after, [*mean, *square, step]


GRADIENT_DESCENT = Optimizer(init=lambda weights: [], update=_descend)
"""Plain gradient descent, equation (2) of the paper."""

OPTIMIZERS = {
    "sgd": GRADIENT_DESCENT,
    "momentum": Optimizer(init=_zeros, update=_descend_with_momentum),
    "adam": Optimizer(init=_adam_start, update=_adam),
}
"""By the names of `inner_optimizer`. "momentum" is Keras's SGD with a momentum of 0.9."""
