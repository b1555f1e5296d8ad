"""A Keras model as pure functions: what is drawn, and what is computed."""

import keras
import numpy as np
import own_models
import pytest
import small
import tensorflow as tf
from keras import layers

from tf_distill.core.learner import Learner, call_once, with_initializers
from tf_distill.networks.registry import NETWORKS

SHAPES = {"image": (16, 16, 1), "text": (5, 4), "table": (6,)}


def build(name: str) -> Learner:
    network = NETWORKS[name]
    return Learner(network.build(SHAPES[network.kind], 3))


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    field = int(np.prod(shape[:-2]))
    return field * shape[-2], field * shape[-1]


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_weights_are_xavier_normal_scales_one_and_biases_zero(name):
    """Standard deviation sqrt(2 / (in + out)), within five standard errors, and untruncated."""
    learner = build(name)
    keys = tf.random.split([1, 2], 8)
    draws = [learner.init(key) for key in tf.unstack(keys)]
    variables = learner.model.trainable_variables
    for variable, *values in zip(variables, *draws, strict=True):
        stacked = np.stack(values)
        if stacked.ndim == 2:  # a scale or a bias for each draw
            assert (stacked == (variable.name == "gamma")).all()
            continue
        expected = np.sqrt(2 / sum(fans(stacked.shape[1:])))
        error = 5 / np.sqrt(2 * stacked.size)
        assert stacked.std() == pytest.approx(expected, rel=error)
        assert abs(stacked.mean()) < 5 * expected / np.sqrt(stacked.size)
        if stacked.size > 20_000:
            assert np.abs(stacked).max() > 3 * expected


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_same_seed_same_bits_and_other_seeds_others(name):
    learner = build(name)
    one, again, other = (learner.init(tf.constant(k)) for k in ([1, 2], [1, 2], [1, 3]))
    for a, b, c, shape in zip(one, again, other, learner.shapes, strict=True):
        assert tuple(a.shape) == shape
        np.testing.assert_array_equal(a, b)
        if a.ndim > 1:
            assert not np.any(a.numpy() == c.numpy())


def test_weights_of_one_network_are_drawn_apart():
    """Two layers of one shape, with initializers of one configuration, differ."""
    dense = [layers.Dense(4, kernel_initializer="he_normal") for _ in range(3)]
    learner = Learner(keras.Sequential([keras.Input([4]), *dense]))
    first, _, second, _, third, _ = learner.init(tf.constant([0, 0]))
    assert not np.any(first.numpy() == second.numpy())
    assert not np.any(second.numpy() == third.numpy())


def test_init_traced_in_a_larger_graph_gives_the_bits_of_a_call_outside():
    learner = small.learner()
    traced = tf.function(learner.init)(tf.constant([5, 6]))
    for a, b in zip(traced, learner.init(tf.constant([5, 6])), strict=True):
        np.testing.assert_array_equal(a, b)


def test_draws_follow_the_layers_own_initializers():
    model = keras.Sequential(
        [
            keras.Input([400]),
            layers.Dense(
                300,
                kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5),
                bias_initializer=keras.initializers.Constant(0.25),
            ),
        ]
    )
    kernel, bias = Learner(model).init(tf.constant([0, 1]))
    assert kernel.numpy().min() == pytest.approx(-0.5, abs=1e-3)
    assert kernel.numpy().max() == pytest.approx(0.5, abs=1e-3)
    assert kernel.numpy().std() == pytest.approx(np.sqrt(1 / 12), rel=0.01)
    np.testing.assert_array_equal(bias, np.full(300, 0.25, np.float32))


def test_values_that_no_random_initializer_made_are_kept():
    """Pretrained vectors set before the learner is made are where every network starts."""
    vectors = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    start = keras.initializers.Constant(vectors)
    model = keras.Sequential(
        [keras.Input([2], dtype="int32"), layers.Embedding(7, 3, start), layers.Flatten()]
    )
    np.testing.assert_array_equal(Learner(model).init(tf.constant([0, 0]))[0], vectors)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_apply_equals_the_model_with_these_weights(name):
    learner = build(name)
    weights = learner.init(tf.constant([3, 4]))
    x = np.random.default_rng(0).standard_normal((2, *learner.model.input_shape[1:]))
    logits = learner.apply(weights, tf.constant(x, tf.float32))
    for variable, value in zip(learner.model.trainable_variables, weights, strict=True):
        variable.assign(value)
    np.testing.assert_allclose(logits, learner.model(x.astype(np.float32)), rtol=1e-5, atol=1e-6)


def test_apply_reads_and_writes_nothing_of_the_model():
    learner = small.learner()
    weights, x = learner.init(tf.constant([3, 4])), tf.ones([2, small.FEATURES])
    before = learner.apply(weights, x).numpy()
    for variable in learner.model.variables:
        variable.assign(variable + 1.0)
    kept = [v.numpy() for v in learner.model.variables]
    np.testing.assert_array_equal(learner.apply(weights, x), before)
    for old, new in zip(kept, learner.model.variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_subclassed_model_is_built_and_equals_itself():
    model, initializers = with_initializers(own_models.Subclassed)
    learner = Learner(model, (small.FEATURES,), initializers)
    assert learner.outputs == small.CLASSES
    weights = learner.init(tf.constant([1, 2]))
    x = tf.random.stateless_normal([4, small.FEATURES], [0, 0])
    logits = tf.function(learner.apply)(weights, x)
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)
    np.testing.assert_allclose(logits, model(x), rtol=1e-6, atol=1e-6)


def own_learner(make=own_models.Subclassed):
    def built():
        model = make()
        call_once(model, (small.FEATURES,))
        return model

    model, initializers = with_initializers(built)
    return Learner(model, (small.FEATURES,), initializers)


def test_weights_of_one_name_are_drawn_by_their_own_initializers():
    learner = own_learner()
    one, other = (learner.init(tf.constant(key)) for key in ([0, 1], [0, 2]))
    names = [v.path.split("/", 1)[1] for v in learner.model.trainable_variables]
    scale, shift = (i for i, name in enumerate(names) if name.endswith("/w"))
    assert np.any(one[scale].numpy() != other[scale].numpy())
    assert 0.02 < np.std([w[scale] for w in (one, other)]) < 0.3
    assert not one[shift].numpy().any()
    assert learner.kept == []


def test_frozen_layers_keep_their_values_and_are_not_drawn():
    def make():
        frozen = layers.Dense(4, name="frozen", trainable=False)
        return keras.Sequential([frozen, layers.Dense(3)])

    learner = own_learner(make)
    assert learner.shapes == [(4, 3), (3,)]
    x = tf.ones([2, small.FEATURES])
    first = learner.model.layers[0](x)
    kernel, bias = learner.init(tf.constant([0, 1]))
    np.testing.assert_allclose(learner.apply([kernel, bias], x), first @ kernel + bias, rtol=1e-5)


def test_values_that_were_set_after_a_weight_was_made_are_kept_and_named():
    def make():
        model = keras.Sequential([keras.Input([small.FEATURES]), layers.Dense(3, name="loaded")])
        model.layers[0].kernel.assign(np.full([small.FEATURES, 3], 7.0))
        return model

    learner = own_learner(make)
    np.testing.assert_array_equal(learner.init(tf.constant([0, 1]))[0], np.full([5, 3], 7.0))
    assert learner.kept == ["loaded/kernel"]


class Gained(keras.initializers.RandomNormal):
    """A random initializer of one's own, with arguments of its own."""

    def __init__(self, gain):
        super().__init__(stddev=gain)


def test_a_random_initializer_with_other_arguments_is_drawn_by():
    learner = own_learner(lambda: keras.Sequential([layers.Dense(3, kernel_initializer=Gained(2))]))
    one, other = (learner.init(tf.constant([0, seed])) for seed in (1, 2))
    assert np.any(one[0] != other[0])
    assert np.std(one[0]) > 1


def test_an_initializer_of_ones_own_without_a_seed_keeps_its_value():
    def draw(shape, dtype=None):
        return keras.random.normal(shape, dtype=dtype)

    learner = own_learner(lambda: keras.Sequential([layers.Dense(3, kernel_initializer=draw)]))
    kernel = learner.model.trainable_variables[0]
    assert kernel.path.endswith(learner.kept[0])
    np.testing.assert_array_equal(learner.init(tf.constant([0, 1]))[0], kernel)


def test_recorded_initializers_draw_the_bits_of_those_that_layers_keep():
    def make():
        recurrent = layers.Bidirectional(layers.LSTM(3))
        return keras.Sequential([keras.Input([4, 2]), recurrent, layers.Dense(2)])

    model, initializers = with_initializers(make)
    one, other = Learner(model), Learner(model, None, initializers)
    for a, b in zip(*(x.init(tf.constant([2, 3])) for x in (one, other)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.kept == other.kept == []


def test_mixed_precision_gives_logits_of_the_inputs_precision():
    dense = layers.Dense(3, dtype="mixed_bfloat16")
    learner = Learner(keras.Sequential([keras.Input([2]), dense]))
    assert learner.apply(learner.init(tf.constant([0, 0])), tf.ones([1, 2])).dtype == tf.float32
