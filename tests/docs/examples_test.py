"""The examples of continual and federated learning, in short form on small digits."""

import dataclasses
import importlib
import types

import numpy as np
import pytest
from places import ROOT

from tf_distill.core import Samples, k_means
from tf_distill.export import LoadedSet


def program(name, monkeypatch):
    """An example as a module, which distils at once: its sets are centres of clusters."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    module = importlib.import_module(name)
    monkeypatch.setattr(module.td, "distill", centres)
    return module


def centres(data, model, **settings):
    """In place of `td.distill`."""
    n, steps = settings["samples_per_step"], settings["steps"]
    found = k_means(data, n * steps, np.random.default_rng(settings["seed"]))
    y = np.eye(len(data.classes), dtype=np.float32)[found.y]
    samples = Samples(
        found.x.reshape(steps, n, *data.encoding.shape),
        y.reshape(steps, n, -1),
        np.full(20 * steps, 0.01, np.float32),
    )
    metadata = {
        **dict.fromkeys(("use", "dataset"), "training"), "network": model, "seed": 0,
        "classes": data.classes, "input": data.encoding.metadata(), "inner_optimizer": "adam",
    }  # fmt: skip
    return types.SimpleNamespace(distilled=LoadedSet(samples, [], metadata))


@pytest.fixture
def digits(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    data = importlib.import_module("digit_parts").load(None)
    return dataclasses.replace(data, x_test=data.x_test[:60], y_test=data.y_test[:60])


def test_memories_have_the_same_size_and_the_classes_so_far(monkeypatch, digits):
    replay = program("replay", monkeypatch)
    tasks = replay.split(digits)
    assert [np.unique(task.y_train).tolist() for task in tasks] == np.arange(10).reshape(
        5, 2
    ).tolist()
    for name, make in replay.MEMORIES.items():
        memories = make(tasks, 10, 0)
        for i, (x, y) in enumerate(memories, 1):
            assert x.shape == (100 if name == "reservoir" else 20 * i, *digits.encoding.shape)
            assert y.shape == (len(x), 10)
            np.testing.assert_allclose(y.sum(1), 1)
            assert set(y.argmax(1)) <= set(range(2 * i))
    assert len(set(memories[-1][1].argmax(1))) == 10  # of the reservoir


def test_a_network_that_replays_still_reads_the_first_digits(monkeypatch, digits):
    replay = program("replay", monkeypatch)
    tasks = replay.split(digits)[:2]
    first = dataclasses.replace(digits, x_test=tasks[0].x_train, y_test=tasks[0].y_train)
    assert replay.learn(first, tasks, replay.herded(tasks, 10, 0), 0) > 0.6


def test_a_message_is_a_byte_a_pixel_and_gives_the_set_back(monkeypatch, digits):
    federated = program("federated", monkeypatch)
    rng = np.random.default_rng(0)
    alike, skewed = federated.iid(digits, rng), federated.skewed(digits, rng)
    for clients, classes in ((alike, 10), (skewed, 2)):
        assert sum(len(own.y_train) for own in clients) == len(digits.y_train)
        assert {len(np.unique(own.y_train)) for own in clients} == {classes}
    [distilled] = federated.distil(skewed[:1])
    message = federated.send(distilled)
    assert len(message) == 8 + 2 * 16 * 16 + 2 * 2 * 10
    received = federated.receive(message, distilled)
    np.testing.assert_allclose(received.samples.x, distilled.samples.x, atol=0.02)
    np.testing.assert_array_equal(received.samples.y, distilled.samples.y)


@pytest.mark.long
def test_the_examples_distil_for_themselves(monkeypatch, digits):
    monkeypatch.setitem(importlib.import_module("digit_parts").SHORT, "outer_steps", 10)
    replay, federated = map(importlib.import_module, ("replay", "federated"))
    found = replay.compare(digits, 1, 1)
    assert found.keys() == replay.MEMORIES.keys()
    assert found["distilled"][0] > 0.25  # of ten classes
    clients = federated.skewed(digits, np.random.default_rng(0))
    size, accuracies = federated.by_sets(federated.distil(clients), digits, 1)
    assert size == 8 + 2 * 16 * 16 + 2 * 2 * 10
    assert accuracies[0] > 0.25


def test_both_ways_of_a_round_are_measured(monkeypatch, digits, capsys):
    federated = program("federated", monkeypatch)
    clients = federated.iid(digits, np.random.default_rng(0))[:2]
    size, found = federated.by_sets(federated.distil(clients), digits, 1)
    assert size == 8 + 10 * (16 * 16 + 2 * 10)
    assert found[0] > 0.3
    weights, found = federated.by_weights(clients, digits, 1)
    assert weights > 20 * size
    assert len(found) == 1
