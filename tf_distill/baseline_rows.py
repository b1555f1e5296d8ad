"""The distilled set itself and the six baselines of Sections 4.2 and 4.3, as rows."""

from collections.abc import Sequence

import numpy as np

from tf_distill import baselines, prototypes
from tf_distill.baselines import as_samples, neighbour_accuracies, shortage
from tf_distill.bench import LEARNING_STEPS, RATES, Bench, training_view, with_rate
from tf_distill.inner import Samples
from tf_distill.prototypes import Prototypes
from tf_distill.rows import Done, Measured, Row
from tf_distill.seeds import Stream
from tf_distill.subject import Subject

BEST = 0.2
"""The share of the drawn sets that "optimized real" keeps (Section 4.2)."""
K_MEANS_SETS = 5
NEIGHBOURS = (1, 3, 5, 9)
"""Tried on training data; the paper does not say how many it took."""


def distilled_set(subject: Subject, done: Done) -> Measured:
    """The set as it is meant to be used."""
    return Measured(
        subject.bench.test([subject.samples]), "Trained as the set says, rates learned with it."
    )


def random_real(subject: Subject, done: Done) -> Measured:
    """Real training examples, the same number, in the same number of steps."""
    sets = real_sets(subject)
    return _trained(subject, sets, f"{len(sets)} draws of real training examples")


def optimized_real(subject: Subject, done: Done) -> Measured:
    """The random sets that do best on training data."""
    lr = np.array(done["random_real"]["lr"], np.float32)
    sets = [as_samples(p, subject.samples, lr) for p in real_sets(subject)]
    best = best_sets(subject.bench, sets)
    how = (
        f"The {len(best)} of {len(sets)} draws with the best accuracy on training data, trained "
        "with the learning rates of random real."
    )
    return Measured(subject.bench.test(best), how, lr.tolist())


def best_sets(bench: Bench, sets: list[Samples]) -> list[Samples]:
    """The fifth of the sets, at least one, with the best accuracy on training data."""
    scores = np.array([bench.training_accuracy([s]) for s in sets])
    keep = np.argsort(-scores, kind="stable")[: max(1, round(BEST * len(sets)))]
    return [sets[i] for i in keep]


def k_means(subject: Subject, done: Done) -> Measured:
    """Cluster centres of each class."""
    sets = _k_means_sets(subject)
    return _trained(subject, sets, f"Centres of k-means in each class, {_count(sets, 'start')}")


def average(subject: Subject, done: Done) -> Measured:
    """The mean of each class."""
    sets = [baselines.average(subject.dataset, subject.size)]
    return _trained(subject, sets, "The mean of each class")


def random_real_neighbours(subject: Subject, done: Done) -> Measured:
    """No network: nearest neighbours among real examples."""
    return _neighbours(subject, real_sets(subject))


def k_means_neighbours(subject: Subject, done: Done) -> Measured:
    """No network: nearest neighbours among cluster centres."""
    return _neighbours(subject, _k_means_sets(subject))


ROWS = (
    Row("distilled", "distilled", "distilled set", distilled_set),
    Row("random_real", "baseline", "random real", random_real),
    Row("optimized_real", "baseline", "optimized real", optimized_real),
    Row("k_means", "baseline", "k-means", k_means),
    Row("average", "baseline", "average real", average),
    Row("random_real_neighbours", "baseline", "random real, k-NN", random_real_neighbours),
    Row("k_means_neighbours", "baseline", "k-means, k-NN", k_means_neighbours),
)


def real_sets(subject: Subject) -> list[Prototypes]:
    """The draws of real training examples, always the same for a seed."""
    rngs = [subject.rng(Stream.BASELINES, i) for i in range(subject.protocol.baseline_sets)]
    return [prototypes.random_real(subject.dataset, subject.size, rng) for rng in rngs]


def _k_means_sets(subject: Subject) -> list[Prototypes]:
    classes = np.unique(subject.dataset.y_train)
    one_a_class = subject.size <= len(classes)  # then every start finds the mean
    starts = range(1 if one_a_class else min(K_MEANS_SETS, subject.protocol.baseline_sets))
    seed = subject.config.seed
    return [baselines.k_means(subject.dataset, subject.size, seed + i) for i in starts]


def _trained(subject: Subject, sets: list[Prototypes], what: str) -> Measured:
    """The network trained on each set, with rates tuned for sets of this kind."""
    samples = [as_samples(s, subject.samples, subject.samples.lr.numpy()) for s in sets]
    lr = subject.bench.tune(samples)
    how = (
        f"{what}, one-hot labels. The best of {len(RATES)} learning rates on training data, then "
        f"one for each inner step learned by hypergradients in {LEARNING_STEPS} steps. "
        f"{shortage(subject.dataset, subject.size)}"
    )
    accuracies = subject.bench.test([with_rate(s, lr) for s in samples])
    return Measured(accuracies, how.strip(), lr.tolist())


def _neighbours(subject: Subject, sets: list[Prototypes]) -> Measured:
    view = training_view(subject.dataset, subject.config.seed)
    tried = [k for k in NEIGHBOURS if k <= subject.size]
    scores = [
        np.mean(neighbour_accuracies(sets, view, view.x_test, view.y_test, k, others=True))
        for k in tried
    ]
    best = tried[int(np.argmax(scores))]
    x, y = subject.dataset.x_test, subject.dataset.y_test
    how = (
        f"k-nearest neighbours on {_count(sets, 'set')}, no network; k = {best}, the best of "
        f"{', '.join(map(str, tried))} on training data. {shortage(subject.dataset, subject.size)}"
    )
    return Measured(neighbour_accuracies(sets, subject.dataset, x, y, best), how.strip())


def _count(things: Sequence, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) > 1)}"
