"""A distilled set as a folder of plain files: to send, and to read without TensorFlow.

| file | has |
| --- | --- |
| card.json | what the set is: data, network, training, accuracy; shapes of arrays, and SHA-256 |
| set.npz | float32 x, y, lr; initial_0, initial_1, ... and frozen_0, ... where the set needs them |
| vocabulary.txt | for texts: a word a line; the first has the number 2 |
| vectors.npz | for texts: the words' vectors; may be left out: `input` has their SHA-256 |
| samples/ | PNG files, sentences.txt or rows.csv, for a person |
| README.md | the card in words, and how to train on the set |

The card is the metadata of a `LoadedSet`, with `arrays` and `sha256` beside them. The latter are
those of each array, of each other part of the card, and of vocabulary.txt.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_distill.common import (
    UserError,
    check_schema,
    read_json,
    read_npz_arrays,
    whole,
    write_json,
    write_new,
    write_text,
)
from tf_distill.core import Samples, Weights
from tf_distill.datasets import TableEncoding
from tf_distill.export import saved_model
from tf_distill.export.distilled_set import (
    EXPECTED,
    FORMAT,
    MOMENTS,
    LoadedSet,
    check,
    check_format,
    how_to_train,
    unsound,
)
from tf_distill.export.set_page import readme
from tf_distill.export.versions import newest_version
from tf_distill.networks import check_keras

CARD, ARRAYS, VECTORS, VOCABULARY = "card.json", "set.npz", "vectors.npz", "vocabulary.txt"
SENTENCES, ROWS = Path("samples", "sentences.txt"), Path("samples", "rows.csv")
DECIDING = ("classes", "target", "input", "network", "use", "inner_optimizer", "augment",
            "accuracy", "eval_split", "seed")  # fmt: skip
"""Parts of the card that decide what a training gives. Early cards have a SHA-256 of these alone,
later ones of every part."""
APART = ("sentences", "initial_weights", "frozen_weights")
"""Metadata that the card does not have: they are in other files."""
Json = dict[str, Any]
Arrays = dict[str, np.ndarray]


def save(distilled: LoadedSet, path: str | Path) -> Path:
    """Writes a set as a new folder of plain files, whole or not at all.

    Args:
        distilled: the set.
        path: the folder.

    Returns:
        The folder.

    Raises:
        UserError: there is something at `path` already, or it can't be written.
    """
    return write_new(Path(path).expanduser(), lambda folder: write(folder, distilled))


def write(folder: Path, distilled: LoadedSet) -> None:
    """The same in place of a folder that may be there."""
    arrays, files = arrays_of(distilled), text_files(distilled)
    card = card_of(distilled, arrays)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole(folder) as part:
        part.mkdir()
        np.savez(part / ARRAYS, **arrays)  # type: ignore[arg-type]
        if distilled.vectors is not None:
            np.savez(part / VECTORS, vectors=distilled.vectors)
        write_json(part / CARD, card)
        for name, text in {**files, "README.md": readme(card)}.items():
            (part / name).parent.mkdir(exist_ok=True)
            write_text(part / name, text)
        _write_pictures(part / "samples", distilled)


def arrays_of(distilled: LoadedSet) -> Arrays:
    """The arrays of set.npz by name."""
    lists = {"initial": distilled.initial_weights, "frozen": distilled.frozen_weights}
    samples = zip(Samples._fields, distilled.samples, strict=True)
    arrays = {name: np.asarray(value, np.float32) for name, value in samples}
    for name, values in lists.items():
        for i, value in enumerate(map(np.asarray, values)):
            # numpy can't store bfloat16 and the like, which have kind V
            plain = value.astype(np.float32) if value.dtype.kind == "V" else value
            arrays[f"{name}_{i}"] = plain
    return arrays


def card_of(distilled: LoadedSet, arrays: Arrays) -> Json:
    """The card of a set with these arrays."""
    card = {name: v for name, v in plain_metadata(distilled).items() if name not in APART}
    card["input"].pop("vocabulary", None)
    if distilled.vectors is not None:
        card["input"]["vectors"] = digest(distilled.vectors)
    card["format"] = FORMAT
    digests = {name: digest(array) for name, array in arrays.items()}
    digests |= {name: digest(part) for name, part in card.items()}
    if words := text_files(distilled).get(VOCABULARY):
        digests[VOCABULARY] = digest(words.encode())
    return {**card, "arrays": {n: [*a.shape] for n, a in arrays.items()}, "sha256": digests}


def plain_metadata(distilled: LoadedSet) -> Json:
    """The metadata as JSON gives them back, with how to train."""
    how = how_to_train(distilled.metadata)
    return json.loads(json.dumps({"how_to_train": how, **distilled.metadata}))


def text_files(distilled: LoadedSet) -> dict[str, str]:
    """The contents of vocabulary.txt, sentences.txt and rows.csv, as far as the set has them."""
    metadata = distilled.metadata
    lines = {VOCABULARY: metadata["input"].get("vocabulary"), SENTENCES: metadata.get("sentences")}
    files = {str(name): "\n".join([*some, ""]) for name, some in lines.items() if some is not None}
    if metadata["input"]["kind"] == TableEncoding.kind:
        files[str(ROWS)] = _as_csv(distilled.rows())
    return files


def _as_csv(rows: Sequence[Mapping[str, str]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, [*rows[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def digest(value: Any) -> str:
    """The SHA-256 of bytes, of an array's bytes, or of JSON with sorted keys."""
    if isinstance(value, np.ndarray):
        value = value.tobytes()
    elif not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(value).hexdigest()


def load(path: str | Path) -> LoadedSet:
    """Loads a distilled set.

    Args:
        path: the folder of a run or of an export, of which the newest set is taken; or that of
            the set itself, of plain files or a SavedModel; or its card.json. All are read as data:
            nothing in them is run.

    Raises:
        UserError: there is no distilled set, a damaged one, or one of a newer format; or Keras has
            another backend, precision or order of axes.
    """
    check_keras()
    folder = Path(path).expanduser()
    if folder.name == CARD:
        folder = folder.parent
    if (place := find(folder)) is None:
        raise UserError(f"{folder} is no distilled set; {EXPECTED}")
    return read(place) if (place / CARD).is_file() else saved_model.read(place)


def find(folder: Path) -> Path | None:
    """The set's own folder: the newest of a run, an export or a folder of versions, or itself."""
    if _is_set(folder):
        return folder
    places = (folder / "set", folder / "distilled", folder)
    return next(filter(None, (newest_version(place, _is_set) for place in places)), None)


def _is_set(folder: Path) -> bool:
    return (folder / CARD).is_file() or saved_model.is_set(folder)


def read(folder: Path) -> LoadedSet:
    """Reads a set folder, and checks each array and each part of the card.

    Raises:
        UserError: it is damaged, of a newer format, or has been changed since it was written.
    """
    card = read_json(folder / CARD)
    check_format(folder, card)
    check_schema(folder / CARD, card)
    shapes, digests = card.pop("arrays"), card.pop("sha256")
    arrays = read_npz_arrays(folder / ARRAYS, shapes, required=shapes, packed=False)
    try:
        for name, array in arrays.items():
            _check_array(name, array, shapes[name], digests)
        written = card if "format" in digests else DECIDING
        for name in sorted({*written, *digests} - arrays.keys() - {VOCABULARY}):
            if name in card or name in digests:
                _check_digest(f"{name} in {CARD}", card.get(name), digests.get(name))
        if VOCABULARY in digests:
            words = (folder / VOCABULARY).read_bytes()
            _check_digest(VOCABULARY, words, digests[VOCABULARY])
            card["input"]["vocabulary"] = words.decode().split("\n")[:-1]
        if (folder / SENTENCES).is_file():
            card["sentences"] = (folder / SENTENCES).read_text(encoding="utf-8").split("\n")[:-1]
        vectors = _vectors(folder, card["input"])
        initial, frozen = (_numbered(name, arrays) for name in ("initial", "frozen"))
        samples = Samples(*(tf.constant(arrays[name]) for name in Samples._fields))
        loaded = LoadedSet(samples, initial, card, None, frozen, vectors)
        check(loaded)
    except (ValueError, OSError) as error:
        raise unsound(folder, str(error)) from error
    return loaded


def _check_array(name: str, array: np.ndarray, shape: Any, digests: Mapping[str, Any]) -> None:
    weights = name.startswith(("initial_", "frozen_"))  # which may have other types
    if array.dtype.kind not in "fiub" or not (weights or array.dtype == np.float32):
        raise ValueError(f"{name} has numbers of the type {array.dtype}, expected float32")
    if [*array.shape] != shape:
        raise ValueError(f"{name} has the shape {[*array.shape]}, and {CARD} says {shape}")
    _check_digest(name, array, digests.get(name))


def _check_digest(name: str, value: Any, expected: Any) -> None:
    if digest(value) != expected:
        raise ValueError(f"{name} has been changed: its SHA-256 is not the one in {CARD}")


def _numbered(name: str, arrays: Arrays) -> Weights:
    """The arrays name_0, name_1, ..."""
    names = [f"{name}_{i}" for i in range(sum(key.startswith(f"{name}_") for key in arrays))]
    if lost := [name for name in names if name not in arrays]:
        raise ValueError(f"there is no {lost[0]}")
    return [tf.constant(arrays[name]) for name in names]


def _vectors(folder: Path, described: Json) -> np.ndarray | None:
    """The word vectors, if they are there."""
    if described["kind"] != "text" or not (folder / VECTORS).is_file():
        return None
    found = read_npz_arrays(folder / VECTORS, ("vectors",), ("vectors",), packed=False)["vectors"]
    shape = [len(described.get("vocabulary", [])), *described["shape"][-1:]]
    _check_array("vectors", found, shape, described)
    return found


def pictures(distilled: LoadedSet) -> list[Image.Image]:
    """Samples in grey or colour as pixels, cut to what these can show; [] for other samples."""
    described, x = distilled.metadata["input"], distilled.arrays()[0]
    if described["kind"] != "image" or x.shape[-1] not in (1, 3):
        return []
    mean, std = (np.asarray(described[name]) for name in MOMENTS)
    pixels = np.clip(255 * (x * std + mean), 0, 255).round().astype(np.uint8)
    return [Image.fromarray(one[..., 0] if one.shape[-1] == 1 else one) for one in pixels]


def _write_pictures(folder: Path, distilled: LoadedSet) -> None:
    """A PNG of each sample that is a picture, with its class or quantity in its name."""
    found = pictures(distilled)
    for i, (picture, caption) in enumerate(zip(found, distilled.captions(), strict=False)):
        name = re.sub(r"\W+", "_", caption)[:40]
        folder.mkdir(exist_ok=True)
        picture.save(folder / f"{i:04d}_{name}.png")
