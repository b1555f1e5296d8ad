"""Our layers against plain definitions."""

import keras
import numpy as np
import pytest

from tf_distill.networks.layers import (
    ChannelNormalization,
    ConvGlobalMaxPool1D,
    ConvMaxPool2D,
    LayerNormalization,
)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("kernel", "padding"), [(5, "same"), (5, "valid"), (4, "SAME"), (4, "valid"), (1, "same")]
)
@pytest.mark.parametrize("size", [(12, 12), (13, 10)])
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
    [ChannelNormalization(3), ConvMaxPool2D(2, 3, "same"), ConvGlobalMaxPool1D(2, 3, "zeros")],
)
def test_layers_are_made_again_from_their_configuration(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("axis", [-1, [1, 3]])
def test_layer_normalization_equals_keras_own(axis):
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 5)).astype(np.float32)
    ours, keras_own = LayerNormalization(axis), keras.layers.LayerNormalization(axis)
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
