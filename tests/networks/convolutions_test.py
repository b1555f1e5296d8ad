"""Convolution and maximum over words in one, against the two by themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_distill.networks import convolutions
from tf_distill.networks.convolutions import ConvGlobalMaxPool1D

TEXTS, CHANNELS, FILTERS, SIZE = 2 * convolutions.PART + 3, 3, 4, 5
FEW, MANY = 12, convolutions.LONG + 6


def texts(words: int, dtype: type = np.float32) -> np.ndarray:
    """Of all lengths from none to all words, with zeros behind."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((TEXTS, words, CHANNELS)).astype(dtype)
    lengths = rng.permutation(np.linspace(0, words, TEXTS).astype(int))
    return x * (np.arange(words) < lengths[:, None])[..., None]


def plainly(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(tf.nn.conv1d(x, kernel, 1, "VALID"), axis=1)


def fused_model(words: int) -> keras.Model:
    layer = ConvGlobalMaxPool1D(FILTERS, SIZE)
    return keras.Sequential([keras.Input((words, CHANNELS)), layer])


@pytest.mark.parametrize("words", [FEW, MANY])
def test_equals_its_three_parts(words):
    x, fused = texts(words), fused_model(words)
    conv = keras.layers.Conv1D(FILTERS, SIZE, activation="relu")
    parts = [keras.Input(x.shape[1:]), conv, keras.layers.GlobalMaxPooling1D()]
    plain = keras.Sequential(parts)
    fused.layers[0].bias.assign(np.linspace(-1, 1, FILTERS))
    plain.set_weights(fused.get_weights())
    assert fused.output_shape == plain.output_shape
    np.testing.assert_allclose(fused(x), plain(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fused.predict(x, verbose=0), plain(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_first_and_second_derivatives_are_those_of_the_parts(compiled, padded):
    rng = np.random.default_rng(1)
    shape = (TEXTS, MANY, CHANNELS)
    x = tf.constant(texts(MANY, np.float64) if padded else rng.standard_normal(shape))
    kernel = tf.constant(rng.standard_normal((SIZE, CHANNELS, FILTERS)))
    weights = tf.constant(rng.standard_normal((TEXTS, FILTERS)))

    def derivatives(largest):
        # Windows of padding alone are equal, and which of them counts as the largest is free.
        given = (kernel, weights) if padded else (x, kernel, weights)
        with tf.GradientTape() as outer:
            outer.watch(given)
            with tf.GradientTape() as inner:
                inner.watch(given)
                value = tf.reduce_sum(weights * tf.sin(largest(x, kernel)))
            first = inner.gradient(value, given)
            total = tf.add_n([tf.reduce_sum(tf.square(g)) for g in first])
        return [*first, *outer.gradient(total, given)]

    run = tf.function(derivatives) if compiled else derivatives
    for ours, expected in zip(run(convolutions.largest_of_many), run(plainly), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)


def test_winners_are_where_the_results_are_largest():
    x = texts(MANY)
    kernel = np.random.default_rng(1).standard_normal((SIZE, CHANNELS, FILTERS)).astype(np.float32)
    largest, first = convolutions.winners(tf.constant(x), tf.constant(kernel))
    windows = np.lib.stride_tricks.sliding_window_view(x, SIZE, axis=1)
    results = np.einsum("bwcs,scf->bwf", windows, kernel)
    np.testing.assert_allclose(largest, results.max(axis=1), rtol=1e-5, atol=1e-6)
    won = np.take_along_axis(results, first.numpy()[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(largest, won, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Model doesn't support `jit_compile=True`")
@pytest.mark.parametrize("words", [FEW, MANY])
def test_keras_trains_and_predicts_where_it_would_choose_xla(words):
    """As it does by itself on a GPU; XLA has no slices whose size it can't know."""
    x, model = texts(words), fused_model(words)
    assert model.layers[0].supports_jit == (words == FEW)
    model.compile("sgd", "mse", jit_compile=True)
    model.fit(x, np.zeros((TEXTS, FILTERS)), batch_size=TEXTS, verbose=0)
    np.testing.assert_allclose(model.predict(x[:5], verbose=0), model(x[:5]), rtol=1e-5, atol=1e-6)
