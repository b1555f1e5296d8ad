"""The outer loop: its batches, its update, and that it goes on where it stood."""

import dataclasses
import itertools

import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common import seeds
from tf_distill.core.distilled import DistilledSet
from tf_distill.core.hypergradient import hypergradient
from tf_distill.core.inner import Samples
from tf_distill.core.learner import fixed_network
from tf_distill.core.outer import (
    Distillation,
    OuterStep,
    batch_indices,
    distill,
    mean_hypergradient,
    outer_update,
)
from tf_distill.core.tasks import encode

OUTER_LR, OUTER_STEPS, OUTER_MOMENTUM = 0.05, 6, 0.5


def start(soft=True, outer_lr=OUTER_LR) -> Distillation:
    samples = Samples(*(v.numpy() for v in small.samples()))
    learned = DistilledSet(samples, ("x", "lr", *("y" * soft)))
    return Distillation(learned, outer_lr, OUTER_STEPS, OUTER_MOMENTUM)


def go(distillation, outer_steps=OUTER_STEPS, dataset=None, learner=None, **settings):
    step = OuterStep(**{"batch_size": 16, **settings})
    learner, dataset = learner or small.learner(), dataset or small.dataset()
    update = outer_update(distillation, learner, dataset, step)
    return distill(distillation, update, dataset, step, outer_steps)


def values(distillation) -> list[np.ndarray]:
    variables = [*distillation.distilled.variables, *distillation.optimizer.variables]
    return [v.numpy() for v in variables]


def assert_same_bits(one: Distillation, other: Distillation):
    for a, b in zip(values(one), values(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_mean_over_networks_is_the_mean_of_single_ones():
    learner, samples, data = small.learner(), small.samples(), small.dataset()
    x, y = tf.constant(data.x_train), encode(data.y_train, 3)
    keys = tf.random.split([1, 2], 3)
    mean = mean_hypergradient(learner, samples, learner.init, keys, x, y)
    single = [hypergradient(learner, samples, learner.init(key), x, y) for key in tf.unstack(keys)]
    for got, *parts in zip(*map(tf.nest.flatten, [mean, *single]), strict=True):
        np.testing.assert_allclose(got, np.mean(parts, axis=0), rtol=1e-5, atol=1e-7)


class Adam:
    """Adam as its paper has it, with beta1 0.5, a clipped global norm and a cosine."""

    def __init__(self):
        self.m = self.v = None

    def step(self, t: int, gradients):
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        gradients = [g / max(norm, 1.0) for g in gradients]
        zeros = [np.zeros_like(g) for g in gradients]
        self.m = [0.5 * m + 0.5 * g for m, g in zip(self.m or zeros, gradients, strict=True)]
        self.v = [0.999 * v + 0.001 * g**2 for v, g in zip(self.v or zeros, gradients, strict=True)]
        lr = OUTER_LR * 0.5 * (1 + np.cos(np.pi * t / OUTER_STEPS))
        for m, v in zip(self.m, self.v, strict=True):
            m_hat, v_hat = m / (1 - 0.5 ** (t + 1)), v / (1 - 0.999 ** (t + 1))
            yield -lr * m_hat / (np.sqrt(v_hat) + 1e-7)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize(("init", "soft"), [("fixed", False), ("random", True)])
def test_outer_steps_equal_a_loop_by_hand(init, soft):
    learner, data, distillation = small.learner(), small.dataset(), start(soft)
    x, y, lr = (v.numpy().astype(np.float64) for v in distillation.distilled.samples)
    rate, adam, losses = np.log(np.expm1(lr)), Adam(), []
    for t in range(3):
        index = batch_indices(0, t, 16, len(data.y_train))
        samples = Samples(*(tf.constant(v, tf.float32) for v in (x, y, np.log1p(np.exp(rate)))))
        key = tf.random.fold_in(seeds.seed_key(0, seeds.Stream.NETWORKS), t)
        keys = tf.unstack(tf.random.split(key, 2 if init == "random" else 1))
        drawn = [learner.init(k) if init == "random" else fixed_network(learner, 0) for k in keys]
        real = tf.constant(data.x_train[index]), encode(data.y_train[index], 3)
        parts = [hypergradient(learner, samples, w, *real) for w in drawn]
        losses.append(np.mean([p.loss for p in parts]))
        dx, dy, dlr = (np.mean(g, axis=0) for g in zip(*(p.gradients for p in parts), strict=True))
        gradients = [dx, dlr * sigmoid(rate)] + ([dy] if soft else [])
        moves = list(adam.step(t, gradients))
        x, rate = x + moves[0], rate + moves[1]
        y = y + moves[2] if soft else y
    done = list(
        itertools.islice(go(distillation, learner=learner, init=init, networks=len(drawn)), 3)
    )
    assert [step for step, _ in done] == [1, 2, 3]
    np.testing.assert_allclose([loss for _, loss in done], losses, rtol=1e-4)
    distilled = distillation.distilled
    for variable, expected in ((distilled.x, x), (distilled.y, y), (distilled.rate, rate)):
        np.testing.assert_allclose(variable, expected, rtol=1e-3, atol=1e-4)
    assert soft != np.array_equal(distilled.y, start().distilled.y)  # hard labels keep their bits


def test_going_on_from_a_checkpoint_gives_the_bits_of_a_run_without_a_stop(tmp_path):
    settings, stop = {"init": "random", "networks": 2}, 4
    whole, first, second = start(), start(), start()
    losses = [loss for _, loss in go(whole, **settings)]
    before = [loss for _, loss in itertools.islice(go(first, **settings), stop)]
    path = tf.train.Checkpoint(state=first).save(tmp_path / "checkpoint")
    tf.train.Checkpoint(state=second).restore(path).assert_consumed()
    after = list(go(second, **settings))
    assert [step for step, _ in after] == list(range(stop + 1, OUTER_STEPS + 1))
    assert before + [loss for _, loss in after] == losses
    assert_same_bits(whole, second)


def losses(distillation, **settings) -> list[float]:
    return [loss for _, loss in go(distillation, **settings)]


@pytest.mark.long
def test_compiled_by_xla_a_fixed_network_is_the_same_up_to_rounding():
    plain, by_xla = start(), start()
    np.testing.assert_allclose(losses(plain), losses(by_xla, jit_compile=True), rtol=1e-5)
    for one, other in zip(values(plain), values(by_xla), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.long
def test_compiled_by_xla_the_seed_decides_with_draws_of_its_own():
    runs = [losses(start(), init="random", jit_compile=True, seed=seed) for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]
    assert runs[0] != losses(start(), init="random", seed=0)


def test_the_seed_decides():
    one, other = start(), start()
    for distillation, seed in ((one, 1), (other, 2)):
        list(go(distillation, seed=seed))
    assert np.any(one.distilled.x.numpy() != other.distilled.x.numpy())


def test_the_loss_falls_and_a_finished_run_does_nothing_more():
    distillation = start()
    losses = [loss for _, loss in go(distillation, batch_size=40)]
    assert losses[-1] < 0.95 * losses[0]
    assert list(go(distillation)) == []


def test_a_batch_is_cut_to_the_training_split():
    one, other = start(), start()
    assert list(go(one, batch_size=1000)) == list(go(other, batch_size=40))


def test_training_inputs_are_augmented_anew_in_every_step():
    def shifted(x, seed):
        return x + tf.random.stateless_normal([], seed)

    plain = small.dataset()
    augmented = dataclasses.replace(plain, augment=shifted)
    still = {"outer_lr": 1e-12}  # then only the real batch changes from step to step
    losses, moved = (
        [loss for _, loss in go(start(**still), dataset=d, batch_size=40)]
        for d in (plain, augmented)
    )
    assert np.ptp(losses) < 1e-5
    assert min(abs(a - b) for a, b in itertools.combinations(moved, 2)) > 1e-5


@pytest.mark.parametrize(("size", "examples"), [(4, 10), (5, 10), (10, 10), (7, 10), (1, 3)])
def test_batches_cover_every_epoch_exactly_once(size, examples):
    batches = [batch_indices(3, step, size, examples) for step in range(5 * examples)]
    assert {b.shape for b in batches} == {(size,)}
    epochs = np.concatenate(batches)[: 5 * size // size * examples].reshape(-1, examples)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(examples))
    if examples > 3:
        assert len({tuple(epoch) for epoch in epochs}) == len(epochs)


def test_a_batch_does_not_depend_on_those_before():
    in_order = [batch_indices(3, step, 7, 10) for step in range(9)]
    for step in (8, 0, 4):
        np.testing.assert_array_equal(batch_indices(3, step, 7, 10), in_order[step])


def test_batches_follow_the_seed():
    assert np.any(batch_indices(0, 0, 50, 50) != batch_indices(1, 0, 50, 50))
