"""Nearest neighbours with soft labels: known values, scikit-learn's rules, its own classifier."""

import numpy as np
import pytest
from places import TESTS
from scipy import sparse
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import tf_distill
from tf_distill.knn import SoftLabelKNeighborsClassifier

PLACES = [[0.0], [3.0]]
LABELS = [[0.6, 0.4, 0.0], [0.0, 0.4, 0.6]]
IRIS = load_iris(return_X_y=True)
ONE_HOT = np.eye(3)[IRIS[1]]
DISTILLED = TESTS / "data" / "distilled_format_1"


UNIFORM = SoftLabelKNeighborsClassifier(3, weights="uniform")


@parametrize_with_checks([SoftLabelKNeighborsClassifier(), UNIFORM])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)  # every one: there is no list of exceptions


def test_two_points_separate_three_classes():
    model = SoftLabelKNeighborsClassifier(classes=["a", "b", "c"]).fit(PLACES, LABELS)
    # At 1 the weights are 1/1 and 1/2: two thirds of one label and one third of the other.
    expected = [[0.4, 0.4, 0.2], [0.3, 0.4, 0.3], [0.6, 0.4, 0.0]]
    np.testing.assert_allclose(model.predict_proba([[1.0], [1.5], [0.0]]), expected)
    assert model.predict([[0.5], [1.5], [2.5]]).tolist() == ["a", "b", "c"]


def test_neighbours_and_weights():
    x, y = [[0.0], [3.0], [100.0]], [*LABELS, [1.0, 0.0, 0.0]]
    near = SoftLabelKNeighborsClassifier(2, weights="uniform").fit(x, y)
    np.testing.assert_allclose(near.predict_proba([[1.0]]), [[0.3, 0.4, 0.3]])
    square = SoftLabelKNeighborsClassifier(2, weights=lambda d: d**-2).fit(x, y)
    np.testing.assert_allclose(square.predict_proba([[1.0]]), [[0.48, 0.4, 0.12]])


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 5, 100])
@pytest.mark.parametrize("y", [IRIS[1], ONE_HOT, 7 * ONE_HOT], ids=["hard", "one-hot", "scaled"])
def test_hard_labels_are_scikit_learns_classifier(k, weights, y):
    x, _ = IRIS  # with points at distance 0, some of them twice
    asked = np.concatenate([x, x + 0.07])
    theirs = KNeighborsClassifier(k, weights=weights).fit(*IRIS)
    ours = SoftLabelKNeighborsClassifier(k, weights=weights).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(asked), theirs.predict_proba(asked), atol=1e-12)
    if k > 1 or y is IRIS[1]:
        assert ours.score(*IRIS) == theirs.score(*IRIS)


def test_names_stay_in_the_order_given():
    model = SoftLabelKNeighborsClassifier(classes=["b", "c", "a"]).fit(PLACES, ["a", "b"])
    assert model.classes_.tolist() == ["b", "c", "a"]
    np.testing.assert_allclose(model.predict_proba([[1.0]]), [[1 / 3, 0, 2 / 3]])
    assert SoftLabelKNeighborsClassifier().fit(PLACES, LABELS).classes_.tolist() == [0, 1, 2]


def test_logits_become_a_softmax():
    logits = [[2.0, -1.0, 0.0], [-3.0, 0.5, 1e3]]
    model = SoftLabelKNeighborsClassifier(labels="logits").fit(PLACES, logits)
    np.testing.assert_allclose(model.label_distributions_, softmax(logits, axis=1))


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        ({}, [[1.0, -0.1], [0.0, 1.0]], "Negative values in soft labels y: .*labels='logits'"),
        ({}, [[0.0, 1.0], [0.0, 0.0]], "Row 1 of soft labels y is all zeros"),
        ({}, [[0.0, 1.0], [np.nan, 0.0]], "NaN"),
        ({"classes": ["a"]}, [[0.0, 1.0], [1.0, 0.0]], "2 columns, but classes has 1 names"),
        ({"classes": ["a", "a"]}, [[0.0, 1.0], [1.0, 0.0]], "has a name twice"),
        ({"classes": ["a", "b"]}, ["a", "z"], r"y has \['z'\]"),
        ({"labels": "soft"}, ["a", "b"], "labels must be one of .*got 'soft'"),
        ({"weights": "far"}, ["a", "b"], "weights must be .*got 'far'"),
        ({"n_neighbors": 0}, ["a", "b"], "n_neighbors"),
    ],
)
def test_errors_say_what_to_do(settings, y, message):
    with pytest.raises(ValueError, match=message):
        SoftLabelKNeighborsClassifier(**settings).fit(PLACES, y)


def test_metrics_and_sparse_points():
    rng = np.random.default_rng(0)
    x, asked, y = rng.normal(size=(30, 4)), rng.normal(size=(50, 4)), rng.dirichlet([1, 1, 1], 30)
    manhattan = SoftLabelKNeighborsClassifier(7, p=1).fit(x, y).predict_proba(asked)
    cityblock = SoftLabelKNeighborsClassifier(7, metric="cityblock")
    np.testing.assert_allclose(cityblock.fit(x, y).predict_proba(asked), manhattan)
    thin = cityblock.fit(sparse.csr_array(x), y).predict_proba(sparse.csr_array(asked))
    np.testing.assert_allclose(thin, manhattan)
    distances = lambda a: np.abs(a[:, None] - x).sum(-1)  # noqa: E731
    given = SoftLabelKNeighborsClassifier(7, metric="precomputed").fit(distances(x), y)
    np.testing.assert_allclose(given.predict_proba(distances(asked)), manhattan)


def test_works_in_a_grid_search_and_survives_a_clone():
    search = GridSearchCV(SoftLabelKNeighborsClassifier(), {"n_neighbors": [1, 5, None]})
    assert search.fit(*IRIS).best_score_ > 0.95
    copy = clone(SoftLabelKNeighborsClassifier(2, labels="logits", classes=["a", "b"]))
    assert (copy.n_neighbors, copy.labels, copy.classes) == (2, "logits", ["a", "b"])


def test_a_distilled_set_is_a_set_of_neighbours():
    distilled = tf_distill.load_distilled(DISTILLED)
    x, y = (np.concatenate(v) for v in (distilled.samples.x, distilled.samples.y))
    names = distilled.metadata["classes"]
    x = x.reshape(len(x), -1)
    model = SoftLabelKNeighborsClassifier(labels="logits", classes=names).fit(x, y)
    asked = x[:2] + np.random.default_rng(0).normal(0, 0.1, (2, x.shape[1]))
    weights = 1 / np.linalg.norm(asked[:, None] - x, axis=-1)
    expected = weights / weights.sum(1, keepdims=True) @ softmax(y, axis=1)
    np.testing.assert_allclose(model.predict_proba(asked), expected, rtol=1e-5)
    assert model.predict(asked).tolist() == [names[i] for i in y[:2].argmax(1)]
    with pytest.raises(ValueError, match="Negative"):
        model.set_params(labels="distribution").fit(x, y)
