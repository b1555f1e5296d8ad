"""A distilled set as a SavedModel, for TensorFlow's pipelines; and back.

Earlier versions of this package wrote sets in this form alone.
"""

import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

from tf_distill.common import (
    check_schema,
    read_json,
    whole,
    without_operation,
    write_json,
)
from tf_distill.core import Samples, Weights, graph_function
from tf_distill.export.distilled_set import (
    LoadedSet,
    check,
    check_format,
    how_to_train,
    unsound,
)

METADATA = Path("assets", "metadata.json")
FORMAT = 1
"""Of the metadata of a SavedModel."""


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


def write(path: Path, loaded: LoadedSet) -> None:
    """Writes a set as a SavedModel to `path`, whole or not at all."""
    described = {
        "how_to_train": how_to_train(loaded.metadata),
        **loaded.metadata,
        "format": FORMAT,
        "initial_weights": len(loaded.initial_weights),
        "frozen_weights": len(loaded.frozen_weights),
    }
    with tempfile.TemporaryDirectory() as scratch, whole(path) as part:
        asset = Path(scratch, "metadata.json")
        write_json(asset, described)
        tf.saved_model.save(SavedSet(loaded, asset), str(part))


def is_set(path: Path) -> bool:
    """Whether a folder is the SavedModel of a distilled set."""
    return (path / "saved_model.pb").is_file() and (path / METADATA).is_file()


def read(path: Path) -> LoadedSet:
    """Reads the SavedModel of a set as data; nothing in its graph is run.

    Raises:
        UserError: it is damaged, or of a newer format.
    """
    metadata = read_json(path / METADATA)
    check_format(path, metadata)
    check_schema(path / METADATA, metadata)
    try:
        variables = tf.train.load_checkpoint(str(path / "variables" / "variables"))
        samples = Samples(*(_tensor(variables, name) for name in Samples._fields))
        loaded = LoadedSet(
            samples,
            _tensors(variables, "weights", metadata.get("initial_weights")),
            metadata,
            frozen_weights=_tensors(variables, "frozen", metadata.get("frozen_weights")),
        )
        check(loaded)
    except (tf.errors.OpError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise unsound(path, without_operation(str(error))) from error
    return loaded


def _tensors(variables: Any, name: str, length: int | None) -> Weights:
    """The variables name/0, name/1, ...; old sets do not say how many (None)."""
    if length is None:
        length = sum(key.startswith(f"{name}/") for key in variables.get_variable_to_shape_map())
    return [_tensor(variables, f"{name}/{i}") for i in range(length)]


def _tensor(variables: Any, name: str) -> tf.Tensor:
    value = variables.get_tensor(f"{name}/.ATTRIBUTES/VARIABLE_VALUE")
    if isinstance(value, bytes) or value.dtype.kind == "O":
        raise ValueError(f"{name} has strings, expected numbers")
    return tf.constant(value)
