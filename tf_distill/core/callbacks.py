"""Objects that are called after each outer step: they can look, keep the best set, and stop."""

import tensorflow as tf

from tf_distill.core.distilled import DistilledSet
from tf_distill.core.inner import Samples


class Callback:
    """Is called after each outer step; a class of one's own overrides `on_outer_step_end`.

    stop: set to True to end the distillation after this step; the set is evaluated and kept as
    in a run that went to its end.
    distilled: the set as it stands, `distilled.samples` has its tensors x, y and lr.
    """

    stop = False
    distilled: DistilledSet

    def on_outer_step_end(self, step: int, logs: dict[str, float]) -> None:
        """Is called after an outer step.

        Args:
            step: its number, from 1.
            logs: "loss", on the real batch in nats; and where the set was evaluated after
                this step, "accuracy", a fraction, and "seconds" of the run.
        """


class KeepBest(tf.Module, Callback):
    """Keeps the set of the highest accuracy, the last of equals; can end the distillation.

    Its state is part of the checkpoints.

    Args:
        samples: values of the set's shapes.
        patience: evaluations without a higher accuracy to stop after; None never to stop.
    """

    def __init__(self, samples: Samples, patience: int | None = None):
        super().__init__(name="keep_best")
        self._patience = patience
        self._best = [tf.Variable(v, trainable=False) for v in samples]
        self.accuracy = tf.Variable(-1.0, dtype=tf.float64, trainable=False)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._worse = tf.Variable(0, trainable=False)

    @property
    def stop(self) -> bool:  # type: ignore[override]
        """Whether the patience is at its end."""
        return self._patience is not None and int(self._worse) >= self._patience

    def begin(self, distilled: DistilledSet, accuracy: float) -> None:
        """Takes the set at the start as the best so far."""
        self.distilled = distilled
        if float(self.accuracy) < 0:
            self.on_outer_step_end(0, {"accuracy": accuracy})

    def go_back(self, distilled: DistilledSet) -> None:
        """Sets the samples to the best so far, if any were evaluated."""
        if float(self.accuracy) >= 0:
            distilled.set(Samples(*(tf.convert_to_tensor(v) for v in self._best)))

    def on_outer_step_end(self, step: int, logs: dict[str, float]) -> None:
        """Compares the accuracy, if there is a new one, with the best."""
        if "accuracy" not in logs:
            return
        best = float(self.accuracy)
        if logs["accuracy"] > best:
            self._worse.assign(0)
        else:
            self._worse.assign_add(1)
        if logs["accuracy"] >= best:
            self.accuracy.assign(logs["accuracy"])
            self.step.assign(step)
            for variable, value in zip(self._best, self.distilled.samples, strict=True):
                variable.assign(value)
