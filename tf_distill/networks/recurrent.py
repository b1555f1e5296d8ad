"""Bidirectional recurrent layers that are fast under a second derivative.

Keras runs a recurrent layer in a loop of the graph. Its derivative is a second loop, which stores
and fetches every intermediate tensor, and the second derivative a third. Here one product covers
the inputs of all time steps, the gates share one product and one sigmoid, and short sequences are
unrolled. Both directions of an LSTM share all but the products, so that the graph is smaller.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

UNROLLED = 64
"""Longer sequences stay in Keras's loop: unrolled steps make a graph large."""

Both = list[tf.Tensor]
"""A tensor of each direction."""
Cell = Callable[[Both, tf.Tensor | None], tuple[Both, tf.Tensor | None]]
"""From the gates and the cell of an LSTM, None at first, to the outputs and the next cell."""


@keras.saving.register_keras_serializable("tf_distill")
class Bidirectional(keras.layers.Bidirectional):
    """Keras's layer with its weights and arguments, and fast for a default SimpleRNN or LSTM.

    It equals Keras's layer up to rounding. With a mask, a given state, or another cell,
    activation, merge mode or the like, Keras's own code runs.
    """

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: Any = None,
        mask: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        """`[batch, steps, inputs]` to `[batch, (steps,) 2 * units]`, or Keras's own output."""
        steps = sequences.shape[1]
        short = steps is not None and steps <= UNROLLED
        plain = initial_state is None and mask is None
        if not (short and plain and self._is_computed_here(bool(training))):
            return super().call(sequences, initial_state, mask, training)
        cells = [self.forward_layer.cell, self.backward_layer.cell]
        kernels, recurrent, biases = (
            [_for_one_sigmoid(tf.convert_to_tensor(getattr(c, name)), c) for c in cells]
            for name in ("kernel", "recurrent_kernel", "bias")
        )
        projected = _project(sequences, kernels, biases)
        cell = _lstm if _is_lstm(cells[0]) else _simple
        forward, backward = _unroll(cell, projected, recurrent)
        if not self.forward_layer.return_sequences:
            return tf.concat([forward[-1], backward[-1]], -1)
        both = tf.concat([tf.stack(forward), tf.stack(backward[::-1])], -1)
        return tf.transpose(both, [1, 0, 2])

    def _is_computed_here(self, training: bool) -> bool:
        """Whether `call` has a fast form for both directions and the way they are merged."""
        layers = (self.forward_layer, self.backward_layer)
        cells: list[Any] = [getattr(layer, "cell", None) for layer in layers]
        return (
            self.merge_mode == "concat"
            and type(cells[0]) is type(cells[1])
            and [layer.go_backwards for layer in layers] == [False, True]
            and not any(layer.return_state or layer.stateful for layer in layers)
            and all(_is_default(cell) for cell in cells)
            and not (training and any(cell.dropout or cell.recurrent_dropout for cell in cells))
        )


def _is_default(cell: Any) -> bool:
    """Whether a cell is one of Keras's two with the activations and the bias of its defaults."""
    sigmoid = keras.activations.sigmoid
    return (
        type(cell) in (keras.layers.SimpleRNNCell, keras.layers.LSTMCell)
        and cell.activation is keras.activations.tanh
        and getattr(cell, "recurrent_activation", sigmoid) is sigmoid
        and cell.use_bias
    )


def _is_lstm(cell: keras.Layer) -> bool:
    return isinstance(cell, keras.layers.LSTMCell)


def _for_one_sigmoid(weight: tf.Tensor, cell: keras.Layer) -> tf.Tensor:
    """An LSTM's candidate, the third of four, is doubled: tanh(z) = 2 sigmoid(2 z) - 1."""
    if not _is_lstm(cell):
        return weight
    ones = tf.ones([cell.units], weight.dtype)
    return weight * tf.concat([ones, ones, 2 * ones, ones], 0)


def _project(
    x: tf.Tensor, kernels: list[tf.Tensor], biases: list[tf.Tensor]
) -> list[list[tf.Tensor]]:
    """The inputs times the kernels: a list of `[batch, gates]` over time for each direction."""
    steps, inputs = x.shape[1:]
    rows = tf.reshape(tf.transpose(x, [1, 0, 2]), [-1, inputs])  # products in two axes are faster
    directions = []
    for kernel, bias in zip(kernels, biases, strict=True):
        gates = tf.nn.bias_add(tf.matmul(rows, kernel), bias)
        directions.append(tf.unstack(tf.reshape(gates, [steps, -1, kernel.shape[1]])))
    return [directions[0], directions[1][::-1]]


def _unroll(
    cell: Cell, projected: list[list[tf.Tensor]], recurrent: Both
) -> Iterator[tuple[tf.Tensor, ...]]:
    """The outputs of each direction, in the order in which it reads."""
    outputs: list[Both] = []
    state = None
    for inputs in zip(*projected, strict=True):
        gates = list(inputs)
        if outputs:  # two products beat a batched one
            steps = zip(gates, outputs[-1], recurrent, strict=True)
            gates = [gate + tf.matmul(output, kernel) for gate, output, kernel in steps]
        found, state = cell(gates, state)
        outputs.append(found)
    return zip(*outputs, strict=True)


def _simple(gates: Both, _: tf.Tensor | None) -> tuple[Both, None]:
    """A simple recurrent unit."""
    return [tf.tanh(gate) for gate in gates], None


def _lstm(gates: Both, before: tf.Tensor | None) -> tuple[Both, tf.Tensor]:
    """An LSTM: gates are input, forget, candidate (doubled) and output, side by side."""
    entry, forget, candidate, output = tf.split(tf.sigmoid(tf.stack(gates)), 4, axis=-1)
    cell = entry * (2 * candidate - 1)
    if before is not None:
        cell += forget * before
    return tf.unstack(output * tf.tanh(cell)), cell
