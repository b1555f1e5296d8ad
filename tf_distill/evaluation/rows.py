"""What a row of a comparison is: a way to train, measured on the same real data."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tf_distill.common import Stream, numpy_generator
from tf_distill.config import Config, Protocol
from tf_distill.core import Learner, Samples
from tf_distill.datasets.base import Dataset
from tf_distill.evaluation.bench import Bench, Conditions
from tf_distill.export import distilled_set
from tf_distill.networks.registry import NETWORKS


@dataclasses.dataclass(frozen=True)
class Subject:
    """A distilled set with all that it is compared by.

    config: of its run; protocol: of the comparison; dataset: the run's, with the split that
    it is evaluated on; learner: the run's network; samples: the learned values.
    """

    config: Config
    protocol: Protocol
    dataset: Dataset
    learner: Learner
    samples: Samples

    @classmethod
    def of_run(cls, config: Config, protocol: Protocol, dataset: Dataset) -> "Subject":
        """The set in the folder of a finished run of a network of the registry."""
        loaded = distilled_set.load(Path(config.run_dir, "distilled", "1"))
        network = NETWORKS[config.model].build(dataset.encoding.shape, dataset.outputs)
        return cls(config, protocol, dataset, Learner(network), loaded.samples)

    @property
    def conditions(self) -> Conditions:
        """As the run has them, with the protocol's number of networks."""
        c = self.config
        return Conditions(c.init, self.protocol.baseline_networks, c.batch_size, c.seed)

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
