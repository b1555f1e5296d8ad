"""The inner problem: training on a distilled set, as a pure function.

w[t+1] = w[t] - lr[t] * grad_w loss(f(x[s]; w[t]), y[s])      s = t mod steps

That is the paper's way, the recipe REPLAY. Other recipes have another optimizer, or draw the
samples of each step anew as ordinary training does.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tf_distill.common import Stream, count
from tf_distill.core.learner import Learner, Weights
from tf_distill.core.losses import Losses, cross_entropies
from tf_distill.core.optimizers import GRADIENT_DESCENT, OPTIMIZERS, Optimizer, State
from tf_distill.datasets import Augment, augmentation


class Samples(NamedTuple):
    """The tensors of a distilled set.

    x: `[steps, n, ...]`, embedded samples; y: `[steps, n, outputs]`, labels; lr:
    `[epochs * steps]`, one positive learning rate for each inner step. An epoch
    goes through all samples.
    """

    x: tf.Tensor
    y: tf.Tensor
    lr: tf.Tensor


Batch = Callable[[tf.Tensor], Samples]
"""From the number of an inner step to its x `[n, ...]`, y `[n, outputs]` and lr `[]`."""


class Recipe(NamedTuple):
    """How a network is trained on a set.

    optimizer: the inner update. shuffled: whether each epoch deals the samples anew to
    minibatches; otherwise each step has the same samples in every epoch, in their order.
    augment: a random change of the samples of each minibatch, if shuffled. losses: of the samples,
    and of real data.
    """

    optimizer: Optimizer = GRADIENT_DESCENT
    shuffled: bool = False
    augment: Augment | None = None
    losses: Losses = cross_entropies


OPTIMIZER_WORDS = {"sgd": "SGD", "momentum": "SGD with momentum 0.9", "adam": "Adam"}
REPLAY = Recipe()
"""The paper's way: the set's own steps, by plain descent."""


def recipe_of(settings: Mapping[str, Any], described: Mapping[str, Any], losses: Losses) -> Recipe:
    """The recipe that settings name; those of an older set are the paper's.

    Args:
        settings: of a run, or the metadata of a set.
        described: an encoding's metadata, for the change of images.
        losses: of the task.
    """
    return Recipe(
        OPTIMIZERS[settings.get("inner_optimizer", "sgd")],
        settings.get("use") == "training",
        augmentation(settings.get("augment", "none"), described),
        losses,
    )


def recipe_words(settings: Mapping[str, Any], samples: Samples) -> str:
    """The same recipe in words, with the sizes and the rates of the samples."""
    optimizer = OPTIMIZER_WORDS[settings.get("inner_optimizer", "sgd")]
    (steps, n), rates = samples.x.shape[:2], samples.lr.shape[0]
    total = count(rates, "step", "steps")
    if settings.get("use") != "training":
        return f"{total} of {optimizer} in the set's own order, each at a learned rate"
    rate, augment = f"{float(samples.lr[0]):.3g}", settings.get("augment", "none")
    change = "" if augment == "none" else f", changed by {augment}"
    return (
        f"{optimizer} at {rate}, shuffled minibatches of {n}{change}, "
        f"{count(rates // steps, 'epoch', 'epochs')} ({total})"
    )


def value_and_gradients(
    learner: Learner,
    weights: Weights,
    x: tf.Tensor,
    y: tf.Tensor,
    losses: Losses = cross_entropies,
) -> tuple[tf.Tensor, Weights]:
    """The mean loss on one batch and its gradient with respect to the weights."""
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = tf.reduce_mean(losses(y, learner.apply(weights, x)))
    gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
    return loss, [tf.convert_to_tensor(g) for g in gradients]  # embeddings give IndexedSlices


def inner_step(
    learner: Learner,
    recipe: Recipe,
    weights: Weights,
    state: State,
    x: tf.Tensor,
    y: tf.Tensor,
    lr: tf.Tensor,
) -> tuple[Weights, State]:
    """One step of training on one batch `x` `[n, ...]`, `y` `[n, outputs]`."""
    _, gradients = value_and_gradients(learner, weights, x, y, recipe.losses)
    return recipe.optimizer.update(weights, state, gradients, lr)


def descend(
    learner: Learner,
    batch: Batch,
    total: int | tf.Tensor,
    weights: Weights,
    recipe: Recipe = REPLAY,
) -> tuple[Weights, State]:
    """Trains initial weights in `total` steps, by the recipe's optimizer and losses.

    Returns:
        The weights and the optimizer's state after the last step.
    """

    def body(t, weights, state):
        return t + 1, *inner_step(learner, recipe, weights, state, *batch(t))

    _, weights, state = tf.while_loop(
        lambda t, *_: t < total,
        body,
        (0, list(weights), recipe.optimizer.init(weights)),
        parallel_iterations=1,
    )
    return weights, state


def in_order(samples: Samples) -> Batch:
    """The samples of each step, as the set has them."""
    steps = samples.x.shape[0]
    return lambda t: Samples(samples.x[t % steps], samples.y[t % steps], samples.lr[t])


def places(samples: Samples, seed: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """Where the samples of step `t` are, int32 `[n]`: each epoch deals them anew to its steps.

    It is a pure function of `seed`, int32 `[2]`, and `t`.
    """
    steps, n = samples.x.shape[:2]
    keys = tf.random.stateless_uniform([steps * n], tf.random.fold_in(seed, t // steps))
    return tf.argsort(keys)[(t % steps) * n : (t % steps + 1) * n]


def pick(samples: Samples, place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The x and y at places `[...]`, counted through all steps of the set."""
    x, y = (
        tf.gather(tf.reshape(v, [v.shape[0] * v.shape[1], *v.shape[2:]]), place)
        for v in (samples.x, samples.y)
    )
    return x, y


def augmented(x: tf.Tensor, recipe: Recipe, seed: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """The samples of a minibatch, changed at random if the recipe says so."""
    return recipe.augment(x, tf.random.fold_in(seed, -1 - t)) if recipe.augment else x


def minibatches(samples: Samples, recipe: Recipe, seed: tf.Tensor) -> Batch:
    """The samples of each step of ordinary training, `seed` int32 `[2]`."""

    def batch(t: tf.Tensor) -> Samples:
        x, y = pick(samples, places(samples, seed, t))
        return Samples(augmented(x, recipe, seed, t), y, samples.lr[t])

    return batch


def train(
    learner: Learner,
    samples: Samples,
    weights: Weights,
    recipe: Recipe = REPLAY,
    order: int | tf.Tensor = 0,
) -> Weights:
    """Trains initial weights on the distilled samples, all steps of all epochs.

    Args:
        learner: the network.
        samples: the set.
        weights: at the start; they are not changed.
        recipe: how the network is trained.
        order: the number of the random order, of shuffled minibatches.
    """
    batch = in_order(samples)
    if recipe.shuffled:
        batch = minibatches(samples, recipe, tf.stack([tf.cast(order, tf.int32), Stream.ORDER]))
    return descend(learner, batch, samples.lr.shape[0], weights, recipe)[0]
