"""Our recurrent layers against Keras's, with the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_distill.networks import recurrent, second_derivative

CELLS = [keras.layers.LSTM, keras.layers.SimpleRNN]
UNITS, STEPS, INPUTS = 5, 7, 3


def pair(cell, sequences, merge_mode="concat", **settings):
    """Ours and Keras's layer with the same random weights, and an input."""
    rng = np.random.default_rng(0)
    one = cell(UNITS, return_sequences=sequences, name="one", **settings)
    kinds = recurrent.Bidirectional, keras.layers.Bidirectional
    layers = [kind(one, merge_mode, name="both") for kind in kinds]
    x = tf.constant(rng.standard_normal((4, STEPS, INPUTS)), keras.config.floatx())
    for layer in layers:
        layer(x)
    weights = [rng.standard_normal(w.shape) for w in layers[1].get_weights()]
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


@pytest.mark.parametrize(
    ("cell", "settings"),
    [
        (keras.layers.SimpleRNN, {"activation": "relu"}),
        (keras.layers.LSTM, {"activation": "relu"}),
        (keras.layers.LSTM, {"recurrent_activation": "hard_sigmoid"}),
        (keras.layers.LSTM, {"use_bias": False}),
        (keras.layers.LSTM, {"merge_mode": "sum"}),
        (keras.layers.SimpleRNN, {"return_state": True}),
        (keras.layers.GRU, {}),
    ],
    ids=str,
)
def test_other_settings_are_those_of_keras(cell, settings):
    own, plain, x = pair(cell, False, **settings)
    for ours, theirs in zip(*map(tf.nest.flatten, (own(x), plain(x))), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_each_direction_may_have_settings_of_its_own():
    cell, x = keras.layers.LSTM, tf.random.stateless_normal((4, STEPS, INPUTS), [0, 0])
    directions = cell(UNITS), cell(UNITS, activation="relu", go_backwards=True)
    own = recurrent.Bidirectional(directions[0], backward_layer=directions[1])
    plain = keras.layers.Bidirectional(own.forward_layer, backward_layer=own.backward_layer)
    expected = plain(x)  # first, since it makes its forward layer anew
    own(x)
    own.forward_layer.set_weights(plain.forward_layer.get_weights())
    np.testing.assert_array_equal(own(x), expected)


@pytest.mark.parametrize("cell", CELLS)
def test_dropout_falls_in_training_only(cell):
    own, plain, x = pair(cell, True, dropout=0.9)
    np.testing.assert_allclose(own(x), plain(x), rtol=1e-5, atol=1e-6)
    assert np.abs(own(x, training=True) - own(x)).max() > 1e-3


@pytest.mark.parametrize(
    "cell", [keras.layers.SimpleRNN, pytest.param(keras.layers.GRU, marks=pytest.mark.long)]
)
def test_what_is_left_to_keras_has_a_right_second_derivative(cell):
    def make():
        layer = recurrent.Bidirectional(cell(2, activation="relu"), merge_mode="mul")
        return keras.Sequential([keras.Input((3, INPUTS)), layer, keras.layers.Dense(2)])

    second_derivative.differentiate(make, (3, INPUTS), 2)


@pytest.mark.parametrize("cell", CELLS)
def test_weights_have_the_names_and_shapes_of_keras(cell):
    own, plain, _ = pair(cell, True)
    assert own.get_config().keys() == plain.get_config().keys()
    assert own.compute_output_shape((4, STEPS, INPUTS)) == (4, STEPS, 2 * UNITS)
    names = [[(v.path, v.shape) for v in layer.weights] for layer in (own, plain)]
    assert names[0] == names[1]


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
