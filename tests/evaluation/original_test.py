"""Full training: what it learns, that it repeats and goes on to the bit, its cache."""

import dataclasses
import os
import random
import signal

import keras
import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common import files
from tf_distill.common.errors import Interrupted
from tf_distill.core.evaluate import Accuracy
from tf_distill.core.learner import Learner, fixed_network
from tf_distill.datasets import images, toy_questions, words
from tf_distill.evaluation import original
from tf_distill.evaluation.original import Keeping
from tf_distill.networks import registry

QUICK = registry.Training(lr=0.01, batch_size=16, epochs=3, steps=1000)
FAST = QUICK._replace(lr=0.05)


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


def test_learns_digits_in_an_epoch():
    training = registry.NETWORKS["lenet"].training._replace(epochs=1)
    digits = images.load_digits(None, None)
    result = full(registry.NETWORKS["lenet"].build, digits, training, seed=0)
    assert result.accuracy > 0.4
    assert result.epochs == 1


@pytest.mark.parametrize(("classes", "decay"), [(2, 0.0), (3, 0.0), (3, 5.0)])
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


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Trains by way of the cache, dropout and all; what happens at a step is given."""
    weights = []
    monkeypatch.setattr(original, "evaluator", lambda *_: lambda _, networks: (
        weights.extend(networks) or Accuracy(0.5, 0.0, 1)))  # fmt: skip
    data = dataclasses.replace(
        small.dataset(train=100), augment=lambda x, key: x + tf.random.stateless_normal([], key)
    )

    def train(folder, happens=None, minutes=1e9):
        calls = iter(range(1, 10**6))
        due = lambda _: bool(happens and next(calls) == 10 and happens())  # noqa: E731
        monkeypatch.setattr(original.Seldom, "due", due)
        training = QUICK._replace(dropout=0.5)
        built = lambda *shape, dropout: build(*shape, dropout)  # noqa: E731
        make = original.maker(built, data, training)
        original.cached(make, data, training, 3, Keeping(tmp_path / folder, minutes), "net")
        return [w.numpy().tobytes() for w in weights[-1]]

    return train


def _killed():
    raise SystemExit


def _stopped():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("happens", "minutes", "error", "done"),
    [(_killed, -1, SystemExit, 9), (_stopped, 1e9, Interrupted, 10)],
)
def test_what_was_stopped_goes_on_to_the_same_bits(
    trained, tmp_path, capsys, happens, minutes, error, done
):
    with pytest.raises(error) as raised:
        trained("stopped", happens, minutes)
    if error is Interrupted:
        assert str(raised.value) == "net on all of vectors: stopped at step 10"
    assert len(list(tmp_path.glob("stopped/*/checkpoints/*.index"))) in (1, 2)
    assert len(list(tmp_path.glob("stopped/*/.lock"))) == 1  # still keeps others out
    again = trained("stopped")
    assert capsys.readouterr().out == f"net on all of vectors: going on from step {done} of 21\n"
    assert again == trained("whole")
    (path,) = (tmp_path / "stopped").iterdir()  # no checkpoints are left
    assert path.suffix == ".json"


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls `cached`; gives the result and whether it trained."""
    trained = []

    def train(make, dataset, training, seed, name, keeping):
        trained.append(name)
        return original.Original(len(trained) / 10, 3.0, 1.5, training._asdict())

    monkeypatch.setattr(original, "original_accuracy", train)

    def call(dataset=None, training=QUICK, seed=0, network="net", variant=""):
        before = len(trained)
        dataset = dataset or small.dataset()
        cache = Keeping(tmp_path / "cache", minutes=2)
        make = original.maker(build, dataset, training)
        result = original.cached(make, dataset, training, seed, cache, network, variant)
        return result, len(trained) > before

    return call


def test_the_cache_gives_the_same_again(call, tmp_path):
    first, trained = call()
    assert trained
    assert call() == (first, False)
    (path,) = (tmp_path / "cache").iterdir()
    assert path.name.startswith("original_vectors_net_")
    assert files.read_json(path)["accuracy"] == first.accuracy


def _changed(**values):
    return dataclasses.replace(small.dataset(), **values)


def _other_vectors():
    data = toy_questions.load_toy_questions(None, None)
    encoding = data.encoding
    vectors = encoding.vectors[2:].numpy()
    vectors[3, 2] += 1e-3
    same = type(encoding)(encoding.words, encoding.vectors[2:].numpy(), encoding.length)
    other = type(encoding)(encoding.words, vectors, encoding.length)
    return [dataclasses.replace(data, encoding=e) for e in (same, other)]


@pytest.mark.parametrize(
    "changes",
    [
        {"training": QUICK._replace(dropout=0.1)},
        {"training": QUICK._replace(lr=0.02)},
        {"seed": 1},
        {"network": "other"},
        {"variant": "width 2, depth 0"},
        {"dataset": _changed(y_test=small.dataset().y_test[::-1])},
        {"dataset": _changed(x_train=small.dataset().x_train + 1)},
        {"dataset": _changed(name="others")},
    ],
    ids=["dropout", "lr", "seed", "network", "variant", "labels", "inputs", "name"],
)
def test_whatever_changes_the_number_has_a_file_of_its_own(call, changes):
    call()
    assert call(**changes)[1]
    assert not call(**changes)[1]
    assert not call()[1]


def test_word_vectors_belong_to_the_key(questions):
    same, other = _other_vectors()
    assert original.fingerprint(same) == original.fingerprint(questions)
    assert original.fingerprint(other) != original.fingerprint(questions)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"key": 1}', '{"accuracy": 1}'])
def test_a_damaged_cache_is_made_again_and_said(call, tmp_path, capsys, content):
    first, _ = call()
    (path,) = (tmp_path / "cache").iterdir()
    path.write_text(content)
    result, trained = call()
    assert trained
    assert result != first
    assert f"{path} is" in capsys.readouterr().out
    assert call() == (result, False)
