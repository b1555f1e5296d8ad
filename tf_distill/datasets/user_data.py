"""A user's own data: a name of the form kind:place becomes an entry like those of the registry."""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tf_distill.common import UserError, unknown_name
from tf_distill.datasets import arrays, frames, image_folder, tables, tfds
from tf_distill.datasets.base import Dataset, Entry, Parts, own_name, usual_model
from tf_distill.datasets.columns import TableEncoding
from tf_distill.datasets.images import Size, checked_size, image_dataset
from tf_distill.datasets.picture_files import WHITE
from tf_distill.datasets.texts import GLOVE, text_dataset
from tf_distill.datasets.words import Vectors

FORMS = ("csv:FILE", "table:FILE", "folder:PATH", "npz:FILE", "tfds:NAME")
"""The forms of a name, for messages."""
MANY = 5000
"""With more training examples than this there are more outer steps by default."""


class Source(NamedTuple):
    """The place of data, and the settings for reading them; None if the data tell."""

    place: str
    data_dir: str
    test_data: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    image_size: str | None = None
    text_length: int | None = None
    skip_bad: bool | None = None
    task: str | None = None


class Found(NamedTuple):
    """What was read: its kind, "image", "text" or "table", and both splits.

    white: of images of 16 bits; license: of the data; rows: how a network sees those of a table.
    """

    kind: str
    parts: Parts
    white: int = WHITE
    license: str | None = None
    rows: TableEncoding | None = None


class Kind(NamedTuple):
    """A kind of own data: its reader, and the settings that it takes."""

    read: Callable[[Source], Found]
    settings: tuple[str, ...]


READING = Source._fields[2:]
"""Settings that only own data have."""


def is_own(name: str) -> bool:
    """Whether a dataset's name is of the form kind:place."""
    return ":" in name


def own_entry(settings: Mapping[str, Any]) -> Entry:
    """Reads own data for their entry; data that have not changed are read once.

    Raises:
        UserError: an unknown kind, a setting that it does not take, or data that can't be used.
    """
    kind, _, place = settings["dataset"].partition(":")
    if kind not in KINDS:
        raise unknown_name("kind of data", kind, KINDS)
    if not place:
        raise UserError(f"dataset={kind}: names no data, expected one of {', '.join(FORMS)}")
    refuse_settings(settings, KINDS[kind].settings)
    source = Source(place, settings["data_dir"], *map(settings.get, READING))
    return _entry(kind, source, *map(_stamp, (place, source.test_data)))


def refuse_settings(settings: Mapping[str, Any], known: tuple[str, ...] = ()) -> None:
    """Raises UserError if a setting of own data is given that is not among the known ones."""
    for name in READING:
        if settings.get(name) is not None and name not in known:
            raise UserError(
                f"{name} is not for dataset={settings['dataset']}; leave it out, or name your own "
                f"data: {', '.join(FORMS)}"
            )


def _stamp(place: str | None) -> tuple[int, int, int] | None:
    """Changes with a file or a folder's content: newest time, number of files, their sizes."""
    path = Path(place).expanduser() if place else None
    if path is None or not path.exists():
        return None
    found = [path.stat(), *(inside.lstat() for inside in path.rglob("*"))]
    return max(f.st_mtime_ns for f in found), len(found), sum(f.st_size for f in found)


@functools.lru_cache(maxsize=1)
def _entry(kind: str, source: Source, *_stamps) -> Entry:
    made_of, parts, white, license_, rows = KINDS[kind].read(source)
    name = short_name(kind, source.place)

    @functools.lru_cache(maxsize=1)
    def load(data_dir: Path, embeddings: Vectors) -> Dataset:
        if made_of == "image":
            made = image_dataset(name, parts, white=white)
        elif rows:
            made = frames.table_dataset(name, parts, rows)
        else:
            vectors = embeddings or data_dir / GLOVE
            made = text_dataset(name, parts, vectors, source.text_length)
        return dataclasses.replace(made, license=license_)

    shape = rows.shape if rows else parts.x_train.shape[1:]
    return described(made_of, len(parts.classes), shape, len(parts.y_train), load, name)


def described(
    kind: str, classes: int, shape: Sequence[int], examples: int,
    load: Callable[[Path, Any], Dataset], name: str | None = None,
) -> Entry:  # fmt: skip
    """The entry of data outside of the registry, by the shape and number of training inputs."""
    outer_steps = 1000 if kind == "text" else 5000 if examples > MANY else 2000
    return Entry(
        kind, classes, usual_model(kind, shape), 256, outer_steps, load, name, use="training"
    )


def short_name(kind: str, place: str) -> str:
    """A name for folders and titles: `train` for csv:data/train.csv.gz."""
    if kind == "tfds":
        return place.replace("/", "_").replace(":", "_")
    last = Path(place).expanduser().resolve().name
    stem = last.split(".")[0] if kind in ("csv", "npz", "table") else last
    return own_name(re.sub(r"[^\w-]+", "_", stem) or kind)


def _read_csv(source: Source) -> Found:
    columns = (source.text_column, source.label_column)
    return Found("text", tables.read_tables(source.place, source.test_data, *columns))


def _read_table(source: Source) -> Found:
    parts, rows = frames.read_tables(
        source.place, source.test_data, source.label_column, source.task
    )
    return Found("table", parts, rows=rows)


def _read_folder(source: Source) -> Found:
    path, test = Path(source.place).expanduser(), source.test_data
    elsewhere = Path(test).expanduser() if test else None
    size, skip = _size(source), bool(source.skip_bad)
    return Found("image", *image_folder.read_folder(path, elsewhere, size, skip))


def _read_npz(source: Source) -> Found:
    return Found(
        "image", arrays.read_npz(Path(source.place).expanduser(), _size(source), source.task)
    )


def _read_tfds(source: Source) -> Found:
    columns = (source.text_column, source.label_column)
    found = tfds.read_tfds(source.place, Path(source.data_dir), *columns, _size(source))
    return Found(*found, license=tfds.license_of(source.place))


def _size(source: Source) -> Size | None:
    if source.image_size is None:
        return None
    found = re.fullmatch(r"([0-9]{1,5})(?:x([0-9]{1,5}))?", source.image_size)
    if not found:
        raise UserError(
            f"image_size={source.image_size} is no size, expected pixels: 28, or height and "
            "width as 28x32"
        )
    height = int(found[1])
    return checked_size((height, int(found[2] or height)))


KINDS: dict[str, Kind] = {
    "csv": Kind(_read_csv, ("test_data", "text_column", "label_column", "text_length")),
    "table": Kind(_read_table, ("test_data", "label_column", "task")),
    "folder": Kind(_read_folder, ("test_data", "image_size", "skip_bad")),
    "npz": Kind(_read_npz, ("image_size", "task")),
    "tfds": Kind(_read_tfds, ("text_column", "label_column", "image_size", "text_length")),
}
