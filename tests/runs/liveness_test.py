"""What is alive in graphs small enough to count by hand; a tensor of theirs has 4,000 bytes."""

import pytest
import tensorflow as tf

from tf_distill.core import parallel
from tf_distill.runs.memory import moments, peak

ONE = 4000
SPEC = tf.TensorSpec([1000])


def graph(function, *specs):
    return tf.function(function).get_concrete_function(*(specs or [SPEC])).graph


def grown(x, times):
    """`[1000]` to so many of it."""
    return tf.tile(x, [times])


@pytest.mark.parametrize(
    ("function", "tensors"),
    [
        (tf.cumsum, 1),  # the argument is the caller's
        (lambda x: tf.cumsum(tf.cumsum(tf.cumsum(x))), 2),  # one is read, one is written
        (lambda x: tf.nn.relu(tf.exp(tf.cumsum(x))), 1),  # written over
        (lambda x: tf.reshape(tf.cumsum(x), [10, 100]), 1),
        (lambda x: tf.reduce_sum(grown(x, 5)[:3000]), 5),  # a slice of the first dimension
        (lambda x: tf.exp(y := tf.cumsum(x)) + tf.sin(y), 2),
        (lambda x: [y := tf.cumsum(x), tf.exp(y)], 2),
        (lambda x: tf.reduce_sum(grown(x, 9)) + tf.reduce_sum(grown(x, 4)), 9),  # in turn
    ],
)
def test_counts_what_is_still_needed(function, tensors):
    assert peak(graph(function)) == pytest.approx(tensors * ONE, abs=100)


def test_what_nothing_depends_on_is_not_counted():
    def function(x):
        grown(x, 50)
        return tf.cumsum(x)

    assert peak(graph(function)) == pytest.approx(ONE, abs=100)


def test_calls_are_looked_into():
    inner = tf.function(lambda x: tf.reduce_sum(grown(x, 7)))
    found = max(moments(graph(lambda x: inner(tf.cumsum(x)))), key=lambda m: m.size)
    assert found.size == pytest.approx(8 * ONE, abs=100)
    assert "PartitionedCall/" in found.name


@pytest.mark.parametrize("rounds", [3, 30])
def test_a_loop_keeps_what_it_writes_into_an_array(rounds):
    def function(x):
        array = tf.TensorArray(tf.float32, rounds, element_shape=[1000])
        return tf.while_loop(
            lambda i, *_: i < rounds, lambda i, a: (i + 1, a.write(i, tf.exp(x))), (0, array)
        )[1].stack()

    # The array, and what is made of it.
    assert peak(graph(function)) == pytest.approx(2 * rounds * ONE, rel=0.1)


def test_a_loop_without_arrays_takes_the_same_for_any_number_of_rounds():
    def function(rounds):
        return lambda x: tf.while_loop(
            lambda i, *_: i < rounds, lambda i, y: (i + 1, tf.cumsum(y)), (0, x)
        )

    few, many = (peak(graph(function(rounds))) for rounds in (3, 300))
    assert few == many < 4 * ONE


def repeated(rounds):
    """The sine of the sine, so many times."""
    return lambda x: tf.while_loop(
        lambda i, *_: i < rounds,
        lambda i, y: (i + 1, tf.sin(y)),
        (0, x),
        maximum_iterations=rounds,
    )[1]


def gradient(function):
    def derivative(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x)

    return derivative


def test_the_gradient_of_a_loop_keeps_every_round():
    few, many = (peak(graph(gradient(repeated(rounds)))) for rounds in (10, 110))
    assert many - few == pytest.approx(100 * ONE, rel=0.05)


def test_the_second_derivative_of_a_loop_keeps_more():
    # TensorFlow makes calls of these loops, with lists as arguments and results.
    few, many = (peak(graph(gradient(gradient(repeated(rounds))))) for rounds in (10, 110))
    assert many - few >= 2 * 100 * ONE


@pytest.mark.parametrize(("together", "alive"), [(1, 1), (3, 3), (9, 4)])
def test_parts_beside_each_other_are_alive_together(together, alive):
    def compute(x):
        return parallel.mean(4, lambda i: tf.reduce_sum(grown(x, 50)), tf.zeros([]), together)

    assert peak(graph(compute)) == pytest.approx(50 * alive * ONE, abs=300)


def test_the_cost_of_a_tensor_is_the_callers_to_say():
    twice = max(m.size for m in moments(graph(tf.cumsum), lambda size: 2 * size))
    assert twice == pytest.approx(2 * ONE, abs=100)


def test_an_unknown_dimension_counts_as_one():
    assert peak(graph(tf.exp, tf.TensorSpec([None, 100]))) == 400
