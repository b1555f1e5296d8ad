"""Every parser of files from elsewhere as a function of a file's bytes, each with sound files."""

import gzip
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import evaluated
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_distill import compare, inputs, record, schemas, stored_set, text
from tf_distill.datasets import arrays, pictures, tables
from tf_distill.embeddings import read_vectors
from tf_distill.errors import UserError

SET = Path(__file__).parent / "data" / "distilled_format_1"
ROWS = [
    ("a good film", "good"),
    ('"no", he said', "bad"),
    ("caf\u00e9; tea \U0001f600", "good"),
] * 2
VECTORS = "3 2\nthe 0.1 -0.2 \ncat 1 2 \ncaf\u00e9 3e-1 4 \n"
PIXELS = np.arange(8 * 12 * 13, dtype=np.uint8).reshape(8, 12, 13)
CLASSES = np.array([0, 1] * 4)
CONFIG = {
    "dataset": "digits",
    "model": "lenet",
    "init": "random",
    "labels": "soft",
    "outer_steps": 9,
    "seed": 7,
}
RESULTS = {
    **CONFIG, "distilled_samples": 10, "steps": 2, "epochs": 3, "seconds": 600.0,
    "accuracy": {"mean": 0.75, "std": 0.02, "networks": 20}, "learned_lr": [0.1, 0.2],
    "test_examples": 360, "eval_split": "test", "accuracy_before": {"mean": 0.1},
}  # fmt: skip


INPUTS = {"train": 9, "test": 3, "classes": 2, "data": "0a1b", "weights": [[3, 2]]}


class Parser(NamedTuple):
    """How a file is read, and sound ones; `name` is the file's, since endings tell the format."""

    name: str
    sound: list[bytes]
    read: Callable[[Path], object]


def attempt(read: Callable[[], object]) -> object | None:
    """What comes of it, or None where it ends with the one clear line; all else goes through."""
    try:
        return read()
    except UserError as error:
        line = str(error)
        assert line.isprintable(), repr(line)
        assert 0 < len(line) < 2500, len(line)
        return None


def refused(read: Callable[[Path], object], path: Path, *words: str) -> None:
    """Reading ends in a line with these words."""
    with pytest.raises(UserError) as error:
        read(path)
    line = str(error.value)
    assert line.isprintable()
    for word in words:
        assert word in line


def parse(parser: Parser, data: bytes, folder: Path) -> object | None:
    """Has a parser read a file of these bytes."""
    path = folder / parser.name
    path.write_bytes(data)
    return attempt(lambda: parser.read(path))


def standardised(path: Path) -> list[bytes]:
    """The words of bytes as if they were a text, and what must hold for any."""
    data = path.read_bytes()
    words = text.tokenize(tf.constant([data])).flat_values.numpy().tolist()
    assert all(word.decode() for word in words)
    counted, lengths = text.survey([data], 10)
    assert lengths.tolist() == [len(words)]
    assert set(counted) <= {word.decode() for word in words}
    return words


def table(path: Path) -> tables.Table:
    """A table, whose texts and labels must be such as can be written again."""
    found = tables.read(path)
    assert all(label.encode().strip() for label in found.labels)
    assert all(line.decode().strip() for line in found.texts)
    assert len(found.labels) == len(found.texts)
    return found


def vectors(path: Path) -> dict[str, np.ndarray]:
    """Vectors, which must be of one length and finite."""
    found = read_vectors(path, {"the", "cat", "caf\u00e9"})
    assert len({v.shape for v in found.values()}) == 1
    assert all(v.dtype == np.float32 and np.isfinite(v).all() for v in found.values())
    return found


def picture(path: Path) -> np.ndarray:
    """An image by way of its header, as a folder of images is read."""
    size, grey = pictures.header(path)
    return pictures.load([path], pictures.working_size(size), 1 if grey else 3)


def compared(path: Path) -> str:
    """A run's folder with this file beside sound ones, in a table of each form."""
    folder = path.parent
    for name, value in {"config": CONFIG, "results": RESULTS}.items():
        if path.name != f"{name}.json":
            (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    if path.name != "comparison.json":
        (folder / "comparison.json").unlink(missing_ok=True)
    found = record.read_numbers(folder)
    row = compare._row(found, compare._differing([found]))
    for write in compare.WRITERS.values():
        write([row]).encode()
    return compare.to_text([row])


def described(path: Path) -> stored_set.Stored:
    """A distilled set with this file in the place of its own of the same name."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(shutil.copytree(SET, Path(scratch, "set")))
        for own in folder.rglob(path.name):
            shutil.copy(path, own)
        return stored_set.read(folder)


def in_npz(**values: np.ndarray) -> list[bytes]:
    """An archive of these arrays, plain and compressed."""
    plain, packed = io.BytesIO(), io.BytesIO()
    np.savez(plain, **values)
    np.savez_compressed(packed, **values)
    return [plain.getvalue(), packed.getvalue()]


def in_image(kind: str) -> list[bytes]:
    """A grey image and one in colour."""
    files = [io.BytesIO(), io.BytesIO()]
    for file, mode in zip(files, ("L", "RGB"), strict=True):
        Image.fromarray(PIXELS[0]).convert(mode).save(file, kind)
    return [file.getvalue() for file in files]


def in_json(*values: dict) -> list[bytes]:
    """JSON objects."""
    return [json.dumps(value).encode() for value in values]


def packed(data: list[bytes]) -> list[bytes]:
    """The same by gzip, always to the same bytes."""
    return [gzip.compress(d, mtime=0) for d in data]


def of_set(name: str) -> list[bytes]:
    """A file of the distilled set."""
    return [next(SET.rglob(name)).read_bytes()]


CSV = ["text,label\n" + "".join('"{}",{}\n'.format(t.replace('"', '""'), y) for t, y in ROWS)]
LINES = ["".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in ROWS)]
IN_CSV, IN_LINES = ([line.encode() for line in form] for form in (CSV, LINES))
IMAGES = {"x_train": PIXELS, "y_train": CLASSES, "classes": np.array(["a", "b"])}
WORDS = {"words": np.array(["the", "cat"]), "vectors": np.arange(4.0).reshape(2, 2)}

PARSERS = {
    "csv": Parser("t.csv", IN_CSV, table),
    "csv.gz": Parser("t.csv.gz", packed(IN_CSV), table),
    "tsv": Parser("t.tsv", [b"text\tlabel\na b\tx\nc d\ty\n"], table),
    "jsonl": Parser("t.jsonl", IN_LINES, table),
    "json": Parser("t.json", [json.dumps([{"text": "a b", "label": 1}] * 2).encode()], table),
    "text": Parser("t.txt", [b"It isn't good.<br />Who's \xff?", "\u2019\u0130".encode()],
                   standardised),
    "vectors": Parser("v.txt", [VECTORS.encode()], vectors),
    "vectors.gz": Parser("v.vec.gz", packed([VECTORS.encode()]), vectors),
    "vectors.npz": Parser("v.npz", in_npz(**WORDS), vectors),
    "images.npz": Parser("x.npz", in_npz(**IMAGES), arrays.read_npz),
    "png": Parser("i.png", in_image("PNG"), picture),
    "jpg": Parser("i.jpg", in_image("JPEG"), picture),
    "bmp": Parser("i.bmp", in_image("BMP"), picture),
    "config.json": Parser("config.json", in_json(CONFIG), compared),
    "inputs.json": Parser("inputs.json", in_json(INPUTS), lambda path: inputs.recall(path.parent)),
    "results.json": Parser("results.json", in_json(RESULTS), compared),
    "comparison.json": Parser("comparison.json", in_json(evaluated.comparison()), compared),
    "sweep.json": Parser("sweep.json", in_json(evaluated.sweep()), schemas.read),
    "ranking.json": Parser("ranking.json", in_json(evaluated.ranking()), schemas.read),
    "metrics.jsonl": Parser("metrics.jsonl", [b'{"step": 1, "loss": 2.5}\n' * 3],
                            schemas.read_metrics),
    "metadata.json": Parser("metadata.json", of_set("metadata.json"), described),
    "variables.index": Parser("variables.index", of_set("variables.index"), described),
    "variables.data": Parser("variables.data-00000-of-00001", of_set("variables.data*"), described),
}  # fmt: skip
