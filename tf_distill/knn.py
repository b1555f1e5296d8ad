"""Nearest neighbours whose points have soft labels (Section 3.1), as a scikit-learn classifier."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

Floats = NDArray[np.float64]
LABELS, WEIGHTS = ("distribution", "logits"), ("distance", "uniform")


class SoftLabelKNeighborsClassifier(ClassifierMixin, BaseEstimator):
    """Classifies by the weighted mean of the label distributions of the nearest points.

    With hard labels it is scikit-learn's `KNeighborsClassifier`. With soft labels, few
    points separate many classes: two points are enough for three (Figure 4).

    Args:
        n_neighbors: how many points decide; None: all of them, as a few distilled points need.
            Give a number for many points.
        weights: "distance": a point at distance d counts 1 / d, and one at distance 0
            decides alone; "uniform": all neighbours count alike, which makes every
            answer the same where all points are neighbours; or a function from
            distances `[m, k]` to weights of the same shape.
        metric: a distance that `sklearn.neighbors.NearestNeighbors` knows, or "precomputed".
        p: the power of the Minkowski distance: 2 is Euclidean, 1 Manhattan.
        metric_params: more arguments of the metric.
        algorithm: how neighbours are looked up; see `NearestNeighbors`.
        n_jobs: parallel look-ups; see `NearestNeighbors`.
        labels: the meaning of the rows of a two-dimensional y. "distribution": numbers from 0
            up, which are divided by the row's sum. "logits": any real numbers, of which
            a softmax is taken, as the paper's Table 1 does with distilled labels.
        classes: names of y's columns, in their order. None: 0, 1, 2, ... for columns;
            the sorted names that occur for a y of names.

    Attributes:
        classes_: names `[classes]`, in the order of `predict_proba`'s columns.
        label_distributions_: float64 `[n, classes]`, the label of each point.
        neighbors_: the fitted `NearestNeighbors`.
        n_features_in_: features of a point.
    """

    def __init__(
        self,
        n_neighbors: int | None = None,
        *,
        weights: str | Callable[[Floats], Floats] = "distance",
        metric: str | Callable[..., float] = "minkowski",
        p: float = 2,
        metric_params: dict[str, Any] | None = None,
        algorithm: str = "auto",
        n_jobs: int | None = None,
        labels: str = "distribution",
        classes: ArrayLike | None = None,
    ):
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.metric = metric
        self.p = p
        self.metric_params = metric_params
        self.algorithm = algorithm
        self.n_jobs = n_jobs
        self.labels = labels
        self.classes = classes

    def fit(self, X: Any, y: Any) -> "SoftLabelKNeighborsClassifier":
        """Remembers the points and their labels.

        Args:
            X: points `[n, features]`, dense or sparse; distances `[n, n]` for "precomputed".
            y: a class name for each point, `[n]`; or soft labels `[n, classes]`.

        Raises:
            ValueError: the labels are negative without `labels="logits"`, a row of them
                is all zeros, they don't fit `classes`, or a parameter has no such value.
        """
        if self.labels not in LABELS:
            raise ValueError(f"labels must be one of {LABELS}, got {self.labels!r}")
        if not callable(self.weights) and self.weights not in WEIGHTS:
            raise ValueError(f"weights must be one of {WEIGHTS} or callable, got {self.weights!r}")
        points, y = validate_data(self, X, y, accept_sparse="csr", multi_output=True)
        soft = y.ndim == 2 and y.shape[1] > 1
        self.classes_, self.label_distributions_ = self._soft(y) if soft else self._hard(y)
        self.neighbors_ = NearestNeighbors(
            n_neighbors=points.shape[0] if self.n_neighbors is None else self.n_neighbors,
            algorithm=self.algorithm, metric=self.metric, p=self.p,
            metric_params=self.metric_params, n_jobs=self.n_jobs,
        ).fit(points)  # fmt: skip
        return self

    def predict_proba(self, X: Any) -> Floats:
        """The neighbours' mean label distribution `[m, classes]`, for points `[m, features]`."""
        check_is_fitted(self)
        points = validate_data(self, X, accept_sparse="csr", reset=False)
        graph = self.neighbors_.kneighbors_graph(points, mode="distance")
        weights = self._weigh(graph.data.reshape(graph.shape[0], -1))
        graph.data = (weights / weights.sum(1, keepdims=True)).ravel()
        return graph @ self.label_distributions_

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each point, `[m]`; of equals, the first in `classes_`."""
        best = self.predict_proba(X).argmax(1)  # first, as it also says when nothing is fitted
        return self.classes_[best]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.metric == "precomputed"
        return tags

    def _hard(self, y: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
        """Classes, and distributions with all of a point's weight on its class."""
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        found = np.unique(y)
        classes = found if self.classes is None else _names(self.classes)
        if unknown := set(found.tolist()) - set(classes.tolist()):
            raise ValueError(f"y has {sorted(unknown)}, which are not in classes={self.classes!r}")
        return classes, (y[:, None] == classes).astype(np.float64)

    def _soft(self, y: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
        """Classes, and distributions from soft labels."""
        y = check_array(y, dtype=np.float64, input_name="y", estimator=self)
        classes = np.arange(y.shape[1]) if self.classes is None else _names(self.classes)
        if len(classes) != y.shape[1]:
            raise ValueError(f"y has {y.shape[1]} columns, but classes has {len(classes)} names")
        if self.labels == "logits":
            return classes, softmax(y, axis=1)
        if (y < 0).any():
            raise ValueError("Negative values in soft labels y: give labels='logits' for logits")
        sums = y.sum(1, keepdims=True)
        if not sums.all():
            raise ValueError(f"Row {sums.argmin()} of soft labels y is all zeros")
        return classes, y / sums

    def _weigh(self, distances: Floats) -> Floats:
        """Weights of neighbours at distances `[m, k]`."""
        if callable(self.weights):
            return self.weights(distances)
        if self.weights == "uniform":
            return np.ones_like(distances)
        with np.errstate(divide="ignore"):
            weights = 1 / distances
        here = np.isinf(weights)
        return np.where(here.any(1, keepdims=True), here, weights)


def _names(classes: ArrayLike) -> NDArray[Any]:
    names = column_or_1d(np.asarray(classes))
    if len(np.unique(names)) < len(names):
        raise ValueError(f"classes={classes!r} has a name twice")
    return names
