"""Images in files: a folder for each class."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from tf_distill.common import UserError, brief, say
from tf_distill.datasets.base import Dataset, Parts
from tf_distill.datasets.images import Size, choose_size, image_dataset, scale_pixels
from tf_distill.datasets.labels import make_parts, sort_names

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
FORMATS = ("PNG", "JPEG", "BMP")
"""By content: what a served model decodes too."""
TRAIN_NAMES, TEST_NAMES = ("train", "training"), ("test", "testing")
GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes without colour."""


def from_directory(
    path: str | Path,
    *,
    test: str | Path | None = None,
    image_size: Size | int | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Dataset:
    """A dataset of the images in a folder that has a folder for each class.

    PNG, JPEG and BMP are read, also in folders below those of the classes. If all images are
    grey they stay grey; one in colour makes all of them RGB. A served model scales images in the
    same way.

    Args:
        path: the folder. It may have folders `train` and `test` with those of the classes.
        test: a folder of the same form to test on; without it a fifth is held out, stratified.
        image_size: height and width, or one number for both. By default the size of most
            images, within 12 to 64 pixels.
        name: of the dataset; by default the folder's.
        seed: of the part that is held out.

    Raises:
        UserError: no such folder, no images in it, or a file that can't be read.
    """
    root = Path(path).expanduser()
    parts = read_folder(root, Path(test).expanduser() if test else None, image_size, seed)
    return image_dataset(name or root.resolve().name, parts)


def read_folder(
    path: Path, test: Path | None, image_size: Size | int | None, seed: int = 0
) -> Parts:
    """The images of a folder, uint8 `[N, height, width, channels]`, and their classes."""
    train = path
    if inside := _inside(path, TRAIN_NAMES):
        train, test = inside, test or _inside(path, TEST_NAMES)
    found = [_find(folder) for folder in (train, test) if folder]
    headers = [_header(file) for file in found[0][0]]
    channels = 1 if all(grey for _, grey in headers) else 3
    size = choose_size([size for size, _ in headers], image_size)
    splits = [(_load(files, size, channels), labels) for files, labels in found]
    where = (str(train), str(test))
    return make_parts(splits[0], splits[1] if test else None, where, seed=seed)


def _inside(path: Path, names: Sequence[str]) -> Path | None:
    """The first folder of these names."""
    return next((path / name for name in names if (path / name).is_dir()), None)


def _find(folder: Path) -> tuple[list[Path], list[str]]:
    """The image files below a folder, in the order of their names, and the names of classes."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}, expected one with a folder of images for each class")
    classes = sort_names(d.name for d in folder.iterdir() if d.is_dir() and d.name[0] != ".")
    files, names, others = [], [], 0
    for name in classes:
        inside = sorted(f for f in (folder / name).rglob("*") if f.is_file() and f.name[0] != ".")
        images = [file for file in inside if file.suffix.lower() in ENDINGS]
        others += len(inside) - len(images)
        if not images:
            say(f"{folder / name} has no images: no class")
        files += images
        names += [name] * len(images)
    if not files:
        raise UserError(
            f"{folder} has no images in folders, expected one folder for each class, with files "
            f"that end in {', '.join(ENDINGS)}"
        )
    if others:
        say(f"{folder}: {others} files that are no {', '.join(ENDINGS)} are passed over")
    return files, names


def _header(file: Path) -> tuple[Size, bool]:
    """Height and width, and whether an image is grey, without its pixels."""
    with _opened(file) as image:
        return (image.height, image.width), image.mode in GREY


def _load(files: Sequence[Path], size: Size, channels: int) -> np.ndarray:
    """Images of files, uint8 `[N, height, width, channels]`."""
    images = np.zeros((len(files), *size, channels), np.uint8)

    def read_into(i: int) -> None:
        with _opened(files[i]) as image:
            images[i] = scale_pixels(image, size, channels)

    with ThreadPoolExecutor() as pool:
        list(pool.map(read_into, range(len(files))))
    return images


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """An image whose pixels are not read yet; all errors of the block become one UserError."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            yield image
    except Exception as error:  # Pillow's decoders raise many kinds for a damaged file
        told = brief(str(error) or type(error).__name__).strip("'\"")
        if isinstance(error, Image.UnidentifiedImageError):
            told = "its format is not known"
        raise UserError(
            f"can't read the image {file} ({told}), expected a whole PNG, JPEG or BMP; mend or "
            "delete it"
        ) from None
