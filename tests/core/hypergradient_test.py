"""The hypergradient against central differences and against the plain definition."""

import functools

import numpy as np
import pytest
import small
import tensorflow as tf
from numeric import assert_gradients_close

from tf_distill.core import optimizers
from tf_distill.core.distilled import DistilledSet
from tf_distill.core.hypergradient import (
    Hypergradient,
    Window,
    hypergradient,
    reference_hypergradient,
    window_hypergradient,
)
from tf_distill.core.inner import Recipe, Samples, descend, inner_step, minibatches, train
from tf_distill.core.learner import Learner, fixed_network
from tf_distill.core.losses import cross_entropy, squared_errors
from tf_distill.core.optimizers import OPTIMIZERS
from tf_distill.core.outer import mean_hypergradient, network_drawer
from tf_distill.networks import convolutions
from tf_distill.networks.registry import NETWORKS

STEPS, SAMPLES, EPOCHS, BATCH = 2, 3, 2, 4
RECURRENT = ("birnn", "bilstm")
TABULAR = ("linear", "mlp", "resnet_mlp")
SHAPES = dict.fromkeys(RECURRENT, (2, 3)) | dict.fromkeys(TABULAR, (6,)) | {"textconvnet": (5, 4)}
IMAGE = (12, 12, 1)
CASES = [*((name, 3) for name in sorted(NETWORKS)), ("lenet", 1), ("textconvnet", 1)]


class Problem:
    """A learner, distilled samples and a real batch, all random, and the loss after training.

    The loss is compiled, with samples and initial weights as arguments so that the tests
    share it; the hypergradient runs eagerly, as compiling it takes longest.
    """

    def __init__(self, name: str, outputs: int, dtype: str):
        shape = SHAPES.get(name, IMAGE)
        rng = np.random.default_rng(1)
        labels = rng.integers(0, max(outputs, 2), BATCH)
        y = labels[:, None] if outputs == 1 else np.eye(outputs)[labels]
        in_turn = np.arange(STEPS * SAMPLES) % max(outputs, 2)
        hard = in_turn[:, None] if outputs == 1 else np.eye(outputs)[in_turn]
        samples = Samples(
            rng.standard_normal((STEPS, SAMPLES, *shape)),
            rng.standard_normal((STEPS, SAMPLES, outputs)),
            rng.uniform(0.01, 0.1, STEPS * EPOCHS),
        )
        real = (rng.standard_normal((BATCH, *shape)), y)
        self.learner = Learner(NETWORKS[name].build(shape, outputs))
        self.soft = Samples(*(tf.constant(v, dtype) for v in samples))
        self.hard = self.soft._replace(y=tf.constant(hard.reshape(STEPS, SAMPLES, outputs), dtype))
        self.x, self.y = (tf.constant(v, dtype) for v in real)
        self.weights = fixed_network(self.learner, 0)
        self.keys = tf.random.split([5, 6], 2)
        self.loss = tf.function(self._loss)

    @functools.cached_property
    def adjoint(self) -> Hypergradient:
        """Of the fixed network with soft labels, which several tests look at."""
        return self.fixed(self.soft)

    def _loss(self, samples: Samples, weights: list[tf.Tensor]) -> tf.Tensor:
        trained = train(self.learner, samples, weights)
        return cross_entropy(self.y, self.learner.apply(trained, self.x))

    def fixed(self, samples: Samples) -> Hypergradient:
        return hypergradient(self.learner, samples, self.weights, self.x, self.y)

    def random(self, samples: Samples) -> Hypergradient:
        draw = network_drawer(self.learner, "random", seed=0)
        return mean_hypergradient(self.learner, samples, draw, self.keys, self.x, self.y)


@functools.cache
def problem(name: str, outputs: int, dtype: str = "float64") -> Problem:
    """The problem of this name, made once; float64 wants the fixture of that name."""
    return Problem(name, outputs, dtype)


def differences(name: str) -> dict:
    """Recurrent networks are smooth, the others have kinks and want small steps.

    ConvNet's loss hardly changes with one pixel, so smaller steps would drown in rounding.
    """
    return {
        "coordinates": 3,
        "step": 1e-6 if name in RECURRENT else 1e-7 if name == "convnet" else 1e-8,
    }


def check_against_differences(mean_loss, result: Hypergradient, samples: Samples, soft: bool, name):
    """Compares with central differences of what is learned: hard labels leave y out."""
    assert result.loss.numpy() == pytest.approx(mean_loss(samples).numpy(), rel=1e-12)
    if soft:
        arguments, gradients = samples, result.gradients
        loss = lambda *values: mean_loss(Samples(*map(tf.constant, values)))  # noqa: E731
    else:
        distilled = DistilledSet(Samples(*(v.numpy() for v in samples)), ("x", "lr"))
        arguments, gradients = distilled.learned, distilled.pull_back(result.gradients)
        assert [v.name for v in arguments] == ["x:0", "rate:0"]
        loss = lambda x, rate: mean_loss(Samples(x, samples.y, tf.nn.softplus(rate)))  # noqa: E731
    assert_gradients_close(
        loss, [v.numpy() for v in arguments], [g.numpy() for g in gradients], **differences(name)
    )


@pytest.mark.parametrize(
    ("name", "outputs", "labels"), [*((*case, "soft") for case in CASES), ("lenet", 3, "hard")]
)
def test_equals_central_differences_with_a_fixed_network(float64, name, outputs, labels):
    case = problem(name, outputs)
    samples = getattr(case, labels)
    result = case.adjoint if labels == "soft" else case.fixed(samples)
    check_against_differences(
        lambda s: case.loss(s, case.weights), result, samples, labels == "soft", name
    )


def test_equals_central_differences_with_random_networks(float64):
    case = problem("lenet", 3)
    drawn = [case.learner.init(key) for key in tf.unstack(case.keys)]

    def mean_loss(samples):
        return tf.add_n([case.loss(samples, weights) for weights in drawn]) / len(drawn)

    check_against_differences(mean_loss, case.random(case.soft), case.soft, True, "lenet")


def test_squared_errors_equal_central_differences(float64):
    case, recipe = problem("mlp", 1), Recipe(losses=squared_errors)
    given = (case.weights, case.x, case.y, recipe)

    @tf.function
    def loss(samples):
        trained = train(case.learner, samples, case.weights, recipe)
        return tf.reduce_mean(squared_errors(case.y, case.learner.apply(trained, case.x)))

    found = hypergradient(case.learner, case.soft, *given)
    check_against_differences(loss, found, case.soft, True, "mlp")
    plain = reference_hypergradient(case.learner, case.soft, *given)
    for a, b in zip(tf.nest.flatten(found), tf.nest.flatten(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "outputs"), CASES)
def test_adjoint_equals_the_plain_tape(float64, name, outputs):
    case = problem(name, outputs)
    plain = reference_hypergradient(case.learner, case.soft, case.weights, case.x, case.y)
    for a, b in zip(tf.nest.flatten(case.adjoint), tf.nest.flatten(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_long_texts_equal_central_differences(float64, monkeypatch):
    monkeypatch.setattr(convolutions, "LONG", 1)
    monkeypatch.setattr(convolutions, "PART", 2)
    case = Problem("textconvnet", 3, "float64")
    check_against_differences(
        lambda s: case.loss(s, case.weights), case.adjoint, case.soft, True, "textconvnet"
    )


@pytest.mark.parametrize("together", [1, 2])
def test_a_real_batch_in_parts_gives_the_same(float64, monkeypatch, together):
    case = problem("mlp", 3)
    monkeypatch.setattr("tf_distill.core.hypergradient.REAL_PART", BATCH // 2)
    in_parts = hypergradient(
        case.learner, case.soft, case.weights, case.x, case.y, together=together
    )
    for a, b in zip(tf.nest.flatten(case.adjoint), tf.nest.flatten(in_parts), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["textconvnet", "birnn"])
def test_compiled_equals_eager(float64, name):
    case = problem(name, 3)
    graph = tf.function(case.fixed)(case.soft)
    for a, b in zip(tf.nest.flatten(graph), tf.nest.flatten(case.adjoint), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_adjoint_equals_the_plain_tape_in_single_precision():
    case = problem("textconvnet", 3, "float32")
    arguments = (case.learner, case.soft, case.weights, case.x, case.y)
    plain = reference_hypergradient(*arguments)
    for a, b in zip(tf.nest.flatten(case.adjoint), tf.nest.flatten(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


TRAINED = [
    *(
        pytest.param(name, "adam", 3, marks=[] if name == "textconvnet" else pytest.mark.long)
        for name in sorted(NETWORKS)
    ),
    ("mlp", "momentum", 1),
    ("mlp", "sgd", 1),
]


@pytest.mark.parametrize(("name", "optimizer", "outputs"), TRAINED)
def test_a_window_of_ordinary_training_equals_central_differences(
    float64, monkeypatch, name, optimizer, outputs
):
    # Else tiny gradients count by their sign alone, which differences can't follow.
    monkeypatch.setattr(optimizers, "EPSILON", 1e-6)
    case, seed = problem(name, outputs), tf.constant([3, 4])
    scale = lambda x, key: x * tf.random.stateless_uniform([1], key, 0.5, 2, x.dtype)  # noqa: E731
    recipe = Recipe(OPTIMIZERS[optimizer], shuffled=True, augment=scale)
    length, run = 3, 5
    found = window_hypergradient(
        case.learner, case.soft, case.weights, case.x, case.y, recipe, Window(run, length), seed
    )
    before = int(tf.random.stateless_uniform([], seed, maxval=run - length + 1, dtype=tf.int32))
    assert before > 0
    weights, state = start_of_window(case, recipe, before, seed)

    @tf.function
    def loss(samples, weights, state):
        batch = minibatches(samples._replace(lr=tf.fill([run], samples.lr[0])), recipe, seed)
        for t in range(before, before + length):
            weights, state = inner_step(
                case.learner, recipe, weights, state, *batch(tf.constant(t))
            )
        return cross_entropy(case.y, case.learner.apply(weights, case.x))

    check_against_differences(lambda s: loss(s, weights, state), found, case.soft, True, name)


def start_of_window(case, recipe, before, seed):
    """Weights and state after the steps before a window."""
    constant = case.soft._replace(lr=tf.fill([before], case.soft.lr[0]))
    batch = minibatches(constant, recipe, seed)
    return descend(case.learner, batch, before, case.weights, recipe)


def test_labels_have_a_hypergradient():
    """The fused softmax cross-entropy would give exactly zero."""
    case = problem("textconvnet", 3, "float32")
    assert np.abs(case.adjoint.gradients.y).max() > 1e-4


def test_weights_and_model_are_bit_equal_after_a_pass():
    case = problem("birnn", 3, "float32")
    before = [w.numpy().copy() for w in case.weights]
    variables = [v.numpy().copy() for v in case.learner.model.variables]
    case.fixed(case.soft)
    for old, new in zip(before, case.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    for old, new in zip(variables, case.learner.model.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_the_graph_does_not_grow_with_the_steps():
    learner, samples = small.learner(), small.samples()
    fixed = fixed_network(learner, 0), samples.x[0], samples.y[0]

    def nodes(epochs: int) -> int:
        longer = samples._replace(lr=tf.fill([len(samples.x) * epochs], 0.1))
        step = tf.function(lambda: hypergradient(learner, longer, *fixed))
        return len(step.get_concrete_function().graph.get_operations())

    assert nodes(50) == nodes(1)


def test_the_graph_does_not_grow_with_the_run_of_ordinary_training():
    learner, samples = small.learner(), small.samples()
    fixed = fixed_network(learner, 0), samples.x[0], samples.y[0]
    recipe = Recipe(OPTIMIZERS["adam"], shuffled=True)

    def nodes(run: int, length: int) -> int:
        window = Window(run, length)
        step = tf.function(
            lambda seed: window_hypergradient(learner, samples, *fixed, recipe, window, seed)
        )
        graph = step.get_concrete_function(tf.TensorSpec([2], tf.int32)).graph
        return len(graph.get_operations())

    assert nodes(500, 50) == nodes(50, 20)
