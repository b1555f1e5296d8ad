"""What a distilled set's SavedModel holds, read as data: its graph, a program, never runs."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_distill import files, schemas
from tf_distill.errors import UserError, brief, without_operation
from tf_distill.inner import Samples
from tf_distill.learner import Weights

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


def read(path: Path) -> Stored:
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
    metadata = files.read_json(path / METADATA) if there else {}
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
    schemas.check(path / METADATA, metadata)
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
