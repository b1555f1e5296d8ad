"""Notices that own data have changed between two calls of one run."""

from pathlib import Path
from typing import Any

from tf_distill import files
from tf_distill.datasets import Dataset, fingerprint
from tf_distill.errors import UserError

NAME = "data.json"


def check(run_dir: Path, dataset: Dataset) -> None:
    """Raises UserError where the folder's data.json, if there is one, tells of other data."""
    path, now = run_dir / NAME, describe(dataset)
    if path.exists() and (before := files.read_json(path)) != now:
        was, is_now = (
            f"{d.get('train')} + {d.get('test')} examples of {d.get('classes')} classes"
            for d in (before, now)
        )
        how = f"they were {was}, now {is_now}"
        if was == is_now:
            how = "the same number of examples, but other content"
        raise UserError(
            f"the data have changed since {run_dir} was begun: {how}; put the old data back, or "
            "name another --run_dir"
        )


def remember(run_dir: Path, dataset: Dataset) -> None:
    """Writes data.json, unless it is there."""
    if not (run_dir / NAME).exists():
        files.write_json(run_dir / NAME, describe(dataset))


def describe(dataset: Dataset) -> dict[str, Any]:
    """What data.json holds: sizes for a person, and a hash of the stored examples."""
    return {
        "train": len(dataset.y_train),
        "test": len(dataset.y_test),
        "classes": len(dataset.classes),
        "fingerprint": fingerprint(dataset),
    }
