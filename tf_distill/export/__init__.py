"""What leaves the package: distilled sets and trained models, for programs that don't have it.

distilled_set: `LoadedSet`, a set to train networks on; the frozen weights of a folder.
set_folder: a set as a folder of plain files with a card, and back; finds and loads any set.
saved_model: a set as a SavedModel, and back.
merged: several sets as one.
classifier: a trained network as a servable, from raw text, image files or arrays to classes.
servable: servables on disk, as a run writes them and `export/classifier.py` exports them.
warmup: requests that TensorFlow Serving sends itself when it loads a servable.
tfds: a set as a directory of tensorflow-datasets.
versions: numbered folders, of which a server takes the highest.

All but versions import TensorFlow.
"""

from tf_distill.export.distilled_set import (
    FROZEN_NAME,
    LoadedSet,
    read_frozen,
    word_vectors,
    write_frozen,
)
from tf_distill.export.merged import merge
from tf_distill.export.set_folder import digest, find, load, save
from tf_distill.export.versions import newest_version, publish_version
