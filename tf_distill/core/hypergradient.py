"""The hypergradient: the derivative of the loss on real data after training.

It says how that loss changes with the distilled samples, their labels and the learning
rates of the training on them.

`hypergradient` is the manual adjoint: the weights of every inner step are kept,
and each step is computed again on the way back and differentiated alone. The
graph does not grow with the number of steps, and only one step's activations
are alive at a time. `reference_hypergradient` is the definition, by nested tapes
over all steps; tests hold the two equal.
"""

import functools
from typing import NamedTuple

import tensorflow as tf

from tf_distill.core import parallel
from tf_distill.core.inner import (
    REPLAY,
    Recipe,
    Samples,
    augmented,
    descend,
    inner_step,
    minibatches,
    pick,
    places,
    value_and_gradients,
)
from tf_distill.core.learner import Learner, Weights
from tf_distill.core.losses import Losses
from tf_distill.core.optimizers import State

TRAINING, WAY_BACK = "distilled_training", "distilled_way_back"
"""The names of the two loops in a graph."""
REAL_PART = 256
"""Real examples whose gradient is computed at a time on a CPU."""


class Hypergradient(NamedTuple):
    """loss: scalar, on the real batch; gradients: shaped like the samples."""

    loss: tf.Tensor
    gradients: Samples


class Window(NamedTuple):
    """The inner steps of ordinary training in an outer step, and those that are differentiated."""

    run: int
    length: int


class Carry(NamedTuple):
    """What goes from one inner step to the next, or d loss by it on the way back."""

    weights: Weights
    state: State


def hypergradient(
    learner: Learner,
    samples: Samples,
    weights: Weights,
    x: tf.Tensor,
    y: tf.Tensor,
    recipe: Recipe = REPLAY,
    state: State | None = None,
    together: int = 1,
) -> Hypergradient:
    """The loss of equation (3), over all steps and epochs, and its gradient.

    Compile what calls it by `compiled.compiled`, not by a bare tf.function.

    Args:
        learner: the network.
        samples: the distilled samples.
        weights: initial weights w[0]; they are not changed.
        x: a batch of real inputs, embedded, `[batch, ...]`.
        y: its targets `[batch, outputs]`.
        recipe: of the training; here its optimizer and its losses count.
        state: of the optimizer where the samples are a window in the middle of a longer inner run,
            `weights` being those at its start; None at the start of a run. No gradient goes
            further back.
        together: parts of the real batch that may be computed at a time.

    Returns:
        The loss on the real batch and d loss / d (x, y, lr) of the samples.
    """
    start = Carry(list(weights), recipe.optimizer.init(weights) if state is None else state)
    final, history = _forward(learner, recipe, samples, start)
    loss, adjoint = _on_real(learner, final, x, y, recipe.losses, together)
    carry = Carry(adjoint, [tf.zeros_like(v) for v in start.state])
    return Hypergradient(loss, _backward(learner, recipe, samples, history, carry))


def reference_hypergradient(
    learner: Learner,
    samples: Samples,
    weights: Weights,
    x: tf.Tensor,
    y: tf.Tensor,
    recipe: Recipe = REPLAY,
    state: State | None = None,
) -> Hypergradient:
    """`hypergradient` by nested tapes over an unrolled loop: plain, slow and large."""
    with tf.GradientTape() as tape:
        tape.watch(samples)
        state = recipe.optimizer.init(weights) if state is None else state
        for t in range(samples.lr.shape[0]):
            s = t % samples.x.shape[0]
            weights, state = inner_step(
                learner, recipe, weights, state, samples.x[s], samples.y[s], samples.lr[t]
            )
        loss = tf.reduce_mean(recipe.losses(y, learner.apply(weights, x)))
    return Hypergradient(loss, Samples(*tape.gradient(loss, samples, unconnected_gradients="zero")))


def window_hypergradient(
    learner: Learner,
    samples: Samples,
    weights: Weights,
    x: tf.Tensor,
    y: tf.Tensor,
    recipe: Recipe,
    window: Window,
    seed: tf.Tensor,
    together: int = 1,
) -> Hypergradient:
    """The hypergradient of ordinary training, through a window of its steps at a random place.

    Training goes from `weights` by shuffled minibatches at the first rate of the samples. The loss
    on the real batch is that at the end of the window. Time and memory of the steps before it
    are those of training alone.

    Args:
        learner: the network.
        samples: the distilled samples.
        weights: initial weights.
        x: a batch of real inputs, embedded, `[batch, ...]`.
        y: its targets `[batch, outputs]`.
        recipe: of the training.
        window: the steps of the longest run, and those that are differentiated.
        seed: int32 `[2]`, of the order of the samples and of the window's place.
        together: parts of the real batch that may be computed at a time.
    """
    run, length = window
    before = tf.random.stateless_uniform([], seed, maxval=run - length + 1, dtype=tf.int32)
    steps = before + tf.range(length)
    constant = samples._replace(lr=tf.fill([run], samples.lr[0]))
    batch = minibatches(constant, recipe, seed)
    weights, state = descend(learner, batch, before, weights, recipe)
    place = tf.map_fn(functools.partial(places, samples, seed), steps)
    with tf.GradientTape() as tape:  # through the choice and the change of samples
        tape.watch(samples)
        x_dealt, y_dealt = pick(samples, tf.ensure_shape(place, [length, samples.x.shape[1]]))
        if recipe.augment:
            change = lambda step: augmented(step[0], recipe, seed, step[1])  # noqa: E731
            x_dealt = tf.map_fn(change, (x_dealt, steps), fn_output_signature=x_dealt.dtype)
        dealt = Samples(x_dealt, y_dealt, tf.fill([length], samples.lr[0]))
    loss, found = hypergradient(learner, dealt, weights, x, y, recipe, state, together=together)
    gradients = tape.gradient(dealt, samples, found, unconnected_gradients="zero")
    return Hypergradient(loss, Samples(*map(tf.convert_to_tensor, gradients)))


def _on_real(
    learner: Learner, weights: Weights, x: tf.Tensor, y: tf.Tensor, losses: Losses, together: int
) -> tuple[tf.Tensor, Weights]:
    """The loss on the real batch and its gradient by the weights, in parts of one size."""
    parts = parallel.equal_parts(x.shape[0], REAL_PART)
    if parts == 1:
        return value_and_gradients(learner, weights, x, y, losses)
    xs, ys = (tf.reshape(v, [parts, v.shape[0] // parts, *v.shape[1:]]) for v in (x, y))
    zero = tf.zeros([], x.dtype), [tf.zeros_like(w) for w in weights]
    of_part = lambda i: value_and_gradients(learner, weights, xs[i], ys[i], losses)  # noqa: E731
    return parallel.mean(parts, of_part, zero, together)


def _forward(learner: Learner, recipe: Recipe, samples: Samples, start: Carry):
    """Trains on the samples and keeps what every step started from.

    Returns:
        The final weights, and one TensorArray `[epochs * steps, ...]` for each tensor
        of (weights, optimizer state).
    """
    total, steps = samples.lr.shape[0], samples.x.shape[0]
    history = [
        tf.TensorArray(v.dtype, size=total, element_shape=v.shape, clear_after_read=False)
        for v in tf.nest.flatten(start)
    ]

    def body(t, carry, history):
        history = [h.write(t, v) for h, v in zip(history, tf.nest.flatten(carry), strict=True)]
        x, y, lr = samples.x[t % steps], samples.y[t % steps], samples.lr[t]
        return t + 1, Carry(*inner_step(learner, recipe, *carry, x, y, lr)), history

    _, (final, _), history = tf.while_loop(
        lambda t, *_: t < total, body, (0, start, history), parallel_iterations=1, name=TRAINING
    )
    return final, history


def _backward(
    learner: Learner,
    recipe: Recipe,
    samples: Samples,
    history: list[tf.TensorArray],
    adjoint: Carry,
) -> Samples:
    """Walks from the last step to the first, carrying d loss / d (weights, state)."""
    total, steps = samples.lr.shape[0], samples.x.shape[0]

    def body(t, adjoint, gradients):
        carry = tf.nest.pack_sequence_as(adjoint, [h.read(t) for h in history])
        batch = Samples(samples.x[t % steps], samples.y[t % steps], samples.lr[t])
        adjoint, (dx, dy, dlr) = _pull_back(learner, recipe, carry, batch, adjoint)
        index = [[t % steps]]  # epochs use the same samples again, so their parts add up
        return (
            t - 1,
            adjoint,
            Samples(
                tf.tensor_scatter_nd_add(gradients.x, index, dx[tf.newaxis]),
                tf.tensor_scatter_nd_add(gradients.y, index, dy[tf.newaxis]),
                tf.tensor_scatter_nd_update(gradients.lr, [[t]], dlr[tf.newaxis]),
            ),
        )

    zeros = Samples(*(tf.zeros_like(v) for v in samples))
    _, _, gradients = tf.while_loop(
        lambda t, *_: t >= 0,
        body,
        (total - 1, adjoint, zeros),
        parallel_iterations=1,
        name=WAY_BACK,
    )
    return gradients


def _pull_back(
    learner: Learner, recipe: Recipe, carry: Carry, batch: Samples, adjoint: Carry
) -> tuple[Carry, Samples]:
    """One inner step's vector-Jacobian product.

    Returns:
        d loss / d (weights, state) before the step, and d loss / d (x, y, lr) of its batch.
    """
    with tf.GradientTape() as tape:
        tape.watch((carry, batch))
        after = Carry(*inner_step(learner, recipe, *carry, *batch))
    return tape.gradient(
        after, (carry, batch), output_gradients=adjoint, unconnected_gradients="zero"
    )
