"""The controls as rows: the distilled set, or real samples, with one thing changed."""

import math

import numpy as np

from tf_distill import controls, seeds
from tf_distill.baseline_rows import real_sets
from tf_distill.baselines import as_samples
from tf_distill.bench import RATES, Bench, with_rate
from tf_distill.distilled import DistilledSet
from tf_distill.outer import Distillation, distill
from tf_distill.progress import Progress
from tf_distill.rows import Done, Measured, Row
from tf_distill.seeds import Stream
from tf_distill.subject import Subject
from tf_distill.text import TextEncoding


def learned_labels(subject: Subject, done: Done) -> Measured:
    """Real samples stay; labels and rates are learned as those of a distilled set."""
    config = subject.config
    steps = min(subject.protocol.control_steps, config.outer_steps)
    lr = np.array(done["random_real"]["lr"], np.float32)
    start = as_samples(real_sets(subject)[0], subject.samples, lr)
    distillation = Distillation(
        DistilledSet(start, ("lr", "y")), config.outer_lr, steps, config.outer_momentum
    )
    going = distill(
        distillation,
        subject.learner,
        subject.dataset,
        outer_steps=steps,
        batch_size=config.batch_size,
        networks=config.networks,
        init=config.init,
        seed=config.seed,
        jit_compile=config.jit_compile,
    )
    losses = [loss for _, loss in Progress(steps, 0).steps(going)]
    how = (
        f"One draw of real training examples; their labels and rates learned in {steps} outer "
        f"steps (the set itself: {config.outer_steps})."
    )
    if not math.isfinite(losses[-1]):
        return Measured(subject.bench.test([start]), f"{how} It diverged: this is its start.")
    return Measured(subject.bench.test([distillation.distilled.samples]), how)


def shuffled(subject: Subject, done: Done) -> Measured:
    """The right samples at the wrong steps."""
    times = subject.protocol.baseline_sets
    how = f"The samples dealt to other steps, {times} times, each with its label."
    if subject.config.steps == 1:
        times, how = 1, "The set has one step: there is no order to shuffle, but for rounding."
    rngs = [subject.rng(Stream.SHUFFLES, i) for i in range(times)]
    sets = [controls.shuffled(subject.samples, rng) for rng in rngs]
    return Measured(subject.bench.test(sets), how)


def ordinary_sgd(subject: Subject, done: Done) -> Measured:
    """Minibatches in random order at one constant rate."""
    epochs = subject.protocol.sgd_epochs
    fit = controls.sgd(subject.learner, epochs, seeds.key(subject.config.seed, Stream.SHUFFLES))
    bench = Bench(subject.learner, subject.dataset, subject.conditions, fit)
    rate = bench.best_rate([subject.samples])
    how = (
        f"{epochs} epochs of minibatches of up to {controls.SGD_BATCH} samples in random order, "
        f"{subject.config.labels} labels, learning rate {rate:g}: the best of {len(RATES)} on "
        "training data."
    )
    return Measured(bench.test([with_rate(subject.samples, rate)]), how)


def hard_labels(subject: Subject, done: Done) -> Measured:
    """What the soft labels are worth."""
    how = "The samples and rates of the set, each label replaced by one-hot at its largest."
    if subject.config.labels == "hard":
        how = "The set has hard labels: there is nothing to replace, but for rounding."
    return Measured(subject.bench.test([controls.hardened(subject.samples)]), how)


def decoded_words(subject: Subject, done: Done) -> Measured:
    """What of a distilled sentence its nearest words keep."""
    words = controls.decoded(subject.samples, _encoding(subject))
    how = "Every vector replaced by that of its nearest word; labels and rates of the set."
    return Measured(subject.bench.test([words]), how)


def decoded_words_hard(subject: Subject, done: Done) -> Measured:
    """What a person would get who writes the words and their class down."""
    words = controls.hardened(controls.decoded(subject.samples, _encoding(subject)))
    how = "The nearest words as before, labels replaced by one-hot at their largest."
    return Measured(subject.bench.test([words]), how)


def other_initial_networks(subject: Subject, done: Done) -> Measured:
    """A set for one initial network, used from others."""
    conditions = subject.conditions._replace(init="random")
    bench = Bench(subject.learner, subject.dataset, conditions)
    how = "Trained as the set says, but from random initial weights it was not made for."
    return Measured(bench.test([subject.samples]), how)


def is_text(subject: Subject) -> bool:
    """Whether the samples are sentences."""
    return isinstance(subject.dataset.encoding, TextEncoding)


ROWS = (
    Row("learned_labels", "control", "random real, learned labels", learned_labels),
    Row("shuffled", "control", "order shuffled", shuffled),
    Row("sgd", "control", "ordinary SGD", ordinary_sgd),
    Row("hard_labels", "control", "hard labels", hard_labels),
    Row("decoded_words", "control", "nearest words", decoded_words, is_text),
    Row("decoded_words_hard", "control", "nearest words, hard labels", decoded_words_hard, is_text),
    Row(
        "other_initial_networks",
        "control",
        "other initial weights",
        other_initial_networks,
        lambda subject: subject.config.init == "fixed",
    ),
)


def _encoding(subject: Subject) -> TextEncoding:
    assert isinstance(subject.dataset.encoding, TextEncoding)
    return subject.dataset.encoding
