"""A user's own data by a name of the form kind:place, as an entry like those of the registry."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tf_distill.common import UserError, unknown_name
from tf_distill.datasets import arrays, image_folder, tables, tfds
from tf_distill.datasets.base import Dataset, Entry, usual_model
from tf_distill.datasets.images import image_dataset
from tf_distill.datasets.labels import Parts, part
from tf_distill.datasets.texts import GLOVE, embed

FORMS = ("csv:FILE", "folder:PATH", "npz:FILE", "tfds:NAME")
"""For messages."""
MANY = 5000
"""Training examples from which on there are more outer steps by default."""


class Source(NamedTuple):
    """Where data come from, and how they are to be read; None for what is to be found."""

    place: str
    data_dir: str
    test_data: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    image_size: str | None = None


class Kind(NamedTuple):
    """How one kind is read, and the settings that it has beside its place."""

    read: Callable[[Source], tuple[str, Parts]]
    settings: tuple[str, ...]


SETTINGS = Source._fields[2:]
"""Settings that only own data have."""


def is_own(name: str) -> bool:
    """Whether a dataset's name is of the form kind:place."""
    return ":" in name


def entry(settings: Mapping[str, Any]) -> Entry:
    """The entry of own data, which are read for it; once for all calls of the same settings.

    Args:
        settings: of a run; `dataset`, `data_dir` and SETTINGS count, None is the default.

    Raises:
        UserError: a kind that is unknown, a setting it does not have, data that can't be used.
    """
    kind, _, place = settings["dataset"].partition(":")
    if kind not in KINDS:
        raise unknown_name("kind of --dataset", kind, KINDS)
    if not place:
        raise UserError(f"--dataset={kind}: names no data, expected one of {', '.join(FORMS)}")
    no_others(settings, KINDS[kind].settings)
    given = {name: settings.get(name) for name in SETTINGS}
    source = Source(place, settings["data_dir"], **given)
    return _entry(kind, source, *map(_stamp, (place, source.test_data)))


def no_others(settings: Mapping[str, Any], known: tuple[str, ...] = ()) -> None:
    """Raises UserError for a setting of own data that this dataset doesn't have."""
    for name in SETTINGS:
        if settings.get(name) is not None and name not in known:
            raise UserError(
                f"--{name} is not for --dataset={settings['dataset']}; leave it out, or name own "
                f"data: {', '.join(FORMS)}"
            )


def _stamp(place: str | None) -> tuple[int, int, int] | None:
    """Changes when a file does, or what is in a folder: only then it is read again in one process.

    Nothing is opened: it is made of the newest time, the number of files and folders, and sizes.
    """
    path = Path(place).expanduser() if place else None
    if path is None or not path.exists():
        return None
    found = [path.stat(), *(inside.lstat() for inside in path.rglob("*"))]
    return max(f.st_mtime_ns for f in found), len(found), sum(f.st_size for f in found)


@functools.lru_cache(maxsize=1)
def _entry(kind: str, source: Source, *_stamps) -> Entry:
    made_of, parts = KINDS[kind].read(source)
    name = short_name(kind, source.place)

    @functools.lru_cache(maxsize=1)
    def load(data_dir: Path, embeddings: str | None) -> Dataset:
        if made_of == "image":
            return image_dataset(name, parts)
        return embed(name, parts, embeddings or data_dir / GLOVE)

    shape = parts.x_train.shape[1:]
    return described(made_of, len(parts.classes), shape, len(parts.y_train), load, name)


def described(
    made_of: str,
    classes: int,
    shape: Sequence[int],
    examples: int,
    load: Callable[[Path, str | None], Dataset],
    name: str | None = None,
) -> Entry:
    """The entry of data of which this is known.

    Args:
        made_of: "image" or "text".
        classes: how many.
        shape: of one image.
        examples: for training.
        load: reads the data.
        name: for folders.
    """
    model = usual_model(made_of, shape)
    if made_of == "text":
        return Entry("text", classes, model, 256, 1000, load, name)
    return Entry("image", classes, model, 256, 5000 if examples > MANY else 2000, load, name)


def short_name(kind: str, place: str) -> str:
    """A name for folders and titles: `train` for csv:data/train.csv.gz."""
    if kind == "tfds":
        return place.replace("/", "_").replace(":", "_")
    last = Path(place).expanduser().resolve().name
    stem = last.split(".")[0] if kind in ("csv", "npz") else last
    return re.sub(r"[^\w-]+", "_", stem) or kind


def _read_csv(source: Source) -> tuple[str, Parts]:
    splits = tables.read_splits(
        source.place, source.test_data, source.text_column, source.label_column
    )
    train, *test = [(table.texts, table.labels) for table in splits]
    where = (source.place, source.test_data or source.place)
    return "text", part(train, test[0] if test else None, where)


def _read_folder(source: Source) -> tuple[str, Parts]:
    path, test = Path(source.place).expanduser(), source.test_data
    return "image", image_folder.read(
        path, Path(test).expanduser() if test else None, _size(source)
    )


def _read_npz(source: Source) -> tuple[str, Parts]:
    return "image", arrays.read_npz(Path(source.place).expanduser(), _size(source))


def _read_tfds(source: Source) -> tuple[str, Parts]:
    columns = (source.text_column, source.label_column)
    return tfds.read(source.place, Path(source.data_dir), *columns, _size(source))


def _size(source: Source) -> tuple[int, int] | None:
    if source.image_size is None:
        return None
    found = re.fullmatch(r"([0-9]{1,5})(?:x([0-9]{1,5}))?", source.image_size)
    if not found:
        raise UserError(
            f"--image_size={source.image_size} is no size, expected pixels: 28, or height and "
            "width as 28x32"
        )
    height = int(found[1])
    return image_folder.checked_size((height, int(found[2] or height)))


KINDS: dict[str, Kind] = {
    "csv": Kind(_read_csv, ("test_data", "text_column", "label_column")),
    "folder": Kind(_read_folder, ("test_data", "image_size")),
    "npz": Kind(_read_npz, ("image_size",)),
    "tfds": Kind(_read_tfds, ("text_column", "label_column", "image_size")),
}
