"""What leaves the package: distilled sets and trained models, for programs that don't have it.

distilled_set: a set as a SavedModel, and back as a `LoadedSet`; the frozen weights of a folder.
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
    load,
    publish,
    read_frozen,
    save,
    write_frozen,
)
from tf_distill.export.versions import newest_version, publish_version
