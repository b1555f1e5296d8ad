"""One process at a time works in a run's folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tf_distill import files
from tf_distill.errors import UserError
from tf_distill.progress import say

NAME = ".lock"


@contextlib.contextmanager
def held(folder: Path, seconds: float | None = 0) -> Iterator[None]:
    """Keeps other processes out of a folder that is there, for as long as the block runs.

    The operating system holds the lock and lets go of it when the process ends, however that
    is; the empty file that is left means nothing. The same thread may take it again inside.

    Args:
        folder: the folder.
        seconds: to wait where another has it; None for as long as it takes.

    Raises:
        UserError: another process, or another thread, has it; or the folder can't be written.
    """
    lock = FileLock(folder / NAME, is_singleton=True)
    if not _acquired(lock, folder, seconds or 0):
        busy = f"another process is at work in {folder}"
        if seconds is not None:
            raise UserError(f"{busy}; wait till it ends, or name another --run_dir") from None
        say(f"{busy}; waiting till it ends")
        _wait(lock, folder)
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: FileLock, folder: Path, seconds: float) -> bool:
    with files.writing_to(folder, files.ELSEWHERE):
        try:
            lock.acquire(timeout=seconds)
        except Timeout:  # which is an OSError too
            return False
    return True


def _wait(lock: FileLock, folder: Path) -> None:
    while not lock.is_locked:
        with contextlib.suppress(Timeout, FileNotFoundError):
            folder.mkdir(exist_ok=True)  # who had it may have deleted all
            lock.acquire(timeout=1)
