"""What a distilled table is worth beyond networks: scikit-learn's models, trained on its rows.

A row with a label of probabilities stands for a row of each class, with these as weights; a
quantity is learned as it is. The same models are trained on all data, and on as many real rows,
cluster centres and medoids.
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor

from tf_distill.common import Stream
from tf_distill.core import EMBED_BATCH, Prototypes, embed, k_means, medoids
from tf_distill.datasets import Dataset
from tf_distill.evaluation.baselines import clustered, real_sets
from tf_distill.evaluation.bench import Done, Measured, Row, Subject, for_classes
from tf_distill.evaluation.controls import as_written, is_table
from tf_distill.knn import SoftLabelKNeighborsClassifier

MOST_ROWS = 20_000
"""Real training rows, at most, that a classifier learns from."""


class Rows(NamedTuple):
    """Rows to learn from: x `[M, features]`, and y.

    y: the probabilities of classes `[M, classes]`, or quantities `[M]`.
    """

    x: np.ndarray
    y: np.ndarray


Predict = Callable[[np.ndarray], np.ndarray]
"""From rows `[N, features]` to labels `[N]`, as data have them."""
Models = Mapping[str, tuple[str, Callable[[Rows, int], Predict]]]
"""Names, titles, and how they learn from rows, by a seed."""


def nearest(rows: Rows, seed: int) -> Predict:
    """The nearest row decides, by its most probable class."""
    return SoftLabelKNeighborsClassifier(1).fit(rows.x, rows.y).predict


def weighted(make: Callable[[int], Any], rows: Rows, seed: int) -> Predict:
    """A classifier of scikit-learn that takes weights."""
    places, classes = np.nonzero(rows.y > 0)
    found, y = np.unique(classes, return_inverse=True)  # XGBoost wants all classes from 0 on
    if len(found) == 1:
        return lambda x: np.full(len(x), found[0])
    model = make(seed).fit(rows.x[places], y, sample_weight=rows.y[places, classes])
    return lambda x: found[model.predict(x)]


def fitted(make: Callable[[int], Any], rows: Rows, seed: int) -> Predict:
    """A regressor of scikit-learn."""
    return make(seed).fit(rows.x, rows.y).predict


CLASSIFIERS: dict[str, tuple[str, Callable[[Rows, int], Predict]]] = {
    "nearest": ("1-NN", nearest),
    "logistic": (
        "logistic regression",
        functools.partial(weighted, lambda seed: LogisticRegression(max_iter=1000)),
    ),
    "forest": (
        "random forest",
        functools.partial(weighted, lambda seed: RandomForestClassifier(random_state=seed)),
    ),
    "boosting": (
        "gradient boosting",
        functools.partial(weighted, lambda seed: GradientBoostingClassifier(random_state=seed)),
    ),
}
_REGRESSORS: dict[str, tuple[str, Callable[[int], Any]]] = {
    "nearest": ("1-NN", lambda seed: KNeighborsRegressor(1)),
    "ridge": ("ridge regression", lambda seed: Ridge()),
    "forest": ("random forest", lambda seed: RandomForestRegressor(random_state=seed)),
    "boosting": ("gradient boosting", lambda seed: GradientBoostingRegressor(random_state=seed)),
}
REGRESSORS: dict[str, tuple[str, Callable[[Rows, int], Predict]]] = {
    name: (title, functools.partial(fitted, make)) for name, (title, make) in _REGRESSORS.items()
}


def _of_xgboost(name: str) -> Callable[[int], Any]:
    def make(seed: int) -> Any:
        return getattr(importlib.import_module("xgboost"), name)(random_state=seed, n_jobs=1)

    return make


if importlib.util.find_spec("xgboost"):
    CLASSIFIERS["xgboost"] = "XGBoost", functools.partial(weighted, _of_xgboost("XGBClassifier"))
    REGRESSORS["xgboost"] = "XGBoost", functools.partial(fitted, _of_xgboost("XGBRegressor"))


def distilled_rows(subject: Subject) -> list[Rows]:
    """The distilled rows as they are written."""
    encoding = subject.run.dataset.encoding
    x, y = (v.numpy() for v in as_written(subject.samples, encoding)[:2])  # type: ignore[arg-type]
    x, y = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
    if not for_classes(subject):
        return [Rows(x, subject.task.predict(tf.constant(y)).numpy())]
    y = np.maximum(y, 0)
    if y.shape[1] == 1:
        y = np.clip(y, 0, 1)
        y = np.concatenate([1 - y, y], axis=1)
    some = y.sum(1) > 0
    return [Rows(x[some], y[some] / y[some].sum(1, keepdims=True))]


def _hard(sets: Sequence[Prototypes], subject: Subject) -> list[Rows]:
    one_hot = np.eye(len(subject.run.dataset.classes))
    labels = [one_hot[s.y] if for_classes(subject) else s.y for s in sets]
    return [Rows(s.x.reshape(len(s.x), -1), y) for s, y in zip(sets, labels, strict=True)]


def all_rows(subject: Subject) -> list[Rows]:
    """The training data, or a random part of them."""
    dataset = subject.run.dataset
    order = subject.rng(Stream.SUBSET).permutation(len(dataset.y_train))[:MOST_ROWS]
    return _hard([Prototypes(embed(dataset, order), dataset.y_train[order])], subject)


SETS: dict[str, tuple[str, Callable[[Subject], list[Rows]]]] = {
    "": ("The distilled rows as written, with their labels", distilled_rows),
    "random_real": ("Real training rows", lambda s: _hard(real_sets(s), s)),
    "k_means": ("Centres of k-means", lambda s: _hard(clustered(s, k_means), s)),
    "medoids": ("The real rows nearest to these", lambda s: _hard(clustered(s, medoids), s)),
    "all": (f"All training rows, at most {MOST_ROWS}", all_rows),
}
"""What they learn from, by the ends of the rows' names."""
TITLES = {"random_real": "random real", "k_means": "k-means", "all": "all data"}


def learned(subject: Subject, done: Done, models: Models, name: str, rows: str) -> Measured:
    """The accuracy, or R2, of a model that has learned from some rows."""
    title, learn = models[name]
    told, make = SETS[rows]
    dataset, sets = subject.run.dataset, make(subject)
    x = embedded_test(dataset)
    score = subject.task.score
    accuracies = [float(score(learn(some, i)(x), dataset.y_test)) for i, some in enumerate(sets)]
    many = f", {len(sets)} sets" if len(sets) > 1 else ""
    return Measured(accuracies, f"{told}{many}; {title}, no network.")


def embedded_test(dataset: Dataset) -> np.ndarray:
    """The test rows as a network sees them."""
    starts = range(0, len(dataset.x_test), EMBED_BATCH)
    parts = (dataset.encoding(tf.constant(dataset.x_test[i : i + EMBED_BATCH])) for i in starts)
    return np.concatenate([part.numpy() for part in parts])


ROWS = tuple(
    Row(
        f"{name}_{rows}".strip("_"),
        "network",
        title + (f", {TITLES.get(rows, rows)}" if rows else ""),
        functools.partial(learned, models=models, name=name, rows=rows),
        applies,
    )
    for models, applies in (
        (CLASSIFIERS, lambda subject: is_table(subject) and for_classes(subject)),
        (REGRESSORS, lambda subject: is_table(subject) and not for_classes(subject)),
    )
    for name, (title, _) in models.items()
    for rows in SETS
)
