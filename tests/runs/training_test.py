"""Runs for ordinary training (use=training): what they learn, and what their sets serve for."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import small

import tf_distill as td
from tf_distill.core import Learner, evaluate, give_weights, outer
from tf_distill.runs import results

pytestmark = pytest.mark.usefixtures("untried")
NETWORKS = 3
SHORT = {"unroll": 6, "window": 3, "epochs": 8, "batch_size": 64, "eval_networks": 1}
SHORT |= {"outer_steps": 4, "eval_every": 2, "inner_lr": 0.05}


@pytest.fixture(scope="module")
def data():
    return small.dataset(300, 200)


def network():
    layers = keras.layers
    hidden, last = layers.Dense(8, "tanh"), layers.Dense(small.CLASSES)
    return keras.Sequential([keras.Input((small.FEATURES,)), hidden, last])


@pytest.fixture(scope="module")
def first(data, tmp_path_factory):
    """A finished run in a folder."""
    path = tmp_path_factory.mktemp("first") / "run"
    settings = SHORT | {"outer_steps": 30, "eval_every": 30, "eval_networks": NETWORKS}
    return path, td.distill(data, network, run_dir=path, **settings)


def right(model, data):
    """Accuracy by Keras's own predict."""
    return np.mean(model.predict(data.x_test, verbose=0).argmax(1) == data.y_test)


def test_a_stopped_run_ends_with_the_bits_of_a_whole_one(data, tmp_path, monkeypatch, capsys):
    class Stop(td.Callback):
        def on_outer_step_end(self, step, logs):
            if step == 3:
                raise MemoryError

    monkeypatch.setattr(outer, "LONGEST", 0.5)  # each hypergradient is cut by the usual norm
    settings = SHORT | {"learn": "samples,labels,rates"}
    whole = td.distill(data, network, **settings)
    assert capsys.readouterr().out.startswith("use=training, the default for own data: ")
    with pytest.raises(MemoryError):
        td.distill(data, network, run_dir=tmp_path, callbacks=[Stop()], **settings)
    later = td.distill(data, network, run_dir=tmp_path, **settings)
    for one, other in zip(later.distilled.samples, whole.distilled.samples, strict=True):
        np.testing.assert_array_equal(one, other)
    assert later.accuracy == whole.accuracy
    assert small.timeless(later.history) == small.timeless(whole.history)


def test_results_and_set_tell_how_networks_are_trained(first):
    path, result = first
    loaded = td.load_distilled(path / "distilled" / "1")
    for told in (json.loads((path / "results.json").read_text()), loaded.metadata):
        assert (told["use"], told["inner_optimizer"]) == ("training", "adam")
        assert told["recipe"] == "Adam at 0.05, shuffled minibatches of 6, 8 epochs (40 steps)"
    assert loaded.metadata["how_to_train"].startswith("any ordinary training; it was measured so")
    assert result.accuracy.networks == NETWORKS


@pytest.mark.parametrize(
    ("dataset", "use", "told"),
    [
        ("csv:a.csv", "training", "use=training, the default for own data: the set serves any ord"),
        ("vectors", "replay", "use=replay, as asked: the set serves in its own steps alone; for "),
        ("digits", "replay", "use=replay, the default for digits: the set serves in its own step"),
        ("digits", "training", "use=training, as asked: the set serves any ordinary training; fo"),
    ],
)
def test_what_a_set_is_for_is_told_with_the_reason(tmp_path, dataset, use, told):
    config = dataclasses.replace(small.config(tmp_path, use=use), dataset=dataset)
    assert results.describe_use(config).startswith(told)


def test_the_set_trains_the_networks_of_the_run_to_their_accuracy(first, data):
    path, result = first
    loaded = td.load_distilled(path / "distilled" / "1")
    accuracies = []
    for order, weights in enumerate(
        evaluate.test_networks(Learner(network()), "random", NETWORKS, 0)
    ):
        model = network()
        give_weights(model.trainable_variables, weights)
        accuracies.append(right(loaded.train(model, order=order), data))
    assert np.mean(accuracies) == pytest.approx(result.accuracy.mean, abs=1e-9)


def test_keras_alone_learns_from_the_arrays(first, data):
    x, y = first[1].distilled.arrays()
    assert (x.shape, y.shape) == ((30, small.FEATURES), (30, small.CLASSES))
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-5)
    assert y.min() >= 0
    assert ((y > 0.001) & (y < 0.999)).any()  # labels are learned
    keras.utils.set_random_seed(0)
    model = network()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss)
    model.fit(x, y, batch_size=8, epochs=20, verbose=0)
    assert right(model, data) > 0.7


def test_labels_alone_are_learned_for_real_examples(data):
    result = td.distill(data, network, learn="labels", **SHORT)
    x, y = result.distilled.arrays()
    real = {example.tobytes() for example in data.x_train}
    assert {example.tobytes() for example in x} <= real
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-5)
    assert len(np.unique(y, axis=0)) > small.CLASSES
    np.testing.assert_allclose(result.distilled.samples.lr, SHORT["inner_lr"], rtol=1e-5)


def test_one_learned_rate_has_a_bound(data):
    settings = SHORT | {"learn": "samples,labels,rates", "outer_lr": 50.0}
    result = td.distill(data, network, **settings)
    rates = np.unique(result.distilled.samples.lr)
    assert len(rates) == 1
    assert rates[0] != pytest.approx(SHORT["inner_lr"], rel=0.01)
    assert 0 <= rates[0] <= 4 * SHORT["inner_lr"] * (1 + 1e-6)


def test_a_run_may_start_from_a_set_for_training_and_its_rate(first, data):
    nothing_new = SHORT | {"outer_steps": 1, "outer_lr": 1e-9, "start": first[0]}
    del nothing_new["inner_lr"]
    further = td.distill(data, network, **nothing_new)
    for one, other in zip(further.distilled.samples, first[1].distilled.samples, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert further.results["recipe"] == first[1].results["recipe"]
