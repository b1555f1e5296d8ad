"""Data in: the datasets by name, and datasets made of one's own data."""

from tf_distill.datasets.arrays import ArrayEncoding, from_arrays
from tf_distill.datasets.base import (
    Dataset,
    Encoding,
    Entry,
    fingerprint,
    hold_out,
    refuse_stream,
    usual_model,
)
from tf_distill.datasets.frames import from_csv, from_dataframe
from tf_distill.datasets.image_folder import from_directory
from tf_distill.datasets.images import ImageEncoding
from tf_distill.datasets.known import DATASETS, load, registry
from tf_distill.datasets.texts import from_texts
from tf_distill.datasets.tfds import from_tfds
from tf_distill.datasets.user_data import is_own
from tf_distill.datasets.words import TextEncoding

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
