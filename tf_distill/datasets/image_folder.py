"""Images in files: a folder for each class."""

import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_distill.common import UserError, count, counted, kind_of, say
from tf_distill.datasets.base import Dataset, Parts, own_name
from tf_distill.datasets.images import Size, choose_size, image_dataset
from tf_distill.datasets.labels import make_parts, shown
from tf_distill.datasets.picture_files import FORMATS, WHITE, largest_value, read_picture
from tf_distill.datasets.text_files import FOLDERS_OF_TEXTS

ENDINGS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp",
    ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".ico", ".svg",
)  # fmt: skip
"""Of files that are meant as pictures; those of another format than FORMATS are told."""
SPLIT = re.compile(
    r"(?:(?P<rest>.+)[ _-])?(?:(?P<train>train(ing)?)|(?P<test>test(ing)?)"
    r"|(?P<validation>val(id(ation)?)?|dev(el(opment)?)?|eval(uation)?))[ _-]?"
    r"(set|data|dataset|images|split)?[ _-]?\d*",
    re.IGNORECASE,
)
"""Names of folders that hold a split, not a class: Training, test_set, seg_train, test1 ..."""
GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes without colour."""
TOLD = 20
"""The most bad files that one message names."""

Place = tuple[str, ...]
"""The parts of a path below the folder that is read."""


class Folder(NamedTuple):
    """A folder of folders, and the places of the pictures in these."""

    path: Path
    pictures: list[Place]

    @property
    def files(self) -> list[Path]:
        """The paths of the pictures."""
        return [self.path.joinpath(*place) for place in self.pictures]

    @property
    def classes(self) -> list[str]:
        """The class of each picture."""
        return [place[0] for place in self.pictures]


def from_directory(
    path: str | Path,
    *,
    test: str | Path | None = None,
    image_size: Size | int | None = None,
    skip_bad: bool = False,
    name: str | None = None,
    seed: int = 0,
) -> Dataset:
    """A dataset of the images in a folder that has a folder for each class.

    PNG, JPEG, BMP, GIF (its first picture) and WebP are read, also in folders below those of the
    classes. If all images are grey they stay grey; one in colour makes all of them RGB.
    Transparent parts lie on white. PNGs of 16 bits are scaled by the largest value in them. A
    served model treats images in the same way.

    Args:
        path: the folder. The folders of the classes may lie in folders for training and test, such
            as `train` and `test`, and these in another folder. Hidden files are left out.
        test: a folder of the same form to test on; without it a fifth is held out, stratified.
        image_size: height and width, or one number for both. By default the size of most
            images, within 12 to 64 pixels.
        skip_bad: leave out files that can't be read.
        name: of the dataset; by default the folder's, such as "pets", or "own_mnist" for mnist/.
        seed: of the part that is held out.

    Raises:
        UserError: no such folder, no images in it, or files that can't be read: all of them, with
            the cause.
    """
    root = Path(path).expanduser()
    elsewhere = Path(test).expanduser() if test else None
    parts, white = read_folder(root, elsewhere, image_size, skip_bad, seed)
    return image_dataset(name or own_name(root.resolve().name), parts, white=white)


def read_folder(
    path: Path,
    test: Path | None,
    image_size: Size | int | None,
    skip_bad: bool = False,
    seed: int = 0,
) -> tuple[Parts, int]:
    """The images of a folder, uint8 `[N, height, width, channels]`, their classes, and their white.

    White is the largest value of PNGs of 16 bits, 65535 if there are none.
    """
    train, inside = _splits(Folder(path, _pictures(path)))
    given = _down(Folder(test, _pictures(test))) if test else inside
    folders = [train, given] if given else [train]
    headers, bad = _headers([file for folder in folders for file in folder.files])
    known = [headers[file] for file in train.files if file in headers]
    total = sum(len(folder.pictures) for folder in folders)
    if not known:
        raise _bad_files(bad, total, leaves_some=False)
    channels = 1 if all(header.grey for header in known) else 3
    shape = (*choose_size([header.size for header in known], image_size), channels)
    white = _white([file for file in train.files if file in headers and headers[file].deep])
    splits = []
    for folder in folders:
        files = {f: c for f, c in zip(folder.files, folder.classes, strict=True) if f in headers}
        images, worse = _load(list(files), shape, white)
        bad |= worse
        splits.append((images, [name for file, name in files.items() if file not in worse]))
    leaves_some = len(splits[0][0]) > 0
    if bad and not (skip_bad and leaves_some):
        raise _bad_files(bad, total, leaves_some)
    if bad:
        say(f"{_listed(bad, total)}: left out")
    where = (str(train.path), str(folders[-1].path))
    return make_parts(splits[0], splits[1] if given else None, where, seed=seed), white


def _pictures(root: Path) -> list[Place]:
    """The places of all pictures in the folders below `root`; hidden ones do not count."""
    if not root.is_dir():
        raise UserError(f"no folder {root}, expected one with a folder of images for each class")
    files = sorted(f.relative_to(root).parts for f in root.rglob("*") if f.is_file())
    seen = [place for place in files if not any(map(_is_hidden, place))]
    pictures = [place for place in seen if Path(place[-1]).suffix.lower() in ENDINGS]
    in_folders = [place for place in pictures if len(place) > 1]
    if not in_folders:
        advice = (
            f"; {FOLDERS_OF_TEXTS}" if any(place[-1].endswith(".txt") for place in seen) else ""
        )
        raise UserError(
            f"{root} has no images in folders ({len(pictures)} in itself), expected one folder "
            f"for each class, with files that end in {', '.join(ENDINGS[:8])}{advice}"
        )
    known = set(pictures)
    if others := Counter(Path(p[-1]).suffix or p[-1] for p in seen if p not in known):
        told = ", ".join(f"{number} {ending}" for ending, number in others.most_common(5))
        left = count(others.total(), "file that is no picture", "files that are no pictures")
        say(f"{root}: passed over {left} ({told})")
    _tell_loose(root, len(pictures) - len(in_folders))
    return in_folders


def _is_hidden(name: str) -> bool:
    """Whether a name is of what systems and programs put beside one's own files."""
    return name[0] in ".@" or name == "__MACOSX"


def _splits(folder: Folder) -> tuple[Folder, Folder | None]:
    """The pictures to train on, and to test on if they lie apart; a line says what was taken."""
    folder = _down(folder)
    kinds: dict[str, list[str]] = {"train": [], "test": [], "validation": []}
    rests, loose, others, bare = set(), [], [], False
    for name in sorted({place[0] for place in folder.pictures}):
        found = SPLIT.fullmatch(name)
        if not found:
            others.append(name)
        elif any(place[0] == name and len(place) > 2 for place in folder.pictures):
            kinds[next(kind for kind in kinds if found[kind])].append(name)
            rests.add(found["rest"])
        else:
            loose.append(name)
            bare |= bool(found["train"])
    if not kinds["train"]:
        if bare and not others:
            raise UserError(
                f"{folder.path} has pictures in {shown(loose)} itself, expected a folder for each "
                f"class in it, such as {folder.path / loose[-1] / 'cat'}"
            )
        others += loose  # so a folder called test is a class
    named = [name for names in kinds.values() for name in names]
    is_split = len(rests) == 1 and (not others or len(named) > 1)
    if not is_split:
        _tell_empty(folder)
        return folder, None
    if double := next((names for names in kinds.values() if len(names) > 1), None):
        raise _unclear_splits(folder.path, f"{shown(double)} are one split", double)
    if not kinds["train"]:
        raise _unclear_splits(folder.path, f"{shown(named)} and no split for training", named[::-1])
    train = kinds["train"][0]
    test = next(iter(kinds["test"] + kinds["validation"]), None)
    unused = [name for name in [*named, *others] if name not in (train, test)]
    say(
        f"{folder.path}: trained on {train!r}, tested on {repr(test) if test else 'a part of it'}"
        + (f"; {shown(unused)} not used" if unused else "")
    )
    for name in loose:  # such as a test without labels
        _tell_loose(folder.path / name, sum(place[0] == name for place in folder.pictures))
    split = _down(_within(folder, train))
    _tell_empty(split)
    return split, _down(_within(folder, test)) if test else None


def _unclear_splits(path: Path, got: str, names: list[str]) -> UserError:
    return UserError(
        f"{path} has {got}; name the folders: dataset=folder:{path / names[0]} "
        f"test_data={path / names[1]}"
    )


def _down(folder: Folder) -> Folder:
    """The folder, or the one in it that is alone and has the folders of the classes."""
    names = {place[0] for place in folder.pictures}
    deeper = sum(len(place) > 2 for place in folder.pictures)
    if len(names) > 1 or 2 * deeper < len(folder.pictures):
        return folder
    inner = _within(folder, *names)
    say(f"{folder.path} has only the folder {inner.path.name!r}: the classes are sought in it")
    return _down(inner)


def _within(folder: Folder, name: str) -> Folder:
    """The pictures in the folders of one of its folders."""
    inside = [place[1:] for place in folder.pictures if place[0] == name]
    deeper = [place for place in inside if len(place) > 1]
    _tell_loose(folder.path / name, len(inside) - len(deeper))
    return Folder(folder.path / name, deeper)


def _tell_loose(folder: Path, loose: int) -> None:
    if loose:
        say(f"{folder}: passed over {count(loose, 'picture', 'pictures')} in no folder of a class")


def _tell_empty(folder: Folder) -> None:
    classes = set(folder.classes)
    for inner in sorted(folder.path.iterdir()):
        if inner.is_dir() and not _is_hidden(inner.name) and inner.name not in classes:
            say(f"{inner} has no images: no class")


def read_files(files: Sequence[Path], shape: tuple[int, ...], white: int) -> np.ndarray:
    """The images in files as those of a folder, scaled to one shape: uint8 `[N, *shape]`.

    UserError if some can't be read: all of them, with the cause.
    """
    headers, bad = _headers(files)
    images, worse = _load([file for file in files if file in headers], shape, white)
    bad |= worse
    if bad:
        raise UserError(f"{_listed(bad, len(files))}; expected whole {', '.join(FORMATS)}")
    return images


class Header(NamedTuple):
    """Of a picture, without its pixels: its size, whether it is grey, and whether of 16 bits."""

    size: Size
    grey: bool
    deep: bool


class _Bad(Exception):
    """Why a picture can't be used."""


def _headers(files: Sequence[Path]) -> tuple[dict[Path, Header], dict[Path, str]]:
    """The headers of the files, and the causes for those that have none."""
    found: dict[Path, Header] = {}
    bad = _tried(lambda i: found.__setitem__(files[i], _header(files[i])), files)
    return found, bad


def _load(
    files: Sequence[Path], shape: tuple[int, ...], white: int
) -> tuple[np.ndarray, dict[Path, str]]:
    """The images that can be read, uint8 `[N, *shape]`, and the causes for the others."""
    images, read = np.zeros((len(files), *shape), np.uint8), _reader(shape, white)

    def read_into(i: int) -> None:
        images[i] = read(tf.constant(files[i].read_bytes()))

    bad = _tried(read_into, files)
    return images[[file not in bad for file in files]] if bad else images, bad


@functools.lru_cache(maxsize=4)  # tracing takes a fifth of a second
def _reader(shape: tuple[int, ...], white: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Makes uint8 `shape` of a file's bytes."""
    return tf.function(
        lambda file: tf.cast(tf.round(255 * read_picture(file, shape, white)), tf.uint8),
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
    )


def _tried(work: Callable[[int], None], files: Sequence[Path]) -> dict[Path, str]:
    """Does the work for each file, by its position; gives the causes of what fails."""
    bad = {}
    for i, file in enumerate(counted(files, len(files), "{} of {} images are read")):
        try:
            work(i)
        except _Bad as error:
            bad[file] = str(error)
        except Exception as error:  # decoders raise many kinds for a damaged file
            bad[file] = _cause(file, error)
    return bad


def _header(file: Path) -> Header:
    with file.open("rb") as opened, Image.open(opened, formats=FORMATS) as image:
        kind, size, mode = image.format, (image.height, image.width), image.mode
        if kind in ("JPEG", "MPO") and image.getexif().get(0x0112, 1) > 4:
            size = size[::-1]
        has_holes = kind == "GIF" and "transparency" in image.info and _has_holes(image)
        moves = kind == "WEBP" and getattr(image, "is_animated", False)
        opened.seek(0)
        start = opened.read(64)
    # A BMP's header size, bits a pixel and packing: TensorFlow misreads the others.
    is_rare = kind == "BMP" and not (
        start[14] >= 40 and start[28] in (8, 24, 32) and start[30] in (0, 3)
    )
    for fault, told in (
        (has_holes, "is a GIF with transparent parts"),
        (moves, "is an animated WebP"),
        (is_rare, "is a BMP of a rare form"),
    ):
        if fault:
            raise _Bad(f"{told}: save it as PNG")
    return Header(size, mode in GREY, kind == "PNG" and start[24] == 16)


def _has_holes(image: Image.Image) -> bool:
    """Whether parts of an image are transparent; TensorFlow paints those of a GIF in any colour."""
    return np.asarray(image.convert("RGBA"))[..., 3].min() < 255


def _white(deep: Sequence[Path]) -> int:
    """The largest value of PNGs of 16 bits; damaged ones do not count, as they are told later."""
    values = []
    _tried(lambda i: values.append(int(largest_value(deep[i].read_bytes()))), deep)
    white = max(values, default=WHITE) or WHITE
    if deep:
        say(f"{count(len(deep), 'image has', 'images have')} 16 bits: the value {white} is white")
    return white


def _cause(file: Path, error: Exception) -> str:
    """Why a file can't be read, by its content."""
    if isinstance(error, OSError) and error.errno:
        return error.strerror or str(error)
    data = file.read_bytes()
    if not data:
        return "0 bytes"
    if kind := kind_of(data):
        return f"is {kind}"
    for start, end in {b"\x89PNG": b"IEND", b"\xff\xd8": b"\xff\xd9", b"GIF8": b";"}.items():
        if data.startswith(start):
            return "is damaged" if end in data[-16:] else "is cut off"
    known = data.startswith((b"BM", b"RIFF"))
    return "is damaged or cut off" if known else "its format is not known"


def _bad_files(bad: dict[Path, str], total: int, leaves_some: bool) -> UserError:
    skip = ", or leave all of these out with skip_bad=True" if leaves_some else ""
    return UserError(
        f"{_listed(bad, total)}; expected whole {', '.join(FORMATS)}; convert other formats to "
        f"PNG, and mend or delete damaged files{skip}"
    )


def _listed(bad: dict[Path, str], total: int) -> str:
    """The bad files with their causes, in words."""
    told = [f"{file} ({cause})" for file, cause in sorted(bad.items())]
    more = f" and {len(told) - TOLD} more" if len(told) > TOLD else ""
    return f"can't read {len(told)} of {total} images: {', '.join(told[:TOLD])}{more}"
