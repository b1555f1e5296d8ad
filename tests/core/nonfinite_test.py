"""Steps with NaN or infinite numbers: skipped, counted, and the end of a run if there are many."""

import dataclasses

import keras
import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common.errors import Diverged
from tf_distill.core.distilled import DistilledSet
from tf_distill.core.inner import Samples
from tf_distill.core.nonfinite import SKIPS, Guard
from tf_distill.core.outer import Distillation, OuterStep, batch_indices, distill, outer_update

RATE = 0.125
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def guarded():
    """A guard, the variable that gradient descent updates, and a step of a loss and a gradient."""
    variable = tf.Variable([1.0, 2.0])
    schedule = keras.optimizers.schedules.ExponentialDecay(RATE, 10, 1.0)
    optimizer = keras.optimizers.SGD(schedule, momentum=0.5)
    optimizer.build([variable])
    guard = Guard(optimizer, [variable])
    apply = tf.function(guard.apply)

    def step(loss, gradient=(1.0, 1.0)):
        apply(tf.constant(loss), [tf.constant(gradient)])
        return [v.numpy() for v in (variable, *optimizer.variables)]

    return guard, variable, step


def counts(guard):
    return int(guard.skipped), int(guard.streak)


@pytest.mark.parametrize(
    ("loss", "gradient"),
    [(NAN, [1.0, 1.0]), (INF, [1.0, 1.0]), (1.0, [NAN, 1.0]), (1.0, [1.0, -INF]),
     (1.0, [3e38, 3e38])],
)  # fmt: skip
def test_a_step_without_finite_numbers_changes_only_the_counts(guarded, loss, gradient):
    guard, variable, step = guarded
    value, iterations, *others = step(1.0, [1.0, 0.0])
    after, now, *same = step(loss, gradient)
    np.testing.assert_array_equal(after, value)
    assert now == iterations + 1  # the rate's schedule continues
    for a, b in zip(others, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert counts(guard) == (1, 1)
    step(1.0, [0.0, 1.0])
    assert counts(guard) == (1, 0)
    np.testing.assert_array_equal(variable, [1 - RATE * 1.5, 2 - RATE])


def test_a_run_has_diverged_after_some_skipped_steps_in_a_row(guarded):
    guard, _, step = guarded
    losses = [1.0, *[NAN] * (SKIPS - 1), 1.0, *[NAN] * SKIPS]
    for number, loss in enumerate(losses, 1):
        guard.check(number - 1, False, 0.3, 0.02)
        step(loss)
    before = f"outer step {len(losses)}, as in the {SKIPS - 1} before it; lower inner_lr"
    with pytest.raises(Diverged, match=rf"{before} \(now 0.3\) or outer_lr \(now 0.02\)") as error:
        guard.check(len(losses), False, 0.3, 0.02)
    assert "\n" not in str(error.value)


def test_a_run_without_any_good_step_has_diverged_at_its_end(guarded):
    guard, _, step = guarded
    for _ in range(2):
        step(NAN)
    guard.check(2, False, 0.3, 0.02)
    with pytest.raises(Diverged, match="outer step 2, as in every step so far; lower"):
        guard.check(2, True, 0.3, 0.02)
    step(1.0)
    guard.check(3, True, 0.3, 0.02)


def start(outer_steps):
    return Distillation(
        DistilledSet(Samples(*(v.numpy() for v in small.samples()))), 0.05, outer_steps, 0.5
    )


def test_one_bad_example_costs_only_its_batches(tmp_path):
    row, steps = 7, 20
    data = small.dataset()
    x = data.x_train.copy()
    x[row] = INF
    state = start(steps)
    data, settings = dataclasses.replace(data, x_train=x), OuterStep(batch_size=8)
    update = outer_update(state, small.learner(), data, settings)
    losses = list(distill(state, update, data, settings, steps))
    bad = [step + 1 for step in range(steps) if row in batch_indices(0, step, 8, 40)]
    assert len(bad) == 4
    assert [step for step, loss in losses if not np.isfinite(loss)] == bad
    assert counts(state.guard) == (len(bad), 0)
    assert all(np.isfinite(v.numpy()).all() for v in state.distilled.variables)
    assert int(state.step) == int(state.optimizer.iterations) == steps
    assert float(state.optimizer.learning_rate) == 0

    other = start(steps)
    path = tf.train.Checkpoint(state=state).save(tmp_path / "checkpoint")
    tf.train.Checkpoint(state=other).restore(path).assert_consumed()
    assert counts(other.guard) == counts(state.guard)
