"""What a distillation does with a loss or gradients that are no numbers.

Such an outer step is skipped and counted. After `SKIPS` of them in a row the run goes back to the
last good state, with a smaller outer learning rate, at most `RETURNS` times; then it has diverged.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_distill.common import Diverged, say
from tf_distill.config import Config

SKIPS, RETURNS = 5, 3
FACTOR = 0.5
"""Of the outer learning rate at each return."""
KEEP_EVERY = 50
"""Outer steps from one good state that is kept to the next."""


class Reduced(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a variable.

    Args:
        schedule: from a step to a rate.
        factor: scalar; 1 leaves the bits of the rate as they are.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, factor):
        self._schedule, self._factor = schedule, factor

    def __call__(self, step):
        """The rate at a step."""
        return self._schedule(step) * self._factor

    def get_config(self) -> dict[str, Any]:
        """The schedule alone: the factor belongs to the run."""
        return {"schedule": self._schedule}


class Guard(tf.Module):
    """Counts, and a copy of the last good state: all of it part of the checkpoints.

    skipped: outer steps in all, streak: the last ones in a row, returns: to the copy; int64.

    Args:
        optimizer: is built; its counter of steps goes on at skipped steps and returns.
        variables: what it updates.
        factor: of the outer learning rate, 1 at the start.
    """

    def __init__(
        self, optimizer: keras.Optimizer, variables: Sequence[tf.Variable], factor: tf.Variable
    ):
        super().__init__(name="guard")
        self._optimizer, self._variables = optimizer, list(variables)
        slots = [v.value for v in optimizer.variables if v is not optimizer.iterations]
        self._state = [*self._variables, *slots]
        self._kept = [tf.Variable(v.read_value(), trainable=False) for v in self._state]
        self.factor = factor
        self.skipped, self.streak, self.returns = (
            tf.Variable(0, dtype=tf.int64, name=name, trainable=False)
            for name in ("skipped", "streak", "returns")
        )

    def apply(self, step: tf.Tensor, loss: tf.Tensor, gradients: Sequence[tf.Tensor]) -> None:
        """Updates the variables where loss and gradients are finite; to be called in a graph.

        Args:
            step: of the outer loop, from 0.
            loss: at the variables as they are, so that it tells whether these are good.
            gradients: of the variables, in their order.
        """
        good = tf.math.is_finite(loss) & tf.math.is_finite(tf.linalg.global_norm(gradients))
        bad = tf.cast(~good, tf.int64)
        self.streak.assign((self.streak + 1) * bad)
        self.skipped.assign_add(bad)

        def update() -> tf.Tensor:
            tf.cond(tf.equal(step % KEEP_EVERY, 0), lambda: _copy(self._state, self._kept), _pass)
            # Across replicas: within one, Keras reduces the gradients by a custom gradient, and
            # TensorFlow never forgets a graph that has one, with all that it captures.
            tf.distribute.get_replica_context().merge_call(
                lambda _: self._optimizer.apply(gradients, self._variables)
            )
            return _pass()

        def skip() -> tf.Tensor:
            self._optimizer.iterations.assign_add(1)  # so that the rate still ends at zero
            return _pass()

        tf.cond(good, update, skip)

    def keep(self) -> None:
        """Takes the values as they are for good ones."""
        _copy(self._state, self._kept)

    def go_back(self) -> None:
        """Takes the last good state again, with a smaller rate from here on."""
        _copy(self._kept, self._state)
        self.factor.assign(self.factor * FACTOR)
        self.returns.assign_add(1)
        self.streak.assign(0)


def recover(guard: Guard, step: int, config: Config) -> None:
    """Goes back where too many steps in a row, up to number `step`, were skipped; and says so.

    Raises:
        Diverged: this has been done too often, or there is no good set to go back to.
    """
    if int(guard.streak) < SKIPS:
        return
    if int(guard.returns) == RETURNS or int(guard.skipped) == step:
        raise diverged(guard, step, config)
    guard.go_back()
    say(
        f"outer step {step}: loss or gradient was no number in {SKIPS} steps in a row; going on "
        f"from the last good set, with {float(guard.factor):g} times the outer learning rate"
    )


def check_learned(guard: Guard, step: int, config: Config) -> None:
    """Raises Diverged where a run of `step` outer steps has skipped all of them."""
    if step and int(guard.skipped) == step:
        raise diverged(guard, step, config)


def diverged(guard: Guard, step: int, config: Config) -> Diverged:
    """The error that ends a run, with what to lower."""
    never = int(guard.skipped) == step
    past = "as in every step so far" if never else "and a smaller outer rate did not help"
    return Diverged(
        f"loss or gradient is no number at outer step {step}, {past}; lower --inner_lr (now "
        f"{config.inner_lr}) or --outer_lr (now {config.outer_lr}) and begin again in another "
        "--run_dir"
    )


def _copy(source: Sequence[tf.Variable], target: Sequence[tf.Variable]) -> tf.Tensor:
    for one, other in zip(source, target, strict=True):
        other.assign(one.read_value())
    return _pass()


def _pass() -> tf.Tensor:
    return tf.constant(0)
