"""Controls: the distilled set with one thing changed, to see what makes it work."""

import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf

from tf_distill.common import Progress, Stream
from tf_distill.core import (
    OPTIMIZER_WORDS,
    OPTIMIZERS,
    Distillation,
    DistilledSet,
    Learner,
    Recipe,
    Samples,
    distill,
    outer_update,
    pick,
    recipe_words,
)
from tf_distill.datasets import TableEncoding, TextEncoding, augmentation
from tf_distill.evaluation.baselines import as_samples, real_sets, trained_by
from tf_distill.evaluation.bench import (
    MOST,
    RATES,
    SCALES,
    Bench,
    Done,
    Measured,
    Row,
    Subject,
    for_classes,
    for_replay,
    for_training,
    with_rate,
)
from tf_distill.networks import NETWORKS, fitting_names
from tf_distill.runs import new_distillation

SGD_BATCH = 10
TIMES = (4, 10)
"""How many times as long the set is trained."""
KERAS_TIMES, KERAS_RATE = 4, 0.001
AUGMENT = "shift"
"""The change of a set that is made without one."""


def shuffled(samples: Samples, rng: np.random.Generator) -> Samples:
    """The samples, with their labels, dealt to the inner steps anew; learning rates stay."""
    steps, n = samples.x.shape[:2]
    x, y = pick(samples, rng.permutation(steps * n).reshape(steps, n))
    return samples._replace(x=x, y=y)


def hardened(samples: Samples) -> Samples:
    """The samples with hard labels: one-hot at the largest, or 0 and 1 by the half if binary."""
    if samples.y.shape[-1] == 1:
        return samples._replace(y=tf.cast(samples.y > 0.5, samples.y.dtype))
    largest = tf.argmax(samples.y, axis=-1)
    return samples._replace(y=tf.one_hot(largest, samples.y.shape[-1], dtype=samples.y.dtype))


def decoded(samples: Samples, encoding: TextEncoding, scale: float) -> Samples:
    """Every distilled vector replaced by the vector of its nearest word (Algorithm 1b, 15).

    Zero, the vector of padding, is no word here, as in all earlier measurements. All words are
    at the `scale` of the samples.
    """
    vectors = samples.x.numpy().reshape(-1, samples.x.shape[-1]) / np.float32(scale)
    embedded = np.float32(scale) * encoding(tf.constant(encoding.nearest(vectors)))
    return samples._replace(x=tf.reshape(embedded, samples.x.shape))


def as_written(samples: Samples, encoding: TableEncoding) -> Samples:
    """The distilled rows of a table as people read them, seen by a network again."""
    rows = encoding.decode(samples.x.numpy().reshape(-1, samples.x.shape[-1]))
    return samples._replace(x=tf.reshape(encoding(tf.constant(rows)), samples.x.shape))


def in_minibatches(samples: Samples, epochs: int) -> Samples:
    """All samples in minibatches of up to ten, for so many epochs at the first rate.

    The last minibatch is filled up with the first samples.
    """
    size = samples.x.shape[0] * samples.x.shape[1]
    batch = min(SGD_BATCH, size)
    steps = -(-size // batch)
    x, y = pick(samples, np.resize(np.arange(size), (steps, batch)))
    return Samples(x, y, tf.fill([epochs * steps], samples.lr[0]))


def learned_labels(subject: Subject, done: Done) -> Measured:
    """Real samples that stay as they are, with learned labels and rates."""
    config = subject.run.config
    steps = min(subject.protocol.control_steps, config.outer_steps)
    lr = np.array(done["random_real"]["lr"], np.float32)
    start = as_samples(real_sets(subject)[0], subject.task, subject.samples, lr)
    distillation = Distillation(
        DistilledSet(start, ("lr", "y")), config.outer_lr, steps, config.outer_momentum
    )
    how = (
        f"One draw of real training examples; their labels and rates learned in {steps} outer "
        f"steps (the set itself: {config.outer_steps})."
    )
    return _learned(subject, distillation, steps, how)


def learned_probabilities(subject: Subject, done: Done) -> Measured:
    """Real samples that stay as they are, with learned labels: a run of learn=labels."""
    config = subject.run.config
    steps = min(subject.protocol.control_steps, config.outer_steps)
    rate = done["random_real"]["lr"][0]
    own = dataclasses.replace(
        config,
        labels="probabilities" if for_classes(subject) else "quantities",
        learn="labels",
        label_init="one_hot",
        sample_init="real",
        sample_scale=1.0,
        inner_lr=rate,
        outer_steps=steps,
    )
    how = (
        f"One draw of real training examples; their labels learned in {steps} outer steps (the set "
        f"itself: {config.outer_steps}), learning rate {rate:g}, that of random real."
    )
    return _learned(
        subject, new_distillation(own, subject.run.dataset, subject.run.learner), steps, how
    )


def _learned(subject: Subject, distillation: Distillation, steps: int, how: str) -> Measured:
    """The set after so many outer steps, or at its start if it diverges."""
    start = distillation.distilled.samples
    update = outer_update(distillation, subject.run.learner, subject.run.dataset, subject.run.step)
    going = distill(distillation, update, subject.run.dataset, subject.run.step, steps)
    losses = [loss for _, loss in Progress(steps, 0).steps(going)]
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
    bench = subject.other_bench(Recipe(shuffled=True, losses=subject.task.losses))
    samples = in_minibatches(subject.samples, epochs)
    rate = bench.best_rate([samples])
    how = (
        f"{epochs} epochs of minibatches of up to {SGD_BATCH} samples in random order, "
        f"{subject.run.config.labels} labels, learning rate {rate:g}: the best of {len(RATES)} on "
        "training data."
    )
    return Measured(bench.test([with_rate(samples, rate)]), how)


def hard_labels(subject: Subject, done: Done) -> Measured:
    """The set without its soft labels."""
    how = "The samples and rates of the set, each label replaced by one-hot at its largest."
    if subject.run.config.labels == "hard":
        how = "The set has hard labels: there is nothing to replace, but for rounding."
    return Measured(subject.bench.test([hardened(subject.samples)]), how)


def _words(subject: Subject) -> Samples:
    return decoded(subject.samples, _encoding(subject), subject.run.config.sample_scale)


def decoded_words(subject: Subject, done: Done) -> Measured:
    """Each distilled sentence replaced by its nearest words."""
    words = _words(subject)
    how = "Every vector replaced by that of its nearest word; labels and rates of the set."
    return Measured(subject.bench.test([words]), how)


def decoded_words_hard(subject: Subject, done: Done) -> Measured:
    """The nearest words and a class, as a person would write them down."""
    words = hardened(_words(subject))
    how = "The nearest words as before, labels replaced by one-hot at their largest."
    return Measured(subject.bench.test([words]), how)


def decoded_rows(subject: Subject, done: Done) -> Measured:
    """The rows of a table as they are written for people."""
    encoding = subject.run.dataset.encoding
    assert isinstance(encoding, TableEncoding)
    how = (
        "The rows of samples/rows.csv: numbers with as many decimals as in the data, the nearest "
        "categories; labels and rates of the set."
    )
    return Measured(subject.bench.test([as_written(subject.samples, encoding)]), how)


def other_initial_networks(subject: Subject, done: Done) -> Measured:
    """A set for one initial network, used with other initial weights."""
    conditions = subject.conditions._replace(init="random")
    bench = Bench(subject.run.learner, subject.run.dataset, conditions)
    how = "Trained as the set says, but from random initial weights it was not made for."
    return Measured(bench.test([subject.samples]), how)


def more_steps(subject: Subject, done: Done, times: int) -> Measured:
    """The same training, so many times as long."""
    usual = recipe_words(vars(subject.run.config), subject.samples)
    how = f"{usual}, but {times} times as many epochs."
    return Measured(subject.bench.test([longer(subject.samples, times)], MOST), how)


def keras_defaults(subject: Subject, done: Done) -> Measured:
    """What one gets who asks Keras for Adam, and does not tune it."""
    bench = subject.other_bench(subject.run.recipe._replace(optimizer=OPTIMIZERS["adam"]))
    samples = with_rate(longer(subject.samples, KERAS_TIMES), KERAS_RATE)
    how = f"Adam at {KERAS_RATE:g}, Keras's default rate, with {KERAS_TIMES} times as many epochs."
    return Measured(bench.test([samples], MOST), how)


def longer(samples: Samples, times: int) -> Samples:
    """The samples for so many times the epochs, at their first rate."""
    return samples._replace(lr=tf.fill([times * samples.lr.shape[0]], samples.lr[0]))


def is_text(subject: Subject) -> bool:
    """Whether the samples are sentences."""
    return isinstance(subject.run.dataset.encoding, TextEncoding)


def is_table(subject: Subject) -> bool:
    """Whether the samples are rows of a table."""
    return isinstance(subject.run.dataset.encoding, TableEncoding)


LEARNED = "random real, learned labels"
ROWS = (
    Row("learned_labels", "control", LEARNED, learned_labels, for_replay, ("random_real",)),
    Row(
        "learned_labels", "control", LEARNED, learned_probabilities, for_training, ("random_real",)
    ),
    Row("shuffled", "control", "order shuffled", shuffled_row, for_replay),
    Row("sgd", "control", "ordinary SGD", ordinary_sgd, for_replay),
    Row("hard_labels", "control", "hard labels", hard_labels, for_classes),
    Row("decoded_words", "control", "nearest words", decoded_words, is_text),
    Row("decoded_words_hard", "control", "nearest words, hard labels", decoded_words_hard, is_text),
    Row("decoded_rows", "control", "rows as written", decoded_rows, is_table),
    Row(
        "other_initial_networks",
        "control",
        "other initial weights",
        other_initial_networks,
        lambda subject: subject.run.config.init == "fixed",
    ),
    *(
        Row(
            f"steps_{times}",
            "control",
            f"{times} times the steps",
            functools.partial(more_steps, times=times),
            for_training,
        )
        for times in TIMES
    ),
    Row("keras_defaults", "control", "Keras's defaults", keras_defaults, for_training),
)


def _encoding(subject: Subject) -> TextEncoding:
    assert isinstance(subject.run.dataset.encoding, TextEncoding)
    return subject.run.dataset.encoding


def rows_of_other_training(subject: Subject) -> list[Row]:
    """Rows of the set under other optimizers, and with or without augmentation."""
    run = subject.run
    others = [name for name in OPTIMIZERS if OPTIMIZERS[name] != run.recipe.optimizer]
    rows = [
        Row(
            f"optimizer_{name}",
            "control",
            OPTIMIZER_WORDS[name],
            functools.partial(other_optimizer, name=name),
            for_training,
        )
        for name in others
    ]
    title = f"with {AUGMENT}" if run.config.augment == "none" else f"without {run.config.augment}"
    return [
        *rows,
        Row("augmentation", "control", title, other_augmentation, _is_image_training),
        Row(
            "random_real_augmentation",
            "control",
            f"random real, {title}",
            random_real_other_augmentation,
            _is_image_training,
        ),
    ]


def other_optimizer(subject: Subject, done: Done, name: str) -> Measured:
    """The set trained by an optimizer that it was not made for."""
    bench = subject.other_bench(subject.run.recipe._replace(optimizer=OPTIMIZERS[name]))
    rate = bench.best_rate([subject.samples])
    how = f"{OPTIMIZER_WORDS[name]} at {rate:g}, the best of {len(RATES)} on training data."
    return Measured(bench.test([with_rate(subject.samples, rate)]), how)


def other_augmentation(subject: Subject, done: Done) -> Measured:
    """The set trained with augmentation, or without if it was made with it."""
    bench = subject.other_bench(_other_augment(subject))
    how = "The set at its own rate; its samples are changed at random, or no longer so."
    return Measured(bench.test([subject.samples]), how)


def random_real_other_augmentation(subject: Subject, done: Done) -> Measured:
    """Random real examples under the same training."""
    sets, bench = real_sets(subject), subject.other_bench(_other_augment(subject))
    return trained_by(bench, subject, sets, f"{len(sets)} draws of real training examples")


def _other_augment(subject: Subject) -> Recipe:
    recipe, described = subject.run.recipe, subject.run.dataset.encoding.metadata()
    augment = None if recipe.augment else augmentation(AUGMENT, described)
    return recipe._replace(augment=augment)


def _is_image_training(subject: Subject) -> bool:
    kind = subject.run.dataset.encoding.metadata()["kind"]
    return for_training(subject) and kind == "image"


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
