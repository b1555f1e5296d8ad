"""What a user's model must not have, by its names and by really differentiating it twice."""

import keras
import numpy as np
import own_models
import pytest
import small
import tensorflow as tf
from keras import layers
from own_models import sequential

import tf_distill as td
from tf_distill.common.errors import UserError
from tf_distill.networks import checks, choose, second_derivative
from tf_distill.networks.layers import ChannelNormalization, LayerNormalization
from tf_distill.networks.own import without_scaling

VECTOR, IMAGE = (small.FEATURES,), (6, 6, 4)


def check(make, shape=VECTOR, outputs=small.CLASSES):
    model, _ = checks.build(make, shape)
    checks.check_model(model, shape, outputs)
    return model


def dense():
    return layers.Dense(4, "tanh")


def fused(x):
    return x * tf.nn.softmax_cross_entropy_with_logits(tf.ones_like(x), x)[:, None]


def frozen_model():
    model = keras.Sequential([layers.Dense(small.CLASSES)])
    model.trainable = False
    return model


FAULTS = [
    (sequential(dense, layers.BatchNormalization), VECTOR,
     r"BatchNormalization 'batch_normal.*freeze it .*, or give .*without_batch_norm\(model\)"),
    (own_models.Normalising, VECTOR, r"freeze it .*, or use tf_distill.layers.GroupNormalization"),
    (sequential(lambda: layers.Conv2D(3, 3),
                lambda: layers.Lambda(tf.nn.local_response_normalization, name="local"),
                shape=IMAGE), IMAGE,
     "LRN in layer 'local'.*tf_distill.layers.ChannelNormalization"),
    (sequential(dense, layers.LayerNormalization), VECTOR, "has LayerNormalization 'layer_normal"),
    (sequential(dense, lambda: layers.GroupNormalization(2)), VECTOR,
     "has GroupNormalization .*without_batch_norm"),
    (sequential(lambda: layers.Conv2D(4, 3, groups=2), shape=IMAGE), IMAGE,
     r"Serving can't run it; give tf_distill.layers.without_batch_norm\(model\)"),
    (sequential(lambda: layers.Conv1D(4, 3, groups=2), shape=(5, 4)), (5, 4), "leave groups out"),
    (sequential(lambda: layers.Lambda(fused, name="loss")), VECTOR,
     "SoftmaxCrossEntropyWithLogits in layer 'loss'.*zero for the labels"),
    (sequential(outputs=2), VECTOR, "has 2 outputs, expected 3 for 3 classes"),
    (lambda: keras.Sequential([layers.Dense(3, "softmax")]), VECTOR,
     "ends with a softmax and gives probabilities, expected logits"),
    (lambda: keras.Sequential([layers.Dense(3), layers.Activation("sigmoid")]), VECTOR,
     "ends with a sigmoid"),
    (lambda: keras.Sequential([layers.Dense(3, "relu")]), VECTOR,
     "ends with a relu and gives nothing below 0, expected logits"),
    (lambda: keras.Sequential([*(layers.BatchNormalization() for _ in "ab"),
                               layers.Dense(2, "softmax")]), VECTOR,
     r"has 2 outputs[^.]*\. It also ends with a softmax[^.]*\. It also has BatchNorm((?!also).)*$"),
    (sequential(shape=(7,)), VECTOR, r"does not take inputs of shape \(5,\): .*; build it for"),
    (lambda: keras.Sequential([layers.Dense(3)]), IMAGE, r"gives \(1, 6, 6, 3\) for one input"),
    (frozen_model, VECTOR, "no trainable weights"),
    (lambda: 3, VECTOR, "model gave int, expected a Keras model"),
    (own_models.Unknown, VECTOR, "reads factor:0, which Keras does not know.*add_weight"),
    (own_models.Counting, VECTOR, "changes .*calls in each call"),
    (own_models.Eager, VECTOR, "can't be compiled by tf.function: .*numpy.*; use TensorFlow's"),
    (own_models.Branching, VECTOR, r"`bool` is not allowed; use .*\(tf.cond for if\)"),
    (own_models.Noisy, VECTOR, "gives other logits each time.*leave out what it draws at random"),
    (own_models.Compiled, VECTOR, "the weights of its first call.*; leave @tf.function out"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "message"), FAULTS)
def test_what_names_tell_is_one_line(make, shape, message):
    with pytest.raises(UserError, match=message) as error:
        check(make, shape)
    assert "\n" not in str(error.value)


def mixed():
    return keras.Sequential([layers.Dense(300, "tanh", dtype="mixed_bfloat16"), layers.Dense(3)])


FAULTLESS = [
    *((make, VECTOR) for make in (own_models.Choosing, own_models.PartlyCompiled, mixed)),
    # A seed is counted, and draws nothing.
    (sequential(lambda: layers.LSTM(2, dropout=0.5), shape=(3, 2)), (3, 2)),
    (sequential(dense, lambda: layers.BatchNormalization(trainable=False)), VECTOR),
]


@pytest.mark.parametrize(("make", "shape"), FAULTLESS)
def test_what_only_looks_like_one_is_no_fault(make, shape):
    assert check(make, shape).name


def test_the_last_layer_of_two_classes_has_one_output():
    assert check(sequential(outputs=1), outputs=1).name
    with pytest.raises(UserError, match="has 2 outputs, expected 1 for two classes"):
        check(sequential(outputs=2), outputs=1)


def test_recurrent_layers_on_a_gpu_must_leave_cudnn_out(monkeypatch):
    def made(**settings):
        return sequential(lambda: layers.LSTM(2, **settings), shape=(3, 2))

    check(made(), (3, 2))
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    check(made(use_cudnn=False), (3, 2))
    with pytest.raises(UserError, match=r"LSTM 'lstm.*build it with use_cudnn=False"):
        check(made(), (3, 2))


def test_what_plays_no_part_is_told():
    model = check(sequential(lambda: layers.Dense(4, kernel_regularizer="l2")))
    model.compile(loss="mse")
    added, compiled = checks.ignored(model)
    assert "adds by itself" in added
    assert "compiled with" in compiled
    assert checks.ignored(small.learner().model) == []


def test_layers_that_do_nothing_are_told():
    idle = [layers.RandomFlip, layers.RandomFlip, lambda: layers.GaussianNoise(1)]
    model = sequential(*idle, lambda: layers.Dropout(0.5), shape=IMAGE)()
    (note,) = checks.ignored(model)
    assert note.startswith("Dropout, GaussianNoise, RandomFlip of ")
    unused = sequential(dense, lambda: layers.BatchNormalization(trainable=False))()
    (note,) = checks.ignored(unused)
    assert "frozen BatchNormalization" in note
    assert "averages are still 0 and 1" in note


def by_operations():
    x = keras.Input(IMAGE)
    return keras.Model(x, layers.Dense(3)(layers.Flatten()(layers.Conv2D(2, 3)(x / 127.5 - 1))))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (sequential(lambda: layers.Rescaling(1 / 255), shape=IMAGE), "Rescaling 'rescaling"),
        (sequential(sequential(lambda: layers.Rescaling(1 / 127.5, -1), shape=IMAGE), shape=IMAGE),
         "Rescaling 'rescaling"),
        (by_operations, "what comes before its first weights"),
        (sequential(lambda: layers.Rescaling(2.0, -1), shape=IMAGE), None),
        (own_models.Subclassed, None),
    ],
)  # fmt: skip
def test_a_model_that_scales_what_is_normalised_already_is_told(make, told):
    x = np.random.default_rng(0).standard_normal((4, *IMAGE)).astype(np.float32)
    notes = list(checks.faded(make(), x))
    assert [told in note for note in notes] == [True] * bool(told)
    if told and "Rescaling" in told:  # the advice
        assert not list(checks.faded(without_scaling(make()), x))


@pytest.mark.parametrize(
    ("change", "back", "message"),
    [
        (lambda: keras.config.set_image_data_format("channels_first"),
         lambda: keras.config.set_image_data_format("channels_last"),
         "image_data_format is channels_first, expected channels_last; call keras.config.set_i"),
        (lambda: keras.config.set_floatx("float16"), lambda: keras.config.set_floatx("float32"),
         "floatx is float16, expected float32"),
        (lambda: keras.config.set_dtype_policy("float64"),
         lambda: keras.config.set_dtype_policy("float32"),
         "dtype_policy is float64, expected float32"),
    ],
)  # fmt: skip
def test_settings_of_keras_that_change_a_network_are_refused_at_both_doors(change, back, message):
    change()
    try:
        for call in (lambda: choose(None, small.dataset()), lambda: td.load_distilled("nowhere")):
            with pytest.raises(UserError, match=message):
                call()
    finally:
        back()


def test_another_backend_is_refused_and_mixed_precision_is_not(monkeypatch):
    monkeypatch.setattr(keras.config, "dtype_policy", lambda: keras.DTypePolicy("mixed_bfloat16"))
    checks.check_keras()
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(
        UserError, match=r"backend is jax, expected .*; set KERAS_BACKEND=tensorflow"
    ):
        checks.check_keras()


def single(x):
    return tf.ensure_shape(x, x.shape) * tf.constant(2.0, tf.float32)


SOUND = [
    (own_models.Subclassed, VECTOR),
    (sequential(dense, LayerNormalization), VECTOR),
    (sequential(lambda: layers.Conv2D(3, 3, activation="relu"), layers.MaxPooling2D,
                ChannelNormalization, shape=IMAGE), IMAGE),
    (sequential(lambda: layers.UpSampling2D(2, interpolation="bilinear"),
                shape=(3, 3, 1)), (3, 3, 1)),
    (sequential(dense, lambda: layers.Lambda(single)), VECTOR),  # is tried in float32
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape"), SOUND)
def test_sound_models_are_let_through_and_keras_settings_are_put_back(make, shape):
    check(make, shape)
    second_derivative.differentiate(make, shape, small.CLASSES)
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"


WRONG = [
    (own_models.moments, VECTOR, "wrong second derivative for the samples.*Lambda 'odd'"),
    (own_models.once, VECTOR, "wrong second derivative for the samples.*Lambda 'odd'"),
    (fused, VECTOR, "wrong second derivative"),
    (tf.nn.local_response_normalization, IMAGE,
     "LRN has no second derivative.*Lambda 'odd'.*ChannelNormalization"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "shape", "message"), WRONG)
def test_what_differentiates_wrongly_is_found_without_knowing_its_name(function, shape, message):
    odd = lambda: layers.Lambda(function, name="odd")  # noqa: E731
    make = sequential(lambda: layers.Dense(3), odd, shape=shape)
    with pytest.raises(UserError, match=message) as error:
        second_derivative.differentiate(make, shape, small.CLASSES)
    assert "\n" not in str(error.value)
    assert keras.config.floatx() == "float32"


@pytest.mark.long
def test_layers_of_keras_that_differentiate_wrongly_are_found():
    """Also where no name is known: TensorFlow's own resizing, between two convolutions."""
    conv, resize = lambda: layers.Conv2D(2, 2), lambda: layers.UpSampling2D(2, None, "bilinear")
    resized = sequential(conv, resize, conv, shape=IMAGE)
    normalised = sequential(dense, layers.LayerNormalization)
    for make, shape in ((normalised, VECTOR), (resized, IMAGE)):
        with pytest.raises(UserError, match="wrong second derivative"):
            second_derivative.differentiate(make, shape, small.CLASSES)
