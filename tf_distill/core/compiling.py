"""Compiled functions that TensorFlow's graph rewriter, Grappler, leaves as they are.

Grappler sums large gradients of a loop's body in a temporary variable that outlives the loop,
so that the second call fails with "Resource ... tmp_var already exists"
(tensorflow/tensorflow#23780, seen with AlexCifarNet and 256 images). That rewrite can't be
switched off alone; without all of them the steps here are as fast, and compiled sooner.
"""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from typing import Generic, ParamSpec, TypeVar

import keras
import tensorflow as tf

from tf_distill.common import UserError

_P = ParamSpec("_P")
_R = TypeVar("_R")
REASON = 200
"""Characters of XLA's message in an error."""
_REFUSED = tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.InternalError
_OPTION = "disable_meta_optimizer"
graph_function = functools.partial(tf.function, autograph=False)
"""`tf.function` without AutoGraph: no Python control flow here depends on tensors, and AutoGraph's
conversion was a third of a short run's time."""


class Compiled(Generic[_P, _R]):
    """`tf.function` without Grappler, to be called from outside of a graph.

    Args:
        function: to be compiled.
        by_xla: whether XLA makes one program of it.
    """

    def __init__(self, function: Callable[_P, _R], by_xla: bool = False):
        functools.update_wrapper(self, function)
        self._untried = by_xla
        self._function = graph_function(function, jit_compile=by_xla or None)
        # Each run has a function of its own: TensorFlow would take them for one traced too often.
        self._function._omit_frequent_tracing_warning = True

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """The result; the first call for arguments of some shapes traces the function.

        Raises:
            UserError: XLA can't compile it.
        """
        with _as_written():
            try:
                result = self._function(*args, **kwargs)
            except _REFUSED as error:
                if not self._untried:
                    raise
                said = re.sub(r" graph \S+\[.*?\]", "", error.message.strip())
                reason = said.splitlines()[0][:REASON]
                raise UserError(
                    f"XLA can't compile an outer step of this network ({reason}); leave "
                    "jit_compile out"
                ) from error
            self._untried = False
            return result

    def graph(self, *specs: tf.TensorSpec) -> tf.Graph:
        """The graph for such arguments, without running it; a later call takes the same one."""
        with _as_written():
            return self._function.get_concrete_function(*specs).graph


def compiled(function: Callable[_P, _R], by_xla: bool = False) -> Compiled[_P, _R]:
    """The function, compiled."""
    return Compiled(function, by_xla)


def check_compilable(model: keras.Model) -> None:
    """Raises UserError for a layer that XLA can't compile: it may end the process, not say so."""
    layers = [layer for layer in model._flatten_layers() if not layer.supports_jit]
    if layers := [layer for layer in layers if layer is not model]:
        raise UserError(
            f"XLA can't compile {type(layers[0]).__name__} {layers[0].name!r} of {model.name}; "
            "leave jit_compile out"
        )


@contextlib.contextmanager
def _as_written() -> Iterator[None]:
    """Graphs that are called inside are not rewritten; the process's own option comes back."""
    before = tf.config.optimizer.get_experimental_options().get(_OPTION, False)
    tf.config.optimizer.set_experimental_options({_OPTION: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_OPTION: before})
