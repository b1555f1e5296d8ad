"""Keras's fit, which goes on where an earlier call was stopped."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from tf_distill import checkpoints
from tf_distill.errors import Diverged, Interrupted
from tf_distill.progress import Seldom, say
from tf_distill.signals import handling


class Keeping(NamedTuple):
    """Where checkpoints are kept, and the most minutes between two."""

    folder: Path
    minutes: float


def fit(
    model: keras.Model,
    batches: Callable[[int], tf.data.Dataset],
    steps: int,
    name: str,
    keeping: Keeping | None,
) -> float:
    """Trains in place.

    Args:
        model: compiled, with its first weights.
        batches: those from a step on, counted from 0.
        steps: of the whole training.
        name: what progress is said of.
        keeping: None to keep no checkpoints, and to leave signals alone.

    Returns:
        Seconds that earlier calls have taken up to where this one went on.

    Raises:
        Diverged: the loss is no number.
        Interrupted: on SIGINT or SIGTERM, where checkpoints are kept, after one.
    """
    model.optimizer.build(model.trainable_variables)  # so that there is what to restore
    progress = _Progress(model, steps, name, keeping)
    earlier, done = float(progress.seconds), progress.step
    if done:
        say(f"{name}: going on from step {done} of {steps}")
    if done < steps:
        with handling(progress.stop, keeping):
            model.fit(
                batches(done),
                steps_per_epoch=steps - done,
                callbacks=[progress],
                shuffle=False,  # the batches are
                verbose=0,
            )
    return earlier


class _Progress(keras.callbacks.Callback):
    """A line now and then, and a checkpoint; it has the newest one restored when it is made."""

    def __init__(self, model: keras.Model, steps: int, name: str, keeping: Keeping | None):
        super().__init__()
        self._steps, self._name, self._keeping = steps, name, keeping
        self._iterations = model.optimizer.iterations
        self._seldom, self._stopping = Seldom(), False
        self.seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        if keeping:
            # Tracking by objects would miss the generators of dropout.
            parts = (model.trainable_variables, model.non_trainable_variables)
            variables = [v.value for part in (*parts, model.optimizer.variables) for v in part]
            state = tf.train.Checkpoint(variables=variables, seconds=self.seconds)
            self._checkpoints = checkpoints.restored(state, keeping.folder)
        self._saved = time.monotonic()

    @property
    def step(self) -> int:
        """How many are done."""
        return int(self._iterations)

    def stop(self, *_) -> None:
        """Ends the training after this step: a signal handler."""
        self._stopping = True

    def on_train_batch_end(self, batch, logs):
        if not math.isfinite(logs["loss"]):
            raise Diverged(
                f"{self._name}: the loss is no number after step {self.step} of {self._steps}; "
                "lower the learning rate, training.lr in Python, or scale the inputs"
            )
        if self._seldom.due():
            say(f"{self._name}: step {self.step} of {self._steps}, loss {logs['loss']:.4f}")
        now = time.monotonic()
        if self._keeping and (self._stopping or now - self._saved > 60 * self._keeping.minutes):
            self.seconds.assign_add(now - self._saved)
            self._checkpoints.save()
            self._saved = now
        if self._stopping:
            raise Interrupted(f"{self._name}: stopped at step {self.step}")
