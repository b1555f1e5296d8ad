"""The same set trained into other networks than the one it was distilled for."""

import functools

from tf_distill import fitting
from tf_distill.bench import SCALES, Bench
from tf_distill.learner import Learner
from tf_distill.models import NETWORKS
from tf_distill.rows import Done, Measured, Row
from tf_distill.subject import Subject

MOST = 20
"""Random networks of each other kind: some are a hundred times as large as LeNet."""


def rows_of_other_networks(subject: Subject) -> list[Row]:
    """A row for each other network of the registry that takes such inputs."""
    others = [n for n in fitting.names(subject.dataset) if n != subject.config.model]
    return [Row(n, "network", n, functools.partial(other_network, name=n)) for n in others]


def other_network(subject: Subject, done: Done, name: str) -> Measured:
    """The set in another network, from random initial weights."""
    dataset, conditions = subject.dataset, subject.conditions
    conditions = conditions._replace(init="random", networks=min(MOST, conditions.networks))
    learner = Learner(NETWORKS[name].build(dataset.encoding.shape, dataset.outputs))
    bench = Bench(learner, dataset, conditions)
    scale, accuracies = bench.test_scaled(subject.samples)
    how = (
        "Trained as the set says, from random initial weights, its learning rates times "
        f"{scale:g}: the best of {len(SCALES)} factors on training data."
    )
    return Measured(accuracies, how)
