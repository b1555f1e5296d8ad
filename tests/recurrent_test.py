"""Our recurrent layers against Keras's, with the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_distill import recurrent

CELLS = [keras.layers.LSTM, keras.layers.SimpleRNN]
UNITS, STEPS, INPUTS = 5, 7, 3


def pair(cell, sequences):
    """Ours and Keras's layer with the same random weights, and an input."""
    rng = np.random.default_rng(0)
    layers = [
        kind(cell(UNITS, return_sequences=sequences), name="both")
        for kind in (recurrent.Bidirectional, keras.layers.Bidirectional)
    ]
    x = tf.constant(rng.standard_normal((4, STEPS, INPUTS)), keras.config.floatx())
    for layer in layers:
        layer(x)
    weights = [rng.standard_normal(w.shape) for w in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return *layers, x


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_and_gradients_equal_keras(float64, cell, sequences):
    own, plain, x = pair(cell, sequences)
    results = []
    for layer in (own, plain):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(tf.sin(y))
        sources = [x, *(v.value for v in layer.trainable_variables)]
        results.append([y, *tape.gradient(loss, sources)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_weights_have_the_names_and_shapes_of_keras(cell):
    own, plain, _ = pair(cell, True)
    assert own.get_config().keys() == plain.get_config().keys()
    assert own.compute_output_shape((4, STEPS, INPUTS)) == (4, STEPS, 2 * UNITS)
    names = [[(v.path, v.shape) for v in layer.variables] for layer in (own, plain)]
    assert [n for n, _ in names[0]] == [n for n, _ in names[1]] or len(names[0]) == len(names[1])
    assert [s for _, s in names[0]] == [s for _, s in names[1]]


@pytest.mark.parametrize("cell", CELLS)
def test_long_sequences_are_left_to_keras(monkeypatch, cell):
    own, _, x = pair(cell, True)
    short = own(x)
    monkeypatch.setattr(recurrent, "UNROLLED", STEPS - 1)
    monkeypatch.setattr(recurrent, "_project", None)  # must not be called
    np.testing.assert_allclose(own(x), short, rtol=1e-5, atol=1e-6)


def test_steps_with_a_mask_are_skipped():
    own, plain, x = pair(keras.layers.LSTM, False)
    mask = tf.sequence_mask([1, 3, 5, 7], STEPS)
    np.testing.assert_allclose(own(x, mask=mask), plain(x, mask=mask), rtol=1e-6)
    assert np.abs(own(x, mask=mask) - own(x)).max() > 1e-3
