"""Compiled functions that TensorFlow's graph rewriter, Grappler, leaves as they are.

Grappler sums large gradients of a loop's body in a temporary variable that outlives the loop,
so that the second call fails with "Resource ... tmp_var already exists"
(tensorflow/tensorflow#23780, seen with AlexCifarNet and 256 images). That rewrite can't be
switched off alone; without all of them the steps here are as fast, and compiled sooner.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import tensorflow as tf

_P = ParamSpec("_P")
_R = TypeVar("_R")
_OPTION = "disable_meta_optimizer"


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """`tf.function` without Grappler, to be called from outside of a graph."""
    graph = tf.function(function)

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _as_written():
            return graph(*args, **kwargs)

    return call


@contextlib.contextmanager
def _as_written() -> Iterator[None]:
    """Graphs that are called inside are not rewritten; the process's own option comes back."""
    before = tf.config.optimizer.get_experimental_options().get(_OPTION, False)
    tf.config.optimizer.set_experimental_options({_OPTION: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_OPTION: before})
