"""The forms that `python -m tf_distill.export` writes.

Each is a function from the folder of a set, a run or an export, and the place to write to; it gives
the file or folder that it made. Their modules import TensorFlow and more, so they wait.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from tf_distill.common import UserError, write_new


def npz(source: Path, place: Path) -> Path:
    """A folder of plain files with a card, as runs write it."""
    from tf_distill.export import set_folder

    return set_folder.save(set_folder.load(source), place)


def savedmodel(source: Path, place: Path) -> Path:
    """TensorFlow's own form, as the next version in DEST."""
    from tf_distill.export import saved_model, set_folder, versions

    loaded = set_folder.load(source)
    return versions.publish_version(place, lambda part: saved_model.write(part, loaded))


def tfds(source: Path, place: Path) -> Path:
    """For tensorflow-datasets, as the next version in the data_dir DEST."""
    from tf_distill.export import set_folder
    from tf_distill.export.tfds import write_version

    return write_version(set_folder.load(source), place)


def huggingface(source: Path, place: Path) -> Path:
    """A folder for Hugging Face's load_dataset, with a dataset card (needs datasets)."""
    _check_installed("datasets", "huggingface")
    from tf_distill.export import huggingface as form
    from tf_distill.export import set_folder

    loaded = set_folder.load(source)
    return write_new(place, lambda folder: form.write(folder, loaded))


def torch(source: Path, place: Path) -> Path:
    """A file of tensors for torch.load (needs torch)."""
    _check_installed("torch", "torch")
    from tf_distill.export import pytorch, set_folder

    loaded = set_folder.load(source)
    return write_new(place, lambda file: pytorch.write(file, loaded))


def serving(source: Path, place: Path) -> Path:
    """The network trained on the set, for TensorFlow Serving, as the next version in DEST."""
    from tf_distill.export import servable

    return servable.export_run(source, place)


FORMATS: dict[str, Callable[[Path, Path], Path]] = {
    form.__name__: form for form in (npz, savedmodel, tfds, huggingface, torch, serving)
}


def usual_place(name: str, source: Path) -> Path:
    """Where a form is written by default, such as exports/trec6_bilstm_tfds."""
    from tf_distill.export import set_folder

    file = f"{set_folder.load(source).file_name}_{name}"
    return Path("exports", f"{file}.pt" if name == "torch" else file)


def _check_installed(package: str, name: str) -> None:
    found = importlib.util.find_spec(package)
    if not (found and found.origin):  # a folder of that name has no origin
        raise UserError(f"format={name} needs the package {package}: pip install {package}")
