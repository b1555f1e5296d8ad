"""Baselines, which a user would try first: small sets of real data, cluster centres, averages.

The six baselines of Sections 4.2 and 4.3 train the network, or a nearest-neighbour classifier,
on one of these sets; medoids, herding and k-center are beside them for ordinary training. Every
choice is made on training data.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from tf_distill.common import Stream
from tf_distill.core import (
    EMBED_BATCH,
    Prototypes,
    Samples,
    Task,
    by_class,
    class_plan,
    draw_real,
    embed,
    k_means,
    medoids,
    real_examples,
    recipe_words,
    task_of,
)
from tf_distill.datasets import Dataset
from tf_distill.evaluation.bench import (
    LEARNING_STEPS,
    RATES,
    Bench,
    Done,
    Measured,
    Row,
    Subject,
    for_training,
    training_view,
    with_rate,
)


def average(dataset: Dataset, size: int) -> Prototypes:
    """The mean of each class, repeated where a class has several places; or of each quantile."""

    def mean(own: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        x = np.repeat(embed(dataset, own).mean(axis=0, keepdims=True), count, axis=0)
        return x, np.repeat(dataset.y_train[own].mean(), count)

    return by_class(dataset, size, mean, spread=True)


MOST_OF_CLASS = 2000
"""Random examples of a class that `herding` and `k_center` choose from, at most."""


def herding(dataset: Dataset, size: int, rng: np.random.Generator) -> Prototypes:
    """Real examples of each class whose mean is near to the mean of the class.

    One is chosen after the other, each so that the mean of those so far is nearest to that of
    the class, of the inputs as the network sees them (Welling 2009, as in iCaRL, Rebuffi et al.
    2017, but without a network's features).
    """

    def choose(x: np.ndarray, count: int) -> list[int]:
        mean, total = x.mean(axis=0), np.zeros_like(x[0])
        places: list[int] = []
        for n in range(1, count + 1):
            distances = np.linalg.norm((total + x) / n - mean, axis=1)
            distances[places] = np.inf
            places.append(int(distances.argmin()))
            total = total + x[places[-1]]
        return places

    return _chosen(dataset, size, rng, choose)


def k_center(dataset: Dataset, size: int, rng: np.random.Generator) -> Prototypes:
    """Real examples of each class that leave no other one of it far away.

    The first is nearest to the mean of the class, then each is the one farthest from those so
    far, by Euclidean distance of the inputs as the network sees them (Gonzalez 1985).
    """

    def choose(x: np.ndarray, count: int) -> list[int]:
        places = [int(np.linalg.norm(x - x.mean(axis=0), axis=1).argmin())]
        distances = np.linalg.norm(x - x[places[0]], axis=1)
        while len(places) < count:
            places.append(int(distances.argmax()))
            distances = np.minimum(distances, np.linalg.norm(x - x[places[-1]], axis=1))
        return places

    return _chosen(dataset, size, rng, choose)


def _chosen(
    dataset: Dataset,
    size: int,
    rng: np.random.Generator,
    choose: Callable[[np.ndarray, int], list[int]],
) -> Prototypes:
    """A real subset, by a choice of places from a class's `[N, values]` and a count up to N."""

    def some(own: np.ndarray, count: int) -> np.ndarray:
        own = rng.permutation(own)[:MOST_OF_CLASS]
        x = embed(dataset, own).reshape(len(own), -1)
        return np.resize(own[choose(x, min(count, len(own)))], count)

    return real_examples(dataset, size, some)


def shortage(dataset: Dataset, size: int) -> str:
    """A sentence on classes with too few examples for a set of `size`; "" if there are enough."""
    if dataset.target:
        return ""
    wanted = np.bincount(class_plan(dataset.y_train, size), minlength=len(dataset.classes))
    has = np.bincount(dataset.y_train, minlength=len(dataset.classes))
    short, missing = np.count_nonzero((has > 0) & (has < wanted)), np.count_nonzero(has == 0)
    words = []
    if short:
        words.append(f"{short} have fewer training examples than places, theirs are repeated")
    if missing:
        words.append(f"{missing} have none, other classes take their places")
    return f"Of {len(has)} classes {'; '.join(words)}." if words else ""


def as_samples(
    prototypes: Prototypes, task: Task, like: Samples, lr: np.ndarray | float
) -> Samples:
    """Prototypes dealt to inner steps, with one-hot labels, or with their quantities.

    Args:
        prototypes: as many as `like` has samples.
        task: encodes the labels.
        like: has the shapes.
        lr: one learning rate, or one for each inner step.
    """
    steps, n, *shape = like.x.shape
    y = task.encode(tf.constant(prototypes.y))
    return Samples(
        tf.reshape(tf.constant(prototypes.x, tf.float32), [steps, n, *shape]),
        tf.reshape(y, [steps, n, -1]),
        tf.constant(np.broadcast_to(lr, like.lr.shape), tf.float32),
    )


def neighbour_accuracies(
    sets: Sequence[Prototypes],
    dataset: Dataset,
    x: np.ndarray,
    y: np.ndarray,
    neighbours: int,
    others: bool = False,
) -> list[float]:
    """Accuracies, or R2, of k nearest neighbours, by Euclidean distance.

    Args:
        sets: one model is fitted to each.
        dataset: has the encoding and the task.
        x: stored inputs `[N, ...]` to measure on.
        y: their labels `[N]`.
        neighbours: k.
        others: leave out inputs that are in the set: each would be its own nearest neighbour.
    """
    kind = KNeighborsRegressor if dataset.target else KNeighborsClassifier
    models = [kind(neighbours).fit(s.x.reshape(len(s.x), -1), s.y) for s in sets]
    found: list[list[np.ndarray]] = [[] for _ in sets]
    true: list[list[np.ndarray]] = [[] for _ in sets]
    for start in range(0, len(y), EMBED_BATCH):
        part = slice(start, start + EMBED_BATCH)
        flat = dataset.encoding(tf.constant(x[part])).numpy().reshape(len(x[part]), -1)
        for i, model in enumerate(models):
            some = model.kneighbors(flat, 1)[0][:, 0] > 0 if others else slice(None)
            found[i].append(model.predict(flat)[some])
            true[i].append(y[part][some])
    score, pairs = task_of(dataset).score, zip(found, true, strict=True)
    joined = [(np.concatenate(own), np.concatenate(labels)) for own, labels in pairs]
    return [float(score(own, labels)) if len(labels) else 0.0 for own, labels in joined]


BEST = 0.2
"""The share of the drawn sets that "optimized real" keeps (Section 4.2)."""
K_MEANS_SETS = 5
NEIGHBOURS = (1, 3, 5, 9)
"""Numbers of neighbours that are tried on training data; the paper does not tell its own."""


def distilled_set(subject: Subject, done: Done) -> Measured:
    """The set as it is meant to be used."""
    how = "Trained as the set says, rates learned with it."
    if for_training(subject):
        how = f"{recipe_words(vars(subject.run.config), subject.samples)}."
    return Measured(subject.bench.test([subject.samples]), how)


def random_real(subject: Subject, done: Done) -> Measured:
    """Real training examples, the same number, in the same number of steps."""
    sets = real_sets(subject)
    return _trained(subject, sets, f"{len(sets)} draws of real training examples")


def optimized_real(subject: Subject, done: Done) -> Measured:
    """The random sets with the best accuracy on training data."""
    lr = np.array(done["random_real"]["lr"], np.float32)
    sets = [as_samples(p, subject.task, subject.samples, lr) for p in real_sets(subject)]
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


def k_means_row(subject: Subject, done: Done) -> Measured:
    """Cluster centres of each class."""
    sets = clustered(subject, k_means)
    return _trained(subject, sets, f"Centres of k-means in each class, {_count(sets, 'start')}")


def medoids_row(subject: Subject, done: Done) -> Measured:
    """The real examples nearest to the cluster centres."""
    sets = clustered(subject, medoids)
    what = f"The real example nearest to each of these centres, {_count(sets, 'start')}"
    return _trained(subject, sets, what)


def average_row(subject: Subject, done: Done) -> Measured:
    """The mean of each class."""
    sets = [average(subject.run.dataset, subject.size)]
    return _trained(subject, sets, "The mean of each class")


def herding_row(subject: Subject, done: Done) -> Measured:
    """Real examples whose mean is that of their class."""
    sets = [herding(subject.run.dataset, subject.size, subject.rng(Stream.BASELINES))]
    return _trained(subject, sets, "Real examples whose mean is near to that of their class")


def k_center_row(subject: Subject, done: Done) -> Measured:
    """Real examples spread over their class."""
    sets = [k_center(subject.run.dataset, subject.size, subject.rng(Stream.BASELINES))]
    return _trained(
        subject, sets, "Real examples, each the farthest of its class from those before"
    )


def random_real_neighbours(subject: Subject, done: Done) -> Measured:
    """No network: nearest neighbours among real examples."""
    return _neighbours(subject, real_sets(subject))


def k_means_neighbours(subject: Subject, done: Done) -> Measured:
    """No network: nearest neighbours among cluster centres."""
    return _neighbours(subject, clustered(subject, k_means))


ROWS = (
    Row("distilled", "distilled", "distilled set", distilled_set),
    Row("random_real", "baseline", "random real", random_real),
    Row("optimized_real", "baseline", "optimized real", optimized_real, needs=("random_real",)),
    Row("k_means", "baseline", "k-means", k_means_row),
    Row("medoids", "baseline", "medoids", medoids_row, for_training),
    Row("average", "baseline", "average real", average_row),
    Row("herding", "baseline", "herding", herding_row, for_training),
    Row("k_center", "baseline", "k-center", k_center_row, for_training),
    Row("random_real_neighbours", "baseline", "random real, k-NN", random_real_neighbours),
    Row("k_means_neighbours", "baseline", "k-means, k-NN", k_means_neighbours),
)


def real_sets(subject: Subject) -> list[Prototypes]:
    """The draws of real training examples, the same for the same seed."""
    rngs = [subject.rng(Stream.BASELINES, i) for i in range(subject.protocol.baseline_sets)]
    return [draw_real(subject.run.dataset, subject.size, rng) for rng in rngs]


def clustered(
    subject: Subject, make: Callable[[Dataset, int, np.random.Generator], Prototypes]
) -> list[Prototypes]:
    """A set for each start of k-means."""
    groups = 1 if subject.run.dataset.target else len(np.unique(subject.run.dataset.y_train))
    one_a_class = subject.size <= groups  # then every start finds the mean
    starts = range(1 if one_a_class else min(K_MEANS_SETS, subject.protocol.baseline_sets))
    rngs = [subject.rng(Stream.BASELINES, i) for i in starts]
    return [make(subject.run.dataset, subject.size, rng) for rng in rngs]


def _trained(subject: Subject, sets: list[Prototypes], what: str) -> Measured:
    """The network trained on each set, with rates tuned for sets of this kind."""
    return trained_by(subject.bench, subject, sets, what)


def trained_by(bench: Bench, subject: Subject, sets: list[Prototypes], what: str) -> Measured:
    """The same under the conditions of a bench."""
    like = subject.samples
    samples = [as_samples(s, subject.task, like, like.lr.numpy()) for s in sets]
    lr = bench.tune(samples)
    further = (
        f": {lr[0]:g}"
        if bench.conditions.recipe.shuffled
        else f", then one for each inner step learned by hypergradients in {LEARNING_STEPS} steps"
    )
    labels = "with their quantities" if subject.run.dataset.target else "one-hot labels"
    how = (
        f"{what}, {labels}. The best of {len(RATES)} learning rates on training data"
        f"{further}. {shortage(subject.run.dataset, subject.size)}"
    )
    accuracies = bench.test([with_rate(s, lr) for s in samples])
    return Measured(accuracies, how.strip(), lr.tolist())


def _neighbours(subject: Subject, sets: list[Prototypes]) -> Measured:
    view = training_view(subject.run.dataset, subject.run.config.seed)
    tried = [k for k in NEIGHBOURS if k <= subject.size]
    scores = [
        np.mean(neighbour_accuracies(sets, view, view.x_test, view.y_test, k, others=True))
        for k in tried
    ]
    best = tried[int(np.argmax(scores))]
    dataset = subject.run.dataset
    how = (
        f"k-nearest neighbours on {_count(sets, 'set')}, no network; k = {best}, the best of "
        f"{', '.join(map(str, tried))} on training data. {shortage(dataset, subject.size)}"
    )
    accuracies = neighbour_accuracies(sets, dataset, dataset.x_test, dataset.y_test, best)
    return Measured(accuracies, how.strip())


def _count(things: Sequence, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) > 1)}"
