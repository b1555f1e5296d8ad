"""A distilled set as a SavedModel, for programs that don't have this package; and back."""

import contextlib
import dataclasses
import itertools
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_distill.common import (
    UserError,
    brief,
    check_schema,
    read_json,
    read_npz_arrays,
    size_of_set,
    unknown_name,
    whole,
    without_operation,
    write_json,
)
from tf_distill.config import OWN
from tf_distill.core import (
    Learner,
    Samples,
    Weights,
    call_once,
    compiled,
    give_weights,
    graph_function,
    train,
)
from tf_distill.export import versions
from tf_distill.networks import checks
from tf_distill.networks.registry import NETWORKS

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
        "format": FORMAT,
        "how_to_train": HOW_TO_TRAIN,
        **metadata,
        "initial_weights": len(weights),
        "frozen_weights": len(kept),
    }
    with tempfile.TemporaryDirectory() as scratch, whole(path) as part:
        asset = Path(scratch, "metadata.json")
        write_json(asset, described)
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
        give_weights(model.trainable_variables, compiled(train)(learner, samples, start))
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
        if start and not give_weights(model.trainable_variables, start):
            raise UserError(
                f"the set was distilled for one fixed initial {self._network_name}, and the "
                "model's trainable weights have other shapes; use that network, with the same "
                "layers frozen, or a set for random initialization"
            )
        put_back_frozen(model, self.frozen_weights, self.metadata.get("frozen_weights", 0))


def load(path: str | Path) -> LoadedSet:
    """Loads a distilled set from a SavedModel folder, such as a run's `distilled/1`.

    Its values are read as data; nothing in its graph is run, so it may come from anywhere.

    Raises:
        UserError: there is no distilled set, a damaged one, or one of a newer format.
    """
    samples, weights, metadata, kept = read_stored(Path(path).expanduser())
    return LoadedSet(samples, weights, metadata, frozen_weights=kept)


def publish(source: Path, export_dir: Path) -> Path:
    """Adds the set in the folder `source` to `export_dir`, as its next version.

    Returns:
        The new version's folder.

    Raises:
        UserError: there is no distilled set, or `export_dir` can't be written.
    """
    load(source)
    return versions.publish_version(export_dir, lambda part: shutil.copytree(source, part))


def _fits(sample: tuple[int, ...], takes: tuple[int | None, ...]) -> bool:
    return len(sample) == len(takes) and all(
        t in (None, s) for s, t in zip(sample, takes, strict=True)
    )


METADATA = Path("assets", "metadata.json")
FORMAT = 1
"""Of the metadata; a reader refuses what is newer than itself."""
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
"""The end of a variable's name in a checkpoint of TensorFlow."""
MOST_INDEX = 2**22
"""Bytes of the index of the variables: 40,000 of them."""
FLOATS = (tf.float32, tf.float64, tf.bfloat16, tf.float16)
INTEGERS = (tf.bool, tf.uint8, tf.int8, tf.uint32, tf.int32, tf.int64)
LISTS = {"weights": FLOATS, "frozen": (*FLOATS, *INTEGERS)}
"""Lists of variables, which may be empty, and the types that they may have."""
LENGTHS = {"weights": "initial_weights", "frozen": "frozen_weights"}
"""Where the metadata says how many there are."""
UNREADABLE = (tf.errors.OpError, OSError, RuntimeError, TypeError, ValueError)
"""What TensorFlow raises for a folder that has no sound variables."""

Lengths = dict[str, int | None]


class Stored(NamedTuple):
    """What a folder holds.

    samples: the learned values; weights: the initial ones, none for random ones; metadata: what
    the numbers mean; frozen: weights that stay as they are.
    """

    samples: Samples
    weights: Weights
    metadata: dict[str, Any]
    frozen: Weights


def read_stored(path: Path) -> Stored:
    """Reads the folder of a distilled set.

    Raises:
        UserError: it is none, damaged, or of a newer format.
    """
    metadata = _metadata(path)
    try:
        values = dict(_bounded(path / "variables", _lengths(metadata)))
        samples = Samples(*(values[name] for name in Samples._fields))
        _check(samples, metadata)
        if metadata.get("init") == "fixed" and "weights/0" not in values:
            raise ValueError("init is fixed, but there are no initial weights")
    except UNREADABLE as error:
        reason = without_operation(" ".join(str(error).split()))[:200]
        raise UserError(
            f"{path} is no sound distilled set ({reason}); export it again, or name another"
        ) from error
    lists = {key: [v for name, v in values.items() if name.startswith(f"{key}/")] for key in LISTS}
    return Stored(samples, metadata=metadata, **lists)


def _metadata(path: Path) -> dict[str, Any]:
    there = (path / "saved_model.pb").is_file() and (path / METADATA).is_file()
    metadata = read_json(path / METADATA) if there else {}
    found = metadata.get("format")
    if type(found) is not int:
        raise UserError(
            f"{path} is no distilled set; expected a folder such as <run_dir>/distilled/1"
        )
    if not 1 <= found <= FORMAT:
        raise UserError(
            f"{path} has format {brief(found)}, this tf_distill reads 1 to {FORMAT}; "
            + ("install a newer one" if found > FORMAT else "distill the set again")
        )
    check_schema(path / METADATA, metadata)
    return metadata


def _lengths(metadata: dict[str, Any]) -> Lengths:
    """How many variables each list has; None in a set of a writer that did not say."""
    if LENGTHS["weights"] not in metadata:
        return dict.fromkeys(LISTS)
    return {key: metadata.get(name, 0) for key, name in LENGTHS.items()}


def _bounded(folder: Path, lengths: Lengths) -> Iterator[tuple[str, tf.Tensor]]:
    """The variables by name; together they have no more bytes than the files."""
    index = folder / "variables.index"
    if not 0 < index.stat().st_size <= MOST_INDEX:
        raise ValueError(f"{index.name} has {index.stat().st_size} bytes")
    held = sum(file.stat().st_size for file in folder.glob("variables.data-*"))
    for name, value in _values(str(folder / "variables"), lengths):
        held -= value.dtype.size * int(tf.size(value))
        if held < 0:
            raise ValueError("its index promises more bytes than the files have")
        yield name, value


def _values(prefix: str, lengths: Lengths) -> Iterator[tuple[str, tf.Tensor]]:
    """x, y, lr, weights/0, weights/1, ..., frozen/0, frozen/1, ..."""
    for name in Samples._fields:
        yield name, _restored(prefix, name, FLOATS)
    for key, types in LISTS.items():
        length = lengths[key]
        numbers = itertools.count() if length is None else range(length)
        try:
            for i in numbers:
                yield f"{key}/{i}", _restored(prefix, f"{key}/{i}", types)
        except tf.errors.NotFoundError:
            if length is not None:
                raise  # else it was one after the last


def _restored(prefix: str, name: str, types: Sequence[tf.DType]) -> tf.Tensor:
    """One variable, which has one of these types.

    By this operation and not by tf.train.load_checkpoint, which ends the whole process at
    an index that is made to harm.
    """
    names, slices = [name + VALUE], [""]
    for dtype in types:
        with contextlib.suppress(tf.errors.InvalidArgumentError):  # of another type
            return tf.raw_ops.RestoreV2(
                prefix=prefix, tensor_names=names, shape_and_slices=slices, dtypes=[dtype]
            )[0]
    raise ValueError(f"{name} has a type that is none of {', '.join(d.name for d in types)}")


def _check(samples: Samples, metadata: dict[str, Any]) -> None:
    """Raises ValueError where the values fit neither each other nor the metadata."""
    x, y, lr = (tuple(v.shape) for v in samples)
    if len(x) < 3 or len(y) != 3 or len(lr) != 1 or x[:2] != y[:2] or 0 in (*x, *y, *lr):
        raise ValueError(f"shapes of x, y and lr are {x}, {y} and {lr}")
    if lr[0] % x[0]:
        raise ValueError(f"{lr[0]} learning rates are no multiple of {x[0]} steps")
    if not all(np.isfinite(np.asarray(v, np.float64)).all() for v in samples):
        raise ValueError("numbers that are not finite")
    if y[2] != (1 if len(metadata["classes"]) == 2 else len(metadata["classes"])):
        raise ValueError(f"labels of {y[2]} numbers for {len(metadata['classes'])} classes")
    given = metadata["input"]
    if tuple(given["shape"]) != x[2:]:
        raise ValueError(f"x of shape {x[2:]}, and metadata of {given['shape']}")
    rank = {"image": 3, "text": 2}.get(given["kind"], len(x) - 2)
    if len(x) - 2 != rank or (given["kind"] == "image" and x[-1] not in (1, 3)):
        raise ValueError(f"{given['kind']} of shape {x[2:]}")
    if given["kind"] == "text" and "vocabulary" not in given:
        raise ValueError("no vocabulary")
    if given["kind"] in ("image", "array") and not all(
        len(given.get(name, ())) in (1, x[-1]) for name in ("mean", "std")
    ):
        raise ValueError(f"no mean and std of {x[-1]} numbers")


FROZEN_NAME = "frozen_weights.npz"


def put_back_frozen(model: keras.Model, values: Sequence[tf.Tensor], told: int) -> None:
    """Gives a built model those of a set, and warns the caller's caller where it has others.

    Args:
        model: to be trained on the set.
        values: that the set has; sets of older versions have none.
        told: how many the set says that there were.
    """
    found = len(model.non_trainable_weights)
    if give_weights(model.non_trainable_weights, values) or (not values and found == told):
        return
    expected = len(values) or told
    warnings.warn(
        f"{found} weights of {model.name} are frozen and stay as they are, but the set was "
        f"distilled for a network with {expected}{' of other shapes' * (found == expected)}",
        stacklevel=4,
    )


def remember_frozen(folder: Path, values: Sequence[tf.Tensor | np.ndarray]) -> None:
    """Writes the values to a folder, in order, where there are any."""
    if values:
        with whole(folder / FROZEN_NAME) as part, part.open("wb") as file:
            np.savez(file, *map(_plain, values))


def recall_frozen(model: keras.Model, folder: Path) -> None:
    """Gives a built model the values that a folder has for it, if any.

    Raises:
        UserError: they can't be read.
    """
    variables = model.non_trainable_weights
    names = [f"arr_{i}" for i in range(len(variables))]
    try:
        if (folder / FROZEN_NAME).exists():
            give_weights(variables, list(read_npz_arrays(folder / FROZEN_NAME, names).values()))
    except (OSError, ValueError) as error:
        raise UserError(
            f"can't read {folder / FROZEN_NAME} ({error}); put it back, or name another --run_dir"
        ) from error


def _plain(value: tf.Tensor | np.ndarray) -> np.ndarray:
    """The value in a type that numpy can store: bfloat16 and its like are none of its own."""
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "V" else array
