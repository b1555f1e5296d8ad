"""The losses of the inner and the outer problem.

Keras's and TensorFlow's fused softmax cross-entropy must not be used here: its
second derivative with respect to the labels is exactly zero, without an error.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

Losses = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From targets and outputs, both `[batch, outputs]`, to the loss of each example `[batch]`."""


def cross_entropies(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The cross-entropy of each example `[batch]`, in nats; arguments as for `cross_entropy`."""
    if logits.shape[-1] == 1:
        return tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)[:, 0]
    return -tf.reduce_sum(labels * tf.nn.log_softmax(logits), axis=-1)


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy with labels of any real values (Section 3.3).

    Args:
        labels: float `[batch, outputs]`, one-hot or learned; they need not sum to 1.
        logits: float `[batch, outputs]`. One output means a binary task and a
            sigmoid, several a softmax.

    Returns:
        A scalar, in nats.
    """
    return tf.reduce_mean(cross_entropies(labels, logits))


@keras.saving.register_keras_serializable("tf_distill")
class SoftLabelCrossentropy(keras.losses.Loss):
    """Cross-entropy with learned labels for Keras's `compile`, from logits (Section 3.3).

    Labels need not sum to 1, as those of a set for replay. Keras's CategoricalCrossentropy then
    has a wrong gradient, without an error; for labels that are probabilities both are equal. Of
    one logit it is the binary cross-entropy, by a sigmoid.
    """

    def __init__(self, name: str = "soft_label_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Of labels and logits, both `[batch, outputs]`: the losses `[batch]`."""
        return cross_entropies(tf.cast(y_true, y_pred.dtype), y_pred)


def squared_errors(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """The squared error of each example `[batch]`; arguments `[batch, 1]`, of a quantity."""
    return tf.square(outputs - targets)[:, 0]
