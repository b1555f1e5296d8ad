"""A distilled set as a SavedModel, for programs that don't have this package; and back."""

import contextlib
import dataclasses
import itertools
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_distill.common import (
    OWN,
    UserError,
    brief,
    check_schema,
    network_name,
    read_json,
    size_of_set,
    whole,
    without_operation,
    write_json,
)
from tf_distill.core import (
    Learner,
    Optimizer,
    Recipe,
    Samples,
    Weights,
    call_once,
    compiled_train,
    give_weights,
    graph_function,
    recipe_of,
)
from tf_distill.export import versions
from tf_distill.networks import NETWORKS, check_outputs, outputs_for

HOW_TO_TRAIN = (
    "for t in range(len(lr)): take samples x[t % steps] and labels y[t % steps], all of them as "
    "one batch; weights -= lr[t] * gradient of the mean over the batch of -sum(y * "
    "log_softmax(logits)) or, with one logit, of sigmoid cross-entropy with labels y"
)
BY_TRAINING = (
    "any ordinary training; it was measured so: for t in range(len(lr)), each epoch deals all "
    "samples anew to len(x) minibatches; inner_optimizer (momentum is 0.9, the rest Keras's own "
    "defaults) takes lr[t] and the gradient of the mean over the minibatch of "
    "-sum(y * log_softmax(logits)) or, with one logit, of sigmoid cross-entropy with labels y"
)
METADATA = Path("assets", "metadata.json")
FROZEN_NAME = "frozen_weights.npz"
FORMAT = 1
"""The format that this version writes; it reads all up to this one."""


@dataclasses.dataclass(frozen=True, repr=False)
class LoadedSet:
    """A distilled set to train networks on.

    samples: x `[steps, n, ...]`, y `[steps, n, outputs]`, lr `[epochs * steps]`, float32.
    initial_weights: what training starts from for a fixed initialization, else empty.
    metadata: what the numbers mean: classes, network, input and more.
    build: makes the user's own network that the set was distilled for; None in a set from disk.
    frozen_weights: the values of Keras's non_trainable_weights; mostly empty.
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
        """The network that the set was distilled for, with its frozen and its initial weights.

        Raises:
            UserError: this version has no network of that name, or it was one of your own.
        """
        name = self.metadata["network"]
        if self.build:
            model = self.build()
        elif name.startswith(OWN):
            raise UserError(
                f"the set was distilled for a network of your own, {self._network_name}; make it, "
                "and hand it to train()"
            )
        else:
            model = NETWORKS[name].build(self._shape, self.samples.y.shape[-1])
        if self.initial_weights or self.frozen_weights:
            call_once(model, self._shape)  # builds it
            self._give_weights(model)
        return model

    @property
    def recipe(self) -> Recipe:
        """How networks are trained on the set."""
        return recipe_of(self.metadata, self.metadata.get("input", {}))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """The samples as NumPy arrays for Keras's fit: x `[M, ...]`, y `[M, outputs]`.

        For two classes y is the probability of the second: use a binary cross-entropy.
        """
        x, y = (np.asarray(v) for v in self.samples[:2])
        return x.reshape(-1, *x.shape[2:]), y.reshape(-1, y.shape[-1])

    def train(
        self, model: keras.Model, optimizer: Optimizer | None = None, order: int = 0
    ) -> keras.Model:
        """Trains a Keras model on the set, as the set expects it.

        That is its own steps (equation 2), or ordinary training by shuffled minibatches.

        Args:
            model: from embedded inputs to logits; functional, sequential or subclassed, built
                or not. It starts from the set's initial weights if the set has some, else from
                its own. Its frozen layers take the set's frozen weights.
            optimizer: in place of the set's own.
            order: the number of the random order of shuffled minibatches.

        Returns:
            The same model, trained.

        Raises:
            UserError: the model's inputs, outputs or weights don't fit the set, or it gives
                probabilities instead of logits.
        """
        self._check_inputs(model)
        check_outputs(model, self._shape, self.samples.y.shape[-1])
        self._give_weights(model)
        learner = Learner(model, self._shape)
        start = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
        samples = Samples(*(tf.cast(v, start[0].dtype) for v in self.samples))
        recipe = self.recipe._replace(optimizer=optimizer or self.recipe.optimizer)
        give_weights(
            model.trainable_variables, compiled_train(learner, recipe)(samples, start, order)
        )
        return model

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(self.samples.x.shape[2:])

    @property
    def _network_name(self) -> str:
        return network_name(self.metadata.get("network"))

    def _check_inputs(self, model: keras.Model) -> None:
        outputs = self.samples.y.shape[-1]
        try:
            takes, gives = tuple(model.input_shape[1:]), model.output_shape[-1]
        except (AttributeError, TypeError):  # subclassed or unbuilt: found by calling it
            takes, gives = self._shape, outputs_for(model, self._shape)
        fits = len(takes) == len(self._shape) and all(
            t in (None, s) for s, t in zip(self._shape, takes, strict=True)
        )
        if not fits or outputs != gives:
            raise UserError(
                f"the model maps {takes} to {gives} outputs, but the distilled set has samples of "
                f"{self._shape} and labels of {outputs}; build the model for these"
            )
        if not model.trainable_variables:
            raise UserError("the model has no trainable weights; leave some layers unfrozen")

    def _give_weights(self, model: keras.Model) -> None:
        """Gives a built model the set's weights; warns if its frozen weights don't match."""
        start, frozen = self.initial_weights, self.frozen_weights
        if start and not give_weights(model.trainable_variables, start):
            raise UserError(
                f"the set was distilled for one fixed initial {self._network_name}, and the "
                "model's trainable weights have other shapes; use that network, with the same "
                "layers frozen, or a set for random initialization"
            )
        found = len(model.non_trainable_weights)
        expected = len(frozen) or self.metadata.get("frozen_weights", 0)  # old sets only count them
        if give_weights(model.non_trainable_weights, frozen) or (not frozen and found == expected):
            return
        warnings.warn(
            f"{found} weights of {model.name} are frozen and stay as they are, but the set was "
            f"distilled for a network with {expected}{' of other shapes' * (found == expected)}",
            stacklevel=3,
        )


class SavedSet(tf.Module):
    """The SavedModel of a set; `metadata`, a JSON file, becomes an asset."""

    def __init__(self, loaded: LoadedSet, metadata: Path):
        super().__init__(name="distilled_set")
        self.x, self.y, self.lr = (tf.Variable(v, trainable=False) for v in loaded.samples)
        self.weights = [tf.Variable(w, trainable=False) for w in loaded.initial_weights]
        self.frozen = [tf.Variable(w, trainable=False) for w in loaded.frozen_weights]
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
        order = tf.range(self.lr.shape[0]) % self.x.shape[0]
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


def save(path: Path, loaded: LoadedSet) -> None:
    """Writes a set as a SavedModel to `path`, whole or not at all."""
    described = {
        "format": FORMAT,
        "how_to_train": BY_TRAINING if loaded.metadata.get("use") == "training" else HOW_TO_TRAIN,
        **loaded.metadata,
        "initial_weights": len(loaded.initial_weights),
        "frozen_weights": len(loaded.frozen_weights),
    }
    with tempfile.TemporaryDirectory() as scratch, whole(path) as part:
        asset = Path(scratch, "metadata.json")
        write_json(asset, described)
        tf.saved_model.save(SavedSet(loaded, asset), str(part))


def publish(source: Path, export_dir: Path) -> Path:
    """Adds the set in the folder `source` to `export_dir`; gives the new version's folder.

    Raises:
        UserError: there is no distilled set, or `export_dir` can't be written.
    """
    load(source)
    return versions.publish_version(export_dir, lambda part: shutil.copytree(source, part))


def load(path: str | Path) -> LoadedSet:
    """Loads a distilled set from a SavedModel folder, such as a run's `distilled/1`.

    Its values are read as data; nothing in its graph is run.

    Raises:
        UserError: there is no distilled set, a damaged one, or one of a newer format.
    """
    path = Path(path).expanduser()
    metadata = _metadata(path)
    variables = str(path / "variables" / "variables")
    try:
        samples = Samples(*(_variable(variables, name, FLOATS) for name in Samples._fields))
        weights = _variables(variables, "weights", FLOATS, metadata.get("initial_weights"))
        frozen = _variables(variables, "frozen", TYPES, metadata.get("frozen_weights"))
        _check(samples, weights, metadata)
    except (tf.errors.OpError, OSError, RuntimeError, TypeError, ValueError) as error:
        reason = without_operation(" ".join(str(error).split()))[:200]
        raise UserError(
            f"{path} is no sound distilled set ({reason}); export it again, or name another"
        ) from error
    return LoadedSet(samples, weights, metadata, frozen_weights=frozen)


def _metadata(path: Path) -> dict[str, Any]:
    there = (path / "saved_model.pb").is_file() and (path / METADATA).is_file()
    metadata = read_json(path / METADATA) if there else {}
    found = metadata.get("format")
    if type(found) is not int:
        expected = "expected a folder such as <run_dir>/distilled/1"
        raise UserError(f"{path} is no distilled set; {expected}")
    if not 1 <= found <= FORMAT:
        advice = "install a newer one" if found > FORMAT else "distill the set again"
        reads = f"this tf_distill reads 1 to {FORMAT}"
        raise UserError(f"{path} has format {brief(found)}, {reads}; {advice}")
    check_schema(path / METADATA, metadata)
    return metadata


FLOATS = (tf.float32, tf.float64, tf.bfloat16, tf.float16)
TYPES = (*FLOATS, tf.bool, tf.uint8, tf.int8, tf.uint32, tf.int32, tf.int64)


def _variables(prefix: str, name: str, types: Sequence, length: int | None) -> list[tf.Tensor]:
    """The variables name/0, name/1, ...; old sets do not say how many (None)."""
    found = []
    try:
        for i in itertools.count() if length is None else range(length):
            found.append(_variable(prefix, f"{name}/{i}", types))
    except tf.errors.NotFoundError:
        if length is not None:
            raise
    return found


def _variable(prefix: str, name: str, types: Sequence) -> tf.Tensor:
    """The variable of a name, whatever of these types it has."""
    key = f"{name}/.ATTRIBUTES/VARIABLE_VALUE"
    for dtype in types:
        with contextlib.suppress(tf.errors.InvalidArgumentError):  # of another type
            return tf.raw_ops.RestoreV2(
                prefix=prefix, tensor_names=[key], shape_and_slices=[""], dtypes=[dtype]
            )[0]
    raise ValueError(f"{name} has a type other than {', '.join(d.name for d in types)}")


def _check(samples: Samples, weights: Weights, metadata: dict[str, Any]) -> None:
    """Raises ValueError if the values fit neither each other nor the metadata."""
    x, y, lr = (tuple(v.shape) for v in samples)
    if len(x) < 3 or len(y) != 3 or len(lr) != 1 or x[:2] != y[:2] or 0 in (*x, *y, *lr):
        raise ValueError(f"shapes of x, y and lr are {x}, {y} and {lr}")
    if lr[0] % x[0]:
        raise ValueError(f"{lr[0]} learning rates are no multiple of {x[0]} steps")
    if not all(np.isfinite(np.asarray(v, np.float64)).all() for v in samples):
        raise ValueError("numbers that are not finite")
    classes, shape = len(metadata["classes"]), tuple(metadata["input"]["shape"])
    if y[2] != (1 if classes == 2 else classes):
        raise ValueError(f"labels of {y[2]} numbers for {classes} classes")
    if x[2:] != shape:
        raise ValueError(f"x of shape {x[2:]}, and metadata of {shape}")
    if metadata.get("init") == "fixed" and not weights:
        raise ValueError("init is fixed, but there are no initial weights")


def write_frozen(folder: Path, values: Sequence[tf.Tensor | np.ndarray]) -> None:
    """Writes frozen weights to a folder, in order; no file if there are none."""
    if values:
        arrays = [np.asarray(value) for value in values]
        with whole(folder / FROZEN_NAME) as part, part.open("wb") as file:
            # numpy can't store bfloat16 and the like, which have kind V
            np.savez(file, *(a.astype(np.float32) if a.dtype.kind == "V" else a for a in arrays))


def read_frozen(folder: Path) -> list[np.ndarray]:
    """The frozen weights in a folder, in order; UserError if their file can't be read."""
    path = folder / FROZEN_NAME
    if not path.exists():
        return []
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [archive[name] for name in archive.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"can't read {path} ({error}); put it back, or name another run_dir"
        ) from error
