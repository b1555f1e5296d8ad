"""Distillation accuracy against predictions counted by hand."""

import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common import seeds
from tf_distill.core import evaluate
from tf_distill.core.inner import train
from tf_distill.core.learner import fixed_network

EXAMPLES = evaluate.TEST_BATCH * 2 + 203


def by_hand(learner, weights, dataset) -> float:
    logits = learner.apply(weights, dataset.encoding(tf.constant(dataset.x_test))).numpy()
    return float(np.mean(logits.argmax(1) == dataset.y_test))


@pytest.mark.parametrize("test", [EXAMPLES, 7])
def test_counts_every_test_example_once(test):
    learner, dataset = small.learner(), small.dataset(test=test)
    weights = fixed_network(learner, 0)
    result = evaluate.evaluator(learner, dataset)(None, [weights])
    assert result.accuracy == (pytest.approx(by_hand(learner, weights, dataset)), 0.0, 1)


def test_a_network_that_knows_the_rule_is_always_right():
    """Two layers that pass the first three numbers on: tanh keeps their order."""
    learner, dataset = small.learner(), small.dataset(test=EXAMPLES)
    select = tf.eye(small.FEATURES, 4) * 0.1
    weights = [select, tf.zeros(4), tf.eye(4, 3), tf.zeros(3)]
    assert evaluate.evaluator(learner, dataset)(None, [weights]).accuracy == (1.0, 0.0, 1)


def test_trains_each_network_and_gives_mean_and_population_deviation():
    learner, dataset, samples = small.learner(), small.dataset(test=300), small.samples()
    networks = [learner.init(key) for key in tf.unstack(tf.random.split([1, 2], 3))]
    test = evaluate.evaluator(learner, dataset)
    accuracies = [by_hand(learner, train(learner, samples, w), dataset) for w in networks]
    untrained = [by_hand(learner, w, dataset) for w in networks]
    for given, expected in ((samples, accuracies), (None, untrained)):
        result = test(given, iter(networks)).accuracy
        assert result.mean == pytest.approx(np.mean(expected))
        assert result.std == pytest.approx(np.sqrt(np.mean((expected - np.mean(expected)) ** 2)))
        assert result.networks == 3
    assert accuracies != untrained


def test_the_confusion_matrix_counts_the_answers_of_all_networks():
    answers = np.array([[0, 2, 2], [1, 2, 0]], np.int32)
    found = evaluate.Evaluated(evaluate.Accuracy(0.5, 0.0, 2), answers)
    expected = [[1, 1, 0], [0, 0, 0], [1, 0, 3]]  # rows: the classes, columns: the answers
    np.testing.assert_array_equal(found.confusion(np.array([0, 2, 2]), 3), expected)


def test_a_fixed_initialization_is_tested_with_its_one_network():
    learner = small.learner()
    (weights,) = evaluate.test_networks(learner, "fixed", 5, seed=3)
    for a, b in zip(weights, fixed_network(learner, 3), strict=True):
        np.testing.assert_array_equal(a, b)


def test_random_networks_are_fresh_and_repeatable():
    learner = small.learner()
    drawn = [evaluate.test_networks(learner, "random", 4, seed=3) for _ in range(2)]
    kernels, again = ([weights[0].numpy() for weights in networks] for networks in drawn)
    np.testing.assert_array_equal(kernels, again)
    stream = seeds.seed_key(3, seeds.Stream.NETWORKS)
    seen = [learner.init(tf.random.fold_in(stream, i))[0].numpy() for i in range(4)]
    distinct = {k.tobytes() for k in [*kernels, *seen, fixed_network(learner, 3)[0].numpy()]}
    assert len(distinct) == 9
