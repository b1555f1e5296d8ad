"""How a dataset's stored inputs become what a network sees."""

import abc
from typing import Any

import tensorflow as tf


class Encoding(abc.ABC):
    """How stored inputs become what a network sees, in the graph.

    shape: of one embedded input.
    """

    shape: tuple[int, ...]

    @abc.abstractmethod
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Stored inputs `[batch, ...]` to float32 `[batch, *shape]`."""

    @abc.abstractmethod
    def metadata(self) -> dict[str, Any]:
        """The same in words and numbers, for an export: only what JSON can hold."""
