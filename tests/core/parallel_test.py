"""Parts of a computation beside each other."""

import numpy as np
import pytest
import tensorflow as tf

from tf_distill.core import parallel


@pytest.mark.parametrize(
    ("size", "parts"),
    [(1, 1), (10, 1), (100, 1), (101, 1), (200, 2), (210, 3), (300, 3), (303, 1), (None, 1)],
)
def test_a_batch_is_cut_into_the_fewest_equal_parts(size, parts):
    assert parallel.equal_parts(size, 100) == parts


@pytest.mark.parametrize(("asked", "parts"), [("3", 3), ("0", 5), ("many", 5), (None, 5)])
def test_as_many_at_once_as_tensorflow_has_threads(monkeypatch, asked, parts):
    monkeypatch.setattr(parallel.machine, "cores", lambda: 5)
    monkeypatch.delenv("TF_NUM_INTEROP_THREADS", raising=False)
    if asked:
        monkeypatch.setenv("TF_NUM_INTEROP_THREADS", asked)
    assert parallel.at_once() == parts


def test_a_gpu_gets_all_at_once(monkeypatch):
    monkeypatch.setattr(parallel, "on_gpu", lambda: True)
    assert (parallel.at_once(), parallel.equal_parts(1000, 100)) == (1, 1)


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize("parts", [1, 5])
def test_the_mean_is_numpys(together, parts):
    values = np.random.default_rng(0).standard_normal((parts, 3))

    @tf.function
    def mean():
        zero = {"square": tf.zeros([3], tf.float64), "sum": tf.zeros([], tf.float64)}
        given = tf.constant(values)
        return parallel.mean(
            parts,
            lambda i: {"square": given[i] ** 2, "sum": tf.reduce_sum(given[i])},
            zero,
            together,
        )

    found = mean()
    np.testing.assert_allclose(found["square"], (values**2).mean(axis=0))
    np.testing.assert_allclose(found["sum"], values.sum(axis=1).mean())
