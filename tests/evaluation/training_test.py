"""A set for ordinary training beside its rows: each is the training that it says."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from own_run import PROTOCOL

from tf_distill.core import OPTIMIZERS, Recipe, evaluate, evaluator
from tf_distill.datasets import augmentation
from tf_distill.datasets.arrays import from_arrays
from tf_distill.evaluation import baselines, bench, comparison, controls
from tf_distill.evaluation.bench import RATES, Protocol, Subject
from tf_distill.networks import choice, choose, registry
from tf_distill.runs import InMemory, Run, configure, new_distillation

NETWORKS = 2
BASELINES = ["distilled", "random_real", "optimized_real", "k_means", "medoids", "average",
             "herding", "k_center", "random_real_neighbours", "k_means_neighbours"]  # fmt: skip
CONTROLS = ["learned_labels", "hard_labels", "steps_4", "steps_10", "keras_defaults",
            "optimizer_sgd", "optimizer_momentum", "augmentation",
            "random_real_augmentation"]  # fmt: skip
OF_REPLAY = ["distilled", "random_real", "optimized_real", "k_means", "average",
             "random_real_neighbours", "k_means_neighbours", "learned_labels", "shuffled", "sgd",
             "hard_labels", "other_initial_networks"]  # fmt: skip


def tiny(shape, outputs, width=1.0, depth=0, dropout=0.0):
    """A network that compiles at once."""
    layers = keras.layers
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(outputs)])


@pytest.fixture(autouse=True)
def small_work(monkeypatch):
    """One other network, few choices."""
    other = registry.NETWORKS["lenet"]._replace(build=tiny, least=1)
    monkeypatch.setitem(registry.NETWORKS, "other", other)
    monkeypatch.setattr(choice, "NETWORKS", registry.Networks({"other": other}))
    monkeypatch.setattr(bench, "TRIALS_IN_TRAINING", 2)


def images():
    """Grey images of three classes, each bright at another place."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.integers(0, 160, (120, 8, 8)).astype(np.uint8)
    for i, c in enumerate(y):
        x[i, 2 * c + 1 : 2 * c + 3, 2:6] += 90
    return from_arrays(x[:90], y[:90], x[90:], y[90:])


def made(data=None, **settings):
    """A subject: the start of a run, which is as good as any set here."""
    given = {
        "use": "training", "samples_per_step": 3, "steps": 2, "epochs": 3, "outer_steps": 2,
        "batch_size": 16, "eval_networks": NETWORKS, **settings,
    }  # fmt: skip
    if given["use"] == "training":
        given |= {"unroll": 4, "window": 2}
    config = configure({"dataset": "digits", "model": "lenet", **given})
    data = data or images()
    run = Run(config, data, choose(tiny, data), InMemory())
    return Subject(
        run, Protocol(**PROTOCOL), new_distillation(config, data, run.learner).distilled.samples
    )


def by_hand(subject, recipe, samples):
    """The accuracies of so many random networks, each in an order of its own."""
    run = subject.run
    networks = evaluate.test_networks(run.learner, "random", NETWORKS, run.config.seed)
    return evaluator(run.learner, run.dataset, recipe)(samples, networks).accuracy


def names(subject):
    return [row.name for row in comparison.rows_of(subject)]


def same(measured, expected):
    assert np.mean(measured.accuracies) == pytest.approx(expected.mean)
    assert len(measured.accuracies) == expected.networks


def test_each_kind_of_set_has_its_rows():
    assert names(made()) == [*BASELINES, *CONTROLS, "other"]
    replay = made(use="replay", init="fixed", labels="soft", eval_networks=1)
    assert names(replay) == [*OF_REPLAY, "other"]


def test_the_set_is_trained_as_the_run_says():
    subject = made()
    measured = baselines.distilled_set(subject, {})
    same(measured, by_hand(subject, Recipe(OPTIMIZERS["adam"], True), subject.samples))
    assert measured.how.startswith("Adam at ")
    assert "shuffled minibatches of 3, 3 epochs (6 steps)" in measured.how


def test_rates_of_real_subsets_are_the_best_of_the_grid(monkeypatch):
    monkeypatch.setattr(bench, "RateLearner", lambda *_: pytest.fail("learned a rate a step"))
    subject = made()
    measured = baselines.herding_row(subject, {})
    rng = subject.rng(bench.Stream.BASELINES)
    chosen = baselines.herding(subject.run.dataset, subject.size, rng)
    own = baselines.as_samples(chosen, subject.task, subject.samples, 0.1)
    rate = subject.bench.best_rate([own])
    assert measured.lr == pytest.approx([rate] * 6)
    scores = [subject.bench.training_accuracy([bench.with_rate(own, r)]) for r in RATES]
    assert RATES.index(rate) == int(np.argmax(scores))
    assert f"on training data: {rate:g}." in measured.how
    assert measured.accuracies == subject.bench.test([bench.with_rate(own, rate)])


@pytest.mark.parametrize("times", [4, 10])
def test_more_steps_are_more_epochs_of_the_same(times):
    subject = made()
    rate = subject.samples.lr[0]
    samples = subject.samples._replace(lr=tf.fill([times * 6], rate))
    expected = by_hand(subject, Recipe(OPTIMIZERS["adam"], True), samples)
    same(controls.more_steps(subject, {}, times), expected)


def test_keras_defaults_are_adam_at_a_thousandth():
    subject = made(inner_optimizer="momentum", inner_lr=0.05)
    samples = subject.samples._replace(lr=tf.fill([4 * 6], 0.001))
    expected = by_hand(subject, Recipe(OPTIMIZERS["adam"], True), samples)
    same(controls.keras_defaults(subject, {}), expected)


def test_other_optimizers_are_tuned_and_not_the_set_s_own():
    subject = made(inner_optimizer="momentum")
    rows = [row for row in comparison.rows_of(subject) if row.name.startswith("optimizer")]
    assert [row.title for row in rows] == ["SGD", "Adam"]
    recipe = Recipe(OPTIMIZERS["sgd"], True)
    rate = subject.other_bench(recipe).best_rate([subject.samples])
    expected = by_hand(subject, recipe, bench.with_rate(subject.samples, rate))
    measured = rows[0].measure(subject, {})
    same(measured, expected)
    assert measured.how == f"SGD at {rate:g}, the best of 10 on training data."


@pytest.mark.parametrize(
    ("augment", "other", "title"),
    [("none", "shift", "with shift"), ("shift", "none", "without shift")],
)
def test_augmentation_is_turned_round(augment, other, title):
    subject = made(augment=augment)
    rows = {row.name: row for row in comparison.rows_of(subject)}
    assert rows["augmentation"].title == title
    assert rows["random_real_augmentation"].title == f"random real, {title}"
    change = augmentation(other, subject.run.dataset.encoding.metadata())
    recipe = Recipe(OPTIMIZERS["adam"], True, change)
    same(rows["augmentation"].measure(subject, {}), by_hand(subject, recipe, subject.samples))


def test_only_the_labels_of_real_samples_are_learned():
    subject = made()
    tested = []
    vars(subject)["bench"] = SimpleNamespace(test=lambda sets: tested.extend(sets) or [0.5])
    controls.learned_probabilities(subject, {"random_real": {"lr": [0.03] * 6}})
    [samples] = tested
    data = subject.run.dataset
    real = data.encoding(tf.constant(data.x_train)).numpy().reshape(90, -1)
    for x in samples.x.numpy().reshape(6, -1):
        assert np.abs(real - x).sum(axis=1).min() == 0
    np.testing.assert_allclose(samples.y.numpy().sum(-1), 1, rtol=1e-5)
    assert 0 < np.abs(samples.y.numpy().max(-1) - 0.9).max() < 0.4
    np.testing.assert_allclose(samples.lr, 0.03, rtol=1e-5)


def test_the_curve_has_few_points_and_ends_with_the_set(monkeypatch):
    monkeypatch.setitem(comparison.CURVE_POINTS, "training", 3)
    subject = made()
    curve = comparison.curve(subject)
    assert (curve["step"], curve["networks"]) == ([0, 3, 6], NETWORKS)
    expected = by_hand(subject, subject.run.recipe, subject.samples)
    assert curve["mean"][-1] == pytest.approx(expected.mean)


def test_a_large_network_is_tested_as_often_as_in_its_run():
    subject = dataclasses.replace(made(eval_networks=3), protocol=Protocol())
    assert subject.conditions.networks == 3
    assert subject.conditions.trials == 2


@pytest.mark.long
def test_poisoned_test_labels_change_no_choice():
    data = images()
    poisoned = dataclasses.replace(data, y_test=(data.y_test + 1) % 3)
    told, accuracies = [], []
    for given in (data, poisoned):
        subject = made(given)
        done = {}
        for row in comparison.rows_of(subject):
            done[row.name] = comparison.measure(row, subject, {"rows": list(done.values())})
        told.append([(row["lr"], row["how"]) for row in done.values()])
        accuracies.append([row["accuracies"] for row in done.values()])
    assert told[0] == told[1]
    assert accuracies[0] != accuracies[1]
