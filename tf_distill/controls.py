"""Controls: the distilled set with one thing about it changed (what makes it work?)."""

import numpy as np
import tensorflow as tf

from tf_distill.compiled import compiled
from tf_distill.evaluate import Fit
from tf_distill.inner import Samples, descend
from tf_distill.learner import Learner
from tf_distill.text import TextEncoding

SGD_BATCH = 10


def shuffled(samples: Samples, rng: np.random.Generator) -> Samples:
    """The samples, with their labels, dealt to the inner steps anew; learning rates stay."""
    steps, n = samples.x.shape[:2]
    order = rng.permutation(steps * n)
    deal = lambda v: tf.reshape(tf.gather(_flat(v), order), v.shape)  # noqa: E731
    return samples._replace(x=deal(samples.x), y=deal(samples.y))


def hardened(samples: Samples) -> Samples:
    """The samples with hard labels: one-hot at the largest, or 0 and 1 by the half if binary."""
    if samples.y.shape[-1] == 1:
        return samples._replace(y=tf.cast(samples.y > 0.5, samples.y.dtype))
    largest = tf.argmax(samples.y, axis=-1)
    return samples._replace(y=tf.one_hot(largest, samples.y.shape[-1], dtype=samples.y.dtype))


def decoded(samples: Samples, encoding: TextEncoding) -> Samples:
    """Every distilled vector replaced by that of its nearest word (Algorithm 1b, 15).

    Also one that is nearer to zero: what has been measured so stays comparable.
    """
    vectors = samples.x.numpy().reshape(-1, samples.x.shape[-1])
    embedded = encoding(tf.constant(encoding.nearest(vectors)))
    return samples._replace(x=tf.reshape(embedded, samples.x.shape))


def sgd(learner: Learner, epochs: int, seed: tf.Tensor) -> Fit:
    """Ordinary training on a distilled set, by someone who knows nothing of its order.

    Minibatches of up to ten samples are drawn from all of them, in a new order each epoch;
    the last of an epoch is filled up with the epoch's first samples.

    Args:
        learner: the network.
        epochs: passes over the samples.
        seed: int32 `[2]`, of the orders.

    Returns:
        A compiled function of samples and initial weights to trained weights. Of the
        samples' learning rates the first is used for every step.
    """

    def fit(samples: Samples, weights: list[tf.Tensor]) -> list[tf.Tensor]:
        x, y = _flat(samples.x), _flat(samples.y)
        size = x.shape[0]
        batch = min(SGD_BATCH, size)
        per_epoch = -(-size // batch)

        def draw(t: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            keys = tf.random.stateless_uniform([size], tf.random.fold_in(seed, t // per_epoch))
            places = ((t % per_epoch) * batch + tf.range(batch)) % size
            index = tf.gather(tf.argsort(keys), places)
            return tf.gather(x, index), tf.gather(y, index), samples.lr[0]

        return descend(learner, draw, epochs * per_epoch, weights)

    return compiled(fit)


def _flat(v: tf.Tensor) -> tf.Tensor:
    """`[steps, n, ...]` to `[steps * n, ...]`."""
    return tf.reshape(v, [v.shape[0] * v.shape[1], *v.shape[2:]])
