"""A distilled set as a directory of tensorflow-datasets: its inner steps, or its samples."""

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
    step, x `[n, ...]`, y `[n, outputs]`, lr `[]`. A set for ordinary training has one for each
    sample: x `[...]`, y `[outputs]`. Beside the records lie distilled.json (the
    metadata), for a fixed initialization initial_weights.npz, and frozen_weights.npz if layers
    of the network are frozen. Returns the folder, for `tfds.builder_from_directory`.

    Raises:
        UserError: the folder can't be written.
    """
    name = f"{distilled.file_name}_distilled"
    with writing_to(data_dir, ELSEWHERE):
        (data_dir / name).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=data_dir) as scratch:
            folders = (path.name for path in (data_dir / name).iterdir())
            found = [re.fullmatch(r"(\d+)\.\d+\.\d+", folder) for folder in folders]
            version = f"{max((int(m[1]) for m in found if m), default=0) + 1}.0.0"
            with contextlib.redirect_stdout(None):  # it says "Downloading"
                folder = _store(distilled, Path(scratch), name, version)
            target = data_dir / name / version
            os.rename(folder, target)
            return target


def _examples(distilled: LoadedSet) -> dict[str, np.ndarray]:
    """The features of all examples."""
    if distilled.metadata.get("use") == "training":  # any order and number of steps will do
        return dict(zip("xy", distilled.arrays(), strict=True))
    x, y, lr = (np.asarray(value) for value in distilled.samples)
    step = np.arange(len(lr))
    return {"step": step, "x": x[step % len(x)], "y": y[step % len(x)], "lr": lr}


def _store(distilled: LoadedSet, data_dir: Path, name: str, version: str) -> Path:
    import tensorflow_datasets as tfds

    examples = _examples(distilled)
    features = {
        name: tfds.features.Tensor(shape=values.shape[1:], dtype=values.dtype)
        for name, values in examples.items()
    }
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        data_dir=data_dir,
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices(examples)},
        description=distilled.metadata.get("recipe", distilled.metadata["how_to_train"]),
        disable_shuffling=True,
    )
    folder = Path(builder.data_dir)
    write_json(folder / METADATA, distilled.metadata)
    if distilled.initial_weights:
        np.savez(folder / WEIGHTS, *(np.asarray(w) for w in distilled.initial_weights))
    write_frozen(folder, distilled.frozen_weights)
    return folder
