"""Images from files: a folder a class, brought to one size."""

import contextlib
import operator
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tf_distill.common import UserError, brief, say
from tf_distill.datasets.base import Dataset
from tf_distill.datasets.images import image_dataset
from tf_distill.datasets.labels import Parts, ordered, part

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
FORMATS = ("PNG", "JPEG", "BMP")
"""By content: of others Pillow runs programs, as Ghostscript for EPS, or seldom used decoders."""
MOST_PIXELS = 2**27
"""Of one image."""
TRAIN_NAMES, TEST_NAMES = ("train", "training"), ("test", "testing")
GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes without colour."""
SMALLEST, SCALED_UP, LARGEST, MOST = 12, 28, 64, 2048
"""Sides in pixels: below the first an image is scaled up to the second (LeNet needs 12), and
above the third down to it, unless a size is given, up to the last."""

Size = tuple[int, int]


class Found(NamedTuple):
    """Image files with the names of their classes."""

    files: list[Path]
    labels: list[str]


def from_directory(
    path: str | Path,
    *,
    test: str | Path | None = None,
    image_size: Size | int | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Dataset:
    """A dataset of the images in a folder that has a folder for each class.

    PNG, JPEG and BMP are read, also in folders below those of the classes. All grey images
    stay grey; one in colour makes all of them RGB. Sizes are changed as a served model does it.

    Args:
        path: the folder; where it has folders `train` and `test` these have those of the classes.
        test: a folder of the same form to test on; without any a fifth is held out, stratified.
        image_size: height and width, or both in one number. By default the size of most
            images, within 12 to 64 pixels.
        name: of the dataset; by default the folder's.
        seed: of the part that is held out.

    Raises:
        UserError: no such folder or no images in it, or a file that can't be read.
    """
    root = Path(path).expanduser()
    parts = read(root, Path(test).expanduser() if test else None, image_size, seed)
    return image_dataset(name or root.resolve().name, parts)


def read(path: Path, test: Path | None, image_size: Size | int | None, seed: int = 0) -> Parts:
    """The images, uint8 `[N, height, width, channels]`, and their classes."""
    train = path
    if inside := _inside(path, TRAIN_NAMES):
        train, test = inside, test or _inside(path, TEST_NAMES)
    found = [find(folder) for folder in (train, test) if folder]
    headers, *_ = [[header(file) for file in f.files] for f in found]
    channels = 1 if all(grey for _, grey in headers) else 3
    size = chosen_size([size for size, _ in headers], image_size)
    splits = [(load(f.files, size, channels), f.labels) for f in found]
    where = (str(train), str(test))
    return part(splits[0], splits[1] if test else None, where, seed=seed)


def find(folder: Path) -> Found:
    """The image files below a folder, in the order of their names."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}, expected one with a folder of images for each class")
    classes = ordered(d.name for d in folder.iterdir() if d.is_dir() and d.name[0] != ".")
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
    return Found(files, names)


def header(file: Path) -> tuple[Size, bool]:
    """Height and width, and whether an image is grey, without reading its pixels."""
    # What Pillow warns of is refused here.
    with warnings.catch_warnings(action="ignore"), _opened(file) as image:
        return (image.height, image.width), image.mode in GREY


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """An image whose pixels are not read yet; all that goes wrong in the block is one error."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            if not 0 < image.width * image.height <= MOST_PIXELS:
                size = f"{image.height}x{image.width}"
                raise ValueError(f"it is {size} pixels, of which {MOST_PIXELS:,} are the most")
            yield image
    # Pillow's decoders raise whatever a damaged file leads them to.
    except Exception as error:
        raise _unreadable(file, error) from None


def chosen_size(sizes: Sequence[Size], given: Size | int | None) -> Size:
    """The size that all images are brought to; says why."""
    most, count = Counter(sizes).most_common(1)[0]
    size = checked_size(given) if given else working_size(most)
    if count == len(sizes) and size == most:
        return size
    others = f", {len(sizes) - count} have other sizes" if count < len(sizes) else ""
    hint = "" if given else "; --image_size (image_size) sets another"
    say(
        f"{count} of {len(sizes)} images are {most[0]}x{most[1]}{others}: all are brought to "
        f"{size[0]}x{size[1]}{hint}"
    )
    return size


def checked_size(given: Size | int) -> Size:
    """Height and width that are given.

    Raises:
        UserError: too small for a network, or no size.
    """
    try:
        height, width = map(operator.index, (given, given) if isinstance(given, int) else given)
    except (TypeError, ValueError):
        raise UserError(
            f"image_size is {brief(given)}, expected pixels: 28, or (height, width)"
        ) from None
    if min(height, width) < SMALLEST or max(height, width) > MOST:
        raise UserError(
            f"image_size is {height}x{width}, expected at least {SMALLEST} pixels on each side "
            f"and at most {MOST}"
        )
    return height, width


def working_size(size: Size) -> Size:
    """The size itself, or one of about the same shape within the bounds."""
    scale = 1.0
    if max(size) > LARGEST:
        scale = LARGEST / max(size)
    elif min(size) < SMALLEST:
        scale = SCALED_UP / min(size)
    height, width = (min(max(round(scale * side), SMALLEST), LARGEST) for side in size)
    return height, width


def load(files: Sequence[Path], size: Size, channels: int) -> np.ndarray:
    """Images by their files, uint8 `[N, height, width, channels]`."""
    images = np.zeros((len(files), *size, channels), np.uint8)

    def read_into(i: int) -> None:
        with _opened(files[i]) as image:
            images[i] = pixels(image, size, channels)

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(read_into, range(len(files))):
            pass
    return images


def resized(images: Iterable[np.ndarray], size: Size, channels: int) -> np.ndarray:
    """uint8 arrays `[height, width, channels]` of any sizes as one array of one size."""
    flat = (image[..., 0] if image.shape[-1] == 1 else image for image in images)
    return np.stack([pixels(Image.fromarray(image), size, channels) for image in flat])


def pixels(image: Image.Image, size: Size, channels: int) -> np.ndarray:
    """uint8 `[height, width, channels]`: scaled bilinearly, over an area when made smaller."""
    if image.mode.startswith("I"):  # of 16 bits, which Pillow would cut off above 255
        image = Image.fromarray((np.asarray(image) / 257).round().clip(0, 255).astype(np.uint8))
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(*size, channels)


def _inside(path: Path, names: Sequence[str]) -> Path | None:
    """The first folder of these names."""
    return next((path / name for name in names if (path / name).is_dir()), None)


def _unreadable(file: Path, error: Exception) -> UserError:
    reason = brief(str(error) or type(error).__name__).strip("'\"")
    if isinstance(error, Image.UnidentifiedImageError):
        reason = "its format is not known"
    return UserError(
        f"can't read the image {file} ({reason}), expected a whole PNG, JPEG or BMP; mend or "
        "delete it"
    )
