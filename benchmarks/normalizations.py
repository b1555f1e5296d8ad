"""How wrong the second derivatives of normalisations are: those of Keras, and those of ours.

    python benchmarks/normalizations.py

The inner gradient of a small network, along a random direction, is differentiated by the samples:
by TensorFlow's tapes, and by central differences in float64. Printed is the norm of the difference,
over the norm of the latter.
"""

import keras
import numpy as np
import tensorflow as tf

from tf_distill.layers import GroupNormalization, InstanceNormalization, LayerNormalization

SHAPE, CLASSES, BATCH, STEP = (4, 4, 6), 3, 8, 1e-5
NORMALIZATIONS = {
    "keras.layers.BatchNormalization()": keras.layers.BatchNormalization,
    "keras.layers.LayerNormalization()": keras.layers.LayerNormalization,
    "keras.layers.GroupNormalization(2)": lambda: keras.layers.GroupNormalization(2),
    "keras.layers.GroupNormalization(1)": lambda: keras.layers.GroupNormalization(1),
    "td.layers.LayerNormalization()": LayerNormalization,
    "td.layers.GroupNormalization(2)": lambda: GroupNormalization(2),
    "td.layers.GroupNormalization(1)": lambda: GroupNormalization(1),
    "td.layers.InstanceNormalization()": InstanceNormalization,
}


def error(normalization: keras.Layer) -> float:
    """The relative error of the second derivative of a network with this layer."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    first, last = keras.layers.Conv2D(6, 3, activation="tanh"), keras.layers.Dense(CLASSES)
    parts = [first, normalization, keras.layers.Activation("tanh"), keras.layers.Flatten(), last]
    model = keras.Sequential([keras.Input(SHAPE), *parts])
    x = rng.standard_normal((BATCH, *SHAPE))
    y = tf.one_hot(np.arange(BATCH) % CLASSES, CLASSES, dtype=x.dtype)
    weights = [w.value for w in model.trainable_variables]
    along = [tf.constant(rng.standard_normal(w.shape)) for w in weights]

    @tf.function
    def slope(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            log_p = tf.nn.log_softmax(model(x, training=True))
            loss = -tf.reduce_mean(tf.reduce_sum(y * log_p, 1))
        gradients = tape.gradient(loss, weights)
        return tf.add_n([tf.reduce_sum(g * d) for g, d in zip(gradients, along, strict=True)])

    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = slope(given)
    by_tape = tape.gradient(value, given).numpy()
    by_steps = np.empty_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = STEP
        up, down = slope(tf.constant(x + step)), slope(tf.constant(x - step))
        by_steps[place] = (up - down) / (2 * STEP)
    return float(np.linalg.norm(by_tape - by_steps) / np.linalg.norm(by_steps))


def main() -> None:
    """Prints a line for each normalisation."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    for name, make in NORMALIZATIONS.items():
        print(f"{name:35} {100 * error(make()):.2g} %", flush=True)


if __name__ == "__main__":
    main()
