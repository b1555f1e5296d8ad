"""A distilled set as a directory of tensorflow-datasets, one example an inner step."""

import contextlib
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_distill.common import ELSEWHERE, write_json, writing_to
from tf_distill.export.distilled_set import LoadedSet, write_frozen

METADATA, WEIGHTS = "distilled.json", "initial_weights.npz"


def write_version(distilled: LoadedSet, data_dir: Path) -> Path:
    """Adds the set to `data_dir`, as version 1.0.0, or as 3.0.0 after 2.0.0.

    Its only split, `train`, has one example for each inner step, in the order of training:
    step, x `[n, ...]`, y `[n, outputs]`, lr `[]`. Beside the records lie distilled.json (the
    metadata), for a fixed initialization initial_weights.npz, and frozen_weights.npz if layers
    of the network are frozen.

    Args:
        distilled: the set.
        data_dir: as `tfds.load` takes it.

    Returns:
        The version's folder, as `tfds.builder_from_directory` takes it.

    Raises:
        UserError: the folder can't be written.
    """
    name = dataset_name(distilled)
    with writing_to(data_dir, f"{ELSEWHERE} with export_dir"):
        (data_dir / name).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=data_dir) as scratch:
            version = f"{_latest(data_dir / name) + 1}.0.0"
            with contextlib.redirect_stdout(None):  # it says "Downloading"
                folder = _store(distilled, Path(scratch), name, version)
            target = data_dir / name / version
            os.rename(folder, target)
            return target


def dataset_name(distilled: LoadedSet) -> str:
    """The name for `tfds.load`, such as trec6_bilstm_distilled."""
    name = f"{distilled.metadata['dataset']}_{distilled.metadata['network']}_distilled"
    return re.sub(r"\W+", "_", name.lower())


def _store(distilled: LoadedSet, data_dir: Path, name: str, version: str) -> Path:
    """Writes the dataset of one version into a folder."""
    import tensorflow_datasets as tfds

    x, y, lr = (np.asarray(value) for value in distilled.samples)
    step = np.arange(len(lr))
    examples = {"step": step, "x": x[step % len(x)], "y": y[step % len(x)], "lr": lr}
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        data_dir=data_dir,
        features=tfds.features.FeaturesDict(
            {
                "step": tfds.features.Scalar(np.int64),
                "x": tfds.features.Tensor(shape=x.shape[1:], dtype=np.float32),
                "y": tfds.features.Tensor(shape=y.shape[1:], dtype=np.float32),
                "lr": tfds.features.Scalar(np.float32),
            }
        ),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices(examples)},
        description=distilled.metadata["how_to_train"],
        disable_shuffling=True,
    )
    folder = Path(builder.data_dir)
    write_json(folder / METADATA, distilled.metadata)
    if distilled.initial_weights:
        np.savez(folder / WEIGHTS, *(np.asarray(w) for w in distilled.initial_weights))
    write_frozen(folder, distilled.frozen_weights)
    return folder


def _latest(folder: Path) -> int:
    names = (re.fullmatch(r"(\d+)\.\d+\.\d+", path.name) for path in folder.iterdir())
    return max((int(name[1]) for name in names if name), default=0)
