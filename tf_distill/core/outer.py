"""The outer loop, Algorithms 1a and 1b of the paper."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_distill.common import Stream, UserError, numpy_generator, seed_key
from tf_distill.core import parallel
from tf_distill.core.compiling import Compiled, check_compilable, compiled
from tf_distill.core.distilled import DistilledSet
from tf_distill.core.distribution import Distribution, Parts
from tf_distill.core.hypergradient import (
    Hypergradient,
    Window,
    hypergradient,
    window_hypergradient,
)
from tf_distill.core.inner import REPLAY, Recipe, Samples
from tf_distill.core.learner import Learner, Weights, fixed_network
from tf_distill.core.nonfinite import Guard
from tf_distill.core.tasks import task_of
from tf_distill.datasets import Dataset

Draw = Callable[[tf.Tensor], Weights]
CLIP, LONGEST = 1.0, 2.0
"""The largest norm of a hypergradient for the paper's way; for ordinary training it is cut to
so many times the usual one."""


class Distillation(tf.Module):
    """Everything that changes while distilling, hence all that a checkpoint holds.

    Args:
        distilled: the set to be learned.
        outer_lr: the outer learning rate at the start; it falls to zero along a cosine.
        outer_steps: the length of the whole run.
        outer_momentum: Adam's beta1.
        usual: whether hypergradients are cut by their usual norm, not by a fixed one.

    best: what else a checkpoint should hold, such as the best set so far. texts: bytes `[M]`, of
    the real texts that the samples start from; None for other samples.
    """

    def __init__(
        self,
        distilled: DistilledSet,
        outer_lr: float,
        outer_steps: int,
        outer_momentum: float,
        usual: bool = False,
    ):
        super().__init__(name="distillation")
        self.distilled = distilled
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.seconds = tf.Variable(0.0, dtype=tf.float64, name="seconds")
        self.optimizer = keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(outer_lr, outer_steps),
            beta_1=outer_momentum,
            global_clipnorm=None if usual else CLIP,
        )
        self.optimizer.build(distilled.learned)
        self.guard = Guard(self.optimizer, distilled.learned, LONGEST if usual else None)
        self.best: tf.Module | None = None
        self.texts: np.ndarray | None = None

    def values(self) -> list[np.ndarray]:
        """All values, as `take` takes them."""
        return [v.numpy() for v in self._state()]

    def take(self, values: Sequence[np.ndarray | tf.Tensor]) -> None:
        """Takes the values of another of the same settings."""
        for variable, value in zip(self._state(), values, strict=True):
            variable.assign(value)

    def _state(self) -> list[tf.Variable]:
        return [*self.variables, *(v.value for v in self.optimizer.variables)]


class OuterStep(NamedTuple):
    """The settings of an outer step.

    batch_size: real examples, cut to the size of the training split. networks: random ones in each
    step, whose hypergradients are averaged. init: "fixed" for one and the same initial network,
    "random" for new ones at each step. seed: of the run; everything random follows from it and the
    number of the step. jit_compile: whether XLA compiles the step. recipe: how networks are trained
    on the set. window: the inner steps of ordinary training; None for all steps of the set.
    """

    batch_size: int
    networks: int = 1
    init: str = "fixed"
    seed: int = 0
    jit_compile: bool = False
    recipe: Recipe = REPLAY
    window: Window | None = None

    def real(self, dataset: Dataset) -> int:
        """The size of the real batch: as many examples as are asked for, and there are."""
        return min(self.batch_size, len(dataset.y_train))

    def check(self, learner: Learner, dataset: Dataset, distribution: Distribution) -> None:
        """Raises UserError where replicas can't share the step equally, or XLA can't compile it."""
        distribution.check(self.networks, self.real(dataset))
        if self.jit_compile:
            if (replicas := distribution.replicas) > 1:
                raise UserError(f"jit_compile is for one device, got {replicas}; leave it out")
            check_compilable(learner.model)


Update = Compiled[[tf.Tensor], tf.Tensor]
"""A compiled outer step: indices of the real batch in, its loss out."""


def distill(
    distillation: Distillation, update: Update, dataset: Dataset, settings: OuterStep, last: int
) -> Iterator[tuple[int, float]]:
    """Distills, from where `distillation` stands to the last outer step.

    Args:
        distillation: is updated in place.
        update: as `outer_update` gives it.
        dataset: whose training split is distilled.
        settings: of the outer step.
        last: the number of the last outer step.

    Yields:
        After each outer step its number, from 1, and the mean loss on the real batch in nats.
    """
    size, examples = settings.real(dataset), len(dataset.y_train)
    for step in range(int(distillation.step), last):
        loss = update(tf.constant(batch_indices(settings.seed, step, size, examples)))
        yield step + 1, float(loss)


def outer_graph(update: Update, dataset: Dataset, settings: OuterStep) -> tf.Graph:
    """The graph of an outer step; nothing is run."""
    return update.graph(tf.TensorSpec([settings.real(dataset)], tf.int32))


def network_drawer(learner: Learner, init: str, seed: int) -> Draw:
    """A function from a seed to initial weights: new ones, or always the fixed network's."""
    if init == "random":
        return learner.init
    weights = fixed_network(learner, seed)
    return lambda _: weights


def mean_hypergradient(
    learner: Learner,
    samples: Samples,
    draw: Draw,
    keys: tf.Tensor,
    x: tf.Tensor,
    y: tf.Tensor,
    recipe: Recipe = REPLAY,
    window: Window | None = None,
) -> Hypergradient:
    """The hypergradient averaged over networks (equation 6).

    The cores of a CPU share the networks, or the real batch of a single one.

    Args:
        learner: the network.
        samples: the distilled samples.
        draw: from a seed to initial weights.
        keys: int32 `[networks, 2]`, a seed for each network.
        x: the real batch, embedded.
        y: its targets.
        recipe: how the networks are trained.
        window: of the training; None for all steps of the set.
    """
    networks, cores = keys.shape[0], parallel.at_once()
    zero = Hypergradient(tf.zeros([], x.dtype), Samples(*(tf.zeros_like(v) for v in samples)))
    together = cores if networks == 1 else 1

    def of(key: tf.Tensor) -> Hypergradient:
        weights = draw(key)
        if window is None:
            return hypergradient(learner, samples, weights, x, y, recipe, together=together)
        return window_hypergradient(
            learner, samples, weights, x, y, recipe, window, key, together=together
        )

    return parallel.mean(networks, lambda j: of(keys[j]), zero, cores)


def outer_update(
    distillation: Distillation,
    learner: Learner,
    dataset: Dataset,
    settings: OuterStep,
    distribution: Distribution | None = None,
) -> Update:
    """Compiles the outer step; where its loss or a gradient is NaN or infinite the set stays.

    Args:
        distillation: is updated in place by each call.
        learner: the network to distill for.
        dataset: whose training split is distilled.
        settings: of the step.
        distribution: the replicas that share each step.

    Raises:
        UserError: the replicas can't share a step equally, or XLA can't compile it.
    """
    replicas = distribution or Distribution()
    settings.check(learner, dataset, replicas)
    draw = network_drawer(learner, settings.init, settings.seed)
    x_train, y_train = tf.constant(dataset.x_train), tf.constant(dataset.y_train)
    distilled, targets = distillation.distilled, task_of(dataset).encode
    network_key = seed_key(settings.seed, Stream.NETWORKS)
    augment_key = seed_key(settings.seed, Stream.AUGMENTATION)
    augment = settings.recipe.augment  # the same for the set and for real data

    def update(index: tf.Tensor) -> tf.Tensor:
        step = tf.cast(distillation.step, tf.int32)
        key = tf.random.fold_in(augment_key, step)
        x = tf.gather(x_train, index)
        x = x if settings.recipe.shuffled else dataset.augment(x, key)
        y = targets(tf.gather(y_train, index))
        keys = tf.random.split(tf.random.fold_in(network_key, step), settings.networks)
        samples = distilled.samples

        def mean(part: Parts) -> Hypergradient:
            real = dataset.encoding(part.x)
            if augment:
                real = augment(real, key)
            return mean_hypergradient(
                learner, samples, draw, part.keys, real, part.y, settings.recipe, settings.window
            )

        loss, gradients = replicas.mean(mean, Parts(keys, x, y))
        distillation.guard.apply(loss, distilled.pull_back(gradients))
        with tf.control_dependencies([loss, *gradients]):  # not if a worker is lost in it
            distillation.step.assign_add(1)
        return loss

    return compiled(update, settings.jit_compile)


def batch_indices(seed: int, step: int, size: int, examples: int) -> np.ndarray:
    """The real examples of outer step `step`: a window of shuffled epochs, int32 `[size]`."""
    epoch, offset = np.divmod(np.arange(step * size, (step + 1) * size), examples)
    orders = {e: _epoch_order(seed, int(e), examples) for e in np.unique(epoch)}
    return np.array([orders[e][i] for e, i in zip(epoch, offset, strict=True)], np.int32)


@functools.lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, examples: int) -> np.ndarray:
    return numpy_generator(seed, Stream.BATCHES, epoch).permutation(examples)
