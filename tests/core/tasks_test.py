"""Tasks: targets and answers of a quantity, and its score, against scikit-learn."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import r2_score

from tf_distill.core.tasks import r_squared, task_for
from tf_distill.datasets import Target

PRICE = Target("price", mean=2.5e6, std=4e4)


def test_the_score_of_a_quantity_is_r2():
    rng = np.random.default_rng(0)
    true, found = rng.normal(5, 2, 30), rng.normal(5, 1, (3, 30))
    expected = [r2_score(true, one) for one in found]
    np.testing.assert_allclose(r_squared(found, true), expected, rtol=1e-12)
    assert task_for(PRICE, 1).score(true, true) == 1


@pytest.mark.parametrize(("found", "score"), [([4.0, 4.0], 1), ([4.0, 5.0], 0)])
def test_labels_without_variance_have_a_finite_score(found, score):
    assert r_squared(np.array(found), np.array([4.0, 4.0])) == score


def test_answers_have_the_units_of_the_labels():
    task, labels = task_for(PRICE, 1), np.array([2.5e6, 2.54e6, 1])
    targets = task.encode(labels)
    assert targets.shape == (3, 1)
    np.testing.assert_allclose(targets[:2, 0], [0, 1])
    np.testing.assert_allclose(task.predict(targets), labels, rtol=1e-6, atol=1)


def test_errors_are_squared():
    targets, outputs = tf.constant([[1.0], [0.0]]), tf.constant([[3.0], [-0.5]])
    np.testing.assert_array_equal(task_for(PRICE, 1).losses(targets, outputs), [4, 0.25])
