"""The network of a name or a function: which data it takes, and whether it is the same again."""

import keras
import numpy as np
import own_models
import pytest
import small
import tensorflow as tf
from keras import layers, ops

import tf_distill as td
from tf_distill.core import Learner
from tf_distill.datasets import images as images_
from tf_distill.networks import NETWORKS, checks, choose, fitting_names, own, second_derivative
from tf_distill.runs import configure


def images(side, channels=1):
    x = np.arange(8 * side * side * channels).reshape(8, side, side, channels) % 256
    return td.datasets.from_arrays(x.astype(np.uint8), np.arange(8) % 2)


def texts(length):
    x, y = ["a fine film", "a dull film"] * 10, ["good", "bad"] * 10
    return td.datasets.from_texts(x, y, length=length)


@pytest.mark.parametrize(
    ("make", "size", "expected"),
    [
        (images, (12,), ["lenet", "alexcifarnet", "convnet"]),
        (images, (12, 3), ["lenet", "alexcifarnet", "convnet"]),
        (images, (11,), []),
        (texts, (5,), ["textconvnet", "birnn", "bilstm"]),
        (texts, (4,), ["birnn", "bilstm"]),
        (small.dataset, (), ["mlp", "resnet_mlp", "linear"]),
    ],
)
def test_the_networks_that_take_data(make, size, expected):
    dataset = make(*size)
    assert fitting_names(dataset) == expected
    for name in expected:
        assert choose(name, dataset).build().output_shape == (None, dataset.outputs)


def test_too_small_data_are_refused():
    with pytest.raises(td.UserError, match="takes texts of at least 5 words, but texts has 4"):
        choose("textconvnet", texts(4))
    with pytest.raises(td.UserError, match="images of at least 12x12 pixels, but arrays has 11"):
        choose("lenet", images(11))
    assert NETWORKS["lenet"].least == images_.SMALLEST  # to which small files are enlarged


def frozen_model():
    return keras.Sequential([layers.Dense(4, trainable=False), layers.Dense(small.CLASSES)])


def test_frozen_weights_are_given_to_a_users_network():
    choice = choose(frozen_model, small.dataset())
    frozen = choice.learner().frozen
    assert not np.array_equal(choice.learner().frozen[0], frozen[0])
    learner = choice.learner(frozen)
    for one, other in zip(learner.frozen, frozen, strict=True):
        np.testing.assert_array_equal(one, other)
    x, weights = tf.ones((2, small.FEATURES)), [v.value for v in learner.model.trainable_variables]
    np.testing.assert_allclose(learner.apply(weights, x), learner.model(x))


def test_a_model_itself_is_copied_with_new_weights_but_the_frozen_ones():
    model = frozen_model()
    model.build((None, small.FEATURES))
    choice = choose(model, small.dataset())
    assert choice.name == "python:sequential"
    one, other = choice.build(), choice.build()
    for made in (one, other):
        made.build((None, small.FEATURES))
    assert not np.array_equal(one.trainable_weights[0], other.trainable_weights[0])
    for made in (one, other):
        for new, old in zip(made.non_trainable_weights, model.non_trainable_weights, strict=True):
            np.testing.assert_array_equal(new, old)


def branches():
    """Two branches, one of them a model by itself, and each normalisation of Keras."""
    x = keras.Input((4, 4, 6))
    inner = keras.Sequential(
        [
            keras.Input((4, 4, 6)),
            layers.Conv2D(6, 1, groups=2),
            layers.BatchNormalization(scale=False),
        ]
    )
    one = layers.BatchNormalization(name="one")(layers.Conv2D(6, 3, padding="same")(x))
    frozen = layers.BatchNormalization(trainable=False, name="frozen")(one)
    other = layers.GroupNormalization(2)(layers.LayerNormalization(name="layer")(inner(x)))
    y = layers.GlobalAveragePooling2D()(layers.Concatenate()([frozen + 1.0, other, x]))
    return keras.Model(x, layers.Dense(small.CLASSES)(y))


def test_normalisations_are_replaced_in_a_copy_which_differentiates_rightly():
    model = branches()
    model.get_layer("frozen").moving_mean.assign(np.arange(6))
    made = td.layers.without_batch_norm(model)
    assert made.get_layer("one").groups == 1
    np.testing.assert_array_equal(made.get_layer("frozen").moving_mean, np.arange(6))
    shapes = [[v.shape for v in m.trainable_variables] for m in (made, model)]
    assert shapes[0] == shapes[1]
    checks.check_model(made, (4, 4, 6), small.CLASSES)
    second_derivative.differentiate(own.copies(made), (4, 4, 6), small.CLASSES)


def test_a_normalisation_out_of_reach_is_one_line():
    inside = layers.TimeDistributed(layers.BatchNormalization(name="inside"))
    model = keras.Sequential([keras.Input((3, 2)), inside, layers.Flatten(), layers.Dense(3)])
    with pytest.raises(td.UserError, match=r"'inside' inside of another layer.*GroupNormal"):
        td.layers.without_batch_norm(model)
    with pytest.raises(td.UserError, match=r"can't be copied .*GroupNormalization\(1\)"):
        td.layers.without_batch_norm(own_models.Normalising())


def test_a_copy_keeps_what_normalization_has_learned_and_takes_the_precision_of_a_trial(float64):
    scale = layers.Normalization(dtype="float32")
    scale.adapt(np.random.default_rng(0).normal(7, 3, (50, 2, 4)))
    dense = layers.Bidirectional(layers.LSTM(3, dtype="float32"), dtype="float32")
    half = layers.Dense(3, dtype="mixed_float16")
    model = keras.Sequential([keras.Input((2, 4), dtype="float32"), scale, dense, half])
    made = own.copies(model)()
    np.testing.assert_allclose(made.layers[0].mean, scale.mean, rtol=1e-6)
    assert made.inputs[0].dtype == "float64"
    assert {v.dtype for v in made.layers[1].variables if "seed" not in v.path} == {"float64"}
    assert made.layers[2].compute_dtype == "float16"


def test_a_name_can_be_that_of_a_function_in_this_folder(tmp_path, monkeypatch):
    code = "import keras\n\n\ndef build(shape, outputs):\n    return keras.Sequential([keras.Input("
    code += "shape), keras.layers.Flatten(), keras.layers.Dense(outputs)])\n"
    (tmp_path / "my_networks.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    config = configure({"dataset": "digits", "model": "my_networks:build"})
    assert config.run_dir == "runs/digits_my_networks_build"
    choice = choose(config.model, images(28))
    assert choice.own
    assert choice.learner().shapes[0] == (784, 1)
    with pytest.raises(td.UserError, match="my_networks has no bild; it has the functions build"):
        choose("my_networks:bild", images(28))
    with pytest.raises(td.UserError, match="No module named 'networks_of_mine'; expected module:"):
        choose("networks_of_mine:build", images(28))


def functional(activation="relu", skip=0, units=6, initializer="glorot_uniform"):
    """Two layers of one size beside each other, one of which is added; by operations too."""
    x = keras.Input((small.FEATURES,))
    parts = [layers.Dense(units, a, kernel_initializer=initializer)(x) for a in ("tanh", "relu")]
    y = ops.relu(parts[0]) + ops.tanh(parts[1]) + parts[skip]
    y = layers.Softmax()(layers.Activation(activation)(y))
    return keras.Model(x, layers.Dense(small.CLASSES)(y))


def recurrent(activation="tanh"):
    lstm = layers.LSTM(3, activation=activation)
    parts = [layers.Reshape((small.FEATURES, 1)), layers.Bidirectional(lstm)]
    return keras.Sequential([keras.Input((small.FEATURES,)), *parts, layers.Dense(small.CLASSES)])


class Indescribable(keras.Model):
    """Has an argument that Keras can't write down."""

    def __init__(self, function):
        super().__init__()
        self.function, self.out = function, layers.Dense(small.CLASSES)

    def call(self, x):
        return self.out(self.function(x))

    def get_config(self):
        raise NotImplementedError


MODELS = {
    "functional": functional,
    "activation": lambda: functional("tanh"),
    "wiring": lambda: functional(skip=1),
    "size": lambda: functional(units=7),
    "initializer": lambda: functional(initializer="he_normal"),
    "its settings": lambda: functional(initializer=keras.initializers.RandomNormal(stddev=0.1)),
    "other settings": lambda: functional(initializer=keras.initializers.RandomNormal(stddev=0.2)),
    "recurrent": recurrent,
    "loop": lambda: recurrent("relu"),
    "subclassed": own_models.Subclassed,
    "indescribable": lambda: Indescribable(lambda x: x),
    "lambda": lambda: keras.Sequential([layers.Lambda(lambda x: -x), layers.Dense(3)]),
    "frozen": frozen_model,
    "thawed": lambda: keras.Sequential([layers.Dense(4), layers.Dense(3)]),
}


def identity(make):
    learner = Learner(make(), (small.FEATURES,))  # the checks of Choice.learner take long
    return choose(make, small.dataset()).identity(learner)


def test_networks_are_told_apart_and_known_again():
    first = {name: identity(make) for name, make in MODELS.items()}
    assert len({str(told) for told in first.values()}) == len(MODELS)
    assert {len(told["network"]) for told in first.values()} == {16}
    assert first["thawed"]["weights"] == [[5, 4], [4], [4, 3], [3]]
    keras.utils.clear_session()  # by other names, as these begin anew
    assert {name: identity(make) for name, make in MODELS.items()} == first
    # Seeds are no part of a network, and a name of the registry says all.
    makes = [lambda s=s: functional(initializer=keras.initializers.HeNormal(s)) for s in (1, 2)]
    assert identity(makes[0]) == identity(makes[1])
    choice = choose("lenet", images(12))
    assert choice.identity(choice.learner()) == {}
