"""The form of a comparison: its rows, each a way to train a network, and their distilled set."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tf_distill.common import Stream, UserError, numpy_generator
from tf_distill.config import Config, Protocol
from tf_distill.core import Learner, Samples
from tf_distill.datasets import Dataset
from tf_distill.evaluation.bench import Bench, Conditions
from tf_distill.runs import Run


@dataclasses.dataclass(frozen=True)
class Subject:
    """A distilled set, and how it is compared.

    run: made the set; protocol: how much is measured; samples: the learned values.
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
        """Those of the run, with the protocol's number of networks."""
        c, networks = self.config, self.protocol.baseline_networks
        return Conditions(c.init, networks, c.batch_size, c.seed, self.run.optimizer)

    @functools.cached_property
    def bench(self) -> Bench:
        """Tests all sets that are trained like the distilled one."""
        return Bench(self.learner, self.dataset, self.conditions)

    @property
    def size(self) -> int:
        """The number of samples, M."""
        return self.config.steps * self.config.samples_per_step

    def rng(self, stream: Stream, index: int = 0) -> np.random.Generator:
        """Random numbers of the run's seed."""
        return numpy_generator(self.config.seed, stream, index)


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
    """An entry of the comparison; `measure` may look at earlier rows."""

    name: str
    group: str
    title: str
    measure: Callable[[Subject, Done], Measured]
    applies: Callable[[Subject], bool] = lambda subject: True
