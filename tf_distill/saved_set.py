"""A distilled set as a SavedModel, for programs that don't have this package; and back."""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tf_distill import checks, files, frozen, stored_set, versions
from tf_distill.compiled import compiled, graph_function
from tf_distill.config import OWN
from tf_distill.errors import UserError, unknown_name
from tf_distill.inner import Samples, train
from tf_distill.learner import Learner, Weights, call_once
from tf_distill.models import NETWORKS
from tf_distill.wording import size_of_set

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
        kept: weights of frozen layers.
    """

    def __init__(self, samples: Samples, weights: Weights, metadata: Path, kept: Sequence = ()):
        super().__init__(name="distilled_set")
        self.x, self.y, self.lr = (tf.Variable(v, trainable=False) for v in samples)
        self.weights = [tf.Variable(w, trainable=False) for w in weights]
        self.frozen = [tf.Variable(w, trainable=False) for w in kept]
        self.metadata = tf.saved_model.Asset(str(metadata))

    @graph_function(input_signature=[])
    def distilled(self) -> dict[str, tf.Tensor]:
        """X `[steps, n, ...]`, y `[steps, n, outputs]` and lr `[epochs * steps]`."""
        return {"x": tf.identity(self.x), "y": tf.identity(self.y), "lr": tf.identity(self.lr)}

    @graph_function(input_signature=[tf.TensorSpec([], tf.int32, "step")])
    def step(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """The batch x `[n, ...]`, y `[n, outputs]`, lr `[]` of an inner step, counted from 0."""
        s = step % self.x.shape[0]
        return {"x": self.x[s], "y": self.y[s], "lr": self.lr[step]}

    @graph_function(input_signature=[])
    def dataset(self) -> tf.data.Dataset:
        """A tf.data.Dataset of (x, y, lr), one element an inner step, in the order of training."""
        total = self.lr.shape[0]
        order = tf.range(total) % self.x.shape[0]
        values = (tf.gather(self.x, order), tf.gather(self.y, order), tf.identity(self.lr))
        return tf.data.Dataset.from_tensor_slices(values)

    @graph_function(input_signature=[])
    def initial_weights(self) -> list[tf.Tensor]:
        """What to start from, in the order of Keras's trainable weights; empty: any network."""
        return [tf.identity(w) for w in self.weights]

    @graph_function(input_signature=[])
    def frozen_weights(self) -> list[tf.Tensor]:
        """What stays as it is, in the order of Keras's non_trainable_weights; mostly empty."""
        return [tf.identity(w) for w in self.frozen]

    @graph_function(input_signature=[])
    def metadata_json(self) -> tf.Tensor:
        """The metadata, a JSON object as a string."""
        return tf.io.read_file(self.metadata.asset_path)


def save(
    path: Path, samples: Samples, weights: Weights, metadata: dict[str, Any], kept: Sequence = ()
) -> None:
    """Writes the SavedModel to `path`, whole or not at all."""
    described = {
        "format": stored_set.FORMAT,
        "how_to_train": HOW_TO_TRAIN,
        **metadata,
        "initial_weights": len(weights),
        "frozen_weights": len(kept),
    }
    with tempfile.TemporaryDirectory() as scratch, files.whole(path) as part:
        asset = Path(scratch, "metadata.json")
        files.write_json(asset, described)
        tf.saved_model.save(SavedSet(samples, weights, asset, kept), str(part))


@dataclasses.dataclass(frozen=True, repr=False)
class LoadedSet:
    """A distilled set to train networks on.

    samples: x `[steps, n, ...]`, y `[steps, n, outputs]`, lr `[epochs * steps]`, float32.
    initial_weights: what training starts from for a fixed initialization, else empty.
    metadata: what the numbers mean: classes, network, input and more.
    build: makes the network that the set was distilled for, where that is no name of the
        registry; a set that was loaded from disk has none.
    frozen_weights: of the layers that stayed as they are, in the order of Keras's
        non_trainable_weights; mostly empty.
    """

    samples: Samples
    initial_weights: Weights
    metadata: dict[str, Any]
    build: Callable[[], keras.Model] | None = None
    frozen_weights: Weights = dataclasses.field(default_factory=list)

    def __repr__(self) -> str:
        size = size_of_set(self.samples.x.shape, self.samples.lr.shape[0])
        name, init = self.metadata.get("dataset"), "fixed" if self.initial_weights else "random"
        return f"<distilled {name}: {size}; for {self._network_name}, {init} initialization>"

    def network(self) -> keras.Model:
        """The network that the set was distilled for, with the weights that belong to the set.

        These are those of frozen layers and, for a fixed initialization, the initial ones.

        Raises:
            UserError: this version has no network of that name, or it was one of your own.
        """
        model = self._fresh_network()
        if self.initial_weights or self.frozen_weights:
            call_once(model, self._shape)  # builds it
            self._give_weights(model)
        return model

    def train(self, model: keras.Model) -> keras.Model:
        """Trains a Keras model on the set, as the set expects it (equation 2).

        Args:
            model: from embedded inputs to logits; functional, sequential or subclassed, built
                or not. Where the set belongs to a fixed initialization the model takes that
                one first; else it starts from its own weights. Its frozen layers take the
                weights that the set was distilled with, and stay so.

        Returns:
            The same model, trained.

        Raises:
            UserError: the model's inputs, outputs or weights don't fit the set, or it gives
                probabilities in place of logits.
        """
        self._check_inputs(model)
        checks.check_outputs(model, self._shape, self.samples.y.shape[-1])
        self._give_weights(model)
        learner = Learner(model, self._shape)
        start = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
        samples = Samples(*(tf.cast(v, start[0].dtype) for v in self.samples))
        frozen.give(model.trainable_variables, compiled(train)(learner, samples, start))
        return model

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(self.samples.x.shape[2:])

    @property
    def _network_name(self) -> str:
        return str(self.metadata.get("network")).removeprefix(OWN)

    def _fresh_network(self) -> keras.Model:
        name = self.metadata["network"]
        if self.build:
            return self.build()
        if name.startswith(OWN):
            raise UserError(
                f"the set was distilled for a network of your own, {self._network_name}; make it, "
                "and hand it to train()"
            )
        if name not in NETWORKS:
            raise unknown_name("network of a distilled set", name, NETWORKS)
        try:
            return NETWORKS[name].build(self._shape, self.samples.y.shape[-1])
        except ValueError as error:  # of a set that was not made by this package
            raise UserError(f"{name} can't take samples of shape {self._shape}") from error

    def _check_inputs(self, model: keras.Model) -> None:
        """Raises UserError where a model that knows its inputs, and outputs, wants others."""
        outputs = self.samples.y.shape[-1]
        try:
            takes, gives = tuple(model.input_shape[1:]), model.output_shape[-1]
        except (AttributeError, TypeError):  # subclassed or unbuilt: found by calling it
            takes, gives = self._shape, checks.outputs_for(model, self._shape)
        if not _fits(self._shape, takes) or outputs != gives:
            raise UserError(
                f"the model maps {takes} to {gives} outputs, but the distilled set has samples of "
                f"{self._shape} and labels of {outputs}; build the model for these"
            )
        if not model.trainable_variables:
            raise UserError("the model has no trainable weights; leave some layers unfrozen")

    def _give_weights(self, model: keras.Model) -> None:
        """Gives a built model the initial and the frozen weights of the set, where it has them.

        Raises:
            UserError: the set is for one fixed network, and the model is another.
        """
        start = self.initial_weights
        if start and not frozen.give(model.trainable_variables, start):
            raise UserError(
                f"the set was distilled for one fixed initial {self._network_name}, and the "
                "model's trainable weights have other shapes; use that network, with the same "
                "layers frozen, or a set for random initialization"
            )
        frozen.put_back(model, self.frozen_weights, self.metadata.get("frozen_weights", 0))


def load(path: str | Path) -> LoadedSet:
    """Loads a distilled set from a SavedModel folder, such as a run's `distilled/1`.

    Its values are read as data; nothing in its graph is run, so it may come from anywhere.

    Raises:
        UserError: there is no distilled set, a damaged one, or one of a newer format.
    """
    samples, weights, metadata, kept = stored_set.read(Path(path).expanduser())
    return LoadedSet(samples, weights, metadata, frozen_weights=kept)


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
