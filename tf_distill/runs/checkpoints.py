"""The checkpoints of a run: written whole, found again, and cleared of what is none."""

import contextlib
import re
import signal
import tensorflow as tf
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from tf_distill.common import UserError, brief, os_errors, remove, say

class Checkpoints(tf.train.CheckpointManager):
    """TensorFlow's manager, for a folder of its own."""

    def save(self, *args: Any, **kwargs: Any) -> str | None:
        """As there, but what goes wrong in writing is an OSError."""
        with os_errors(Path(self.directory)):
            return super().save(*args, **kwargs)

    def clear(self) -> None:
        """Deletes what killed processes have left: files of no checkpoint that is whole."""
        whole = tuple(f"{Path(path).name}." for path in self.checkpoints)
        for path in Path(self.directory).glob("*"):
            if path.name != "checkpoint" and not path.name.startswith(whole):
                remove(path)


def restored(state: tf.train.Checkpoint, folder: Path) -> Checkpoints:
    """The manager of the checkpoints of `state`, which has the newest sound one restored.

    Raises:
        UserError: there are checkpoints, and all of them are damaged or in other folders.
    """
    find_lost(folder)
    check_places(folder)
    manager = Checkpoints(state, str(folder), max_to_keep=2)
    manager.clear()
    for path in reversed(manager.checkpoints):
        try:
            state.restore(path).expect_partial()
            return manager
        except (tf.errors.OpError, IndexError, ValueError) as error:
            before = "; trying the one before" if path != manager.checkpoints[0] else ""
            say(f"{path} is damaged ({str(error).splitlines()[0]}){before}")
    if manager.checkpoints:
        raise UserError(f"no checkpoint in {folder} can be read; delete the folder to begin again")
    return manager


def find_lost(folder: Path) -> None:
    """Enters the checkpoints of a folder in its list again, where that is damaged or gone."""
    if not folder.exists() or _is_listed(folder):
        return
    remove(folder / "checkpoint")
    found = {
        int(match[1]): match[0]
        for path in folder.iterdir()
        if (match := re.fullmatch(r"ckpt-(\d+)\.index", path.name))
    }
    names = [found[number].removesuffix(".index") for number in sorted(found)]
    if names:
        say(f"the list of checkpoints in {folder} is damaged; made anew from {', '.join(names)}")
        tf.compat.v1.train.update_checkpoint_state(
            str(folder), names[-1], names, None, [float(i) for i in range(1, len(names) + 1)]
        )


def _is_listed(folder: Path) -> bool:
    try:
        state = tf.train.get_checkpoint_state(str(folder))
        return bool(state and state.model_checkpoint_path)
    except ValueError:  # no text at all
        return False


def check_places(folder: Path) -> None:
    """Raises UserError where the list of checkpoints, whose old ones get deleted, has others'."""
    state = tf.train.get_checkpoint_state(str(folder))
    for path in state.all_model_checkpoint_paths if state else ():
        if Path(path).resolve().parent != folder.resolve():
            raise UserError(
                f"{folder / 'checkpoint'} names {brief(path)}, expected checkpoints beside it; "
                "delete the folder to begin again"
            )


@contextlib.contextmanager
def handling(handler: Callable, checkpoints: object | None) -> Iterator[None]:
    """Gives SIGINT and SIGTERM a handler, where there are checkpoints to go on from."""
    if not checkpoints or threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is told of signals
        return
    before = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
