"""Where small training sets are compared: equal conditions, and the rows of a comparison."""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_distill.common import Stream, UserError, numpy_generator, seed_key
from tf_distill.config import Protocol
from tf_distill.core import (
    REPLAY,
    Distillation,
    DistilledSet,
    Learner,
    OuterStep,
    Recipe,
    Samples,
    Task,
    Weights,
    compiled_train,
    distill,
    fixed_network,
    outer_update,
    parallel,
    task_of,
    test_networks,
    tester,
)
from tf_distill.datasets import Dataset
from tf_distill.runs import Run

SUBSET = 2000
"""Training examples that choices are made on."""
RATES = tuple(float(f"{10**e:.1g}") for e in np.arange(-3, 2, 0.5))
"""Constant learning rates that are tried: 0.001, 0.003, 0.01 .. 30."""
SCALES = (1.0, 0.5, 2.0, 0.2, 5.0, 0.1, 10.0, 0.03, 30.0)
"""Factors tried where a set meets another network, the first for choice."""
TRIALS = 10
"""Sets, and networks if these are random, that a rate is tried on."""
TRIALS_IN_TRAINING = 5
"""The same for ordinary training, which takes many more steps."""
MOST = 20
"""Random networks, at most, where one of them takes long."""
LEARNING_STEPS = 100
"""Outer steps in which the rates of the single inner steps are then learned."""
LEARNING_RATE, LEARNING_MOMENTUM = 0.05, 0.5


class Conditions(NamedTuple):
    """The conditions that are equal for all sets of a comparison.

    init: "fixed" or "random"; networks: how many to test with if random; batch_size: real
    examples in an outer step, where rates are learned by `Bench.tune`; seed: of the run;
    recipe: how networks are trained; trials: sets and networks that choices are made on.
    """

    init: str
    networks: int
    batch_size: int
    seed: int
    recipe: Recipe = REPLAY
    trials: int = TRIALS


class Bench:
    """Tests training sets, and tunes their learning rates on training data alone.

    Args:
        learner: the network.
        dataset: with the test split to report on.
        conditions: equal for all sets.
    """

    def __init__(self, learner: Learner, dataset: Dataset, conditions: Conditions):
        self.learner, self.dataset, self.conditions = learner, dataset, conditions
        fit = compiled_train(learner, conditions.recipe)
        self._test = tester(learner, dataset, fit)
        self._train = tester(learner, training_view(dataset, conditions.seed), fit)
        self._rates: RateLearner | None = None

    def test(self, sets: Sequence[Samples | None], most: int | None = None) -> list[float]:
        """Accuracies on the test split, of sets and networks in pairs.

        Args:
            sets: all are used; used again where there are more random networks.
            most: random networks, if fewer than those of the conditions are enough.
        """
        c = self.conditions
        if c.init == "fixed":
            weights = fixed_network(self.learner, c.seed)
            return parallel.each(self._test, [(s, weights) for s in sets])
        enough = min(most or c.networks, c.networks)
        networks = test_networks(self.learner, c.init, max(enough, len(sets)), c.seed)
        return parallel.each(self._test, zip(itertools.cycle(sets), networks, itertools.count()))

    def training_accuracy(self, sets: Sequence[Samples]) -> float:
        """The mean accuracy on a fixed part of the training split, over a few pairs."""
        networks = _tuning_networks(self.learner, self.conditions)
        pairs = max(len(sets), len(networks))
        together = zip(itertools.cycle(sets), itertools.cycle(networks), range(pairs))
        return float(np.mean(parallel.each(self._train, together)))

    def best_rate(self, sets: Sequence[Samples]) -> float:
        """The one learning rate of `RATES` with the best accuracy on training data."""
        return self._best(RATES, lambda rate: [with_rate(s, rate) for s in sets])

    def test_scaled(self, samples: Samples) -> tuple[float, list[float]]:
        """A set's accuracies in a network that its learning rates were not learned for.

        Returns:
            The factor of `SCALES` for the set's rates with the best accuracy on training data,
            and the accuracies with it on the test split.
        """
        scaled = lambda scale: [samples._replace(lr=samples.lr * scale)]  # noqa: E731
        best = self._best(SCALES, scaled)
        return best, self.test(scaled(best))

    def _best(self, tried: Sequence[float], sets: Callable[[float], list[Samples]]) -> float:
        """The first value whose sets have the best accuracy on training data."""
        scores = [self.training_accuracy(sets(value)) for value in tried]
        return tried[int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))]  # NaN: it diverged

    def tune(self, sets: Sequence[Samples]) -> np.ndarray:
        """Learning rates for sets of one kind, found like the rates of a distilled set.

        It starts from the best constant rate, which is all for shuffled minibatches. Otherwise
        the hypergradients of the sets, in turn, learn a rate for each inner step from there, and
        the better of the two on training data is kept. The first `trials` sets stand for all.

        Returns:
            float32 `[epochs * steps]`.
        """
        sets = sets[: self.conditions.trials]
        constant = with_rate(sets[0], self.best_rate(sets)).lr.numpy()
        if self.conditions.recipe.shuffled:
            return constant
        self._rates = self._rates or RateLearner(
            self.learner, self.dataset, self.conditions, sets[0]
        )
        learned = self._rates.learn(sets, constant)
        before, after = (
            self.training_accuracy([with_rate(s, lr) for s in sets]) for lr in (constant, learned)
        )
        return learned if after > before else constant


class RateLearner:
    """Learns the rate of each inner step by hypergradients; samples and labels stay.

    It is compiled once for all sets of one shape.
    """

    def __init__(self, learner: Learner, dataset: Dataset, conditions: Conditions, like: Samples):
        self._distillation = Distillation(
            DistilledSet(like, learned=("lr",)), LEARNING_RATE, LEARNING_STEPS, LEARNING_MOMENTUM
        )
        c = conditions
        self._settings = OuterStep(c.batch_size, init=c.init, seed=c.seed, recipe=c.recipe)
        self._update = outer_update(self._distillation, learner, dataset, self._settings)
        self._dataset = dataset

    def learn(self, sets: Sequence[Samples], start: np.ndarray) -> np.ndarray:
        """The rates after `LEARNING_STEPS` outer steps on the sets in turn, from `start`.

        A step with a NaN or an infinite number ends it, with the rates before that step.
        """
        distilled = self._distillation.distilled
        distilled.set(with_rate(sets[0], start))
        self._distillation.step.assign(0)
        self._distillation.guard.streak.assign(0)
        for variable in self._distillation.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        learned = start
        going = distill(
            self._distillation, self._update, self._dataset, self._settings, LEARNING_STEPS
        )
        for samples in itertools.islice(itertools.cycle(sets), LEARNING_STEPS):
            distilled.x.assign(samples.x)
            distilled.y.assign(samples.y)
            next(going)
            if int(self._distillation.guard.streak):  # one bad draw from a bad network is enough
                break
            learned = distilled.samples.lr.numpy()
        return learned


def with_rate(samples: Samples, rate: np.ndarray | float) -> Samples:
    """The samples with other learning rates, one for all inner steps or one for each."""
    return samples._replace(lr=tf.constant(np.broadcast_to(rate, samples.lr.shape), tf.float32))


def training_view(dataset: Dataset, seed: int) -> Dataset:
    """The dataset with a random part of its training split in place of the test split."""
    order = numpy_generator(seed, Stream.SUBSET).permutation(len(dataset.y_train))[:SUBSET]
    return dataclasses.replace(
        dataset, x_test=dataset.x_train[order], y_test=dataset.y_train[order]
    )


def _tuning_networks(learner: Learner, conditions: Conditions) -> list[Weights]:
    if conditions.init == "fixed":
        return [fixed_network(learner, conditions.seed)]
    stream = seed_key(conditions.seed, Stream.TUNING)
    return [learner.init(tf.random.fold_in(stream, i)) for i in range(conditions.trials)]


@dataclasses.dataclass(frozen=True)
class Subject:
    """A distilled set, and how it is compared.

    run: made the set; protocol: how much is measured; samples: the learned values.
    """

    run: Run
    protocol: Protocol
    samples: Samples

    @property
    def conditions(self) -> Conditions:
        """Those of the run, with the protocol's number of networks.

        For ordinary training at most as many as tested the run: these fit the network's size.
        """
        c, networks = self.run.config, self.protocol.baseline_networks
        own = Conditions(c.init, networks, c.batch_size, c.seed, self.run.recipe)
        if not self.run.recipe.shuffled:
            return own
        return own._replace(networks=min(networks, c.eval_networks), trials=TRIALS_IN_TRAINING)

    def other_bench(self, recipe: Recipe) -> Bench:
        """Tests sets in the run's network, trained in another way."""
        conditions = self.conditions._replace(recipe=recipe)
        return Bench(self.run.learner, self.run.dataset, conditions)

    @functools.cached_property
    def bench(self) -> Bench:
        """Tests all sets that are trained like the distilled one."""
        return Bench(self.run.learner, self.run.dataset, self.conditions)

    @property
    def task(self) -> Task:
        """Of the data."""
        return task_of(self.run.dataset)

    @property
    def size(self) -> int:
        """The number of samples, M."""
        return self.run.config.steps * self.run.config.samples_per_step

    def rng(self, stream: Stream, index: int = 0) -> np.random.Generator:
        """Random numbers of the run's seed."""
        return numpy_generator(self.run.config.seed, stream, index)


def check_finished(run: Run) -> None:
    """Raises UserError where a finished run is no longer in its folder, or another one is."""
    if not run.files.read("results.json"):
        raise UserError(
            f"{run.files.path} holds no finished run any more; put it back, or distill again"
        )
    run.files.check(run.config, run.inputs)


def check_set(path: Path, found: Mapping[str, Any], samples: Samples) -> str:
    """Checks that a file of measurements is about a distilled set.

    Args:
        path: of the file, for the error.
        found: its content, {} for a file that is not there.
        samples: of the set.

    Returns:
        16 hex digits of a hash of the samples, which a new file has as its "set".

    Raises:
        UserError: the file is about another set.
    """
    own = hashlib.sha256(b"".join(v.numpy().tobytes() for v in samples)).hexdigest()[:16]
    if found.get("set", own) != own:
        raise UserError(f"{path} measured another distilled set; delete it to begin again")
    return own


class Measured(NamedTuple):
    """The outcome of a row.

    accuracies: of all networks or sets; how: a sentence; lr: the rates if they were tuned.
    """

    accuracies: list[float]
    how: str
    lr: list[float] | None = None


Done = dict[str, dict[str, Any]]
"""Earlier rows by name, as comparison.json has them."""


class Row(NamedTuple):
    """An entry of the comparison; `measure` may look at the rows that it needs."""

    name: str
    group: str
    title: str
    measure: Callable[[Subject, Done], Measured]
    applies: Callable[[Subject], bool] = lambda subject: True
    needs: tuple[str, ...] = ()


def for_classes(subject: Subject) -> bool:
    """Whether the labels are classes, not a quantity."""
    return subject.run.dataset.target is None


def for_training(subject: Subject) -> bool:
    """Whether the set is for ordinary training."""
    return subject.run.config.use == "training"


def for_replay(subject: Subject) -> bool:
    """Whether the set is for its own steps."""
    return subject.run.config.use == "replay"
