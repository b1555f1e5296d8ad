"""Our layers against plain definitions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numeric import assert_gradients_close

from tf_distill.networks.layers import (
    ChannelNormalization,
    ConvGlobalMaxPool1D,
    ConvMaxPool2D,
    GroupedConv2D,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("kernel", "padding"), [(5, "same"), (5, "valid"), (4, "SAME"), (4, "valid"), (1, "same")]
)
@pytest.mark.parametrize("size", [(12, 12), (13, 10), (6, 7)])
def test_conv_max_pool_equals_its_three_parts(channels, kernel, padding, size):
    x = np.random.default_rng(0).standard_normal((4, *size, channels)).astype(np.float32)
    fused = keras.Sequential([keras.Input(x.shape[1:]), ConvMaxPool2D(5, kernel, padding)])
    conv = keras.layers.Conv2D(5, kernel, padding=padding, activation="relu")
    plain = keras.Sequential([keras.Input(x.shape[1:]), conv, keras.layers.MaxPooling2D(2)])
    fused.layers[0].bias.assign(np.linspace(-1, 1, 5))
    plain.set_weights(fused.get_weights())
    assert fused.output_shape == plain.output_shape
    np.testing.assert_allclose(fused(x), plain(x), rtol=1e-5, atol=1e-5)


def test_conv_max_pool_refuses_other_padding():
    with pytest.raises(ValueError, match="padding='full', expected 'same' or 'valid'"):
        ConvMaxPool2D(5, 5, padding="full")


def test_channel_normalization_equals_a_loop():
    x = np.random.default_rng(0).standard_normal((2, 3, 3, 7)).astype(np.float32)
    size, alpha, beta = 4, 0.5, 0.75
    expected = np.empty_like(x)
    for c in range(7):
        window = x[..., max(0, c - 2) : c + 2]
        expected[..., c] = x[..., c] / (1 + alpha / size * (window**2).sum(-1)) ** beta
    result = ChannelNormalization(size, alpha, beta)(x)
    np.testing.assert_allclose(result, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        ChannelNormalization(3),
        ConvMaxPool2D(2, 3, "same"),
        ConvGlobalMaxPool1D(2, 3, "zeros"),
        InstanceNormalization(0.1),
    ],
)
def test_layers_are_made_again_from_their_configuration(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("filters", "settings"),
    [(12, {"groups": 6, "padding": "same"}), (4, {"groups": 2, "strides": 2})],
)
def test_a_grouped_convolution_equals_keras_own(filters, settings):
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 6)).astype(np.float32)
    ours, keras_own = (
        make(filters, 3, **settings) for make in (GroupedConv2D, keras.layers.Conv2D)
    )
    expected = keras_own(x)
    ours.build(x.shape)
    ours.set_weights(keras_own.get_weights())
    np.testing.assert_allclose(ours(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("LayerNormalization", {}),
        ("LayerNormalization", {"axis": [1, 3]}),
        ("GroupNormalization", {"groups": 1}),
        ("GroupNormalization", {"groups": 3}),
        ("GroupNormalization", {"groups": 2, "axis": 1}),
    ],
)
def test_a_normalization_equals_keras_own(kind, settings):
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 6)).astype(np.float32)
    mine = {"LayerNormalization": LayerNormalization, "GroupNormalization": GroupNormalization}
    ours, keras_own = (make(**settings) for make in (mine[kind], getattr(keras.layers, kind)))
    keras_own(x)
    ours(x)
    shape = keras_own.gamma.shape
    weights = np.random.default_rng(1).standard_normal((2, *shape)).astype(np.float32)
    for layer in (ours, keras_own):
        layer.set_weights(list(weights))
    np.testing.assert_allclose(ours(x), keras_own(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings", [{"dtype": "mixed_float16"}, {"rms_scaling": True}, {"center": False}], ids=str
)
@pytest.mark.filterwarnings("ignore:You passed `rms_scaling")
def test_layer_normalization_of_other_settings_is_keras_own(settings):
    x = np.random.default_rng(0).uniform(-30_000, 30_000, (4, 64)).astype(np.float16)
    ours = LayerNormalization(**settings)(x)
    keras_own = keras.layers.LayerNormalization(**settings)(x)
    assert ours.dtype == keras_own.dtype
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours, keras_own, rtol=1e-3, atol=1e-3)


def plain_instance_normalization(x, gamma, beta):
    centred = x - tf.reduce_mean(x, [1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), [1, 2], keepdims=True)
    return gamma * centred / tf.sqrt(variance + 1e-5) + beta


@pytest.mark.parametrize("compiled", [False, True])
def test_instance_normalization_and_its_derivatives_are_those_of_the_formula(float64, compiled):
    rng = np.random.default_rng(0)
    x, *weights = (tf.constant(rng.standard_normal(s)) for s in ((2, 3, 4, 5), (5,), (5,)))
    layer = InstanceNormalization()
    layer(x)

    def ours(x, *weights):
        return layer.stateless_call(weights, [], x)[0]

    def derivatives(function):
        given = [x, *weights]
        with tf.GradientTape() as outer:
            outer.watch(given)
            with tf.GradientTape() as inner:
                inner.watch(given)
                y = function(*given)
                loss = tf.reduce_sum(tf.sin(y))
            first = inner.gradient(loss, given)
            total = tf.add_n([tf.reduce_sum(tf.sin(g)) for g in first])
        return [y, *first, *outer.gradient(total, given)]

    make = tf.function(derivatives) if compiled else derivatives
    for a, b in zip(make(ours), derivatives(plain_instance_normalization), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def test_instance_normalization_has_a_right_second_derivative(float64):
    """Of its gradient by the input and the scale, against central differences."""
    rng = np.random.default_rng(0)
    x, gamma, beta, target = (rng.standard_normal(s) for s in ((2, 3, 3, 2), 2, 2, (2, 3, 3, 2)))
    layer = InstanceNormalization()
    layer(x)

    def of_gradient(x, gamma, beta):
        with tf.GradientTape() as tape:
            tape.watch([x, gamma])
            y, _ = layer.stateless_call([gamma, beta], [], x)
            loss = tf.reduce_sum(tf.square(tf.tanh(y) - target))
        return tf.add_n([tf.reduce_sum(tf.sin(g)) for g in tape.gradient(loss, [x, gamma])])

    given = [tf.constant(v) for v in (x, gamma, beta)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = of_gradient(*given)
    gradients = [g.numpy() for g in tape.gradient(value, given)]
    function = lambda *values: of_gradient(*map(tf.constant, values))  # noqa: E731
    assert_gradients_close(function, [x, gamma, beta], gradients, coordinates=6, step=1e-6)


def test_instance_normalization_takes_half_precision():
    x = np.random.default_rng(0).uniform(-30_000, 30_000, (2, 4, 4, 3)).astype(np.float16)
    y = InstanceNormalization(dtype="mixed_float16")(x)
    assert y.dtype == tf.float16
    assert np.isfinite(y).all()
