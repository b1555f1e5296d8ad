"""After use from two threads the process is what it was before."""

import contextlib
import threading

import keras
import pytest
import tensorflow as tf

from tf_distill.common.errors import UserError
from tf_distill.core import learner
from tf_distill.core.compiled import compiled
from tf_distill.networks import second_derivative

CHANGES = {
    "initializers": learner.with_initializers,
    "second derivative": lambda make: second_derivative.differentiate(make, (2,), 2),
    "compiled": lambda function: compiled(function)(),
}
"""What changes the process while it calls a function."""


def state():
    options = tf.config.optimizer.get_experimental_options()
    policy = keras.config.dtype_policy().name
    add_weight = keras.layers.Layer.add_weight
    return keras.config.floatx(), policy, add_weight, options.get("disable_meta_optimizer", False)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_first_of_two_threads_leaves_before_the_second(change):
    before = state()
    inside = [threading.Event(), threading.Event()]

    def first():
        inside[0].set()
        inside[1].wait(0.2)  # in vain, where the second is kept waiting
        raise UserError("left")

    def second():
        inside[1].set()
        threads[0].join()
        raise UserError("left")

    def run(function):
        with contextlib.suppress(UserError):
            change(function)

    threads = [threading.Thread(target=run, args=[function]) for function in (first, second)]
    threads[0].start()
    inside[0].wait()
    threads[1].start()
    for thread in threads:
        thread.join()
    assert all(event.is_set() for event in inside)
    assert state() == before
