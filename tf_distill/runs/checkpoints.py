"""The checkpoints of a run, and how a run that keeps some handles SIGINT and SIGTERM."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from tf_distill.common import UserError, os_errors, remove, say


class Checkpoints:
    """TensorFlow's manager of checkpoints in a folder of its own; keeps two.

    Args:
        state: what is saved; the newest sound checkpoint is restored into it.
        folder: of the checkpoints.
        begin: is called before each save; writes what belongs to a run that has begun.

    Raises:
        UserError: there are checkpoints, and all of them are damaged.
    """

    def __init__(
        self, state: tf.train.Checkpoint, folder: Path, begin: Callable[[], None] = lambda: None
    ):
        self._manager = tf.train.CheckpointManager(state, str(folder), max_to_keep=2)
        self._folder, self._begin = folder, begin
        whole = tuple(f"{Path(path).name}." for path in self._manager.checkpoints)
        for path in folder.glob("*"):
            if path.name != "checkpoint" and not path.name.startswith(whole):
                remove(path)  # a killed process has left it half-written
        self.found = self._restore(state)
        """Whether there was a checkpoint to restore."""

    def save(self) -> None:
        """Writes a checkpoint.

        Raises:
            OSError: it can't be written.
        """
        self._begin()
        with os_errors(self._folder):
            self._manager.save()

    def _restore(self, state: tf.train.Checkpoint) -> bool:
        for path in reversed(self._manager.checkpoints):
            try:
                state.restore(path).expect_partial()
                return True
            except (tf.errors.OpError, IndexError, ValueError) as error:
                last = path == self._manager.checkpoints[0]
                before = "" if last else "; trying the one before"
                say(f"{path} is damaged ({str(error).splitlines()[0]}){before}")
        if self._manager.checkpoints:
            raise UserError(
                f"no checkpoint in {self._folder} can be read; delete the folder to begin again"
            )
        return False


@contextlib.contextmanager
def handling(handler: Callable, checkpoints: object | None) -> Iterator[None]:
    """Gives SIGINT and SIGTERM a handler, if there are checkpoints to continue from."""
    if not checkpoints or threading.current_thread() is not threading.main_thread():
        yield  # Python tells only the main thread of signals
        return
    before = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
