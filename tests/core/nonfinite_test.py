"""Steps without numbers: skipped, counted, and gone back from."""

import dataclasses

import keras
import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common.errors import Diverged
from tf_distill.core import nonfinite
from tf_distill.core.distilled import DistilledSet
from tf_distill.core.inner import Samples
from tf_distill.core.nonfinite import FACTOR, KEEP_EVERY, RETURNS, SKIPS, Guard, Reduced, recover
from tf_distill.core.outer import Distillation, batch_indices, distill

RATE = 0.125
NAN, INF = float("nan"), float("inf")


def plain(factor):
    """A guard over one variable that plain gradient descent updates."""
    variable = tf.Variable([1.0, 2.0])
    schedule = keras.optimizers.schedules.ExponentialDecay(RATE, 10, 1.0)
    optimizer = keras.optimizers.SGD(Reduced(schedule, factor), momentum=0.5)
    optimizer.build([variable])
    return Guard(optimizer, [variable], factor), variable, optimizer


@pytest.fixture
def guarded():
    """A guard, its variable, and a step of a loss and a gradient."""
    guard, variable, optimizer = plain(tf.Variable(1.0))
    apply = tf.function(guard.apply)

    def step(loss, gradient, number=1):
        apply(tf.constant(number, tf.int64), tf.constant(loss), [tf.constant(gradient)])
        return optimizer.iterations.numpy()

    return guard, variable, step


def counts(guard):
    return int(guard.skipped), int(guard.streak), int(guard.returns)


@pytest.mark.parametrize(
    ("loss", "gradient"),
    [(NAN, [1.0, 1.0]), (INF, [1.0, 1.0]), (1.0, [NAN, 1.0]), (1.0, [1.0, -INF]),
     (1.0, [3e38, 3e38])],
)  # fmt: skip
def test_a_step_without_numbers_changes_nothing_but_the_counts(guarded, loss, gradient):
    guard, variable, step = guarded
    step(1.0, [1.0, 0.0])
    before = [v.numpy() for v in guard._state]
    assert step(loss, gradient) == 2  # the rate's schedule goes on
    for old, now in zip(before, guard._state, strict=True):
        np.testing.assert_array_equal(old, now)
    assert counts(guard) == (1, 1, 0)
    step(1.0, [0.0, 1.0])
    assert counts(guard) == (1, 0, 0)
    np.testing.assert_array_equal(variable, [1 - RATE * 1.5, 2 - RATE])


def test_going_back_takes_the_last_good_state_and_half_the_rate(guarded):
    guard, variable, step = guarded
    step(1.0, [8.0, 0.0], KEEP_EVERY)
    step(1.0, [8.0, 0.0], KEEP_EVERY + 1)
    step(NAN, [8.0, 0.0], 2 * KEEP_EVERY)  # what is no good is not kept
    guard.go_back()
    np.testing.assert_array_equal(variable, [1, 2])
    step(1.0, [8.0, 0.0], 1)
    np.testing.assert_array_equal(variable, [1 - RATE * FACTOR * 8, 2])
    assert counts(guard) == (1, 0, 1)


def test_after_some_returns_the_run_has_diverged(guarded, tmp_path, capsys):
    guard, _, step = guarded
    config = small.config(tmp_path)
    last = 1 + SKIPS * (RETURNS + 1)
    step(1.0, [1.0, 1.0], 1)
    for number in range(2, last):
        step(NAN, [1.0, 1.0], number)
        recover(guard, number, config)
    step(NAN, [1.0, 1.0], last)
    with pytest.raises(Diverged, match="lower --inner_lr") as error:
        recover(guard, last, config)
    assert "\n" not in str(error.value)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == RETURNS
    assert lines[0].startswith(
        f"outer step {1 + SKIPS}: loss or gradient was no number in {SKIPS} "
    )
    assert lines[-1].endswith(f"with {FACTOR**RETURNS:g} times the outer learning rate")


def test_without_any_good_step_the_run_has_diverged_at_once(guarded, tmp_path, capsys):
    guard, _, step = guarded
    for number in range(1, SKIPS + 1):
        recover(guard, number - 1, small.config(tmp_path))
        step(NAN, [1.0, 1.0], number)
    with pytest.raises(Diverged, match=f"outer step {SKIPS}, as in every step so far; lower"):
        recover(guard, SKIPS, small.config(tmp_path))
    assert capsys.readouterr().out == ""


def poisoned(row):
    """The small dataset with one example that no network can do anything with."""
    data = small.dataset()
    x = data.x_train.copy()
    x[row] = INF
    return dataclasses.replace(data, x_train=x)


def start(outer_steps):
    return Distillation(
        DistilledSet(Samples(*(v.numpy() for v in small.samples()))), 0.05, outer_steps, 0.5
    )


def go(distillation, data, outer_steps):
    settings = {"batch_size": 8, "networks": 1, "init": "fixed", "seed": 0}
    learner = small.learner()
    return list(distill(distillation, learner, data, outer_steps=outer_steps, **settings))


def test_one_bad_example_costs_its_batches_alone():
    row, steps = 7, 20
    distillation = start(steps)
    losses = go(distillation, poisoned(row), steps)
    bad = [step + 1 for step in range(steps) if row in batch_indices(0, step, 8, 40)]
    assert len(bad) == 4
    assert [step for step, loss in losses if not np.isfinite(loss)] == bad
    assert int(distillation.guard.skipped) == len(bad)
    assert all(np.isfinite(v.numpy()).all() for v in distillation.distilled.variables)
    assert int(distillation.step) == int(distillation.optimizer.iterations) == steps


def test_the_last_rate_is_that_of_the_schedule():
    distillation = start(10)
    rate = distillation.optimizer.learning_rate
    before = [float(v) for v in (rate, tf.constant(0.05))]
    assert before[0] == before[1]
    go(distillation, poisoned(7), 10)
    assert float(distillation.optimizer.learning_rate) == 0


def test_the_copy_and_the_counts_are_part_of_a_checkpoint(tmp_path):
    one, other = start(20), start(20)
    go(one, poisoned(7), 20)
    one.guard.go_back()
    path = tf.train.Checkpoint(state=one).save(tmp_path / "checkpoint")
    tf.train.Checkpoint(state=other).restore(path).assert_consumed()
    assert counts(other.guard) == counts(one.guard) == (4, 0, 1)
    assert float(other.guard.factor) == float(one.guard.factor) == FACTOR
    for a, b in zip(one.guard._kept, other.guard._kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_of_nothing_but_skipped_steps_has_diverged(tmp_path):
    guard, _, _ = plain(tf.Variable(1.0))
    config = small.config(tmp_path)
    nonfinite.check_learned(guard, 0, config)
    guard.skipped.assign(2)
    nonfinite.check_learned(guard, 3, config)
    with pytest.raises(Diverged, match="outer step 2"):
        nonfinite.check_learned(guard, 2, config)


def test_values_that_are_kept_are_gone_back_to(guarded):
    guard, variable, _ = guarded
    variable.assign([3.0, 4.0])
    guard.keep()
    variable.assign([NAN, NAN])
    guard.go_back()
    np.testing.assert_array_equal(variable, [3.0, 4.0])
