"""The Python interface as a program uses it, on small vectors and on digits."""

import dataclasses
import gc
import json

import keras
import numpy as np
import own_models
import pytest
import small
import tensorflow as tf

import tf_distill as td
from tf_distill import api
from tf_distill.datasets import DATASETS
from tf_distill.export import distilled_set
from tf_distill.networks import choice, second_derivative
from tf_distill.report import table
from tf_distill.runs.experiment import carry_out
from tf_distill.runs.run import configure, named_run

QUICK = {"use": "replay", "outer_steps": 30, "inner_lr": 0.5, "batch_size": 64}
STEPS = 100
"""Those after which any fresh network learns from the set."""


pytestmark = pytest.mark.usefixtures("untried", "tiny")


@pytest.fixture(scope="module")
def data():
    return small.dataset(300, 200)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder that `result` is made in, without a run_dir."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def result(data, place):
    """For random networks of a subclassed model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        settings = QUICK | {"init": "random", "eval_networks": 4, "outer_steps": STEPS}
        return td.distill(data, own_models.Subclassed, **settings)


def keras_accuracy(model, data):
    """Accuracy by Keras's own predict."""
    return np.mean(model.predict(data.x_test, verbose=0).argmax(1) == data.y_test)


def test_a_result_reads_well_and_nothing_is_written_without_a_folder(result, place):
    assert not list(place.iterdir())
    samples = result.distilled.samples
    assert [tuple(v.shape) for v in samples] == [(1, 3, 5), (1, 3, 3), (10,)]
    assert result.accuracy == td.Accuracy(**result.results["accuracy"])
    assert result.accuracy.networks == 4
    tested = sum(c.test for c in result.by_class)
    right = sum(c.accuracy * c.test for c in result.by_class)
    assert (tested, right / tested) == (
        result.results["test_examples"], pytest.approx(result.accuracy.mean)
    )  # fmt: skip
    majority = max(result.by_class, key=lambda c: c.test)
    assert repr(result) == (
        "<distilled vectors: 3 samples of (5,) in 1 step, 10 epochs; accuracy "
        f"{result.accuracy.mean:.4f} +- {result.accuracy.std:.4f} over 4 networks "
        f"(always {majority.name!r}: {majority.test / tested:.4f}) with Subclassed, random "
        "initialization>"
    )
    assert [h["step"] for h in result.history] == list(range(1, STEPS + 1))
    tenths = list(range(STEPS // 10, STEPS + 1, STEPS // 10))
    assert [h["step"] for h in result.history if "accuracy" in h] == tenths


def test_the_set_trains_fresh_networks(result, data):
    assert result.accuracy.mean > result.results["accuracy_before"]["mean"] + 0.1
    assert result.evaluate(networks=4) == result.accuracy
    assert result.evaluate(networks=2).networks == 2
    assert result.distilled.initial_weights == []
    keras.utils.set_random_seed(0)  # the networks are the user's, of Keras's own seed
    models = [result.distilled.train(own_models.Subclassed()) for _ in range(4)]
    assert np.mean([keras_accuracy(m, data) for m in models]) > 0.6
    assert isinstance(result.distilled.network(), own_models.Subclassed)


@pytest.mark.long
def test_compiled_by_xla_a_stopped_run_has_the_bits_of_a_whole_one(data, tmp_path):
    class Stop(td.Callback):
        def on_outer_step_end(self, step, logs):
            if step == 2:
                raise RuntimeError("a crash")

    settings = {"init": "random", "eval_networks": 2, "outer_steps": 4, "eval_every": 1}
    settings |= {"use": "replay", "jit_compile": np.True_}
    whole = td.distill(data, own_models.Subclassed, **settings)
    assert whole.results["jit_compile"] is True
    assert whole.results["device"]
    with pytest.raises(RuntimeError, match="a crash"):
        td.distill(data, own_models.Subclassed, **settings, run_dir=tmp_path, callbacks=[Stop()])
    later = td.distill(data, own_models.Subclassed, **settings, run_dir=tmp_path)
    for one, other in zip(whole.distilled.samples, later.distilled.samples, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(td.UserError, match=r"jit_compile=False \(it was True\)"):
        td.distill(
            data, own_models.Subclassed, **settings | {"jit_compile": False}, run_dir=tmp_path
        )


@pytest.mark.long
def test_what_xla_refuses_leaves_the_folder_to_a_run_without_it(data, tmp_path):
    class Texts(own_models.Subclassed):
        def call(self, x):
            count = tf.strings.length(tf.strings.as_string(x))
            return super().call(x) + 0.0 * tf.cast(tf.reduce_sum(count), x.dtype)

    settings = {"use": "replay", "outer_steps": 1, "run_dir": tmp_path}
    with pytest.raises(td.UserError, match=r"operations .* AsString.*; leave jit_compile out"):
        td.distill(data, Texts, **settings, jit_compile=True)
    assert td.distill(data, Texts, **settings).results["jit_compile"] is False


def test_a_layer_that_says_it_is_not_for_xla_is_refused(data):
    class Unfit(own_models.Subclassed):
        def __init__(self):
            super().__init__()
            self.layers[0].supports_jit = False

    with pytest.raises(td.UserError, match=r"XLA can't compile Dense .* of unfit"):
        td.distill(data, Unfit, outer_steps=1, jit_compile=True)


def test_figures_and_exports(result, data, tmp_path):
    written = result.figures(tmp_path / "figures")
    assert {p.stem for p in written} == {"labels", "learning_rates", "history", "confusion"}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in written)
    exported = result.export(tmp_path / "exports")
    assert exported == {n: tmp_path / "exports" / n / "1" for n in ("set", "distilled", "model")}
    for folder in (exported["distilled"], exported["set"], tmp_path / "exports"):
        loaded = td.load_distilled(folder)
        for a, b in zip(loaded.samples, result.distilled.samples, strict=True):
            np.testing.assert_array_equal(a, b)
    assert loaded.metadata["classes"] == ["a", "b", "c"]
    with pytest.raises(td.UserError, match="network of your own, Subclassed; make it"):
        loaded.network()
    served = tf.saved_model.load(str(exported["model"])).signatures["serving_default"]
    answer = served(array=tf.constant(data.x_test[:7]))
    assert answer["probabilities"].shape == (7, 3)
    assert set(answer["label"].numpy()) <= {b"a", b"b", b"c"}
    assert result.export(tmp_path / "exports")["model"].name == "2"
    (tmp_path / "file").touch()
    for write in (result.figures, result.export):
        told = r"can't write to .*file.*; name a folder that can be written$"
        with pytest.raises(td.UserError, match=told):
            write(tmp_path / "file")


def with_frozen():
    """Half of it is drawn anew for each model and stays so."""
    return own_models.sequential(lambda: keras.layers.Dense(16, "relu", trainable=False))()


@pytest.mark.parametrize("init", ["fixed", pytest.param("random", marks=pytest.mark.long)])
def test_frozen_layers_that_are_drawn_belong_to_the_set(data, tmp_path, init):
    many = {"init": init} | ({"eval_networks": 4} if init == "random" else {})
    settings = QUICK | many | {"outer_steps": 6, "eval_every": 2, "run_dir": tmp_path / "run"}
    with pytest.raises(MemoryError):
        td.distill(data, with_frozen, callbacks=[StopAt(3, MemoryError())], **settings)
    done = td.distill(data, with_frozen, **settings)
    kept = done.distilled.frozen_weights
    with np.load(tmp_path / "run" / distilled_set.FROZEN_NAME) as of_first_call:
        for a, b in zip(kept, of_first_call.values(), strict=True):
            np.testing.assert_array_equal(a, b)
    again = td.distill(data, with_frozen, **settings)
    loaded = td.load_distilled(tmp_path / "run" / "distilled" / "1")
    for distilled in (again.distilled, loaded):
        model = distilled.train(with_frozen())
        for a, b in zip(kept, model.non_trainable_weights, strict=True):
            np.testing.assert_array_equal(a, b)
    assert again.evaluate(4) == done.accuracy == done.evaluate(4)
    if init == "fixed":
        model = done.distilled.train(done.distilled.network())
        assert keras_accuracy(model, data) == pytest.approx(done.accuracy.mean)
    (tmp_path / "run" / distilled_set.FROZEN_NAME).write_bytes(b"PK")
    with pytest.raises(td.UserError, match=r"can't read .*frozen_weights.npz .* name another run"):
        td.distill(data, with_frozen, **settings)


def test_a_call_that_ended_before_anything_was_done_binds_nobody(tmp_path):
    def filled(value):
        def build():
            first = keras.layers.Dense(4, trainable=False)
            last = keras.layers.Dense(small.CLASSES)
            model = keras.Sequential([keras.Input((small.FEATURES,)), first, last])
            first.set_weights([np.full_like(w, value) for w in first.get_weights()])
            return model

        return build

    folder, settings = tmp_path / "run", {"outer_steps": 3, "eval_every": 2, "batch_size": 16}
    settings["use"] = "replay"
    stop = [StopAt(1, KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        td.distill(small.dataset(), filled(0.1), callbacks=stop, run_dir=folder, **settings)
    assert not {"config.json", "inputs.json"} & {path.name for path in folder.iterdir()}
    settings["outer_steps"] = 2
    done = td.distill(small.dataset(200), filled(0.9), run_dir=folder, **settings)
    assert all((w.numpy() == np.float32(0.9)).all() for w in done.distilled.frozen_weights)
    again = td.distill(small.dataset(200), filled(0.9), run_dir=folder, **settings)
    assert again.results == done.results


def some(*shape):
    y = np.arange(20) % 2
    return td.datasets.from_arrays(np.zeros((20, *shape), np.uint8), y, name="mnist")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: some(12, 12), "lenet"),
        (lambda: some(12, 12, 3), "lenet"),  # of its name
        (lambda: dataclasses.replace(some(12, 12, 3), name="own"), "convnet-16"),
        (lambda: td.datasets.from_texts(["a b", "c d"] * 9, ["x", "y"] * 9), "textconvnet"),
        (lambda: td.datasets.from_texts(["a"] * 9, [0, 1, 1] * 3, name="mnist"), "textconvnet"),
    ],
)
def test_the_network_fits_the_data_where_none_is_named(make, name):
    assert choice.choose(None, make()).name == name


def test_images_for_a_network_of_texts_or_too_small_are_one_line():
    images = np.zeros((20, 8, 8), np.uint8)
    data = td.datasets.from_arrays(images, np.arange(20) % 2)
    with pytest.raises(td.UserError, match="images of at least 12x12 pixels, but arrays has 8x8"):
        td.distill(data, "lenet")
    with pytest.raises(td.UserError, match="model=bilstm takes texts, but arrays has images"):
        td.distill(data, "bilstm")


def test_integers_that_do_not_look_like_pixels_are_told():
    pixels = td.datasets.from_arrays(np.zeros((20, 16, 16), np.int64), np.arange(20) % 2)
    with pytest.raises(td.UserError, match="if these are pixels of 0 to 255 make them uint8"):
        td.distill(pixels, "lenet")
    assert repr(pixels) == (
        "<dataset arrays: 16 training and 4 test examples of (16, 16), 2 classes>"
    )


def test_floats_are_pixels_with_a_last_axis():
    pixels, y = np.random.default_rng(0).random((20, 16, 16)), np.arange(20) % 2
    told = "^the default network takes images, .* pixels of 0 to 1 give them a last axis of 1, else"
    with pytest.raises(td.UserError, match=told):
        td.distill(td.datasets.from_arrays(pixels, y))
    taken = td.datasets.from_arrays(pixels[..., None], y)
    assert choice.choose(None, taken).name == "lenet"


def test_two_classes_have_one_logit(data):
    binary = dataclasses.replace(
        data, classes=("no", "yes"), y_train=data.y_train.clip(0, 1), y_test=data.y_test.clip(0, 1)
    )
    done = td.distill(binary, lambda: own_models.Subclassed(1), **QUICK)
    assert done.distilled.samples.y.shape == (1, 2, 1)
    assert done.accuracy.mean > done.results["accuracy_before"]["mean"]


# Folders


class StopAt(td.Callback):
    """Raises or stops at a step."""

    def __init__(self, step, error=None):
        self.at, self.error, self.seen = step, error, []

    def on_outer_step_end(self, step, logs):
        self.seen.append((step, logs))
        if step == self.at:
            if self.error:
                raise self.error
            self.stop = True


def test_the_same_call_goes_on_and_then_finds_it_finished(data, tmp_path, capsys):
    settings = QUICK | {"eval_every": 10, "early_stopping": 9}
    of_numpy = {"seed": np.int64(0), "inner_lr": np.float32(0.5)}
    in_folder = settings | of_numpy | {"run_dir": tmp_path / "run"}
    with pytest.raises(MemoryError):
        td.distill(data, own_models.Subclassed, callbacks=[StopAt(15, MemoryError())], **in_folder)
    done = td.distill(data, own_models.Subclassed, **in_folder)
    assert "continuing from outer step 10" in capsys.readouterr().out
    again = td.distill(data, own_models.Subclassed, **in_folder)
    assert "is finished" in capsys.readouterr().out
    assert (again.accuracy, again.history) == (done.accuracy, done.history)
    assert [line["step"] for line in done.history] == list(range(1, QUICK["outer_steps"] + 1))
    for a, b in zip(again.distilled.samples, done.distilled.samples, strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.evaluate() == done.accuracy
    folder = tmp_path / "run"
    assert json.loads((folder / "config.json").read_text())["model"] == "python:Subclassed"
    page = (folder / "report.html").read_text()
    assert "python -m tf_distill.main" not in page
    assert "--mode=" not in page
    assert "<h1>vectors, Subclassed</h1>" in page
    assert "distilled.train(Subclassed())  # your own network" in page
    assert "Subclassed" in table.describe([str(folder)], None)
    assert "python:" not in table.describe([str(folder)], None)
    assert (folder / "model" / "1" / "saved_model.pb").exists()
    for changed, told in (
        (
            {"data": small.dataset(200, 200)},
            r"other data \(they were 300 \+ 200 .*, now 200 \+ 200",
        ),
        (
            {"model": own_models.sequential()},
            r"other settings: model=python:lambda \(it was python:Subclassed\)",
        ),
        ({"inner_lr": 0.1}, r"other settings: inner_lr=0.1 \(it was 0.5\)"),
    ):
        with pytest.raises(td.UserError, match=f"holds a run of {told}"):
            td.distill(**{"data": data, "model": own_models.Subclassed, **in_folder, **changed})


def test_another_function_of_the_same_name_is_another_network(data, tmp_path, capsys):
    settings = QUICK | {"outer_steps": 2, "run_dir": tmp_path}
    relu, again, tanh = (
        own_models.sequential(lambda a=a: keras.layers.Dense(8, a))
        for a in ("relu", "relu", "tanh")
    )
    td.distill(data, relu, **settings)
    td.distill(data, again, **settings)
    assert "is finished" in capsys.readouterr().out
    with pytest.raises(td.UserError, match=r"holds a run of another network; .* another run_dir$"):
        td.distill(data, tanh, **settings)
    other = dataclasses.replace(data, y_test=(data.y_test + 1) % 3)
    with pytest.raises(td.UserError, match=r"holds a run of other data .*; use the same again"):
        td.distill(other, again, **settings)


def test_a_table_with_the_name_of_a_dataset_has_the_defaults_of_own_data():
    rows = {"x": [1.5, 2, 3, 4.5] * 5, "class": ["a", "a", "b", "b"] * 5}
    data = td.datasets.from_table(rows, "class", name="digits")
    config = api._config({}, data, choice.choose(None, data))
    assert (config.use, config.init) == ("training", "random")


def test_python_gives_the_bits_of_the_command_line_and_both_notice_other_data(
    cli, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    known = DATASETS["toy_questions"].load(tmp_path, None)
    settings = {"outer_steps": 2, "epochs": 1, "seed": 3}
    other = dataclasses.replace(known, x_test=known.x_test[::-1], y_test=known.y_test[::-1])
    here = td.distill(other, "tiny", run_dir="~/python", **settings)
    own = {"dataset": "toy_questions", "model": "tiny", "run_dir": f"{tmp_path}/cli"}
    carry_out(named_run(configure(own | settings)))
    there = td.load_distilled("~/cli/distilled/1")
    for a, b in zip(here.distilled.samples, there.samples, strict=True):
        np.testing.assert_array_equal(a, b)
    assert here.results["batch_size"] == DATASETS["toy_questions"].batch_size

    folder = tmp_path / "python"
    before = (folder / "results.json").read_bytes()
    for mode in ("original", "baselines"):
        outcome = cli(f"--mode={mode}", f"--run_dir={folder}")
        assert outcome.status == 2
        assert outcome.err.endswith(
            f"{folder} holds a run of other data (as many examples, but others); use the same "
            "again, or name another --run_dir\n"
        )
    assert (folder / "results.json").read_bytes() == before

    td.distill(known, "tiny", run_dir=tmp_path / "cli", **settings)
    with pytest.raises(td.UserError, match="cli holds a run of other data"):
        td.distill(other, "tiny", run_dir=tmp_path / "cli", **settings)


# Callbacks


def test_callbacks_see_each_step_and_can_stop(data):
    callback = StopAt(7)
    done = td.distill(data, own_models.Subclassed, callbacks=[callback], **QUICK)
    assert [step for step, _ in callback.seen] == list(range(1, 8))
    assert [step for step, logs in callback.seen if "accuracy" in logs] == [3, 6]
    assert all(np.isfinite(logs["loss"]) for _, logs in callback.seen)
    assert done.results["stopped_after"] == 7
    np.testing.assert_array_equal(callback.distilled.samples.x, done.distilled.samples.x)
    again = td.distill(data, own_models.Subclassed, callbacks=[callback], **QUICK)
    assert again.results["stopped_after"] == 7


def test_data_are_let_go_after_a_call(data):
    def held():
        gc.collect()
        tensors = (o for o in gc.get_objects() if isinstance(o, tf.Tensor))
        return sum(tensor.shape == data.x_train.shape for tensor in tensors)

    before = held()
    td.distill(data, own_models.Subclassed, **QUICK | {"outer_steps": 2})
    assert held() == before


def test_early_stopping_keeps_the_set_that_was_best_on_held_out_data(data):
    settings = QUICK | {"outer_steps": 200, "eval_every": 1, "outer_lr": 0.5}
    kept = {}

    class Keep(td.Callback):
        def on_outer_step_end(self, step, logs):
            kept[logs["accuracy"]] = self.distilled.samples.x.numpy()

    done = td.distill(data, own_models.Subclassed, callbacks=[Keep()], early_stopping=4, **settings)
    accuracies = [h["accuracy"] for h in done.history]
    best = max(accuracies)
    last = len(accuracies) - accuracies[::-1].index(best)
    assert done.results["kept_step"] == last
    assert len(accuracies) == done.results["stopped_after"] == accuracies.index(best) + 1 + 4
    np.testing.assert_array_equal(done.distilled.samples.x, kept[best])
    assert {round(a * 30, 6) % 1 for a in accuracies} == {0}  # fractions of the 30 held out


# Mistakes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "lenet"}, r"takes images, but vectors has inputs of shape \(5,\)"),
        ({"model": "lenett"}, "did you mean lenet"),
        ({"model": own_models.Subclassed()}, "can't be copied for new weights .*Subclassed"),
        ({"model": 3}, "model is int, expected a name, a Keras model or a function"),
        ({"model": lambda: own_models.Subclassed(2)}, "has 2 outputs, expected 3 for 3 classes"),
        (
            {"use": "replay", "networks": 3},
            "^init=fixed has one network, got networks=3 .* use init=random",
        ),
        ({"steps": 0}, "^steps=0, expected a whole number from 1 to 2147483647"),
        ({"early_stopping": 0}, "^early_stopping=0, expected a whole number from 1"),
        ({"run_dir": ""}, "^run_dir is empty, expected"),
        ({"inner_lr": "0.1"}, "inner_lr='0.1', expected a finite number above 0"),
        ({"outer_steps": 2.5}, "outer_steps=2.5, expected a whole number"),
        (
            {"callbacks": [print]},
            r"callbacks\[0\] is of type .*, expected an object of",
        ),
        (
            {"data": tf.data.Dataset.from_tensors(([1.0], 0)).batch(1)},
            "^data is a tf.data.Dataset; make a dataset of it by .*from_dataset",
        ),
        ({"data": ([[1.0]], [0])}, "data is of type tuple, expected a dataset; make one by"),
    ],
)
def test_a_mistake_is_one_line(data, settings, message):
    with pytest.raises(td.UserError, match=message) as error:
        td.distill(**{"data": data, "model": own_models.Subclassed, **settings})
    assert "\n" not in str(error.value)


def test_a_model_of_double_precision_is_refused(data, float64):
    with pytest.raises(td.UserError, match="floatx is float64, expected float32"):
        td.distill(data, own_models.Subclassed)


def test_a_model_is_tried_and_what_is_the_same_in_every_network_is_told(data, capsys, monkeypatch):
    def pretrained():
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="last")])
        model.layers[0].kernel.assign(np.ones((5, 3)))
        return model

    tried = []
    monkeypatch.setattr(second_derivative, "differentiate", lambda *given: tried.append(given[1:]))
    chosen = choice.choose(pretrained, data)
    learner = chosen.learner()
    chosen.try_out(learner, data.encoding(data.x_train))
    assert tried == [((5,), 3)]
    assert "every network starts with the same last/kernel" in capsys.readouterr().out


def test_a_function_may_want_shape_and_outputs(data):
    seen = []

    def build(shape, outputs):
        seen.append((shape, outputs))
        return keras.Sequential([keras.Input(shape), keras.layers.Dense(outputs)])

    choice.choose(build, data).learner()
    assert seen == [((5,), 3)]
