"""The distilled set as a SavedModel: written, loaded, trained on, with and without the package."""

import dataclasses
import json
import re
import shutil
import warnings

import keras
import numpy as np
import own_models
import pytest
import small
import tensorflow as tf
from served import FORMAT_1, ROOT, dataset, in_keras, program

import tf_distill
from tf_distill.common import UserError
from tf_distill.core import Learner, Optimizer, Samples, call_once, give_weights, train
from tf_distill.export import LoadedSet, load, read_frozen, saved_model, write_frozen

SHAPE = (small.FEATURES,)


def results(run):
    return json.loads((run / "results.json").read_text())


@pytest.mark.parametrize("run", ["text_run", "image_run"])
def test_trains_to_the_accuracy_of_the_run(run, request):
    run = request.getfixturevalue(run)
    data = dataset(run)
    predicted = in_keras(run, data.encoding(data.x_test)).argmax(axis=1)
    assert np.mean(predicted == data.y_test) == results(run)["accuracy"]["mean"]


def test_the_white_of_16_bits_is_that_of_the_set():
    described = {"kind": "image", "shape": [12, 12, 1], "mean": [0.5], "std": [0.2]}
    for more, white in (({"white": 4095}, 4095), ({}, 65535)):
        encoding = LoadedSet(None, [], {"input": described | more}).encoding
        assert encoding.white == white
        assert json.loads(json.dumps(encoding.metadata())) == described | more


@pytest.mark.long
def test_plain_tensorflow_of_the_readme(image_run, tmp_path):
    readme = (ROOT / "export" / "README.md").read_text()
    code = re.search(r"```python\n# Without tf_distill.*?```", readme, re.DOTALL)[0]
    script, path = tmp_path / "plain.py", "runs/digits_lenet/distilled/1"
    lines = code.strip("`").removeprefix("python\n")
    assert "import tf_distill" not in lines
    assert lines.count(path) == 1
    check = "\nimport sys\nassert 'tf_distill' not in sys.modules\n"
    script.write_text(lines.replace(path, str(image_run / "distilled" / "1")) + check)
    accuracy = float(program(script).split()[-1])
    assert accuracy == pytest.approx(results(image_run)["accuracy"]["mean"], abs=1 / 360 + 1e-6)


def test_metadata(text_run, image_run):
    text, image = (load(run / "distilled" / "1").metadata for run in (text_run, image_run))
    assert text["input"]["vocabulary"] == list(dataset(text_run).encoding.words)
    assert len([line for line in text["sentences"] if line.startswith("step 1, sentence")]) == 3
    encoding = dataset(image_run).encoding
    numbers = {"mean": list(encoding.mean), "std": list(encoding.std)}
    expected = {"kind": "image", "shape": [28, 28, 1], **numbers}
    assert expected.items() <= image["input"].items()
    expected = {"dataset": "digits", "network": "lenet", "init": "fixed", "steps": 1, "epochs": 3,
                "eval_split": "test", "accuracy": results(image_run)["accuracy"],
                "classes": [str(i) for i in range(10)]}  # fmt: skip
    assert expected.items() <= image.items()
    assert "lr[t] * gradient" in image["how_to_train"]


def test_functions_of_the_saved_model():
    draw = np.random.default_rng(0).random
    x, y = draw((2, 3, 4), np.float32), draw((2, 3, 5), np.float32)
    lr = np.arange(1, 7, dtype=np.float32)
    metadata = FORMAT_1 / "assets/metadata.json"
    module = saved_model.SavedSet(LoadedSet(Samples(x, y, lr), [], {}), metadata)
    assert module.initial_weights() == []
    np.testing.assert_array_equal(module.distilled()["lr"], lr)
    order = list(module.dataset().as_numpy_iterator())
    assert len(order) == 6
    for t, (bx, by, rate) in enumerate(order):
        step = module.step(tf.constant(t))
        assert_equal((bx, by, step["x"], step["y"]), (x[t % 2], y[t % 2], bx, by))
        assert rate == lr[t] == step["lr"]


def test_importing_the_package_leaves_tensorflow_alone():
    code = "import sys, tf_distill, tf_distill.main as m; assert 'tensorflow' not in sys.modules"
    program("-c", code)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tf_distill.nothing  # noqa: B018


# Sets of other versions, and folders that hold no sound set


def with_metadata(source, folder, **changes):
    """A copy of a set with other metadata; None takes an entry away."""
    path = shutil.copytree(source, folder / "set")
    file = path / "assets" / "metadata.json"
    found = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({name: v for name, v in found.items() if v is not None}))
    return path


def test_format_1_loads_from_the_home_folder_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(FORMAT_1, tmp_path / "set")
    distilled = tf_distill.load_distilled("~/set")
    assert distilled.metadata["network"] == "textconvnet"
    assert distilled.initial_weights == []
    model = distilled.network()
    before = weights_of(model)
    after = weights_of(distilled.train(model))
    assert any(np.any(a != b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (99, "has format 99, this tf_distill reads 1 to 2; install a newer one"),
        (0, "has format 0.*distill the set again"),
        (None, "is no distilled set"),
    ],
)
def test_other_formats_are_refused(found, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load(with_metadata(FORMAT_1, tmp_path, format=found))


def test_a_folder_without_a_set_is_refused(tmp_path, text_run):
    for path in (tmp_path, tmp_path / "none", text_run / "model" / "1"):
        with pytest.raises(UserError, match="is no distilled set; expected a folder"):
            load(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": np.zeros((2, 3, 8, 16), "f4")}, "shapes of x, y and lr"),
        ({"x": np.zeros((1, 3, 8, 17), "f4")}, r"metadata of \(8, 16\)"),
        ({"x": np.full((1, 3, 8, 16), np.nan, "f4")}, "not finite"),
        ({"x": np.zeros((1, 3, 8, 16), "i4")}, "x, y and lr are not all floats"),
        ({"y": np.zeros((1, 3, 4), "f4")}, "labels of 4 numbers for 3 classes"),
        ({"x": np.zeros((2, 3, 8, 16), "f4"), "y": np.zeros((2, 3, 3), "f4"),
          "lr": np.ones(3, "f4")}, "3 learning rates are no multiple of 2 steps"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_refused(tmp_path, values, message):
    sound = load(FORMAT_1)
    samples = sound.samples._replace(**values)
    saved_model.write(tmp_path / "set", dataclasses.replace(sound, samples=samples))
    with pytest.raises(UserError, match=f"is no sound distilled set.*{message}"):
        load(tmp_path / "set")


@pytest.mark.parametrize("file", ["variables.index", "variables.data-00000-of-00001"])
def test_a_damaged_file_is_one_line(tmp_path, file):
    path = shutil.copytree(FORMAT_1, tmp_path / "set")
    damaged = path / "variables" / file
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(UserError, match="is no sound distilled set") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_the_graph_of_a_distilled_set_never_runs(tmp_path):
    """A SavedModel is a program; a set from elsewhere is read as data."""

    class Harmful(saved_model.SavedSet):
        @tf.function(input_signature=[])
        def metadata_json(self):
            with tf.control_dependencies([tf.io.write_file(str(tmp_path / "harm"), "harm")]):
                return tf.io.read_file(self.metadata.asset_path)

        distilled = initial_weights = metadata_json

    sound = load(FORMAT_1)
    harmful = Harmful(sound, FORMAT_1 / "assets" / "metadata.json")
    tf.saved_model.save(harmful, str(tmp_path / "set"))
    np.testing.assert_array_equal(load(tmp_path / "set").samples.x, sound.samples.x)
    assert not (tmp_path / "harm").exists()
    tf.saved_model.load(str(tmp_path / "set")).metadata_json()
    assert (tmp_path / "harm").exists()  # what it would have done


def test_initial_weights_come_back_in_their_order_however_many_the_metadata_tell(tmp_path):
    weights = [np.full((i + 1,), i, "f4") for i in range(12)]
    saved_model.write(
        tmp_path / "whole", dataclasses.replace(load(FORMAT_1), initial_weights=weights)
    )
    untold = {"initial_weights": None, "frozen_weights": None}
    for path in (tmp_path / "whole", with_metadata(tmp_path / "whole", tmp_path, **untold)):
        assert_equal(load(path).initial_weights, weights)
    path = with_metadata(tmp_path / "whole", tmp_path / "more", initial_weights=13)
    with pytest.raises(UserError, match=r"no sound distilled set \(Key weights/12/\S* not found"):
        load(path)


@pytest.mark.parametrize(
    ("shape", "units", "activation", "message"),
    [
        ((8, 15), 3, None, r"maps \(8, 15\) to 3 outputs, but .* samples of \(8, 16\)"),
        ((8, 16), 2, None, "to 2 outputs, but .* labels of 3"),
        ((8, 16), 3, None, "distilled for one fixed initial textconvnet"),
        ((8, 16), 3, "softmax", "ends with a softmax and gives probabilities"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(shape, units, activation, message, text_run):
    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(units, activation)]
    distilled = load(text_run / "distilled" / "1")
    with pytest.raises(UserError, match=message):
        distilled.train(keras.Sequential(layers))


def random_set(**metadata):
    """A set that fits any network of `small.dataset`."""
    return LoadedSet(small.samples(), [], {"network": "python:mine", **metadata})


def weights_of(model):
    return [tf.convert_to_tensor(v.value) for v in model.trainable_variables]


def assert_equal(some, others, rtol=0.0, atol=0.0):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_allclose(one, other, rtol, atol)


def test_an_unbuilt_subclassed_model_is_trained():
    distilled, model = random_set(), own_models.Subclassed()
    assert distilled.train(model) is model
    learner, before = Learner(model, SHAPE), own_models.Subclassed()
    call_once(before, SHAPE)
    expected = train(learner, distilled.samples, weights_of(before))
    distilled.train(before)
    assert_equal(before.trainable_variables, expected, rtol=1e-4, atol=1e-6)


def test_the_inner_optimizer_trains_the_model():
    still = Optimizer(lambda weights: [], lambda weights, state, gradients, lr: (weights, state))
    model = small.learner().model
    before = weights_of(model)
    random_set().train(model, still)
    assert_equal(before, weights_of(model))


@pytest.mark.parametrize("policy", ["float64", "mixed_bfloat16"])
def test_models_of_other_precision_are_trained(policy):
    dense = keras.layers.Dense(small.CLASSES, dtype=policy)
    model = keras.Sequential([keras.Input(SHAPE), dense])
    before = dense.kernel.numpy()
    random_set().train(model)
    assert np.isfinite(dense.kernel.numpy()).all()
    assert np.any(before != dense.kernel.numpy())


def test_a_network_of_ones_own_is_made_by_its_function_or_asked_for():
    made = dataclasses.replace(random_set(), build=own_models.Subclassed)
    assert isinstance(made.network(), own_models.Subclassed)
    with pytest.raises(UserError, match=r"network of your own, mine; make it, .* to train\(\)"):
        random_set().network()
    with pytest.raises(UserError, match="did you mean textconvnet"):
        random_set(network="textconvent").network()


def frozen_model(units=4):
    """A layer that is drawn anew for each model and stays so, and integers that stay too."""
    frozen = keras.layers.Dense(units, "tanh", trainable=False)
    parts = [keras.layers.Normalization(), frozen, keras.layers.Dense(small.CLASSES)]
    model = keras.Sequential(parts)
    call_once(model, SHAPE)
    return model


@pytest.mark.parametrize("fixed", [True, False])
def test_frozen_weights_belong_to_the_set(tmp_path, fixed):
    model = frozen_model()
    learner, start = Learner(model), weights_of(model)
    metadata = load(FORMAT_1).metadata
    metadata |= {"input": {"kind": "vector", "shape": [small.FEATURES]}, "network": "python:mine"}
    made = LoadedSet(small.samples(), start if fixed else [], metadata, None, learner.frozen)
    saved_model.write(tmp_path / "set", made)
    loaded = load(tmp_path / "set")
    plain = tf.saved_model.load(str(tmp_path / "set"))
    assert any(w.dtype.is_integer for w in loaded.frozen_weights)
    assert_equal(loaded.frozen_weights, learner.frozen)
    assert_equal(plain.frozen_weights(), learner.frozen)
    expected = train(learner, small.samples(), start)
    for other in (frozen_model(), dataclasses.replace(loaded, build=frozen_model).network()):
        if not fixed:
            give_weights(other.trainable_variables, start)
        loaded.train(other)
        assert_equal(other.non_trainable_weights, learner.frozen)
        assert_equal(other.trainable_variables, expected, rtol=1e-4, atol=1e-6)


def test_frozen_weights_that_do_not_match_are_warned_of():
    kept = [tf.convert_to_tensor(v) for v in frozen_model().non_trainable_weights]
    distilled = dataclasses.replace(random_set(), frozen_weights=kept)
    with pytest.warns(UserWarning, match="a network with 5 of other shapes") as told:
        distilled.train(frozen_model(units=6))
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match="^0 weights of .* a network with 5$"):
        distilled.train(keras.Sequential([keras.layers.Dense(small.CLASSES)]))
    with pytest.warns(UserWarning, match="5 weights of .* are frozen .* a network with 0"):
        random_set().train(frozen_model())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        random_set(frozen_weights=5).train(frozen_model())  # an old set only counts them


def test_frozen_weights_in_a_folder(tmp_path):
    write_frozen(tmp_path, [])
    assert read_frozen(tmp_path) == []
    values = [tf.constant(i, tf.int32) for i in range(11)] + [tf.ones(3, tf.bfloat16)]
    write_frozen(tmp_path, values)
    for one, other in zip(read_frozen(tmp_path), values, strict=True):
        np.testing.assert_array_equal(one, np.asarray(other, one.dtype))
    for damaged in (b"PK", np.random.default_rng(0).bytes(99)):
        (tmp_path / "frozen_weights.npz").write_bytes(damaged)
        with pytest.raises(UserError, match=r"can't read .*frozen_weights.npz .*; put it back, or"):
            read_frozen(tmp_path)


def test_a_set_is_one_line():
    size = "6 samples of (5,) in 2 steps, 2 epochs"
    told = f"<distilled vectors: {size}; for mine, random initialization>"
    assert repr(random_set(dataset="vectors")) == told
    assert len(repr(load(FORMAT_1))) < 120
