"""Original accuracy: a network trained on all of the training data (Section 4.1, Table 4).

The training itself is Keras's own. It is a function of the seed: weights, dropout,
order and augmentation follow from it, and the global random state is left alone. So a training
that was stopped continues to the same bits.
"""

import hashlib
import json
import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_distill.common import (
    Diverged,
    Interrupted,
    Seldom,
    Stream,
    UserError,
    __version__,
    folder_lock,
    read_json,
    remove,
    say,
    seed_key,
    write_json,
)
from tf_distill.config import checked_number
from tf_distill.core import SEED_STATE, Learner, Weights, evaluator, fixed_network, task_of
from tf_distill.datasets import Dataset, TextEncoding, fingerprint, forget_words, unseen_words
from tf_distill.networks import NETWORKS, Build, Training
from tf_distill.runs import Checkpoints, Run, handling


class Keeping(NamedTuple):
    """A folder for checkpoints, and the most minutes between two."""

    folder: Path
    minutes: float


MOST_UNKNOWN = 0.3
"""A share of the words, at most: in a few short texts nearly every word occurs once."""
Make = Callable[[], Learner]
"""Makes the network that is to be trained, a new one at each call."""


class Original(NamedTuple):
    """A network after full training.

    accuracy: fraction of the test examples, or R2; epochs: through the training data; seconds: of
    all; settings: those of the training.
    """

    accuracy: float
    epochs: float
    seconds: float
    settings: dict[str, Any]


def original_of(run: Run, training: Training | None = None) -> dict[str, Any]:
    """The original accuracy of a run's network; measured once and kept with the run's results.

    Args:
        run: whose network is trained on all of its data.
        training: how; None for as before or, if it was not trained before, as usual.

    Returns:
        The fields of `Original` and, for a network of one's own, its identity.

    Raises:
        UserError: a rate of dropout for a network of one's own; the folder holds another run.
        Diverged: the loss is NaN or infinite.
        Interrupted: on SIGINT or SIGTERM, where there is a folder.
    """
    run.files.check(run.config, run.inputs)
    identity = run.choice.identity(run.learner)
    before = run.files.read("results.json").get("original")
    same = before and before.get("network", identity) == identity
    if before and same and (training is None or before["settings"] == training._asdict()):
        return before
    training = training or run.choice.training(len(run.dataset.y_train))
    make = _maker_for(run, training)
    if run.files.path:
        found = cached(run, make, training)
    else:
        seed, name = run.config.seed, run.choice.short_name
        found = original_accuracy(make, run.dataset, training, seed, name)
    told = found._asdict() | ({"network": identity} if identity else {})
    if results := run.files.read("results.json"):
        run.files.write("results.json", results | {"original": told})
    return told


def checked_training(given: Training) -> Training:
    """Settings of full training as plain numbers.

    Raises:
        UserError: it is no `Training`, or a number is out of its range.
    """
    if not isinstance(given, Training):
        raise UserError(
            f"training is of type {type(given).__name__}, expected a tf_distill.Training, such as "
            "result.training._replace(epochs=5)"
        )
    named = given._asdict().items()
    return Training(**{k: checked_number(k, v, f"training.{k}") for k, v in named})


def _maker_for(run: Run, training: Training) -> Make:
    if not run.choice.own:
        return maker(NETWORKS[run.choice.name].build, run.dataset, training)
    if training.dropout:
        raise UserError(
            f"training.dropout is for networks with a name, got {training.dropout}; put layers of "
            "dropout into your own, which full training heeds"
        )
    return lambda: run.choice.learner(run.learner.frozen)


def maker(build: Build, dataset: Dataset, training: Training) -> Make:
    """How to make a network of the registry, or a variant, for the data and with its dropout."""
    shape, outputs = dataset.encoding.shape, dataset.outputs
    return lambda: Learner(build(shape, outputs, dropout=training.dropout))


def original_accuracy(
    make: Make,
    dataset: Dataset,
    training: Training,
    seed: int,
    name: str = "network",
    keeping: Keeping | None = None,
) -> Original:
    """Trains on all of the training data; tests the network at the end.

    Args:
        make: makes the network.
        dataset: its test split is only used at the end.
        training: the settings.
        seed: of everything random.
        name: of the training, for its messages.
        keeping: where checkpoints are kept, None for none.

    Raises:
        Diverged: the loss is NaN or infinite.
        Interrupted: on SIGINT or SIGTERM, where checkpoints are kept.
    """
    start = time.monotonic()
    state = random.getstate()  # Keras takes the seeds of its layers from here
    learner = make()
    random.setstate(state)
    model = learner.model
    set_state(model, fixed_network(learner, seed), seed)
    steps = training.length(len(dataset.y_train))
    start -= _fit(model, dataset, training, seed, name, keeping)
    weights = [v.value for v in model.trainable_variables]
    accuracy = evaluator(learner, dataset)(None, [weights]).accuracy.mean
    epochs = round(steps / training.per_epoch(len(dataset.y_train)), 1)
    seconds = round(time.monotonic() - start, 1)
    return Original(accuracy, epochs, seconds, training._asdict())


def cached(run: Run, make: Make, training: Training, variant: str = "") -> Original:
    """The original accuracy, from a file of an earlier call if there is one.

    The file is `.originals/original_<dataset>_<network>_<hash>.json` beside the run's folder, so
    that all runs there share it. The hash is of the data, the network, the settings, the seed
    and the version of tf_distill. A folder of that name has the checkpoints during the training.

    Args:
        run: has a folder.
        make: makes the network.
        training: the settings.
        variant: the name of the variant if `make` does not make the run's own network.

    Raises:
        Diverged: the loss is NaN or infinite.
        Interrupted: on SIGINT or SIGTERM.
    """
    assert run.files.path
    dataset, network, seed = run.dataset, run.choice.name, run.config.seed
    key = {
        "dataset": dataset.name,
        "data": _fingerprint(dataset),
        "network": network,
        "variant": variant,
        "training": training._asdict(),
        "seed": seed,
        "tf_distill": __version__,
        **run.choice.identity(run.learner),
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    name = run.choice.short_name
    path = run.files.path.parent / ".originals" / f"original_{dataset.name}_{name}_{digest}.json"
    if found := _read(path, key):
        return found
    title = f"{name} ({variant})" if variant else name
    title = f"{title} on all of {dataset.name}"
    work = path.with_suffix("")
    work.mkdir(parents=True, exist_ok=True)
    keeping = Keeping(work / "checkpoints", run.config.checkpoint_minutes)
    with folder_lock(work, seconds=None):
        found = _read(path, key)  # another process may have been faster
        try:
            if not found:
                found = original_accuracy(make, dataset, training, seed, title, keeping)
                write_json(path, {**found._asdict(), "key": key})
        except Diverged:
            remove(work)  # from its checkpoints it would diverge again
            raise
        remove(work)
    return found


def _fingerprint(dataset: Dataset) -> str:
    """A hash of all that a network sees: both splits, labels, scaling, words and vectors."""
    digest = hashlib.sha256(json.dumps(dataset.encoding.metadata()).encode())
    digest.update(fingerprint(dataset).encode())
    if isinstance(dataset.encoding, TextEncoding):
        digest.update(dataset.encoding.vectors.numpy().tobytes())
    return digest.hexdigest()[:16]


def set_state(model: keras.Model, weights: Weights, seed: int) -> None:
    """Gives a model weights, and the generators within it (of dropout) states by the seed."""
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)
    for i, variable in enumerate(model.non_trainable_variables):
        if variable.name == SEED_STATE:
            variable.assign([seed, i])


def batches(dataset: Dataset, training: Training, seed: int, start: int = 0) -> tf.data.Dataset:
    """Shuffled training batches, epoch after epoch: embedded inputs and labels.

    Labels are class indices, or standardised quantities.

    The first is that of step `start`. A share of the words is replaced by "unknown" at random;
    the share is the Good-Turing estimate for new texts, at most `MOST_UNKNOWN`.
    """
    x, y = tf.constant(dataset.x_train), tf.constant(dataset.y_train)
    y = task_of(dataset).encode(y) if dataset.target else y
    order_key = seed_key(seed, Stream.BATCHES)
    augment_key = seed_key(seed, Stream.AUGMENTATION)
    is_text = isinstance(dataset.encoding, TextEncoding)
    unseen = min(MOST_UNKNOWN, unseen_words(dataset.x_train)) if is_text else 0.0

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        key = tf.random.fold_in(order_key, tf.cast(number, tf.int32))
        order = tf.random.experimental.stateless_shuffle(tf.range(len(dataset.y_train)), key)
        return tf.data.Dataset.from_tensor_slices(order).batch(training.batch_size)

    def embed(step: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        key = tf.random.fold_in(augment_key, tf.cast(step, tf.int32))
        inputs = dataset.augment(tf.gather(x, index), key)
        if unseen:
            inputs = forget_words(inputs, unseen, key)
        return dataset.encoding(inputs), tf.gather(y, index)

    order = tf.data.Dataset.range(training.epochs).flat_map(epoch)
    numbered = order.take(training.length(len(y))).enumerate().skip(start)
    return numbered.map(embed).prefetch(2)


def _fit(
    model: keras.Model,
    dataset: Dataset,
    training: Training,
    seed: int,
    name: str,
    keeping: Keeping | None,
) -> float:
    """Trains in place, from the newest checkpoint on; returns the seconds of earlier calls."""
    steps = training.length(len(dataset.y_train))
    lr = keras.optimizers.schedules.CosineDecay(training.lr, steps)
    adam = keras.optimizers.Adam(lr, weight_decay=training.weight_decay or None)
    model.compile(adam, _loss(dataset), jit_compile=False)
    adam.build(model.trainable_variables)  # so that there is something to restore
    progress = _Progress(model, steps, name, keeping)
    earlier, done = float(progress.seconds), progress.step
    if done:
        say(f"{name}: continuing from step {done} of {steps}")
    if done < steps:
        with handling(progress.stop, keeping):
            model.fit(
                batches(dataset, training, seed, done),
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
            self._checkpoints = Checkpoints(state, keeping.folder)
        self._saved = time.monotonic()

    @property
    def step(self) -> int:
        """The number of steps that are done."""
        return int(self._iterations)

    def stop(self, *_) -> None:
        """Ends the training after this step: a signal handler."""
        self._stopping = True

    def on_train_batch_end(self, batch, logs):
        if not math.isfinite(logs["loss"]):
            raise Diverged(
                f"{self._name}: the loss is NaN or infinite after step {self.step} of "
                f"{self._steps}; lower the learning rate (training.lr) or scale the inputs"
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


def _loss(dataset: Dataset) -> keras.losses.Loss:
    if dataset.target:
        return keras.losses.MeanSquaredError()
    if dataset.outputs == 1:
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _read(path: Path, key: dict[str, Any]) -> Original | None:
    """The accuracy in a file; None where it is missing, damaged or of other settings."""
    if not path.exists():
        return None
    try:
        found = read_json(path)
        if found.pop("key") == key:
            return Original(**found)
        say(f"{path} is of other settings: training again")
    except (UserError, KeyError, TypeError):
        say(f"{path} is damaged: training again")
    remove(path)
    return None
