"""One process at a time works in a run's folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tf_distill.errors import UserError

NAME = ".lock"


@contextlib.contextmanager
def held(folder: Path, seconds: float = 0) -> Iterator[None]:
    """Keeps other processes out of a folder that is there, for as long as the block runs.

    The operating system holds the lock and lets go of it when the process ends, however that
    is; the empty file that is left means nothing. The same thread may take it again inside.

    Args:
        folder: the folder.
        seconds: to wait where another has it.

    Raises:
        UserError: another process, or another thread, has it.
    """
    lock = FileLock(folder / NAME, is_singleton=True)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        raise UserError(
            f"another process is at work in {folder}; wait till it ends, or name another --run_dir"
        ) from None
    try:
        yield
    finally:
        lock.release()
