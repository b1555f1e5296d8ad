"""The small sets that a distilled one is compared with, against scikit-learn directly."""

import dataclasses

import numpy as np
import pytest
import small
from sklearn.cluster import KMeans
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestCentroid

from tf_distill.core import starts, task_for
from tf_distill.core.starts import Prototypes
from tf_distill.datasets import Target
from tf_distill.evaluation import baselines

RNG = np.random.default_rng


def members(x: np.ndarray, of: np.ndarray) -> np.ndarray:
    """For each row of x, where in `of` it is; -1 for nowhere."""
    same = (x[:, None] == of[None]).all(-1)
    return np.where(same.any(1), same.argmax(1), -1)


@pytest.mark.parametrize("size", [2, 3, 7, 12])
def test_random_real_draws_training_examples_of_the_classes_in_turn(size):
    data = small.dataset()
    x, y, _ = starts.draw_real(data, size, RNG(0))
    assert y.tolist() == [i % 3 for i in range(size)]
    places = members(x, data.x_train)
    assert (places >= 0).all()
    assert len(set(places)) == size
    np.testing.assert_array_equal(data.y_train[places], y)
    again, other = (starts.draw_real(data, size, RNG(seed)).x for seed in (0, 1))
    np.testing.assert_array_equal(x, again)
    assert not np.array_equal(x, other)


def test_averages_are_scikit_learns_centroids():
    data = small.dataset()
    x, y, _ = baselines.average(data, 6)
    centroids = NearestCentroid().fit(data.x_train, data.y_train).centroids_
    np.testing.assert_allclose(x, centroids[y], rtol=1e-5)


@pytest.mark.parametrize("size", [3, 8])
def test_k_means_are_scikit_learns_centres(size):
    data = small.dataset(train=200)
    x, y, _ = baselines.k_means(data, size, RNG(4))
    rng = RNG(4)
    for c in range(3):
        own, count = data.x_train[data.y_train == c], np.count_nonzero(y == c)
        seed = int(rng.integers(2**31))
        centres = KMeans(count, n_init=1, random_state=seed).fit(own).cluster_centers_
        np.testing.assert_allclose(x[y == c], centres, rtol=1e-5)


@pytest.mark.parametrize("make", [baselines.herding, baselines.k_center])
@pytest.mark.parametrize("size", [3, 10])
def test_subsets_are_different_real_examples_of_their_classes(make, size):
    data = small.dataset(train=200)
    x, y, _ = make(data, size, RNG(0))
    assert y.tolist() == [i % 3 for i in range(size)]
    places = members(x, data.x_train)
    assert (places >= 0).all()
    assert len(set(places)) == size
    np.testing.assert_array_equal(data.y_train[places], y)
    np.testing.assert_array_equal(make(data, size, RNG(1)).x, x)  # of small classes there is one


def test_each_example_of_herding_brings_the_mean_nearest_to_that_of_its_class():
    data = small.dataset(train=200)
    x, y, _ = baselines.herding(data, 12, RNG(0))
    for c in range(3):
        own, chosen = data.x_train[data.y_train == c], x[y == c]
        mean = own.mean(axis=0)
        for n in range(1, len(chosen) + 1):
            left = own[members(own, chosen[: n - 1]) < 0] if n > 1 else own
            found = np.linalg.norm(chosen[:n].mean(axis=0) - mean)
            for other in left:
                tried = np.concatenate([chosen[: n - 1], other[None]]).mean(axis=0)
                assert found <= np.linalg.norm(tried - mean) + 1e-6


def test_each_example_of_k_center_is_the_farthest_from_those_before():
    data = small.dataset(train=200)
    x, y, _ = baselines.k_center(data, 12, RNG(0))
    for c in range(3):
        own, chosen = data.x_train[data.y_train == c], x[y == c]
        from_mean = np.linalg.norm(own - own.mean(axis=0), axis=1)
        assert members(chosen[:1], own).tolist() == [from_mean.argmin()]
        for n in range(1, len(chosen)):
            far = np.linalg.norm(own[:, None] - chosen[None, :n], axis=-1).min(axis=1)
            assert np.linalg.norm(chosen[n] - chosen[:n], axis=-1).min() == pytest.approx(far.max())


@pytest.mark.parametrize("make", [baselines.herding, baselines.k_center])
def test_of_large_classes_a_random_part_is_looked_at(monkeypatch, make):
    monkeypatch.setattr(baselines, "MOST_OF_CLASS", 2)
    data = small.dataset(train=200)
    (x, y, _), other = make(data, 6, RNG(0)), make(data, 6, RNG(1)).x
    np.testing.assert_array_equal(data.y_train[members(x, data.x_train)], y)
    assert not np.array_equal(x, other)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_neighbours_are_scikit_learns(neighbours):
    data = small.dataset(train=80, test=1203)
    sets = [starts.draw_real(data, 9, RNG(i)) for i in range(3)]
    found = baselines.neighbour_accuracies(sets, data, data.x_test, data.y_test, neighbours)
    expected = [
        KNeighborsClassifier(neighbours).fit(s.x, s.y).score(data.x_test, data.y_test) for s in sets
    ]
    assert found == pytest.approx(expected)


def of_quantity(train=60):
    """The vectors of `small.dataset` with a quantity, the sum of their numbers."""
    data = small.dataset(train)
    y_train, y_test = (x.sum(1).astype(np.float64) for x in (data.x_train, data.x_test))
    target = Target("sum", float(y_train.mean()), float(y_train.std()))
    return dataclasses.replace(data, classes=(), y_train=y_train, y_test=y_test, target=target)


def test_real_examples_are_spread_over_the_quantiles_of_a_quantity():
    data = of_quantity()
    x, y, places = starts.draw_real(data, 6, RNG(0))
    np.testing.assert_array_equal(data.y_train[places], y)
    ranks = np.argsort(np.argsort(data.y_train))[places]
    assert (ranks // 10).tolist() == list(range(6))
    assert not np.array_equal(starts.draw_real(data, 6, RNG(1)).x, x)


def test_a_quantity_of_a_cluster_is_its_mean():
    data = of_quantity()
    x, y, _ = starts.k_means(data, 4, RNG(0))
    near = ((data.x_train[:, None] - x) ** 2).sum(-1).argmin(1)
    np.testing.assert_allclose(y, [data.y_train[near == i].mean() for i in range(4)])
    means = baselines.average(data, 4)
    np.testing.assert_allclose(means.y, np.sort(data.y_train).reshape(4, -1).mean(1))
    places = starts.medoids(data, 4, RNG(0)).places
    assert len({*near[places]}) == 4


@pytest.mark.filterwarnings("error")
def test_equal_examples_are_one_cluster():
    data = of_quantity()
    kinds = np.arange(len(data.y_train)) % 3
    data = dataclasses.replace(data, x_train=data.x_train[kinds])
    x, y, _ = starts.k_means(data, 8, RNG(0))
    kind = ((x[:, None] - data.x_train[:3]) ** 2).sum(-1).argmin(1)
    assert {*kind} == {0, 1, 2}
    np.testing.assert_allclose(x, data.x_train[kind], rtol=1e-4)
    np.testing.assert_allclose(y, [data.y_train[kinds == k].mean() for k in kind])


def test_neighbours_of_a_quantity_are_scikit_learns():
    data = of_quantity()
    sets = [starts.draw_real(data, 9, RNG(i)) for i in range(2)]
    found = baselines.neighbour_accuracies(sets, data, data.x_test, data.y_test, 3)
    models = [KNeighborsRegressor(3).fit(s.x, s.y) for s in sets]
    assert found == pytest.approx([m.score(data.x_test, data.y_test) for m in models])


@pytest.fixture
def uneven():
    """Two examples of class 1, none of class 2."""
    data = small.dataset(train=60)
    keep = (
        np.flatnonzero(data.y_train == 0).tolist() + np.flatnonzero(data.y_train == 1)[:2].tolist()
    )
    return dataclasses.replace(data, x_train=data.x_train[keep], y_train=data.y_train[keep])


@pytest.mark.parametrize(
    "make",
    [
        lambda data, size: starts.draw_real(data, size, RNG(0)),
        lambda data, size: baselines.k_means(data, size, RNG(0)),
        lambda data, size: baselines.medoids(data, size, RNG(0)),
        lambda data, size: baselines.herding(data, size, RNG(0)),
        lambda data, size: baselines.k_center(data, size, RNG(0)),
    ],
)
def test_classes_with_too_few_examples_repeat_them(uneven, make):
    x, y, _ = make(uneven, 8)
    assert y.tolist() == [0, 1] * 4
    scarce = uneven.x_train[uneven.y_train == 1]
    assert sorted(members(x[y == 1], scarce)) == [0, 0, 1, 1]


def test_a_shortage_is_said(uneven):
    said = baselines.shortage(uneven, 8)
    assert "Of 3 classes 1 have fewer training examples than places, theirs are repeated" in said
    assert "1 have none, other classes take their places" in said
    assert baselines.shortage(small.dataset(), 6) == ""


def test_samples_keep_the_order_of_the_prototypes():
    like, task = small.samples(steps=2, n=3, epochs=2), task_for(None, 3)
    x = np.arange(6 * small.FEATURES, dtype=np.float32).reshape(6, small.FEATURES)
    samples = baselines.as_samples(Prototypes(x, np.array([0, 1, 2, 2, 1, 0])), task, like, 0.5)
    assert [v.shape for v in samples] == [v.shape for v in like]
    np.testing.assert_array_equal(samples.x[1, 0], x[3])
    assert samples.y.numpy().argmax(-1).tolist() == [[0, 1, 2], [2, 1, 0]]
    np.testing.assert_array_equal(samples.y.numpy().sum(-1), 1)
    assert samples.lr.numpy().tolist() == [0.5] * 4
    rates = baselines.as_samples(Prototypes(x, np.zeros(6, int)), task, like, np.arange(4.0)).lr
    assert rates.numpy().tolist() == [0, 1, 2, 3]


def test_binary_labels_are_zero_and_one():
    like = small.samples(steps=1, n=2, outputs=1)
    x = np.zeros((2, small.FEATURES), np.float32)
    set_ = baselines.as_samples(Prototypes(x, np.array([0, 1])), task_for(None, 1), like, 1.0)
    assert set_.y.numpy().tolist() == [[[0], [1]]]
