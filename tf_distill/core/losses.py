"""The losses of the inner and the outer problem, and accuracy.

Keras's and TensorFlow's fused softmax cross-entropy must not be used here: its
second derivative with respect to the labels is exactly zero, without an error.
"""

import tensorflow as tf


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy with labels of any real values (Section 3.3).

    Args:
        labels: float `[batch, outputs]`, one-hot or learned; they need not sum to 1.
        logits: float `[batch, outputs]`. One output means a binary task and a
            sigmoid, several a softmax.

    Returns:
        A scalar, in nats.
    """
    if logits.shape[-1] == 1:
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)[:, 0]
    else:
        losses = -tf.reduce_sum(labels * tf.nn.log_softmax(logits), axis=-1)
    return tf.reduce_mean(losses)


def encode(labels: tf.Tensor, outputs: int, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Class indices `[batch]` as targets `[batch, outputs]`: one-hot, or 0 and 1 if binary."""
    if outputs == 1:
        return tf.cast(labels, dtype)[:, tf.newaxis]
    return tf.one_hot(labels, outputs, dtype=dtype)


def predict(logits: tf.Tensor) -> tf.Tensor:
    """The predicted class indices, int32 `[batch]`, of logits `[batch, outputs]`."""
    if logits.shape[-1] == 1:
        return tf.cast(logits[:, 0] > 0, tf.int32)
    return tf.argmax(logits, axis=-1, output_type=tf.int32)
