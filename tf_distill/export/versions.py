"""Numbered version folders: TensorFlow Serving serves the highest number."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tf_distill.common import ELSEWHERE, writing_to


def publish_version(base: Path, write: Callable[[Path], Any]) -> Path:
    """Adds the next version to `base`, in one rename: a server never sees half of it.

    Args:
        base: the folder of the versions; it is made if it is missing.
        write: makes the version's folder at the path that it gets.

    Returns:
        The new folder: 1, or one above the highest number in `base`.

    Raises:
        UserError: `base` can't be written.
    """
    with writing_to(base, ELSEWHERE):
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=base) as scratch:
            part = Path(scratch, "version")
            write(part)
            return _rename_to_next(part, base)


def newest_version(base: Path) -> Path | None:
    """The SavedModel of the highest version in a folder; None if there is none."""
    saved = [path for path in _numbered(base) if (path / "saved_model.pb").is_file()]
    return max(saved, key=_number, default=None)


def _numbered(base: Path) -> Iterator[Path]:
    return (path for path in base.iterdir() if path.name.isdecimal())


def _number(path: Path) -> int:
    return int(path.name)


def _rename_to_next(part: Path, base: Path) -> Path:
    while True:
        target = base / str(max(map(_number, _numbered(base)), default=0) + 1)
        try:
            os.rename(part, target)  # unlike replace it never overwrites a folder
        except OSError:
            if not target.exists():
                raise
        else:
            return target
