"""One table over the registry: shapes, parameter counts by hand, what names tell."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_distill.common import UserError
from tf_distill.core import Learner, Samples, fixed_network
from tf_distill.core.hypergradient import hypergradient
from tf_distill.networks import NETWORKS, variants
from tf_distill.networks.layers import InstanceNormalization

# LeNet on 28x28: 28 -> 14 -> 10 -> 5. A recurrent layer of n inputs and 100 units has
# 100 n + 100^2 + 100 parameters a direction, an LSTM four times as many.
TABLE = [
    ("lenet", (28, 28, 1), 10,
     (25 * 6 + 6) + (25 * 6 * 16 + 16) + (400 * 120 + 120) + (120 * 84 + 84) + (84 * 10 + 10)),
    ("lenet", (32, 32, 3), 1,
     (75 * 6 + 6) + (25 * 6 * 16 + 16) + (576 * 120 + 120) + (120 * 84 + 84) + (84 + 1)),
    # 32 -> 16 -> 8, with 64 channels
    ("alexcifarnet", (32, 32, 3), 10,
     (75 * 64 + 64) + (1600 * 64 + 64) + (4096 * 384 + 384) + (384 * 192 + 192) + (1920 + 10)),
    # 28 -> 14 -> 7 -> 3, with a scale and a bias for each of 128 channels
    ("convnet", (28, 28, 1), 10, (9 * 128 + 2 * 9 * 128**2) + 6 * 128 + (9 * 1280 + 10)),
    ("convnet", (32, 32, 3), 1, (27 * 128 + 2 * 9 * 128**2) + 6 * 128 + (16 * 128 + 1)),
    ("textconvnet", (20, 100), 50, (3 + 4 + 5) * 100 * 100 + 3 * 100 + (300 * 50 + 50)),
    ("textconvnet", (400, 100), 1, (3 + 4 + 5) * 100 * 100 + 3 * 100 + (300 + 1)),
    ("birnn", (30, 100), 5,
     2 * (100 * 100 + 100 * 100 + 100) + 2 * (200 * 100 + 100 * 100 + 100) + (200 * 5 + 5)),
    ("bilstm", (30, 100), 6,
     2 * 4 * (100 * 100 + 100 * 100 + 100) + 2 * 4 * (200 * 100 + 100 * 100 + 100) + 200 * 6 + 6),
    ("linear", (13,), 3, 13 * 3 + 3),
    ("mlp", (13,), 1, (13 * 128 + 128) + (128 * 128 + 128) + (128 + 1)),
    ("resnet_mlp", (13,), 3,
     (13 * 128 + 128) + 2 * (256 + (128 * 256 + 256) + (256 * 128 + 128)) + 256 + (128 * 3 + 3)),
]  # fmt: skip
SMALL = {"image": (12, 12, 1), "text": (5, 4), "table": (6,)}


def made(name, inputs):
    """A small network of three classes, its weights, and random inputs."""
    shape = SMALL[NETWORKS[name].kind]
    learner = Learner(NETWORKS[name].build(shape, 3))
    x = np.random.default_rng(0).standard_normal((inputs, *shape))
    return learner, fixed_network(learner, 0), tf.constant(x, tf.float32)


@pytest.mark.parametrize(("name", "shape", "outputs", "parameters"), TABLE)
def test_shape_and_number_of_parameters(name, shape, outputs, parameters):
    model = NETWORKS[name].build(shape, outputs)
    assert model.output_shape == (None, outputs)
    assert model.input_shape == (None, *shape)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == parameters
    assert {name for name, *_ in TABLE} == set(NETWORKS)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_gives_logits_for_each_of_a_batch_alone(name):
    learner, weights, x = made(name, inputs=3)
    logits = learner.apply(weights, x).numpy()
    assert logits.shape == (3, 3)
    single = [learner.apply(weights, x[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(logits, single, rtol=1e-4, atol=1e-5)
    *before, kernel, bias = weights  # the output is linear: no softmax or sigmoid
    larger = learner.apply([*before, 10 * kernel, bias], x)
    np.testing.assert_allclose(larger, 10 * logits, rtol=1e-4, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("name", ["lenet", "convnet", "textconvnet"])
def test_bits_do_not_depend_on_what_the_process_has_made_before(name):
    """Keras numbers layers on in a process, and Grappler orders sums by names."""
    shape = {"lenet": (28, 28, 1), "convnet": (12, 12, 1), "textconvnet": (8, 16)}[name]
    draw = np.random.default_rng(0).standard_normal
    x = tf.constant(draw((1, 3, *shape)), tf.float32)
    samples = Samples(x, tf.eye(3)[tf.newaxis], tf.constant([0.1, 0.1]))
    real = tf.constant(draw((16, *shape)), tf.float32), tf.eye(16, 3)
    keras.utils.clear_session()
    results = set()
    for learner in [Learner(NETWORKS[name].build(shape, 3)) for _ in range(2)]:
        weights = fixed_network(learner, 0)
        step = tf.function(lambda: hypergradient(learner, samples, weights, *real))  # noqa: B023
        results.add(step().gradients.x.numpy().tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("name", ["birnn", "bilstm"])
def test_recurrent_networks_read_both_ways(name):
    """The first and the last word both reach the logits, and their order matters."""
    learner, weights, x = made(name, inputs=1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(learner.apply(weights, x))
    reach = np.abs(tape.gradient(value, x)).max((0, 2))
    assert (reach > 1e-6).all()
    turned = learner.apply(weights, x[:, ::-1])
    assert np.abs(turned - learner.apply(weights, x)).max() > 1e-3


def test_no_lstm_uses_cudnn():
    model = NETWORKS["bilstm"].build((5, 4), 3)
    lstms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.LSTM)]
    assert len(lstms) == 4
    assert {layer.use_cudnn for layer in lstms} == {False}


def unnumbered(model):
    """A model's settings without the numbers that Keras counts layers by."""
    return re.sub(r"_\d+\b", "", str(model.get_config()))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_no_dropout_width_or_depth_is_the_network_itself(name):
    """The same layers; with dropout too the weights and the logits are the same."""
    network, shape, models = NETWORKS[name], SMALL[NETWORKS[name].kind], []
    for settings in ({}, {"width": 1.0, "depth": 0, "dropout": 0.0}, {"dropout": 0.4}):
        models.append(network.build(shape, 3, **settings))
    own, explicit, dropping = models
    assert unnumbered(own) == unnumbered(explicit)
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in own._flatten_layers())
    dropping.set_weights(own.get_weights())
    x = tf.constant(np.random.default_rng(0).standard_normal((2, *shape)), tf.float32)
    np.testing.assert_allclose(own(x), dropping(x, training=False), rtol=1e-5, atol=1e-6)
    assert np.abs(dropping(x, training=True) - dropping(x, training=False)).max() > 1e-3


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_width_and_depth_change_the_weights_in_number_and_size(name):
    network = NETWORKS[name]

    def weights(**settings):
        model = network.build(SMALL[network.kind], 3, **settings)
        return [tuple(v.shape) for v in model.trainable_variables]

    own, narrow, wide = weights(), weights(width=0.5), weights(width=2.0)
    assert [s[-1] for s in wide[:-2]] == [2 * s[-1] for s in own[:-2]]
    assert [2 * s[-1] for s in narrow[:-2]] == [s[-1] for s in own[:-2]]
    assert narrow[-1] == wide[-1] == (3,)
    # Both directions, each with three weights; a kernel, a scale and a bias; a dense layer; a
    # normalisation and two dense layers.
    added = {"birnn": 6, "bilstm": 6, "convnet": 3, "resnet_mlp": 6}.get(name, 2)
    assert len(weights(depth=2)) == len(own) + 2 * added
    assert min(min(s) for s in weights(width=1e-6)) == (3 if name == "linear" else 1)


def test_a_name_tells_the_width_and_the_depth_of_a_convnet():
    def kernels(name):
        model = NETWORKS[name].build((28, 28, 1), 10)
        return [tuple(v.shape) for v in model.trainable_variables if len(v.shape) > 1]

    assert kernels("convnet-128-3") == kernels("convnet-128") == kernels("convnet")
    first, second = (3, 3, 1, 64), (3, 3, 64, 64)
    assert kernels("convnet-64") == [first, second, second, (3 * 3 * 64, 10)]
    assert kernels("convnet-64-2") == [first, second, (7 * 7 * 64, 10)]
    assert kernels("convnet-64-5") == [first, *[second] * 4, (64, 10)]
    assert NETWORKS["convnet-64"].defaults == NETWORKS["convnet"].defaults
    half = variants("convnet-64")["width 0.5, depth 0"]((12, 12, 1), 3)
    assert half.trainable_variables[0].shape[-1] == 32
    assert [name for name in NETWORKS if name.startswith("convnet")] == ["convnet"]


@pytest.mark.parametrize(
    "name", ["convnet-", "convnet-0", "convnet-64-", "convnet-64-0", "convnet-64-2-1", "convnet-x"]
)
def test_a_convnet_of_no_such_size_is_refused(name):
    with pytest.raises(UserError, match=f"model={name}, expected convnet-WIDTH or") as error:
        NETWORKS[name]
    assert "\n" not in str(error.value)


def test_deep_convnets_normalise_no_single_pixel():
    """It would be 0, and so would all behind it."""
    model = NETWORKS["convnet-4-9"].build((12, 12, 1), 3)
    normal = [v for v in model.layers if isinstance(v, InstanceNormalization)]
    assert [v.input.shape[1] for v in normal] == [12, 6, *[3] * 7]
