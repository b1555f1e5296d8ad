"""Numbered version folders, as TensorFlow Serving and others watch for them."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tf_distill import files


def publish(base: Path, write: Callable[[Path], Any]) -> Path:
    """Adds the next version to `base`, in one rename: a server never sees half of it.

    Args:
        base: the folder of the versions; it is made where there is none.
        write: makes the folder that it is given, which does not exist yet.

    Returns:
        The new folder: 1, or one above the highest number in `base`.

    Raises:
        UserError: `base` can't be written.
    """
    with files.writing_to(base, files.ELSEWHERE):
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=base) as scratch:
            part = Path(scratch, "version")
            write(part)
            return _rename_to_next(part, base)


def latest(base: Path) -> int:
    """The highest version number in a folder, 0 where there is none."""
    return max((int(p.name) for p in base.iterdir() if p.name.isdecimal()), default=0)


def _rename_to_next(part: Path, base: Path) -> Path:
    while True:
        target = base / str(latest(base) + 1)
        try:
            os.rename(part, target)  # unlike replace it never takes another's folder
        except OSError:
            if not target.exists():
                raise
        else:
            return target
