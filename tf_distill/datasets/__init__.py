"""Data in: the datasets by name, and datasets made of a user's own data.

| file | what one finds there |
| --- | --- |
| known | the registry of names, and the loaders of the named datasets |
| user_data | `csv:FILE`, `table:FILE`, `folder:PATH`, `npz:FILE`, `tfds:NAME` |
| arrays, image_folder, tfds, containers | a form of data each: reader and `from_...` |
| tables, frames | the same for tables of texts, and for those of numbers and categories |
| columns, preprocessing | how a network sees the columns of a table; what is learned for it |
| row_files | the rows of CSV, TSV and JSON files |
| picture_files | files of images to pixels, for training and for a served model |
| images, texts | from pixels or texts to a dataset: sizes, augmentation; lengths, word vectors |
| text_files | lines of text files, packed or not, in any usual encoding |
| words | splitting, numbering and decoding of texts |
| embeddings | word vectors from a file, or made of the training texts |
| raw | raw inputs for a loaded set, as a dataset stores them |
| labels, quantities | from labels to class indices, or to numbers; a fifth that is held out |
| checks | warnings of data that look wrong |
| sst5, toy_questions | two datasets that are made here |
| base | `Dataset`, `Encoding`, `Entry`; held-out data, fingerprints |
"""

from tf_distill.datasets.arrays import ArrayEncoding, from_arrays
from tf_distill.datasets.base import (
    Augment,
    Dataset,
    Encoding,
    Entry,
    Target,
    fingerprint,
    hold_out,
    refuse_stream,
    usual_model,
)
from tf_distill.datasets.columns import Column, TableEncoding
from tf_distill.datasets.containers import from_dataset
from tf_distill.datasets.frames import from_table
from tf_distill.datasets.image_folder import from_directory
from tf_distill.datasets.images import ImageEncoding, augmentation
from tf_distill.datasets.known import DATASETS, load, registry
from tf_distill.datasets.labels import class_counts, counts_in_words
from tf_distill.datasets.raw import stored
from tf_distill.datasets.tables import from_csv, from_dataframe
from tf_distill.datasets.texts import from_texts
from tf_distill.datasets.tfds import from_tfds
from tf_distill.datasets.user_data import READING, described, is_own
from tf_distill.datasets.words import (
    PADDING,
    UNKNOWN,
    TextEncoding,
    forget_words,
    number_words,
    unseen_words,
)

__all__ = [
    "DATASETS", "Dataset", "Entry", "fingerprint", "from_arrays", "from_csv", "from_dataframe",
    "from_dataset", "from_directory", "from_table", "from_texts", "from_tfds", "hold_out", "is_own",
    "load", "registry",
]  # fmt: skip
