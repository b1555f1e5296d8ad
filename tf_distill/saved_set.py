"""A distilled set as a SavedModel, for programs that don't have this package; and back."""

import dataclasses
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tf_distill import files, versions
from tf_distill.errors import UserError, unknown_name
from tf_distill.inner import Samples, train
from tf_distill.learner import Learner, Weights
from tf_distill.models import NETWORKS

UNREADABLE = (
    tf.errors.OpError,
    OSError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
"""What TensorFlow raises for a folder that is no sound SavedModel of ours."""
FORMAT = 1
"""Of the metadata; a reader refuses what is newer than itself."""

HOW_TO_TRAIN = (
    "for t in range(len(lr)): take samples x[t % steps] and labels y[t % steps], all of them as "
    "one batch; weights -= lr[t] * gradient of the mean over the batch of -sum(y * "
    "log_softmax(logits)) or, with one logit, of sigmoid cross-entropy with labels y"
)


class SavedSet(tf.Module):
    """What the SavedModel holds.

    Args:
        samples: the learned values.
        weights: for a fixed initialization the initial weights, else none.
        metadata: a JSON file with what the numbers mean; it becomes an asset.
    """

    def __init__(self, samples: Samples, weights: Weights, metadata: Path):
        super().__init__(name="distilled_set")
        self.x, self.y, self.lr = (tf.Variable(v, trainable=False) for v in samples)
        self.weights = [tf.Variable(w, trainable=False) for w in weights]
        self.metadata = tf.saved_model.Asset(str(metadata))

    @tf.function(input_signature=[])
    def distilled(self) -> dict[str, tf.Tensor]:
        """X `[steps, n, ...]`, y `[steps, n, outputs]` and lr `[epochs * steps]`."""
        return {"x": tf.identity(self.x), "y": tf.identity(self.y), "lr": tf.identity(self.lr)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "step")])
    def step(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """The batch x `[n, ...]`, y `[n, outputs]`, lr `[]` of an inner step, counted from 0."""
        s = step % self.x.shape[0]
        return {"x": self.x[s], "y": self.y[s], "lr": self.lr[step]}

    @tf.function(input_signature=[])
    def dataset(self) -> tf.data.Dataset:
        """A tf.data.Dataset of (x, y, lr), one element an inner step, in the order of training."""
        total = self.lr.shape[0]
        order = tf.range(total) % self.x.shape[0]
        values = (tf.gather(self.x, order), tf.gather(self.y, order), tf.identity(self.lr))
        return tf.data.Dataset.from_tensor_slices(values)

    @tf.function(input_signature=[])
    def initial_weights(self) -> list[tf.Tensor]:
        """What to start from, in the order of Keras's trainable weights; empty: any network."""
        return [tf.identity(w) for w in self.weights]

    @tf.function(input_signature=[])
    def metadata_json(self) -> tf.Tensor:
        """The metadata, a JSON object as a string."""
        return tf.io.read_file(self.metadata.asset_path)


def save(path: Path, samples: Samples, weights: Weights, metadata: dict[str, Any]) -> None:
    """Writes the SavedModel to `path`, whole or not at all."""
    described = {"format": FORMAT, "how_to_train": HOW_TO_TRAIN, **metadata}
    with tempfile.TemporaryDirectory() as scratch, files.whole(path) as part:
        asset = Path(scratch, "metadata.json")
        files.write_json(asset, described)
        tf.saved_model.save(SavedSet(samples, weights, asset), str(part))


@dataclasses.dataclass(frozen=True)
class LoadedSet:
    """A distilled set that was loaded: its values, its initial weights, what they mean."""

    samples: Samples
    initial_weights: Weights
    metadata: dict[str, Any]

    def network(self) -> keras.Model:
        """The network that the set was distilled for, from its initial weights if they are fixed.

        Raises:
            UserError: this version has no network of that name.
        """
        name = self.metadata["network"]
        if name not in NETWORKS:
            raise unknown_name("network of a distilled set", name, NETWORKS)
        model = NETWORKS[name].build(tuple(self.samples.x.shape[2:]), self.samples.y.shape[-1])
        if self.initial_weights:
            for variable, value in zip(
                model.trainable_variables, self.initial_weights, strict=True
            ):
                variable.assign(value)
        return model

    def train(self, model: keras.Model) -> keras.Model:
        """Trains a Keras model on the set, as the set expects it.

        Args:
            model: a built model from embedded inputs to logits. Where the set belongs to
                a fixed initialization the model takes that one first; else it starts
                from its own weights.

        Returns:
            The same model, trained.

        Raises:
            UserError: the model's inputs, outputs or weights don't fit the set.
        """
        learner = Learner(model)
        self._check(learner)
        start = self.initial_weights or [v.value for v in model.trainable_variables]
        weights = tf.function(train)(learner, self.samples, start)
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)
        return model

    def _check(self, learner: Learner) -> None:
        sample, outputs = tuple(self.samples.x.shape[2:]), self.samples.y.shape[-1]
        takes, gives = tuple(learner.model.input_shape[1:]), learner.outputs
        if not _fits(sample, takes) or outputs != gives:
            raise UserError(
                f"the model maps {takes} to {gives} outputs, but the distilled set has samples of "
                f"{sample} and labels of {outputs}; build the model for these"
            )
        shapes = [tuple(w.shape) for w in self.initial_weights]
        if shapes and shapes != learner.shapes:
            raise UserError(
                f"the set was distilled for one fixed initial {self.metadata.get('network')}, and "
                "the model's weights have other shapes; use that network, or a set of --init=random"
            )


def load(path: str | Path) -> LoadedSet:
    """Loads a distilled set from a SavedModel folder, such as a run's `distilled/1`.

    Raises:
        UserError: there is no distilled set, or one of a newer format.
    """
    try:
        loaded = tf.saved_model.load(str(path))
        metadata = json.loads(loaded.metadata_json().numpy())
        found = int(metadata["format"])
    except UNREADABLE as error:
        raise UserError(
            f"{path} is no distilled set; expected a folder such as <run_dir>/distilled/1"
        ) from error
    if found not in range(1, FORMAT + 1):
        raise UserError(
            f"{path} has format {found}, this tf_distill reads 1 to {FORMAT}; "
            + ("install a newer one" if found > FORMAT else "distill the set again")
        )
    values = loaded.distilled()
    samples = Samples(values["x"], values["y"], values["lr"])
    return LoadedSet(samples, list(loaded.initial_weights()), metadata)


def publish(source: Path, export_dir: Path) -> Path:
    """Adds the set in the folder `source` to `export_dir`, as its next version.

    Returns:
        The new version's folder.

    Raises:
        UserError: there is no distilled set, or `export_dir` can't be written.
    """
    load(source)
    return versions.publish(export_dir, lambda part: shutil.copytree(source, part))


def _fits(sample: tuple[int, ...], takes: tuple[int | None, ...]) -> bool:
    return len(sample) == len(takes) and all(
        t in (None, s) for s, t in zip(sample, takes, strict=True)
    )
