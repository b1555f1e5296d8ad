"""Controls: the distilled set with one thing changed, to see what makes it work."""

import functools
import math

import numpy as np
import tensorflow as tf

from tf_distill.common import Progress, Stream, seed_key
from tf_distill.core import (
    Distillation,
    DistilledSet,
    Fit,
    Learner,
    Samples,
    compiled,
    descend,
    distill,
    outer_update,
)
from tf_distill.datasets import TextEncoding
from tf_distill.evaluation.baselines import as_samples, real_sets
from tf_distill.evaluation.bench import (
    RATES,
    SCALES,
    Bench,
    Done,
    Measured,
    Row,
    Subject,
    with_rate,
)
from tf_distill.networks import NETWORKS, fitting_names

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
    """Every distilled vector replaced by the vector of its nearest word (Algorithm 1b, 15).

    Zero, the vector of padding, is no word here, as in all earlier measurements.
    """
    vectors = samples.x.numpy().reshape(-1, samples.x.shape[-1])
    embedded = encoding(tf.constant(encoding.nearest(vectors)))
    return samples._replace(x=tf.reshape(embedded, samples.x.shape))


def sgd(learner: Learner, epochs: int, seed: tf.Tensor) -> Fit:
    """Ordinary training on a distilled set, without its order and its rates.

    Minibatches of up to ten samples are drawn from all of them, in a new order each epoch;
    the last one of an epoch is filled up with the epoch's first samples.

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

        return descend(learner, draw, epochs * per_epoch, weights)[0]

    return compiled(fit)


def _flat(v: tf.Tensor) -> tf.Tensor:
    """`[steps, n, ...]` to `[steps * n, ...]`."""
    return tf.reshape(v, [v.shape[0] * v.shape[1], *v.shape[2:]])


def learned_labels(subject: Subject, done: Done) -> Measured:
    """Real samples that stay as they are, with learned labels and rates."""
    config = subject.run.config
    steps = min(subject.protocol.control_steps, config.outer_steps)
    lr = np.array(done["random_real"]["lr"], np.float32)
    start = as_samples(real_sets(subject)[0], subject.samples, lr)
    distillation = Distillation(
        DistilledSet(start, ("lr", "y")), config.outer_lr, steps, config.outer_momentum
    )
    update = outer_update(distillation, subject.run.learner, subject.run.dataset, subject.run.step)
    going = distill(distillation, update, subject.run.dataset, subject.run.step, steps)
    losses = [loss for _, loss in Progress(steps, 0).steps(going)]
    how = (
        f"One draw of real training examples; their labels and rates learned in {steps} outer "
        f"steps (the set itself: {config.outer_steps})."
    )
    if not math.isfinite(losses[-1]):
        return Measured(subject.bench.test([start]), f"{how} It diverged: this is its start.")
    return Measured(subject.bench.test([distillation.distilled.samples]), how)


def shuffled_row(subject: Subject, done: Done) -> Measured:
    """The samples at other steps than their own."""
    times = subject.protocol.baseline_sets
    how = f"The samples dealt to other steps, {times} times, each with its label."
    if subject.run.config.steps == 1:
        times, how = 1, "The set has one step: there is no order to shuffle, but for rounding."
    rngs = [subject.rng(Stream.SHUFFLES, i) for i in range(times)]
    sets = [shuffled(subject.samples, rng) for rng in rngs]
    return Measured(subject.bench.test(sets), how)


def ordinary_sgd(subject: Subject, done: Done) -> Measured:
    """Minibatches in random order at one constant rate."""
    epochs = subject.protocol.sgd_epochs
    fit = sgd(subject.run.learner, epochs, seed_key(subject.run.config.seed, Stream.SHUFFLES))
    bench = Bench(subject.run.learner, subject.run.dataset, subject.conditions, fit)
    rate = bench.best_rate([subject.samples])
    how = (
        f"{epochs} epochs of minibatches of up to {SGD_BATCH} samples in random order, "
        f"{subject.run.config.labels} labels, learning rate {rate:g}: the best of {len(RATES)} on "
        "training data."
    )
    return Measured(bench.test([with_rate(subject.samples, rate)]), how)


def hard_labels(subject: Subject, done: Done) -> Measured:
    """The set without its soft labels."""
    how = "The samples and rates of the set, each label replaced by one-hot at its largest."
    if subject.run.config.labels == "hard":
        how = "The set has hard labels: there is nothing to replace, but for rounding."
    return Measured(subject.bench.test([hardened(subject.samples)]), how)


def decoded_words(subject: Subject, done: Done) -> Measured:
    """Each distilled sentence replaced by its nearest words."""
    words = decoded(subject.samples, _encoding(subject))
    how = "Every vector replaced by that of its nearest word; labels and rates of the set."
    return Measured(subject.bench.test([words]), how)


def decoded_words_hard(subject: Subject, done: Done) -> Measured:
    """The nearest words and a class, as a person would write them down."""
    words = hardened(decoded(subject.samples, _encoding(subject)))
    how = "The nearest words as before, labels replaced by one-hot at their largest."
    return Measured(subject.bench.test([words]), how)


def other_initial_networks(subject: Subject, done: Done) -> Measured:
    """A set for one initial network, used with other initial weights."""
    conditions = subject.conditions._replace(init="random")
    bench = Bench(subject.run.learner, subject.run.dataset, conditions)
    how = "Trained as the set says, but from random initial weights it was not made for."
    return Measured(bench.test([subject.samples]), how)


def is_text(subject: Subject) -> bool:
    """Whether the samples are sentences."""
    return isinstance(subject.run.dataset.encoding, TextEncoding)


ROWS = (
    Row("learned_labels", "control", "random real, learned labels", learned_labels),
    Row("shuffled", "control", "order shuffled", shuffled_row),
    Row("sgd", "control", "ordinary SGD", ordinary_sgd),
    Row("hard_labels", "control", "hard labels", hard_labels),
    Row("decoded_words", "control", "nearest words", decoded_words, is_text),
    Row("decoded_words_hard", "control", "nearest words, hard labels", decoded_words_hard, is_text),
    Row(
        "other_initial_networks",
        "control",
        "other initial weights",
        other_initial_networks,
        lambda subject: subject.run.config.init == "fixed",
    ),
)


def _encoding(subject: Subject) -> TextEncoding:
    assert isinstance(subject.run.dataset.encoding, TextEncoding)
    return subject.run.dataset.encoding


MOST = 20
"""Random networks of each other kind, at most: some are a hundred times as large as LeNet."""


def rows_of_other_networks(subject: Subject) -> list[Row]:
    """A row for each other network of the registry that takes such inputs."""
    others = [n for n in fitting_names(subject.run.dataset) if n != subject.run.config.model]
    return [Row(n, "network", n, functools.partial(other_network, name=n)) for n in others]


def other_network(subject: Subject, done: Done, name: str) -> Measured:
    """The set in another network, from random initial weights."""
    dataset, conditions = subject.run.dataset, subject.conditions
    conditions = conditions._replace(init="random", networks=min(MOST, conditions.networks))
    learner = Learner(NETWORKS[name].build(dataset.encoding.shape, dataset.outputs))
    bench = Bench(learner, dataset, conditions)
    scale, accuracies = bench.test_scaled(subject.samples)
    how = (
        "Trained as the set says, from random initial weights, its learning rates times "
        f"{scale:g}: the best of {len(SCALES)} factors on training data."
    )
    return Measured(accuracies, how)
