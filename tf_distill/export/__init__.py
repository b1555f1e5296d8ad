"""What leaves the package: distilled sets and trained models, for programs that don't have it.

distilled_set: `LoadedSet`, a set to train networks on; the frozen weights of a folder.
set_folder: a set as a folder of plain files with a card, and back; finds and loads any set.
set_page: the README.md of that folder, made of the card.
saved_model: a set as a SavedModel, and back.
merged: several sets as one.
formats: the forms that `python -m tf_distill.export` writes, by name.
huggingface, pytorch, tfds: a set for Hugging Face's datasets, PyTorch, tensorflow-datasets.
classifier: a trained network as a servable, from raw text, image files or arrays to classes.
servable: servables on disk, as a run writes them and `--format=serving` exports them.
warmup: requests that TensorFlow Serving sends itself when it loads a servable.
client: a program that asks a served classifier.
versions: numbered folders, of which a server takes the highest.

All but client and versions import TensorFlow. The names of this door come at their first use, so
that the two programs of this room start at once.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
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

_FILES = {
    "distilled_set": ("FROZEN_NAME", "LoadedSet", "read_frozen", "word_vectors", "write_frozen"),
    "merged": ("merge",),
    "set_folder": ("digest", "find", "load", "save"),
    "versions": ("newest_version", "publish_version"),
}
_PLACES = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> typing.Any:
    """Imports a name of this door at its first use."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
