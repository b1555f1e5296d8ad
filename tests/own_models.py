"""Keras models as users write them, for `small.dataset`: sound ones and others."""

import keras
import small
import tensorflow as tf
from keras import layers


class Scaled(layers.Layer):
    """A layer with weights that no attribute tells the initializers of; two have one name."""

    def build(self, shape):
        """Makes a scale and a shift, both named w."""
        make = {"shape": (shape[-1],), "name": "w"}
        self.scale = self.add_weight(initializer=keras.initializers.RandomNormal(1, 0.1), **make)
        self.shift = self.add_weight(initializer="zeros", **make)

    def call(self, x):
        """Scales and shifts."""
        return x * self.scale + self.shift


class Subclassed(keras.Model):
    """Unbuilt, with dropout, layers in a list, and a call that takes no `training`."""

    def __init__(self, outputs=small.CLASSES):
        super().__init__()
        self.parts = [layers.Dense(8, "tanh"), Scaled(), layers.Dropout(0.5), layers.Dense(outputs)]

    def call(self, x):
        """All parts in order."""
        for part in self.parts:
            x = part(x)
        return x


def sequential(*parts, outputs=small.CLASSES, shape=(small.FEATURES,)):
    """An unbuilt function of a model: the parts, and logits."""
    return lambda: keras.Sequential(
        [keras.Input(shape), *(part() for part in parts), layers.Flatten(), layers.Dense(outputs)]
    )


def moments(x):
    """Normalises by tf.nn.moments, whose second derivative is wrong."""
    mean, variance = tf.nn.moments(x, [0], keepdims=True)
    return (x - mean) / tf.sqrt(variance + 0.1)


@tf.custom_gradient
def once(x):
    """A square that forgets that its gradient depends on x."""
    return x * x, lambda dy: dy * tf.stop_gradient(2 * x)


class Unknown(keras.Model):
    """Trains a tf.Variable that Keras does not see."""

    def __init__(self):
        super().__init__()
        self.out, self.factor = layers.Dense(small.CLASSES), tf.Variable(1.0, name="factor")

    def call(self, x):
        """Logits."""
        return self.out(x) * self.factor


class Normalising(Unknown):
    """Subclassed, so that Keras can't copy it."""

    def __init__(self):
        super().__init__()
        self.norm = layers.BatchNormalization()

    def call(self, x):
        """Logits."""
        return self.out(self.norm(x))


class Counting(keras.Model):
    """Changes a weight in every call."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(small.CLASSES)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x):
        """Logits."""
        self.calls.assign_add(1.0)
        return self.out(x)


class Branching(keras.Model):
    """Python's if on a tensor, as Keras's own training refuses it too."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(small.CLASSES)

    def call(self, x):
        """Logits."""
        return self.out(x if tf.reduce_sum(x) > 0 else -x)


class Choosing(Branching):
    """The same as the refusal says to write it."""

    def call(self, x):
        """Logits."""
        return self.out(tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x))


class Compiled(Branching):
    """Is compiled by itself, so that Python's if is allowed."""

    @tf.function
    def call(self, x):
        """Logits."""
        return self.out(x if tf.reduce_sum(x) > 0 else -x)


class PartlyCompiled(Branching):
    """Compiles a part of it, which reads no weights."""

    def call(self, x):
        """Logits."""
        return self.out(tf.function(lambda y: y if tf.reduce_sum(y) > 0 else -y)(x))


class Noisy(Branching):
    """Draws noise in every call, whatever it is for."""

    def call(self, x):
        """Logits."""
        return self.out(x + tf.random.normal(tf.shape(x)))


class Eager(keras.Model):
    """Asks for numbers that a graph does not have yet."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(small.CLASSES)

    def call(self, x):
        """Logits."""
        return self.out(x) * float(tf.convert_to_tensor(x).numpy().shape[1])
