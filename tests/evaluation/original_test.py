"""Full training: what it learns, that it repeats and continues to the bit, where it is kept."""

import dataclasses
import json
import os
import random
import shutil
import signal

import keras
import numpy as np
import own_models
import own_run
import pytest
import small
import tensorflow as tf
from own_run import PROTOCOL, QUICK, distilled

import tf_distill as td
from tf_distill.core.evaluate import Accuracy, Evaluated
from tf_distill.core.learner import Learner, fixed_network
from tf_distill.datasets import toy_questions, words
from tf_distill.evaluation import baselines, comparison, controls, original
from tf_distill.networks import registry
from tf_distill.networks.choice import choose
from tf_distill.runs.folder import RunFolder
from tf_distill.runs.run import Run

FAST = QUICK._replace(lr=0.05)


pytestmark = pytest.mark.usefixtures("untried")


def build(shape, outputs, dropout=0.0):
    layers = keras.layers
    drop = [layers.Dropout(dropout)] if dropout else []
    hidden = layers.Dense(8, "relu")
    return keras.Sequential([keras.Input(shape), hidden, *drop, layers.Dense(outputs)])


def full(build, data, training, seed=0):
    """The network that a builder makes, after full training."""
    make = original.maker(build, data, training)
    return original.original_accuracy(make, data, training, seed)


@pytest.fixture(scope="module")
def questions():
    return toy_questions.load_toy_questions(None, None)


def test_learns_the_questions(questions):
    network = registry.NETWORKS["textconvnet"]
    training = network.training._replace(epochs=4)
    result = full(network.build, questions, training, seed=0)
    assert result.accuracy > 0.95
    assert result.settings == training._asdict()
    assert result.epochs == 4


@pytest.mark.parametrize(("classes", "decay"), [(2, 0.0), (3, 5.0)])
def test_is_adam_along_a_cosine_over_all_of_the_training_data(classes, decay):
    """Against the same training by hand, one logit and several, with and without decay."""
    data = small.dataset(train=200, test=100)
    names, y = data.classes[:classes], [np.minimum(a, classes - 1) for a in _labels(data)]
    data = dataclasses.replace(data, classes=names, y_train=y[0], y_test=y[1])
    training = QUICK._replace(epochs=6, weight_decay=decay)
    result = full(build, data, training, seed=1)
    model = build(data.encoding.shape, data.outputs)
    original.set_state(model, fixed_network(Learner(model), 1), 1)
    loss = "binary_crossentropy" if classes == 2 else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.01), lambda y, z: getattr(keras.losses, loss)(
        y, z, from_logits=True))  # fmt: skip
    for step, (x, y) in enumerate(original.batches(data, training, 1)):
        model.optimizer.learning_rate = lr = 0.01 * (1 + np.cos(np.pi * step / 78)) / 2
        before = [v.numpy() for v in model.trainable_variables]
        model.train_on_batch(x, y)
        for variable, value in zip(model.trainable_variables, before, strict=True):
            variable.assign_sub(decay * lr * value)
    assert step == 77  # 13 batches of at most 16 are an epoch of 200 examples
    assert result.accuracy == pytest.approx(_accuracy(model, data.x_test, data.y_test))
    assert 1 / classes + 0.1 < result.accuracy < 1


def _labels(data):
    return data.y_train, data.y_test


def _accuracy(model, x, y):
    logits = model(x).numpy()
    predicted = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(1)
    return float(np.mean(predicted == y))


def test_steps_are_the_most_that_there_are():
    data = small.dataset(train=100)
    training = QUICK._replace(epochs=10**6, steps=21)
    assert full(build, data, training, seed=0).epochs == 3
    assert QUICK.length(100) == 21
    assert len(list(original.batches(data, training, seed=0))) == 21


@pytest.mark.long
def test_repeats_whatever_the_process_did_before_and_leaves_the_global_state_alone():
    data, training = small.dataset(train=200, test=500), QUICK._replace(dropout=0.3)
    results = []
    for i in range(2):
        keras.utils.set_random_seed(i)
        expected = _draw()
        keras.utils.set_random_seed(i)
        results.append(full(build, data, training, seed=0).accuracy)
        assert _draw() == expected
    assert results[0] == results[1]


def _draw():
    return (
        random.random(),
        np.random.rand(),  # noqa: NPY002  the global state is what is meant
        float(tf.random.uniform([])),
        float(keras.random.uniform([])),
    )


def test_never_trains_on_the_test_split():
    data = small.dataset(train=400, test=300)
    poisoned = dataclasses.replace(data, y_test=(data.y_test + 1) % 3)
    results = [full(build, d, FAST, seed=0) for d in (data, poisoned)]
    assert results[0].accuracy > 0.5 > results[1].accuracy


def test_batches_hold_every_example_once_an_epoch_embedded_and_augmented():
    data = dataclasses.replace(small.dataset(train=40), augment=lambda x, seed: x + 10.0)
    training = QUICK._replace(epochs=2)
    xs, ys = zip(*original.batches(data, training, seed=0), strict=True)
    assert [len(y) for y in ys] == [16, 16, 8] * 2
    x = np.concatenate(xs)
    assert x.dtype == np.float32
    order = [np.lexsort(part.T) for part in (x[:40], x[40:], data.x_train)]
    np.testing.assert_allclose(x[:40][order[0]], data.x_train[order[2]] + 10.0)
    np.testing.assert_array_equal(np.concatenate(ys)[:40][order[0]], data.y_train[order[2]])
    np.testing.assert_allclose(x[:40][order[0]], x[40:][order[1]])
    assert (x[:40] != x[40:]).any()


def test_words_are_unknown_as_often_as_in_new_texts():
    """One of four words occurs once; what is unknown anyway, or padding, is none of them."""
    x = np.array([[2, 3, 2, 4 + i, words.UNKNOWN, words.PADDING] for i in range(800)])
    encoding = words.TextEncoding([f"w{i}" for i in range(802)], np.ones((802, 1)), length=6)
    data = dataclasses.replace(small.dataset(train=800), x_train=x, encoding=encoding)
    training = QUICK._replace(epochs=2, batch_size=800)
    epochs = [inputs[..., 0].numpy() for inputs, _ in original.batches(data, training, seed=0)]
    for epoch in epochs:
        np.testing.assert_allclose(epoch[:, :4].mean(0), 0.75, atol=0.05)
        assert (epoch[:, 4:] == 0).all()
    assert epochs[0].sum() != epochs[1].sum()  # drawn anew


@pytest.fixture(scope="module")
def begin(tmp_path_factory):
    """Makes a run, of which nothing is done, of a user's network in a folder."""
    place = tmp_path_factory.mktemp("begun")
    config = small.config(place, seed=3, checkpoint_minutes=2.0)

    def begin(folder, data, model=own_run.build, **settings):
        files = RunFolder(place / folder / "run")
        return Run(dataclasses.replace(config, **settings), data, choose(model, data), files)

    return begin


@pytest.fixture(scope="module")
def named(begin):
    """The same of a network that has a name."""

    def begin_named(folder, data, network="net", **settings):
        run = begin(folder, data, lambda: build((small.FEATURES,), 3), **settings)
        return dataclasses.replace(run, choice=run.choice._replace(name=network))

    return begin_named


def cached(run, training=QUICK, variant=""):
    """The original accuracy of the run, whose network takes dropout as the registry's do."""
    make = original.maker(lambda *shape, dropout: build(*shape, dropout), run.dataset, training)
    return original.cached(run, make, training, variant)


@pytest.fixture
def trained(named, monkeypatch):
    """Trains by way of the cache, dropout and all; what happens at a step is given."""
    weights = []
    half = Evaluated(Accuracy(0.5, 0.0, 1), np.zeros((1, 1)))
    monkeypatch.setattr(
        original, "evaluator", lambda *_: lambda _, networks: weights.extend(networks) or half
    )
    data = dataclasses.replace(
        small.dataset(train=100), augment=lambda x, key: x + tf.random.stateless_normal([], key)
    )

    def train(folder, happens=None, minutes=1e9):
        calls = iter(range(1, 10**6))
        due = lambda _: bool(happens and next(calls) == 10 and happens())  # noqa: E731
        monkeypatch.setattr(original.Seldom, "due", due)
        run = named(folder, data, checkpoint_minutes=minutes)
        cached(run, QUICK._replace(dropout=0.5))
        return [w.numpy().tobytes() for w in weights[-1]]

    return train


def _killed():
    raise SystemExit


def _stopped():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("happens", "minutes", "error", "done"),
    [(_killed, 1e-9, SystemExit, 9), (_stopped, 1e9, td.Interrupted, 10)],
)
def test_what_was_stopped_continues_to_the_same_bits(
    trained, named, capsys, happens, minutes, error, done
):
    folder = happens.__name__
    originals = named(folder, small.dataset()).files.path.parent / ".originals"
    with pytest.raises(error) as raised:
        trained(folder, happens, minutes)
    if error is td.Interrupted:
        assert str(raised.value) == "net on all of vectors: stopped at step 10"
    assert len(list(originals.glob("*/checkpoints/*.index"))) in (1, 2)
    assert len(list(originals.glob("*/.lock"))) == 1  # still keeps others out
    again = trained(folder)
    told = capsys.readouterr().out
    assert told == f"net on all of vectors: continuing from step {done} of 21\n"
    assert again == trained("whole")
    (path,) = originals.iterdir()  # no checkpoints are left
    assert path.suffix == ".json"


@pytest.fixture
def call(named, tmp_path, monkeypatch):
    """Calls `cached`; gives the result and whether it trained."""
    trained = []

    def train(make, dataset, training, seed, name, keeping):
        trained.append(name)
        return original.Original(len(trained) / 10, 3.0, 1.5, training._asdict())

    monkeypatch.setattr(original, "original_accuracy", train)

    def call(data=None, training=QUICK, variant="", **changed):
        before = len(trained)
        run = named(tmp_path, data or small.dataset(), **changed)
        return cached(run, training, variant), len(trained) > before

    return call


def _changed(**values):
    return dataclasses.replace(small.dataset(), **values)


@pytest.mark.parametrize(
    "changes",
    [
        {"training": QUICK._replace(dropout=0.1)},
        {"training": QUICK._replace(lr=0.02)},
        {"seed": 1},
        {"network": "other"},
        {"variant": "width 2, depth 0"},
        {"data": _changed(y_test=small.dataset().y_test[::-1])},
        {"data": _changed(x_train=small.dataset().x_train + 1)},
        {"data": _changed(name="others")},
    ],
    ids=["dropout", "lr", "seed", "network", "variant", "labels", "inputs", "name"],
)
def test_whatever_changes_the_number_has_a_file_of_its_own(call, tmp_path, changes):
    first, trained = call()
    assert trained
    (path,) = (tmp_path / ".originals").iterdir()
    assert path.name.startswith("original_vectors_net_")
    assert json.loads(path.read_text())["accuracy"] == first.accuracy
    assert call(**changes)[1]
    assert not call(**changes)[1]
    assert call() == (first, False)


def test_word_vectors_belong_to_the_key(questions):
    encoding = questions.encoding
    vectors = encoding.vectors[2:].numpy()
    keys = []
    for _ in range(2):
        other = type(encoding)(encoding.words, vectors, encoding.length)
        keys.append(original._fingerprint(dataclasses.replace(questions, encoding=other)))
        vectors = vectors.copy()
        vectors[3, 2] += 1e-3
    assert keys[0] == original._fingerprint(questions) != keys[1]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"key": 1}', '{"accuracy": 1}'])
def test_a_damaged_cache_is_made_again_and_said(call, tmp_path, capsys, content):
    first, _ = call()
    (path,) = (tmp_path / ".originals").iterdir()
    path.write_text(content)
    result, trained = call()
    assert trained
    assert result != first
    assert f"{path} is" in capsys.readouterr().out
    assert call() == (result, False)


# From Python, also of a network that has no name


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    distilled(folder)
    return folder


@pytest.fixture
def again(finished, tmp_path):
    """Gives the result of the run in a copy of its folder, as another process would."""
    shutil.copytree(finished, tmp_path / "run")
    return lambda model=own_run.build: distilled(tmp_path / "run", model)


def ratios(found):
    """Those of the rows, by the original accuracy that they are to."""
    return {round(row["mean"] / row["ratio"], 6) for row in found["rows"] if row["ratio"]}


@pytest.fixture(scope="module")
def result():
    """Of a run without a folder."""
    return distilled()


def test_full_training_leaves_the_result_as_it_was(result):
    before = result.evaluate(1)
    trained = result.original(QUICK._replace(lr=0.1, epochs=20))
    assert trained.accuracy > 0.6 > before.mean
    assert result.evaluate(1) == before


@pytest.mark.parametrize("kept", [True, False])
def test_all_ratios_are_to_the_last_original_accuracy(again, result, monkeypatch, kept):
    """Of any result in a folder; also without a folder."""
    rows = [
        row for row in (*baselines.ROWS, *controls.ROWS) if row.name in ("distilled", "hard_labels")
    ]
    monkeypatch.setattr(comparison, "rows_of", lambda _: rows)
    less = QUICK._replace(epochs=1)
    result = again() if kept else result
    first = result.original(QUICK)
    assert result.original(QUICK) == first
    with monkeypatch.context() as patch:
        patch.setattr(original, "original_accuracy", lambda *_: pytest.fail("trained again"))
        found = result.compare(**PROTOCOL)
    assert ratios(found) == {round(first.accuracy, 6)}
    assert found["original"]["settings"] == QUICK._asdict()
    other = again() if kept else result
    last = other.original(less)
    assert last.accuracy != first.accuracy
    assert other.results["ratio"] == result.accuracy.mean / last.accuracy
    assert ratios(result.compare(**PROTOCOL)) == {round(last.accuracy, 6)}
    assert result.results["ratio"] == result.accuracy.mean / last.accuracy
    assert result.results["original"]["settings"] == less._asdict()
    if kept:
        assert again().results == result.results


def test_the_accuracy_of_another_network_is_not_taken(tmp_path, again):
    result = again()
    first, path = result.original(QUICK), tmp_path / "run" / "results.json"
    told = json.loads(path.read_text())
    for network, taken in ((told["original"]["network"], True), ({"network": "other"}, False)):
        known = {**told["original"], "network": network, "accuracy": 0.123}
        path.write_text(json.dumps({**told, "original": known}))
        assert result.original(QUICK).accuracy == (0.123 if taken else first.accuracy)


def test_a_folder_is_found_from_elsewhere_unless_it_is_gone(tmp_path, again, monkeypatch):
    again()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    result = distilled("run")
    monkeypatch.chdir(tmp_path / "there")
    result.original(QUICK)
    assert "original" in json.loads((tmp_path / "run" / "results.json").read_text())
    (tmp_path / "run").rename(tmp_path / "moved")
    for call in (result.original, result.compare):
        with pytest.raises(td.UserError, match="run holds no finished run any more; put it back"):
            call()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".originals", "moved", "there"]


def test_full_training_beyond_bounds_is_no_accuracy(begin, tmp_path):
    class Logarithm(keras.layers.Layer):
        def call(self, x, training=False):
            return keras.ops.log(-keras.ops.abs(x)) if training else x

    def model():
        dense = keras.layers.Dense(small.CLASSES)
        return keras.Sequential([keras.Input([small.FEATURES]), Logarithm(), dense])

    run = begin(tmp_path, small.dataset(), model)
    told = "the loss is NaN or infinite after step 1 of 9; lower the learning rate"
    with pytest.raises(td.Diverged, match=told):
        original.original_of(run, QUICK)
    assert [*tmp_path.rglob("*")] == [tmp_path / ".originals"]


@pytest.mark.parametrize("model", [own_models.Subclassed, own_run.frozen])
def test_networks_of_one_name_have_accuracies_of_their_own(begin, tmp_path, model):
    """Also where they are unbuilt, or have frozen layers; the second time nothing is trained."""
    builds = [model, model, own_models.sequential()]

    def make():
        return builds[0]()

    found = []
    while builds:
        found.append(original.original_of(begin(tmp_path, small.dataset(), make), QUICK))
        builds.pop(0)
    assert found[0] == found[1]
    kept = (tmp_path / ".originals").glob("original_vectors_make_*.json")
    assert len(list(kept)) == 2


@pytest.mark.parametrize(("examples", "epochs"), [(120, 1000), (6400, 20), (10**6, 20)])
def test_few_examples_are_gone_through_more_often(examples, epochs):
    training = choose(own_run.build, small.dataset()).training(examples)
    assert training.epochs == epochs
    assert np.ceil(2000 / 64) <= training.length(examples) <= 20_000
