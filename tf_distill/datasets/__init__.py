"""The datasets by name, and datasets made of one's own data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tf_distill.datasets import images, own, texts, toy_questions
from tf_distill.datasets.arrays import from_arrays
from tf_distill.datasets.base import Dataset, Entry, fingerprint, hold_out
from tf_distill.datasets.embedded import from_texts
from tf_distill.datasets.frames import from_csv, from_dataframe
from tf_distill.datasets.own import is_own
from tf_distill.datasets.pictures import from_directory
from tf_distill.datasets.tfds_any import from_tfds
from tf_distill.errors import UserError, unknown_name

__all__ = [
    "DATASETS",
    "Dataset",
    "Entry",
    "fingerprint",
    "from_arrays",
    "from_csv",
    "from_dataframe",
    "from_directory",
    "from_texts",
    "from_tfds",
    "hold_out",
    "is_own",
    "load",
    "registry",
]

DATASETS: dict[str, Entry] = {
    "digits": Entry("image", 10, "lenet", 256, 2000, images.load_digits),
    "mnist": Entry("image", 10, "lenet", 256, 12000, images.load_mnist),
    "cifar10": Entry("image", 10, "alexcifarnet", 256, 5000, images.load_cifar10),
    "imdb": Entry("text", 2, "textconvnet", 256, 1000, texts.load_imdb),
    "sst5": Entry("text", 5, "birnn", 512, 1000, texts.load_sst5),
    "trec6": Entry("text", 6, "bilstm", 512, 1000, texts.load_trec6),
    "trec50": Entry("text", 50, "textconvnet", 512, 2000, texts.load_trec50),
    "toy_questions": Entry(
        "text", 3, "textconvnet", 256, 300, toy_questions.load_toy_questions, vectors=False
    ),
}


def registry(settings: Mapping[str, Any]) -> dict[str, Entry]:
    """The datasets by name, with the own data that the settings name, which are read for it.

    Args:
        settings: of a run, `dataset` and `data_dir` among them.

    Raises:
        UserError: an unknown name; own data that can't be used; settings of own data without
            these.
    """
    name = settings["dataset"]
    if own.is_own(name):
        return {**DATASETS, name: own.entry(settings)}
    if name in DATASETS:
        own.no_others(settings)
    elif Path(name).expanduser().exists():
        kind = "folder" if Path(name).expanduser().is_dir() else "csv"
        kind = "npz" if name.endswith(".npz") else kind
        raise UserError(
            f"unknown --dataset {name!r}; for data of your own use --dataset={kind}:{name}"
        )
    else:
        known = unknown_name("--dataset", name, DATASETS)
        raise UserError(f"{known}; or own data: {', '.join(own.FORMS)}")
    return DATASETS


def load(settings: Mapping[str, Any]) -> Dataset:
    """The dataset that the settings of a run name."""
    entry = registry(settings)[settings["dataset"]]
    embeddings = settings["embeddings"]
    return entry.load(Path(settings["data_dir"]), embeddings)
