"""One network from another: made again it is the same, whatever its layers are called."""

import keras
import own_models
import pytest
import small
from keras import layers, ops

from tf_distill.core.learner import Learner
from tf_distill.networks import checks, choice


def functional(activation="relu", skip=0, units=6, initializer="glorot_uniform"):
    """Two layers of one size beside each other, one of which is added; by operations too."""
    x = keras.Input((small.FEATURES,))
    parts = [layers.Dense(units, a, kernel_initializer=initializer)(x) for a in ("tanh", "relu")]
    y = ops.relu(parts[0]) + ops.tanh(parts[1]) + parts[skip]
    y = layers.Softmax()(layers.Activation(activation)(y))
    return keras.Model(x, layers.Dense(small.CLASSES)(y))


def recurrent(activation="tanh"):
    """Loops, whose bodies are functions of the graph."""
    lstm = layers.LSTM(3, activation=activation)
    parts = [layers.Reshape((small.FEATURES, 1)), layers.Bidirectional(lstm)]
    return keras.Sequential([keras.Input((small.FEATURES,)), *parts, layers.Dense(small.CLASSES)])


class Called(keras.Model):
    """Differs in its call alone."""

    def __init__(self, function):
        super().__init__()
        self.function, self.out = function, layers.Dense(small.CLASSES)

    def call(self, x):
        """Logits."""
        return self.out(self.function(x))


def scaled(initializer):
    """A weight that no layer keeps the initializer of."""
    layer = layers.Dense(small.CLASSES)
    layer.build((None, small.FEATURES))
    scale = own_models.Scaled()
    scale.build = lambda shape: None
    scale.scale = scale.add_weight(shape=(small.FEATURES,), initializer=initializer)
    scale.shift = scale.add_weight(shape=(small.FEATURES,), initializer="zeros")
    return keras.Sequential([keras.Input((small.FEATURES,)), scale, layer])


NETWORKS = {
    "functional": functional,
    "activation": lambda: functional("tanh"),
    "wiring": lambda: functional(skip=1),
    "size": lambda: functional(units=7),
    "initializer": lambda: functional(initializer="he_normal"),
    "its settings": lambda: functional(initializer=keras.initializers.RandomNormal(stddev=0.1)),
    "other settings": lambda: functional(initializer=keras.initializers.RandomNormal(stddev=0.2)),
    "recurrent": recurrent,
    "loop": lambda: recurrent("relu"),
    "call": lambda: Called(ops.relu),
    "another call": lambda: Called(lambda x: ops.relu(x) * 2),
    "number in a call": lambda: Called(lambda x: ops.relu(x) * 3),
    "lambda": lambda: keras.Sequential([layers.Lambda(lambda x: -x), layers.Dense(3)]),
    "own weight": lambda: scaled(keras.initializers.RandomNormal(1, 0.1)),
    "own weight drawn otherwise": lambda: scaled(keras.initializers.RandomNormal(1, 0.2)),
    "frozen": lambda: keras.Sequential([layers.Dense(4, trainable=False), layers.Dense(3)]),
}


def fingerprint(make):
    shape = (small.FEATURES,)
    model, initializers = checks.build(make, shape)
    return str(choice.fingerprint_network(Learner(model, shape, initializers), shape))


@pytest.fixture(scope="module")
def first():
    return {name: fingerprint(make) for name, make in NETWORKS.items()}


def test_no_network_is_another(first):
    assert len(set(first.values())) == len(NETWORKS)


def test_seeds_of_initializers_are_none_of_the_network():
    one, other = (
        lambda s=s: functional(initializer=keras.initializers.HeNormal(s)) for s in (1, 2)
    )
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_is_made_again_is_the_same(first, name):
    assert fingerprint(NETWORKS[name]) == first[name]
    keras.utils.clear_session()  # names begin anew
    assert fingerprint(NETWORKS[name]) == first[name]
