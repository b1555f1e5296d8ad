"""Reading whole splits by tensorflow-datasets, without ever waiting for a network."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import ParseError

from tf_distill.errors import UserError

Arrays = tuple[np.ndarray, ...]
Splits = tuple[Arrays, Arrays, Any]


def load(name: str, data_dir: Path, keys: tuple[str, ...]) -> Splits:
    """The train and test splits of a dataset of tensorflow-datasets as arrays.

    Args:
        name: in tensorflow-datasets.
        data_dir: where it was prepared.
        keys: the features wanted, in this order.

    Returns:
        The train arrays, the test arrays, and the features by name.

    Raises:
        UserError: it is not there; the text says which command puts it there.
    """
    return read(builder(name, data_dir), keys, preparation(name, data_dir))


def builder(name: str, data_dir: Path):
    """The builder of a dataset of tensorflow-datasets, whether it is prepared or not.

    Raises:
        UserError: no such dataset, or its description is damaged.
    """
    import tensorflow_datasets as tfds

    try:
        with _described(name, data_dir, preparation(name, data_dir)):
            return tfds.builder(name, data_dir=str(data_dir))
    except (tfds.core.registered.DatasetNotFoundError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"tensorflow-datasets has no {name!r} ({reason}), and {data_dir} neither; see "
            "tensorflow_datasets.list_builders() for the names"
        ) from None


def preparation(name: str, data_dir: Path) -> str:
    """What to do where a dataset is not prepared."""
    make = f'import tensorflow_datasets as t; t.builder("{name}", data_dir="{data_dir}")'
    return f"run: python -c '{make}.download_and_prepare()'"


def load_sst5(data_dir: Path, keys: tuple[str, ...]) -> Splits:
    """The same for SST-5, which is prepared from the original trees where these lie in data_dir."""
    import tensorflow_datasets as tfds

    from tf_distill.datasets.sst5 import URL, Sst5

    trees = data_dir / "sst" / "trees"
    remedy = f"unpack trees/ of {URL} into {trees.parent}"
    with _described("sst5", data_dir, remedy):
        builder = Sst5(trees=trees, data_dir=str(data_dir))
    if trees.is_dir() and not builder.data_path.exists():
        tfds.disable_progress_bar()  # it takes seconds, and stderr is for what went wrong
        builder.download_and_prepare()
    return read(builder, keys, remedy)


def read(builder, keys: tuple[str, ...], remedy: str) -> Splits:
    """The splits of a builder that has been prepared, or an error with the remedy."""
    import tensorflow_datasets as tfds

    with present(builder, remedy):
        train, test = (
            tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
            for split in ("train", "test")
        )
    return tuple(train[k] for k in keys), tuple(test[k] for k in keys), builder.info.features


@contextlib.contextmanager
def _described(name: str, data_dir: Path, remedy: str) -> Iterator[None]:
    """Turns a dataset_info.json that can't be read, where a builder is made, into that error."""
    try:
        yield
    except ParseError as error:
        place = data_dir / name.partition(":")[0]
        raise absent(name, place, f"delete {place} and {remedy}") from error


@contextlib.contextmanager
def present(builder, remedy: str) -> Iterator[None]:
    """Turns what reading an absent or damaged dataset raises into one error with the remedy."""
    try:
        yield
    # AssertionError is what tensorflow-datasets raises where nothing is prepared.
    except (AssertionError, OSError, tf.errors.OpError) as error:
        raise absent(builder.name, builder.data_dir, remedy) from error


def absent(name: str, place: Path, remedy: str) -> UserError:
    """The error for a dataset that can't be read."""
    return UserError(
        f"dataset {name!r} is not in {place}, or damaged; {remedy}; or name "
        "the folder that has it with --data_dir"
    )
