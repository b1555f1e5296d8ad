"""Numbered version folders: TensorFlow Serving serves the highest number."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tf_distill.common import ELSEWHERE, writing_to


def publish_version(base: Path, write: Callable[[Path], Any]) -> Path:
    """Adds the next version to the folder `base`, in one rename: a server never sees half of it.

    `write` makes the version at the path that it gets. Returns the new folder: 1, or one above the
    highest number in `base`.

    Raises:
        UserError: `base` can't be written.
    """
    with writing_to(base, ELSEWHERE):
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=base) as scratch:
            part = Path(scratch, "version")
            write(part)
            target = base / str(max(_numbered(base), default=0) + 1)
            os.rename(part, target)  # unlike replace it never overwrites a folder
            return target


def newest_version(base: Path, holds: Callable[[Path], bool]) -> Path | None:
    """The highest version in a folder that `holds` what one looks for; None if there is none."""
    numbered = _numbered(base) if base.is_dir() else {}
    return next((numbered[n] for n in sorted(numbered, reverse=True) if holds(numbered[n])), None)


def _numbered(base: Path) -> dict[int, Path]:
    return {int(path.name): path for path in base.iterdir() if path.name.isdecimal()}
