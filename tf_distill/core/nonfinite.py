"""An outer step whose loss or gradient is NaN or infinite is skipped and counted.

After `SKIPS` of them in a row the run has diverged. Gradients much longer than usual are cut.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_distill.common import Diverged

SKIPS = 5
KEPT = 0.95
"""The share of the usual norm that stays after a step."""


class Guard(tf.Module):
    """Updates variables at finite numbers, and counts the steps that have others.

    skipped: outer steps in all, streak: the last ones in a row; int64, part of the checkpoints.

    Args:
        optimizer: is built; skipped steps count in its schedule too.
        variables: that it updates.
        longest: gradients are cut to so many times their usual norm, a running mean; None for
            no cut.
    """

    def __init__(
        self,
        optimizer: keras.Optimizer,
        variables: Sequence[tf.Variable],
        longest: float | None = None,
    ):
        super().__init__(name="guard")
        self._longest = longest
        if longest is not None:
            self._usual = tf.Variable(0.0, name="usual", trainable=False)
        self._optimizer, self._variables = optimizer, list(variables)
        self.skipped, self.streak = (
            tf.Variable(0, dtype=tf.int64, name=name, trainable=False)
            for name in ("skipped", "streak")
        )

    def apply(self, loss: tf.Tensor, gradients: Sequence[tf.Tensor]) -> None:
        """Updates the variables if loss and gradients are finite; is called in a graph.

        Args:
            loss: a scalar.
            gradients: of the variables, in their order.
        """
        good = tf.math.is_finite(loss) & tf.math.is_finite(tf.linalg.global_norm(gradients))
        bad = tf.cast(~good, tf.int64)
        self.streak.assign((self.streak + 1) * bad)
        self.skipped.assign_add(bad)

        def update() -> tf.Tensor:
            # Across replicas: within one, Keras reduces the gradients by a custom gradient, and
            # TensorFlow never forgets a graph that has one, with all that it captures.
            cut = self._cut(gradients)
            tf.distribute.get_replica_context().merge_call(
                lambda _: self._optimizer.apply(cut, self._variables)
            )
            return tf.constant(0)

        def skip() -> tf.Tensor:
            self._optimizer.iterations.assign_add(1)  # so that the rate still ends at zero
            return tf.constant(0)

        tf.cond(good, update, skip)

    def _cut(self, gradients: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """The gradients, shorter if they are longer than usual; notes their norm."""
        if self._longest is None:
            return gradients
        norm = tf.linalg.global_norm(gradients)
        usual = tf.where(self._usual > 0, self._usual, norm)
        shorter = tf.minimum(norm, self._longest * usual)
        self._usual.assign(KEPT * usual + (1 - KEPT) * shorter)
        return [g * tf.math.divide_no_nan(shorter, norm) for g in gradients]

    def check(self, step: int, last: bool, inner_lr: float, outer_lr: float) -> None:
        """Ends a run that has diverged.

        Args:
            step: the number of the outer step, from 1.
            last: whether the run ends with it; it must have had one good step then.
            inner_lr: of the run, for the advice.
            outer_lr: likewise.

        Raises:
            Diverged: `SKIPS` steps in a row, or all steps of the run, gave no finite numbers.
        """
        streak, never = int(self.streak), int(self.skipped) == step
        if streak < SKIPS and not (last and never):
            return
        past = "as in every step so far" if never else f"as in the {streak - 1} before it"
        raise Diverged(
            f"loss or gradient is NaN or infinite at outer step {step}, {past}; lower inner_lr "
            f"(now {inner_lr}) or outer_lr (now {outer_lr}) and begin again in another run_dir"
        )
