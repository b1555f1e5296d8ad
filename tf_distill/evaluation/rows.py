"""The rows of a comparison, each a way to train a network, and the distilled set they are about."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tf_distill.common import Stream, numpy_generator
from tf_distill.config import Config, Protocol
from tf_distill.core import Learner, Samples
from tf_distill.datasets import Dataset
from tf_distill.evaluation.bench import Bench, Conditions
from tf_distill.runs.run import Run


@dataclasses.dataclass(frozen=True)
class Subject:
    """A distilled set with all that it is compared by.

    run: that made it; protocol: of the comparison; samples: the learned values.
    """

    run: Run
    protocol: Protocol
    samples: Samples

    @property
    def config(self) -> Config:
        """The settings of the run."""
        return self.run.config

    @property
    def dataset(self) -> Dataset:
        """The data, with the split that the run is evaluated on."""
        return self.run.dataset

    @property
    def learner(self) -> Learner:
        """The network of the run."""
        return self.run.learner

    @property
    def conditions(self) -> Conditions:
        """As the run has them, with the protocol's number of networks."""
        c, networks = self.config, self.protocol.baseline_networks
        return Conditions(c.init, networks, c.batch_size, c.seed, self.run.optimizer)

    @functools.cached_property
    def bench(self) -> Bench:
        """Where all sets that train like the distilled one are tested."""
        return Bench(self.learner, self.dataset, self.conditions)

    @property
    def size(self) -> int:
        """The number of samples, M."""
        return self.config.steps * self.config.samples_per_step

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of the samples, to tell one distilled set from another."""
        return hashlib.sha256(b"".join(v.numpy().tobytes() for v in self.samples)).hexdigest()[:16]

    def rng(self, stream: Stream, index: int = 0) -> np.random.Generator:
        """Random numbers of the run's seed."""
        return numpy_generator(self.config.seed, stream, index)


class Measured(NamedTuple):
    """What a row found: accuracies of all networks or sets, in words how, and rates if tuned."""

    accuracies: list[float]
    how: str
    lr: list[float] | None = None


Done = dict[str, dict[str, Any]]
"""Earlier rows by name, as comparison.json has them."""


class Row(NamedTuple):
    """An entry of the comparison; `measure` may look at earlier rows."""

    name: str
    group: str
    title: str
    measure: Callable[[Subject, Done], Measured]
    applies: Callable[[Subject], bool] = lambda subject: True
